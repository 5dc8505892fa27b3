//! Frames along an axis summed where they overlap: the gradient of the view
//! `frame`, whose gradient it is in turn.

use super::padding::Axis;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Float;
use lamina_kernels::overlap_add::{self as kernel, Frames};

params! {
    /// Axes `dim` (frames) and `dim + 1` (their elements) as one of `length`;
    /// what the frames reach, if None.
    pub struct OverlapAdd {
        dim: i64,
        length: Option<usize> = None,
        step: usize = 1,
        dilation: usize = 1,
    }
}

const NAME: &str = "overlap_add";

impl OverlapAdd {
    /// The axis of the frames, and where they lie.
    fn frames(&self, x: &[usize]) -> Result<(usize, Frames)> {
        let axis = resolve_axis(NAME, self.dim, x.len())?;
        let Some(&[count, size]) = x.get(axis..axis + 2) else {
            return Err(Error::shape(format!(
                "{NAME}: x has shape {x:?}; axis {axis} counts frames, their elements must be the axis after it"
            )));
        };
        let (step, dilation) = (self.step, self.dilation);
        let form = Axis {
            kernel: size.max(1),
            stride: step,
            dilation,
        };
        let reach = match count {
            0 => 0,
            _ => form.spread(NAME, count)?,
        };
        let length = self.length.unwrap_or(reach);
        if reach > length {
            return Err(Error::argument(format!(
                "{NAME}: length={length} is less than the {reach} elements that {count} frames of {size} reach"
            )));
        }
        Ok((
            axis,
            Frames {
                count,
                size,
                step,
                dilation,
                length,
            },
        ))
    }

    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let x = call.shape(0);
        let (axis, frames) = self.frames(x)?;
        let sizes = [&x[..axis], &x[axis + 2..]].map(|part| part.iter().product());
        kernel::overlap_add(call.slice::<T>(0)?, sizes, &frames, call.out::<T>(0)?);
        Ok(())
    }
}

impl Op for OverlapAdd {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, FLOATS)?;
        let (axis, frames) = self.frames(&x.shape)?;
        let mut shape = x.shape;
        shape.splice(axis..axis + 2, [frames.length]);
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let x = vjp.inputs[0].shape();
        let (axis, frames) = self.frames(x)?;
        if frames.count * frames.size == 0 {
            return Ok(vec![Some(Tensor::zeros_like(&vjp.inputs[0])?)]);
        }
        let form = views::Frame {
            dim: axis as i64,
            size: frames.size,
            step: frames.step,
            dilation: frames.dilation,
        };
        Ok(vec![Some(views::frames(
            &vjp.grad(0)?,
            form,
            frames.count,
        )?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0) {
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let (axis, frames) = self.frames(&x.shape)?;
        let frames = lamina_gpu::kernels::Frames {
            step: frames.step,
            dilation: frames.dilation,
            length: frames.length,
        };
        let kernels = lamina_gpu::kernels::overlap_add(x, axis, &frames, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

pub fn overlap_add(x: &Tensor, form: OverlapAdd) -> Result<Tensor> {
    record_one(&OpRef::new(form), std::slice::from_ref(x))
}
