//! Determinants of small square matrices, and their cofactors.

use super::{Arg, Kernel, Kernels, quads::contiguous};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

/// An invocation that goes through a larger matrix alone takes too long.
const LARGEST: usize = 64;

params! {
    struct DetParams {
        count: u32,
        n: u32,
        offset: u32,
        g_offset: u32,
    }
}

/// A kernel for matrices `x` with `more` rows of scratch behind each, an
/// invocation each; its number of workgroups and scratch bytes.  None without
/// matrices.
fn kernel(
    name: &'static str,
    x: &Operand,
    g_offset: usize,
    more: usize,
    caps: &Caps,
) -> Result<Option<(Kernel, u64, u64)>> {
    contiguous(name, x)?;
    let &[.., n, columns] = x.shape.as_slice() else {
        let reason = format!("shape {:?} has no rows and columns", x.shape);
        return Err(GpuError::unsupported(name, reason));
    };
    if x.storage != Storage::F32 || n != columns || n > LARGEST {
        let reason = format!("{x:?}; it takes float32 matrices of up to {LARGEST} rows");
        return Err(GpuError::unsupported(name, reason));
    }
    let count: usize = x.shape[..x.shape.len() - 2].iter().product();
    if count == 0 {
        return Ok(None);
    }
    let scratch = [count, n + more, n.max(1)];
    Operand::contiguous(Storage::F32, &scratch).check(name)?;
    let params = DetParams {
        count: count as u32,
        n: n as u32,
        offset: x.offset as u32,
        g_offset: g_offset as u32,
    };
    let width = caps.max_invocations.min(64);
    let kernel = Kernel::new(name, [width, 1, 1])
        .params(Params::of(&params.fields()))
        .bind("input", "f32", Access::Read, Arg::Input(0));
    let bytes = 4 * scratch.iter().product::<usize>().max(1) as u64;
    Ok(Some((
        kernel,
        (count as u64).div_ceil(u64::from(width)),
        bytes,
    )))
}

/// The determinant of each matrix.
pub fn det(x: &Operand, caps: &Caps) -> Result<Kernels> {
    let Some((kernel, groups, bytes)) = kernel("det", x, 0, 0, caps)? else {
        return Ok(Kernels::default());
    };
    let call = kernel
        .bind("scratch", "f32", Access::ReadWrite, Arg::Scratch(0))
        .bind("output", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups)?;
    Ok(Kernels {
        dispatches: vec![call],
        scratch: vec![bytes],
    })
}

/// `g`, one for each matrix, times the matrix' cofactors.
pub fn det_backward(x: &Operand, g: &Operand, caps: &Caps) -> Result<Kernels> {
    const NAME: &str = "det_backward";
    contiguous(NAME, g)?;
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let Some((kernel, groups, bytes)) = kernel(NAME, x, g.offset, 3, caps)? else {
        return Ok(Kernels::default());
    };
    let call = kernel
        .bind("g", "f32", Access::Read, Arg::Input(1))
        .bind("scratch", "f32", Access::ReadWrite, Arg::Scratch(0))
        .bind("output", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups)?;
    Ok(Kernels {
        dispatches: vec![call],
        scratch: vec![bytes],
    })
}
