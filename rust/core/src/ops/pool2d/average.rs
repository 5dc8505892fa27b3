//! Average pooling and its gradient; both linear, each the other's.

use super::{gpu_form, out_shape, sizes};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::ops::padding::{Padding, Window};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Isa, pool2d as kernel};

params! {
    /// The window; `count_include_pad` divides by its whole size even where
    /// it lies in the padding.
    pub struct AvgPool2d {
        kernel_size: [usize; 2],
        stride: Option<[usize; 2]> = None,
        padding: Padding = Padding::default(),
        ceil_mode: bool = false,
        count_include_pad: bool = true,
    }
}

impl AvgPool2d {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            dilation: [1, 1],
            padding: self.padding.clone(),
            ceil_mode: self.ceil_mode,
        }
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &str {
        "avg_pool2d"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype("avg_pool2d", "x", x.dtype, FLOATS)?;
        let shape = out_shape(&x.shape, &sizes("avg_pool2d", &self.window(), &x.shape)?);
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let shape = vjp.inputs[0].shape();
        let op = AvgPool2dBackward {
            size: [shape[2], shape[3]],
            form: self.clone(),
        };
        Ok(vec![Some(record_one(&OpRef::new(op), &[vjp.grad(0)?])?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = sizes("avg_pool2d", &self.window(), call.shape(0))?;
        let (isa, pad) = (Isa::current(), self.count_include_pad);
        match call.dtype(0) {
            DType::F64 => {
                kernel::average_pool2d::<f64>(isa, &sizes, pad, call.slice(0)?, call.out(0)?);
            }
            _ => kernel::average_pool2d::<f32>(isa, &sizes, pad, call.slice(0)?, call.out(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let sizes = sizes("avg_pool2d", &self.window(), &call.inputs[0].shape)?;
        let (form, pad) = (gpu_form(&sizes), self.count_include_pad);
        Ok(Lowered::Kernels(lamina_gpu::kernels::avg_pool2d(
            &call.inputs[0],
            &form,
            pad,
            call.caps,
        )?))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        (outputs[0].len() * self.kernel_size[0] * self.kernel_size[1]) as u64
    }
}

/// From the output's gradient, the input's, for an image of `size`.
#[derive(Debug)]
pub struct AvgPool2dBackward {
    size: [usize; 2],
    form: AvgPool2d,
}

const BACKWARD: &str = "avg_pool2d_backward";

params! {
    pub struct Size { size: [usize; 2] }
}

impl AvgPool2dBackward {
    pub fn from_attrs(name: &str, attrs: &Attrs) -> Result<Self> {
        let (own, rest) = attrs.split(&["size"]);
        Ok(AvgPool2dBackward {
            size: Size::from_attrs(name, &own)?.size,
            form: AvgPool2d::from_attrs(name, &rest)?,
        })
    }

    fn input(&self, dy: &[usize]) -> Result<Vec<usize>> {
        match dy {
            [batch, channels, _, _] => Ok(vec![*batch, *channels, self.size[0], self.size[1]]),
            _ => Err(Error::shape(format!(
                "{BACKWARD}: wanted a gradient of 4 axes, got {dy:?}"
            ))),
        }
    }
}

impl Op for AvgPool2dBackward {
    fn name(&self) -> &str {
        BACKWARD
    }

    fn params(&self) -> Attrs {
        let mut attrs = self.form.to_attrs();
        attrs
            .0
            .push(("size".to_owned(), crate::attrs::ToAttr::to_attr(&self.size)));
        attrs
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy] = arity(self, inputs)?;
        want_dtype(BACKWARD, "dy", dy.dtype, FLOATS)?;
        let input = self.input(&dy.shape)?;
        let wanted = out_shape(&input, &sizes(BACKWARD, &self.form.window(), &input)?);
        if dy.shape != wanted {
            return Err(Error::shape(format!(
                "{BACKWARD}: the gradient has shape {:?}, wanted {wanted:?}",
                dy.shape
            )));
        }
        Ok(vec![Meta::new(dy.dtype, input)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(avg_pool2d(&self.form, &vjp.grad(0)?)?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = sizes(BACKWARD, &self.form.window(), &self.input(call.shape(0))?)?;
        let pad = self.form.count_include_pad;
        match call.dtype(0) {
            DType::F64 => {
                kernel::average_pool2d_backward::<f64>(&sizes, pad, call.slice(0)?, call.out(0)?);
            }
            _ => kernel::average_pool2d_backward::<f32>(&sizes, pad, call.slice(0)?, call.out(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let sizes = sizes(
            BACKWARD,
            &self.form.window(),
            &self.input(&call.inputs[0].shape)?,
        )?;
        let (form, pad) = (gpu_form(&sizes), self.form.count_include_pad);
        Ok(Lowered::Kernels(lamina_gpu::kernels::avg_pool2d_backward(
            &call.inputs[0],
            &form,
            pad,
            call.caps,
        )?))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        (inputs[0].len() * self.form.kernel_size[0] * self.form.kernel_size[1]) as u64
    }
}

pub fn avg_pool2d(form: &AvgPool2d, x: &Tensor) -> Result<Tensor> {
    record_one(&OpRef::new(form.clone()), std::slice::from_ref(x))
}
