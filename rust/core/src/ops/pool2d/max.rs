//! Max pooling.  Its second output is where in its plane each maximum lies;
//! gradients go there.

use super::{gpu_form, out_shape, sizes};
use crate::call::{CpuCall, GpuCall};
use crate::node::{record_one, record_op};
use crate::op::{
    Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::ops::padding::{Padding, Window};
use crate::ops::views;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Isa, pool2d as kernel};

params! {
    /// The window; its step is its own size when `stride` is None.
    pub struct MaxPool2d {
        kernel_size: [usize; 2],
        stride: Option<[usize; 2]> = None,
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        ceil_mode: bool = false,
    }
}

impl MaxPool2d {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel_size,
            stride: self.stride.unwrap_or(self.kernel_size),
            dilation: self.dilation,
            padding: self.padding.clone(),
            ceil_mode: self.ceil_mode,
        }
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &str {
        "max_pool2d"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let known = [FLOATS, &[DType::I8, DType::U8, DType::I32, DType::I64]].concat();
        want_dtype("max_pool2d", "x", x.dtype, &known)?;
        let shape = out_shape(&x.shape, &sizes("max_pool2d", &self.window(), &x.shape)?);
        Ok(vec![
            Meta::new(x.dtype, shape.clone()),
            Meta::new(DType::I64, shape),
        ])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let op = OpRef::new(MaxPool2dBackward(self.clone()));
        Ok(vec![Some(record_one(
            &op,
            &[vjp.inputs[0].clone(), vjp.grad(0)?],
        )?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = sizes("max_pool2d", &self.window(), call.shape(0))?;
        macro_rules! run {
            ($($dtype:ident => $ty:ty),*) => {
                match call.dtype(0) {
                    $(DType::$dtype => kernel::max_pool2d::<$ty>(
                        Isa::current(), &sizes, call.slice(0)?, call.out(0)?, Some(call.out::<i64>(1)?),
                    ),)*
                    other => return Err(Error::internal(format!("max_pool2d: no kernel for {other}"))),
                }
            };
        }
        run!(F32 => f32, F64 => f64, I8 => i8, U8 => u8, I32 => i32, I64 => i64);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let sizes = sizes("max_pool2d", &self.window(), &call.inputs[0].shape)?;
        let kernels =
            lamina_gpu::kernels::max_pool2d(&call.inputs[0], &gpu_form(&sizes), true, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        (outputs[0].len() * self.kernel_size[0] * self.kernel_size[1]) as u64
    }
}

/// From x and the output's gradient, the input's: all of it to the first
/// maximum of each window.
#[derive(Debug)]
pub struct MaxPool2dBackward(MaxPool2d);

impl MaxPool2dBackward {
    pub fn from_attrs(name: &str, attrs: &Attrs) -> Result<Self> {
        MaxPool2d::from_attrs(name, attrs).map(MaxPool2dBackward)
    }
}

impl Op for MaxPool2dBackward {
    fn name(&self) -> &str {
        "max_pool2d_backward"
    }

    fn params(&self) -> Attrs {
        self.0.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, dy] = arity(self, inputs)?;
        want_dtype(self.name(), "x", x.dtype, FLOATS)?;
        let wanted = out_shape(&x.shape, &sizes(self.name(), &self.0.window(), &x.shape)?);
        if dy != Meta::new(x.dtype, wanted.clone()) {
            return Err(Error::shape(format!(
                "max_pool2d_backward: the gradient is {} of shape {:?}, wanted {} of {wanted:?}",
                dy.dtype, dy.shape, x.dtype
            )));
        }
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0],
            outputs: &[],
        }
    }

    /// Linear in dy: its own gradient reads where the maxima lie.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&vjp.inputs[0], vjp.grad(0)?);
        let outputs = record_op(&OpRef::new(self.0.clone()), std::slice::from_ref(x))?;
        let [batch, channels] = [x.shape()[0] as i64, x.shape()[1] as i64];
        let flat = |t: &Tensor| views::reshape(t, &[batch, channels, -1]);
        let index = flat(&outputs[1])?;
        let picked = crate::ops::record(
            "gather",
            &[flat(&g)?, index],
            &Attrs::new().with("dim", 2i64),
        )?;
        Ok(vec![
            None,
            Some(views::reshape_to(&picked[0], outputs[0].shape())?),
        ])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = sizes(self.name(), &self.0.window(), call.shape(0))?;
        match call.dtype(0) {
            DType::F64 => kernel::max_pool2d_backward::<f64>(
                &sizes,
                call.slice(0)?,
                call.slice(1)?,
                call.out(0)?,
            ),
            _ => kernel::max_pool2d_backward::<f32>(
                &sizes,
                call.slice(0)?,
                call.slice(1)?,
                call.out(0)?,
            ),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [x, dy] = call.inputs else {
            return Err(Error::internal("max_pool2d_backward: two inputs"));
        };
        let sizes = sizes(self.name(), &self.0.window(), &x.shape)?;
        let kernels =
            lamina_gpu::kernels::max_pool2d_backward(x, dy, &gpu_form(&sizes), call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        (inputs[1].len() * self.0.kernel_size[0] * self.0.kernel_size[1]) as u64
    }
}

/// The largest of each window, and where in its plane it lies.
pub fn max_pool2d(form: &MaxPool2d, x: &Tensor) -> Result<Vec<Tensor>> {
    record_op(&OpRef::new(form.clone()), std::slice::from_ref(x))
}
