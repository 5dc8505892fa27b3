//! Matrix products with broadcast batches.

mod epilogue;
mod integer;

pub use epilogue::MatmulEpilogue;
pub use integer::matmul_integer;

use super::{reduce, views};
use crate::call::{CpuCall, GpuCall};
use crate::layout::broadcast;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Layout, Result, Tensor, params};
use lamina_kernels::Isa;
use lamina_kernels::matmul::{
    Epilogue, MatRef, PackedRhs, Rhs, matmul_f32_batched, matmul_generic,
};

params! {
    /// The last two axes are matrices; the others broadcast.
    pub struct Matmul {}
}

impl Op for Matmul {
    fn name(&self) -> &str {
        "matmul"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [a, b] = arity(self, inputs)?;
        if a.dtype != b.dtype {
            return Err(Error::dtype(format!(
                "matmul: operands have dtypes {} and {}; cast one first",
                a.dtype, b.dtype
            )));
        }
        if a.dtype == DType::Bool {
            return Err(Error::unsupported(
                "matmul: is not defined for bool; cast it first",
            ));
        }
        Ok(vec![Meta::new(
            a.dtype,
            product_shape("matmul", &a.shape, &b.shape)?,
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    /// dA = G Bᵀ, dB = Aᵀ G, summed over broadcast batches.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = &vjp.grad(0)?;
        let (a, b) = (&vjp.inputs[0], &vjp.inputs[1]);
        let da = if vjp.needs[0] {
            let whole = product(g, &views::transpose_last(b)?)?;
            Some(reduce::sum_to(&whole, a.shape())?)
        } else {
            None
        };
        let db = match (vjp.needs[1], b.rank()) {
            (false, _) => None,
            // One matrix for all batches: the sum over them is part of the product.
            (true, 2) if a.rank() > 2 => {
                let flat = |x: &Tensor| views::reshape(x, &[-1, x.shape()[x.rank() - 1] as i64]);
                Some(product(&views::transpose_last(&flat(a)?)?, &flat(g)?)?)
            }
            (true, _) => {
                let whole = product(&views::transpose_last(a)?, g)?;
                Some(reduce::sum_to(&whole, b.shape())?)
            }
        };
        Ok(vec![da, db])
    }

    fn class(&self) -> Class<'_> {
        Class::Product
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Forward
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let batches = operand_offsets(call);
        macro_rules! generic {
            ($($dtype:ident => $ty:ty),*) => {
                match call.dtype(0) {
                    DType::F32 => product_f32(call, &batches, &Epilogue::NONE)?,
                    $(DType::$dtype => {
                        let (a, b) = (matrix::<$ty>(call, 0)?, matrix::<$ty>(call, 1)?);
                        let out = call.out::<$ty>(0)?;
                        let size = a.rows * b.cols;
                        for (i, (&at_a, &at_b)) in batches.0.iter().zip(&batches.1).enumerate() {
                            let a = MatRef { data: from(a.data, at_a), ..a };
                            let b = MatRef { data: from(b.data, at_b), ..b };
                            matmul_generic(a, b, &mut out[i * size..(i + 1) * size]);
                        }
                    })*
                    other => return Err(Error::internal(format!("matmul: no kernel for {other}"))),
                }
            };
        }
        generic!(F64 => f64, I32 => i32, I64 => i64, U32 => u32, U64 => u64, I16 => i16, U16 => u16, I8 => i8, U8 => u8);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [a, b] = call.inputs else {
            return Err(Error::internal("matmul: two inputs"));
        };
        if !matches!(call.dtypes[0], DType::F32 | DType::I32 | DType::U32) {
            return Ok(Lowered::Unsupported(format!(
                "matmul of {} has no GPU kernel",
                call.dtypes[0]
            )));
        }
        let tail = super::elementwise::epilogue(call);
        let kernels =
            lamina_gpu::kernels::matmul(a, b, call.outputs[0].storage, tail.as_ref(), call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let inner = inputs[0].shape.last().copied().unwrap_or(0);
        2 * (outputs[0].len() * inner) as u64
    }
}

/// Of the product of two operands of at least two axes.
fn product_shape(op: &str, a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let ([.., rows, inner], [.., depth, cols]) = (a, b) else {
        return Err(Error::shape(format!(
            "{op}: wanted at least 2 axes each, got {a:?} and {b:?}"
        )));
    };
    if inner != depth {
        return Err(Error::shape(format!(
            "{op}: {a:?} @ {b:?}: the first has {inner} columns, the second {depth} rows; they must be equal"
        )));
    }
    let mut shape = broadcast(op, &a[..a.len() - 2], &b[..b.len() - 2])?;
    shape.extend([*rows, *cols]);
    Ok(shape)
}

/// From `start` on; nothing where that lies behind the end (empty operands).
fn from<T>(data: &[T], start: usize) -> &[T] {
    data.get(start..).unwrap_or_default()
}

/// The matrix of batch 0 of input `index`; an axis of one element has stride
/// 0.
pub fn matrix<'a, T: lamina_kernels::Element>(
    call: &CpuCall<'a>,
    index: usize,
) -> Result<MatRef<'a, T>> {
    let view = call.view::<T>(index)?;
    let rank = view.shape.len();
    let stride = |axis: usize| {
        if view.shape[axis] == 1 {
            0
        } else {
            view.strides[axis].unsigned_abs()
        }
    };
    Ok(MatRef {
        data: from(view.data, view.offset),
        rows: view.shape[rank - 2],
        cols: view.shape[rank - 1],
        row_stride: stride(rank - 2),
        col_stride: stride(rank - 1),
    })
}

/// Where the matrices of each batch begin in operands 0 and 1.
fn operand_offsets(call: &CpuCall<'_>) -> (Vec<usize>, Vec<usize>) {
    let out = call.out_shape(0);
    let batch = &out[..out.len() - 2];
    (batch_offsets(call, 0, batch), batch_offsets(call, 1, batch))
}

/// Where input `index`'s matrices begin, relative to the first, if it is
/// broadcast to the axes `batch` before the last two.
pub fn batch_offsets(call: &CpuCall<'_>, index: usize, batch: &[usize]) -> Vec<usize> {
    let layout = call.inputs[index].layout;
    let lead = Layout {
        shape: layout.shape[..layout.shape.len() - 2].to_vec(),
        strides: layout.strides[..layout.strides.len() - 2].to_vec(),
        offset: 0,
    };
    let strides = lead.expand(batch).strides;
    let count: usize = batch.iter().product();
    let mut all = Vec::with_capacity(count);
    for mut i in 0..count {
        let mut at = 0;
        for (&n, &stride) in batch.iter().zip(&strides).rev() {
            at += (i % n) * stride.unsigned_abs();
            i /= n;
        }
        all.push(at);
    }
    all
}

fn product_f32(
    call: &CpuCall<'_>,
    (a_offsets, b_offsets): &(Vec<usize>, Vec<usize>),
    epilogue: &Epilogue<'_>,
) -> Result<()> {
    let isa = Isa::current();
    let a = matrix::<f32>(call, 0)?;
    let out = call.out::<f32>(0)?;
    let mut multiply = |rhs: &Rhs<'_>| {
        call.with_tail(|tail| {
            let epilogue = Epilogue { tail, ..*epilogue };
            matmul_f32_batched(isa, a, a_offsets, rhs, b_offsets, out, &epilogue);
        });
    };
    // The planner leaves constants so, which are one matrix.
    if call.dtype(1) == DType::F16 {
        let b = matrix::<u16>(call, 1)?;
        let packed = call.packed(1, half_packing(isa), 0, || PackedRhs::half(isa, b));
        multiply(&Rhs::Packed(&packed));
        return Ok(());
    }
    let b = matrix::<f32>(call, 1)?;
    let shared = b_offsets.iter().all(|&at| at == 0);
    // Right operands that stay (weights) are packed once for all runs.
    let packed = (shared && b.rows > 0 && b.cols > 0)
        .then(|| call.kept(1, packing(isa), 0, || PackedRhs::new(isa, b)))
        .flatten();
    multiply(&packed.as_deref().map_or(Rhs::Plain(b), Rhs::Packed));
    Ok(())
}

fn packing(isa: Isa) -> &'static str {
    match isa {
        Isa::Portable => "matmul.portable",
        Isa::Avx2 => "matmul.avx2",
        Isa::Avx512 => "matmul.avx512",
        Isa::Neon => "matmul.neon",
    }
}

fn half_packing(isa: Isa) -> &'static str {
    match isa {
        Isa::Portable => "matmul.half.portable",
        Isa::Avx2 => "matmul.half.avx2",
        Isa::Avx512 => "matmul.half.avx512",
        Isa::Neon => "matmul.half.neon",
    }
}

/// Operands of at least two axes.
fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    record_one(&OpRef::new(Matmul {}), &[a.clone(), b.clone()])
}

pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let dtype = crate::promote::promote(a.dtype(), b.dtype());
    let (a, b) = (
        super::elementwise::cast(a, dtype)?,
        super::elementwise::cast(b, dtype)?,
    );
    of_matrices("matmul", &a, &b, product)
}

/// NumPy's rule: a 1-d operand is a row or column, whose axis goes again.
fn of_matrices(
    op: &str,
    a: &Tensor,
    b: &Tensor,
    product: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if a.rank() == 0 || b.rank() == 0 {
        return Err(Error::shape(format!(
            "{op}: a 0-d operand is no matrix; use * for products with a number"
        )));
    }
    let (a_vector, b_vector) = (a.rank() == 1, b.rank() == 1);
    let a = if a_vector {
        &views::unsqueeze(a, &[0])?
    } else {
        a
    };
    let b = if b_vector {
        &views::unsqueeze(b, &[-1])?
    } else {
        b
    };
    let y = product(a, b)?;
    let rank = y.rank();
    let kept = y
        .shape()
        .iter()
        .enumerate()
        .filter(|(axis, _)| !(a_vector && *axis + 2 == rank || b_vector && *axis + 1 == rank));
    let shape: Vec<usize> = kept.map(|(_, &n)| n).collect();
    views::reshape_to(&y, &shape)
}
