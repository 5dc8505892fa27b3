//! Max pooling and its gradient, which goes to the first maximum of each
//! window.  Padding counts as -inf.

use super::super::padding::{Padding, Window};
use super::super::{elementwise as e, gather, views};
use super::{Sizes, blocked};
use crate::call::{CpuCall, GpuCall};
use crate::node::{record_one, record_op};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::pool2d::Pooling;
use lamina_kernels::{Func, Isa, pool2d as kernel};

params! {
    /// `stride` is `kernel_size` when None.  With `return_indices` a second
    /// output gives the place of each maximum in its plane, as int64: -1 for
    /// a window in the padding alone.
    pub struct MaxPool2d {
        kernel_size: [usize; 2],
        stride: Option<[usize; 2]> = None,
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        ceil_mode: bool = false,
        return_indices: bool = false,
    }
}

const NAME: &str = "max_pool2d";
const BACKWARD: &str = "max_pool2d_backward";

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

    fn sizes(&self, op: &str, x: &[usize]) -> Result<Sizes> {
        Sizes::of(op, &self.window(), x)
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let known = [FLOATS, &[DType::I8, DType::U8, DType::I32, DType::I64]].concat();
        want_dtype(NAME, "x", x.dtype, &known)?;
        let sizes = self.sizes(NAME, &x.shape)?;
        let mut outputs = vec![Meta::new(x.dtype, sizes.output)];
        if self.return_indices {
            outputs.push(Meta::new(DType::I64, sizes.output));
        }
        Ok(outputs)
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&vjp.inputs[0], vjp.grad(0)?);
        let form = MaxPool2d {
            return_indices: false,
            ..self.clone()
        };
        let dx = record_one(&OpRef::new(MaxPool2dBackward(form)), &[x.clone(), g])?;
        Ok(vec![Some(dx)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let window = (!self.return_indices).then(|| self.window())?;
        blocked::twin(window, Pooling::Max, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (isa, shape) = (Isa::current(), self.sizes(NAME, call.shape(0))?.shape);
        let places = if self.return_indices {
            Some(call.out::<i64>(1)?)
        } else {
            None
        };
        macro_rules! run {
            ($($dtype:ident => $ty:ty),*) => {
                match call.dtype(0) {
                    $(DType::$dtype => kernel::max_pool2d::<$ty>(
                        isa, &shape, call.slice(0)?, call.out(0)?, places,
                    ),)*
                    other => return Err(Error::internal(format!("{NAME}: no kernel for {other}"))),
                }
            };
        }
        run!(F32 => f32, F64 => f64, I8 => i8, U8 => u8, I32 => i32, I64 => i64);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let pool = self.sizes(NAME, &x.shape)?.gpu();
        let places = self.return_indices;
        let kernels = lamina_gpu::kernels::max_pool2d(x, &pool, places, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(NAME, &inputs[0].shape).map_or(0, |s| s.flops())
    }
}

/// dx of max pooling, from x and dy: linear in dy.
#[derive(Clone, Debug)]
pub struct MaxPool2dBackward(MaxPool2d);

impl MaxPool2dBackward {
    pub fn from_attrs(op: &str, attrs: &Attrs) -> Result<Self> {
        let (_, rest) = attrs.split(&["return_indices"]);
        Ok(MaxPool2dBackward(MaxPool2d::from_attrs(op, &rest)?))
    }
}

impl Op for MaxPool2dBackward {
    fn name(&self) -> &str {
        BACKWARD
    }

    fn params(&self) -> Attrs {
        self.0.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, dy] = arity(self, inputs)?;
        want_dtype(BACKWARD, "x", x.dtype, FLOATS)?;
        if dy.dtype != x.dtype {
            return Err(Error::dtype(format!(
                "{BACKWARD}: x is {}, the gradient {}; cast one first",
                x.dtype, dy.dtype
            )));
        }
        let sizes = self.0.sizes(BACKWARD, &x.shape)?;
        sizes.check_gradient(BACKWARD, &dy.shape)?;
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0],
            outputs: &[],
        }
    }

    /// By dy: what stands at the maxima.  By x: 0, wherever it is defined.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        if !vjp.needs[1] {
            return Ok(vec![None, None]);
        }
        let (x, g) = (&vjp.inputs[0], vjp.grad(0)?);
        let sizes = self.0.sizes(BACKWARD, x.shape())?;
        let form = MaxPool2d {
            return_indices: true,
            ..self.0.clone()
        };
        let places = record_op(&OpRef::new(form), std::slice::from_ref(x))?.remove(1);
        let [batch, channels, out_h, out_w] = sizes.output;
        let pixels = sizes.shape.in_h * sizes.shape.in_w;
        let flat = views::reshape_to(&g, &[batch, channels, pixels])?;
        let rows = views::reshape_to(&places, &[batch, channels, out_h * out_w])?;
        let zero = e::number_like(&rows, 0.0);
        let inside = e::compare(Func::Ge, &rows, &zero)?;
        let picked = gather::gather(&flat, &e::select(&inside, &rows, &zero)?, 2)?;
        let picked = e::select(&inside, &picked, &e::number_like(&picked, 0.0))?;
        Ok(vec![None, Some(views::reshape_to(&picked, &sizes.output)?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        blocked::max_backward_twin(self.0.window(), inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let shape = self.0.sizes(BACKWARD, call.shape(0))?.shape;
        if call.dtype(0) == DType::F64 {
            kernel::max_pool2d_backward::<f64>(
                &shape,
                call.slice(0)?,
                call.slice(1)?,
                call.out(0)?,
            );
        } else {
            kernel::max_pool2d_backward::<f32>(
                &shape,
                call.slice(0)?,
                call.slice(1)?,
                call.out(0)?,
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let (x, dy) = (&call.inputs[0], &call.inputs[1]);
        let pool = self.0.sizes(BACKWARD, &x.shape)?.gpu();
        let kernels = lamina_gpu::kernels::max_pool2d_backward(x, dy, &pool, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        (self.0.sizes(BACKWARD, &inputs[0].shape)).map_or(0, |s| s.flops())
    }
}
