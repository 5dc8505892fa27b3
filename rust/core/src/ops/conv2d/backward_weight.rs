//! The gradient of a convolution with respect to its weight.

mod blocked;

use super::{Conv2d, backward_input, check_dtypes, flops_of};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::ops::padding::Padding;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::{Isa, conv2d as kernel};

params! {
    /// Of a convolution with a kernel of `size` (height, width).
    pub struct Conv2dBackwardWeight {
        size: [usize; 2],
        stride: [usize; 2] = [1, 1],
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        groups: usize = 1,
    }
}

const NAME: &str = "conv2d_backward_weight";

impl Conv2dBackwardWeight {
    fn form(&self) -> Conv2d {
        Conv2d {
            stride: self.stride,
            padding: self.padding.clone(),
            dilation: self.dilation,
            groups: self.groups,
        }
    }

    /// The sizes of the convolution whose gradient this is.
    fn sizes(&self, x: &[usize], dy: &[usize]) -> Result<Conv2dShape> {
        let (&[batch, in_c, ..], &[dy_batch, out_c, out_h, out_w]) = (x, dy) else {
            return Err(Error::shape(format!(
                "{NAME}: wanted an input and a gradient of 4 axes, got {x:?} and {dy:?}"
            )));
        };
        let w = [out_c, in_c / self.groups.max(1), self.size[0], self.size[1]];
        let sizes = self.form().sizes(NAME, x, &w)?;
        if batch != dy_batch || [out_h, out_w] != [sizes.out_h(), sizes.out_w()] {
            return Err(Error::shape(format!(
                "{NAME}: a convolution of {x:?} with {w:?} gives {:?}, the gradient has {dy:?}",
                [batch, out_c, sizes.out_h(), sizes.out_w()]
            )));
        }
        Ok(sizes)
    }
}

impl Op for Conv2dBackwardWeight {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, dy] = arity(self, inputs)?;
        check_dtypes(NAME, &x, &dy)?;
        let sizes = self.sizes(&x.shape, &dy.shape)?;
        Ok(vec![Meta::new(
            x.dtype,
            [
                sizes.out_c,
                sizes.group_in(),
                sizes.kernel_h,
                sizes.kernel_w,
            ],
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, dy, g) = (&vjp.inputs[0], &vjp.inputs[1], vjp.grad(0)?);
        let sizes = self.sizes(x.shape(), dy.shape())?;
        let form = self.form().explicit(&sizes);
        let to_x = if vjp.needs[0] {
            Some(backward_input::record(&form, dy, &g, &sizes)?)
        } else {
            None
        };
        let to_dy = if vjp.needs[1] {
            Some(super::conv2d(&form, x, &g, None)?)
        } else {
            None
        };
        Ok(vec![to_x, to_dy])
    }

    /// Its kernels take no tail: what follows a weight's gradient is the
    /// update, which is done in place.
    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let sizes = self.sizes(&inputs[0].shape, &inputs[1].shape).ok()?;
        blocked::twin(&self.form().explicit(&sizes), &sizes, inputs[0].dtype)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.sizes(call.shape(0), call.shape(1))?;
        if call.dtype(0) == DType::F64 {
            kernel::backward_weight_generic(
                &sizes,
                call.slice::<f64>(0)?,
                call.slice(1)?,
                call.out(0)?,
            );
        } else {
            kernel::backward_weight(
                Isa::current(),
                &sizes,
                call.slice(0)?,
                call.slice(1)?,
                call.out(0)?,
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [x, dy] = call.inputs else {
            return Err(Error::internal("conv2d_backward_weight: two inputs"));
        };
        let sizes = self.sizes(&x.shape, &dy.shape)?;
        let form = self.form().gpu_form(&sizes);
        let kernels =
            lamina_gpu::kernels::conv2d_backward_weight(x, dy, self.size, &form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(&inputs[0].shape, &inputs[1].shape)
            .map_or(0, |s| flops_of(&s))
    }
}

pub(super) fn record(
    form: &Conv2d,
    x: &Tensor,
    dy: &Tensor,
    sizes: &Conv2dShape,
) -> Result<Tensor> {
    let op = Conv2dBackwardWeight {
        size: [sizes.kernel_h, sizes.kernel_w],
        stride: form.stride,
        padding: form.padding.clone(),
        dilation: form.dilation,
        groups: form.groups,
    };
    record_one(&OpRef::new(op), &[x.clone(), dy.clone()])
}
