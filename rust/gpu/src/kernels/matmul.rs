//! Batched matrix products of strided operands.

use super::{
    Arg, Epilogue, KernelDispatch, Kernels,
    finish::Finish,
    gemm::{Grid, with_sum},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::params,
    storage::{Operand, Storage, collapse, row_major},
};

const KERNEL: &str = "matmul";

params! {
    struct MatmulParams {
        /// Offset, then strides along the batch dimensions, then along the two of the matrix.
        a: Vec<u32>,
        b: Vec<u32>,
        batch_dims: Vec<u32>,
    }
}

/// The sizes of a product and the strides of what it reads, batch dimensions collapsed.
struct Plan {
    batch_dims: Vec<usize>,
    /// For a, b and each extra input: strides along the batch dimensions.
    batch_strides: Vec<Vec<isize>>,
    m: usize,
    n: usize,
    k: usize,
}

/// `a[..., M, K] b[..., K, N]`, batch dimensions broadcast; the output is a whole row-major buffer.
/// Operands are floats, or integers of 32 bits or fewer and one sign, of any strides; sums are
/// float32 or of 32 bits and wrap.  The epilogue's inputs are broadcast against the output.
pub fn matmul(
    a: &Operand,
    b: &Operand,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Result<Kernels> {
    let extras: &[Operand] = epilogue.map_or(&[], |e| &e.inputs);
    let (plan, tails) = plan(a, b, extras)?;
    let Plan { m, n, k, .. } = plan;
    let batch: usize = plan.batch_dims.iter().product();
    if batch * m * n == 0 {
        return Ok(Kernels::default());
    }
    let rank = plan.batch_dims.len() + 2;
    let strides: Vec<Vec<isize>> = (plan.batch_strides[2..].iter().zip(&tails[2..]))
        .map(|(batch, tail)| [batch.as_slice(), tail].concat())
        .collect();
    let finish = Finish::new(
        KERNEL,
        epilogue,
        sums(KERNEL, a, b)?,
        output,
        rank,
        &strides,
    )?;
    let grid = Grid::new(m, n, k, batch, caps);
    let product = product(a, b, &plan, &tails, &grid, &finish)?;
    let shape = [plan.batch_dims.as_slice(), &[m, n]].concat();
    with_sum(product, &grid, &shape, &finish, caps)
}

/// In what products of two operands are summed.
pub(super) fn sums(kernel: &str, a: &Operand, b: &Operand) -> Result<Storage> {
    match (a.storage.value(), b.storage.value()) {
        ("f32", "f32") => Ok(Storage::F32),
        ("i32", "i32") => Ok(Storage::I32),
        ("u32", "u32") => Ok(Storage::U32),
        _ => {
            let reason = format!("it does not multiply {:?} by {:?}", a.storage, b.storage);
            Err(GpuError::unsupported(kernel, reason))
        }
    }
}

fn plan(a: &Operand, b: &Operand, extras: &[Operand]) -> Result<(Plan, Vec<[isize; 2]>)> {
    let refuse = |reason: String| Err(GpuError::unsupported(KERNEL, reason));
    for operand in [a, b] {
        operand.check(KERNEL)?;
    }
    let (Some((a_batch, &[m, k])), Some((b_batch, &[k_b, n]))) = (
        a.shape.split_last_chunk::<2>(),
        b.shape.split_last_chunk::<2>(),
    ) else {
        return refuse(format!("shapes {:?} and {:?}", a.shape, b.shape));
    };
    let rank = a_batch.len().max(b_batch.len());
    let axis =
        |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let mut batch = Vec::with_capacity(rank);
    for i in 0..rank {
        match (axis(a_batch, i), axis(b_batch, i)) {
            (p, q) if p == q || q == 1 => batch.push(p),
            (1, q) => batch.push(q),
            _ => return refuse(format!("shapes {:?} and {:?}", a.shape, b.shape)),
        }
    }
    if k != k_b {
        return refuse(format!("shapes {:?} and {:?}", a.shape, b.shape));
    }
    let mut strides = Vec::new();
    let mut tails = Vec::new();
    let seen = [(a, [m, k]), (b, [k, n])].into_iter();
    for (operand, tail) in seen.chain(extras.iter().map(|e| (e, [m, n]))) {
        let shape = [batch.as_slice(), &tail].concat();
        let mut all = operand.broadcast(KERNEL, &shape)?;
        let tail = all.split_off(rank);
        tails.push([tail[0], tail[1]]);
        strides.push(all);
    }
    strides.push(row_major(&batch));
    let (batch_dims, mut batch_strides) = collapse(&batch, &strides);
    batch_strides.pop();
    Ok((
        Plan {
            batch_dims,
            batch_strides,
            m,
            n,
            k,
        },
        tails,
    ))
}

fn product(
    a: &Operand,
    b: &Operand,
    plan: &Plan,
    tails: &[[isize; 2]],
    grid: &Grid,
    finish: &Finish,
) -> Result<KernelDispatch> {
    let place = |i: usize, operand: &Operand| -> Vec<u32> {
        std::iter::once(operand.offset as u32)
            .chain(plan.batch_strides[i].iter().map(|&s| s as u32))
            .chain(tails[i].iter().map(|&s| s as u32))
            .collect()
    };
    let sizes = grid.params();
    let params = MatmulParams {
        a: place(0, a),
        b: place(1, b),
        batch_dims: plan.batch_dims.iter().map(|&n| n as u32).collect(),
    };
    // Quads lie along the sum in a and along the columns in b.
    let a_quad = quads(a, &plan.batch_strides[0], tails[0], plan.k);
    let b_quad = quads(b, &plan.batch_strides[1], tails[1], plan.n);
    let a_along_k = tails[0][1].unsigned_abs() <= tails[0][0].unsigned_abs();
    let b_along_k = tails[1][0].unsigned_abs() < tails[1][1].unsigned_abs();
    let split = grid.splits > 1;
    let kernel = grid
        .kernel(KERNEL, a_along_k, b_along_k)
        .read("a", a, a_quad, Arg::Input(0))
        .read("b", b, b_quad, Arg::Input(1))
        .set("batch_rank", plan.batch_dims.len());
    let fields = sizes.fields().into_iter().chain(params.fields());
    finish
        .result(kernel, plan.n.is_multiple_of(4), split)
        .params(finish.params(fields.collect(), split))
        .build(grid.workgroups())
}

/// Whether four neighbours along the second axis, of `extent`, can be read at once.
fn quads(operand: &Operand, batch: &[isize], [outer, inner]: [isize; 2], extent: usize) -> bool {
    inner == 1
        && operand.storage.has_quads()
        && extent.is_multiple_of(4)
        && operand.offset.is_multiple_of(4)
        && outer % 4 == 0
        && batch.iter().all(|s| s % 4 == 0)
}
