//! Tensors one after the other along an axis, and the other way.

use super::views;
use crate::attrs::ToAttr;
use crate::call::{CpuCall, GpuCall};
use crate::layout::{contiguous_strides, resolve_axis};
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp};
use crate::promote::promote;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Isa;

params! {
    /// Tensors of equal shapes, but for the axis `dim`, along which they follow
    /// each other.
    pub struct Concat { dim: i64 = 0 }
}

impl Concat {
    /// The axis, of tensors of so many; None where there is no such.
    pub(crate) fn axis(&self, rank: usize) -> Option<usize> {
        resolve_axis("concat", self.dim, rank).ok()
    }
}

impl Op for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let Some(first) = inputs.first() else {
            return Err(Error::argument("concat: takes at least 1 tensor, got 0"));
        };
        let axis = resolve_axis("concat", self.dim, first.shape.len())?;
        let mut shape = first.shape.clone();
        for (at, other) in inputs.iter().enumerate().skip(1) {
            if other.dtype != first.dtype {
                return Err(Error::dtype(format!(
                    "concat: tensors 0 and {at} have dtypes {} and {}; cast one first",
                    first.dtype, other.dtype
                )));
            }
            let fits = other.shape.len() == shape.len()
                && (0..shape.len()).all(|i| i == axis || other.shape[i] == shape[i]);
            if !fits {
                return Err(Error::shape(format!(
                    "concat: tensors 0 and {at} have shapes {:?} and {:?}; they may differ on axis {axis} alone",
                    first.shape, other.shape
                )));
            }
            shape[axis] += other.shape[axis];
        }
        Ok(vec![Meta::new(first.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = vjp.grad(0)?;
        let axis = resolve_axis("concat", self.dim, g.rank())?;
        let mut start = 0;
        (vjp.inputs.iter().zip(vjp.needs))
            .map(|(x, &needed)| {
                let end = start + x.shape()[axis];
                let piece = needed.then(|| views::narrow(&g, axis, start, end));
                start = end;
                piece.transpose()
            })
            .collect()
    }

    fn class(&self) -> Class<'_> {
        Class::Move
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    /// Whole blocks follow each other; only the last tensor's last block may
    /// be part empty.  Along other axes any images do.
    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let lanes = Isa::current().lanes();
        let [first @ .., _] = inputs else {
            return None;
        };
        let image = |x: &&Meta| x.dtype == DType::F32 && x.shape.len() == 4;
        let axis = resolve_axis("concat", self.dim, inputs[0].shape.len()).ok()?;
        let fits = inputs.iter().all(image)
            && (axis != 1 || first.iter().all(|x| x.shape[1].is_multiple_of(lanes)));
        fits.then(|| {
            let dim = axis as i64;
            Blocked::keeping(OpRef::new(Concat { dim }), 0..inputs.len())
        })
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let shape = call.out_shape(0);
        let axis = resolve_axis("concat", self.dim, shape.len())?;
        let strides = contiguous_strides(shape);
        let output = &call.outputs[0];
        let size = output.dtype.size();
        let mut start = 0;
        for input in call.inputs {
            // SAFETY: the pieces lie side by side in the output, which is
            // memory of its own.
            unsafe {
                lamina_kernels::copy::copy_bytes(
                    size,
                    &input.layout.shape,
                    input.first(),
                    &input.layout.strides,
                    output
                        .first()
                        .wrapping_add(start * strides[axis] as usize * size),
                    &strides,
                );
            }
            start += input.layout.shape[axis];
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let axis = resolve_axis("concat", self.dim, call.outputs[0].shape.len())?;
        let kernels = lamina_gpu::kernels::concat(call.inputs, axis, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// Tensors one after the other, promoted to one dtype.
pub fn concat(tensors: &[Tensor], dim: i64) -> Result<Tensor> {
    let dtype = tensors.iter().map(Tensor::dtype).reduce(promote);
    let tensors = tensors
        .iter()
        .map(|t| super::elementwise::cast(t, dtype.unwrap_or(t.dtype())))
        .collect::<Result<Vec<_>>>()?;
    record_one(&OpRef::new(Concat { dim }), &tensors)
}

/// Tensors of one shape along a new axis at `dim` of the result.
pub fn stack(tensors: &[Tensor], dim: i64) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        return Err(Error::argument("stack: takes at least 1 tensor, got 0"));
    };
    if let Some(other) = tensors.iter().find(|t| t.shape() != first.shape()) {
        return Err(Error::shape(format!(
            "stack: tensors have shapes {:?} and {:?}; they must be equal",
            first.shape(),
            other.shape()
        )));
    }
    let axis = resolve_axis("stack", dim, first.rank() + 1)? as i64;
    let raised = tensors
        .iter()
        .map(|t| views::unsqueeze(t, &[axis]))
        .collect::<Result<Vec<_>>>()?;
    concat(&raised, axis)
}

params! {
    /// Pieces of lengths `sizes`, or `sections` of equal length, along `dim`.
    pub struct Split {
        sizes: Option<Vec<i64>> = None,
        sections: Option<i64> = None,
        dim: i64 = 0,
    }
}

impl Split {
    pub fn split(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let axis = resolve_axis("split", self.dim, x.rank())?;
        let length = x.shape()[axis];
        let sizes = self.lengths(length, axis)?;
        let mut start = 0;
        sizes
            .iter()
            .map(|&n| {
                let piece = views::narrow(x, axis, start, start + n);
                start += n;
                piece
            })
            .collect()
    }

    fn lengths(&self, length: usize, axis: usize) -> Result<Vec<usize>> {
        match (&self.sizes, self.sections) {
            (Some(sizes), None) => {
                let total = sizes
                    .iter()
                    .try_fold(0i64, |sum, &n| (n >= 0).then(|| sum.checked_add(n))?);
                if total != Some(length as i64) {
                    return Err(Error::shape(format!(
                        "split: sizes={sizes:?} do not add up to axis {axis}, which has {length}"
                    )));
                }
                Ok(sizes.iter().map(|&n| n as usize).collect())
            }
            // ONNX's rule: the last piece may be shorter.
            (None, Some(count)) if count > 0 => {
                let (count, step) = (count as usize, length.div_ceil(count as usize));
                Ok((0..count)
                    .map(|i| length.saturating_sub(i * step).min(step))
                    .collect())
            }
            (sizes, sections) => Err(Error::argument(format!(
                "split: sizes={} and sections={} given; wanted one of them, sections above 0",
                sizes.to_attr(),
                sections.to_attr()
            ))),
        }
    }
}
