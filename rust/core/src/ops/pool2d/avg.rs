//! Average pooling and its gradient, each the other's gradient: both are
//! linear.

use super::super::padding::{Padding, Window};
use super::{Sizes, blocked};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::pool2d::Pooling;
use lamina_kernels::{Isa, pool2d as kernel};

params! {
    /// `stride` is `kernel_size` when None.  The divisor counts the elements
    /// inside the image, or with `count_include_pad` inside the padded one.
    pub struct AvgPool2d {
        kernel_size: [usize; 2],
        stride: Option<[usize; 2]> = None,
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        ceil_mode: bool = false,
        count_include_pad: bool = true,
    }
}

params! {
    /// Of the average pooling of an image of `size` (height, width).
    pub struct AvgPool2dBackward {
        size: [usize; 2],
        kernel_size: [usize; 2],
        stride: Option<[usize; 2]> = None,
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        ceil_mode: bool = false,
        count_include_pad: bool = true,
    }
}

const NAME: &str = "avg_pool2d";
const BACKWARD: &str = "avg_pool2d_backward";

impl AvgPool2d {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            dilation: self.dilation,
            padding: self.padding.clone(),
            ceil_mode: self.ceil_mode,
        }
    }

    fn sizes(&self, op: &str, x: &[usize]) -> Result<Sizes> {
        Sizes::of(op, &self.window(), x)
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, FLOATS)?;
        Ok(vec![Meta::new(x.dtype, self.sizes(NAME, &x.shape)?.output)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let sizes = self.sizes(NAME, vjp.inputs[0].shape())?;
        let op = AvgPool2dBackward {
            size: [sizes.shape.in_h, sizes.shape.in_w],
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: sizes.padding(),
            dilation: self.dilation,
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
        };
        Ok(vec![Some(record_one(&OpRef::new(op), &[vjp.grad(0)?])?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let count_include_pad = self.count_include_pad;
        blocked::twin(
            self.window(),
            Pooling::Average { count_include_pad },
            inputs,
        )
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (isa, shape) = (Isa::current(), self.sizes(NAME, call.shape(0))?.shape);
        let pad = self.count_include_pad;
        if call.dtype(0) == DType::F64 {
            kernel::average_pool2d::<f64>(isa, &shape, pad, call.slice(0)?, call.out(0)?);
        } else {
            kernel::average_pool2d::<f32>(isa, &shape, pad, call.slice(0)?, call.out(0)?);
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let pool = self.sizes(NAME, &x.shape)?.gpu();
        let pad = self.count_include_pad;
        let kernels = lamina_gpu::kernels::avg_pool2d(x, &pool, pad, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(NAME, &inputs[0].shape).map_or(0, |s| s.flops())
    }
}

impl AvgPool2dBackward {
    fn form(&self) -> AvgPool2d {
        AvgPool2d {
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding.clone(),
            dilation: self.dilation,
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
        }
    }

    fn sizes(&self, dy: &[usize]) -> Result<Sizes> {
        let &[batch, channels, ..] = dy else {
            return Err(Error::shape(format!(
                "{BACKWARD}: the gradient has shape {dy:?}, wanted 4 axes"
            )));
        };
        let x = [batch, channels, self.size[0], self.size[1]];
        let sizes = self.form().sizes(BACKWARD, &x)?;
        sizes.check_gradient(BACKWARD, dy)?;
        Ok(sizes)
    }
}

impl Op for AvgPool2dBackward {
    fn name(&self) -> &str {
        BACKWARD
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy] = arity(self, inputs)?;
        want_dtype(BACKWARD, "the gradient", dy.dtype, FLOATS)?;
        Ok(vec![Meta::new(dy.dtype, self.sizes(&dy.shape)?.input)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let to_dy = record_one(&OpRef::new(self.form()), &[vjp.grad(0)?])?;
        Ok(vec![Some(to_dy)])
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
        let shape = self.sizes(call.shape(0))?.shape;
        let pad = self.count_include_pad;
        if call.dtype(0) == DType::F64 {
            kernel::average_pool2d_backward::<f64>(&shape, pad, call.slice(0)?, call.out(0)?);
        } else {
            kernel::average_pool2d_backward::<f32>(&shape, pad, call.slice(0)?, call.out(0)?);
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let dy = &call.inputs[0];
        let pool = self.sizes(&dy.shape)?.gpu();
        let pad = self.count_include_pad;
        let kernels = lamina_gpu::kernels::avg_pool2d_backward(dy, &pool, pad, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(&inputs[0].shape).map_or(0, |s| s.flops())
    }
}
