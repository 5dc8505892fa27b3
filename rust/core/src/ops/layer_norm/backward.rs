//! The gradient of layer normalisation by x, from dy, x, weight, and each
//! row's mean and 1 / sqrt(var + eps).

use super::dims;
use crate::call::{CpuCall, GpuCall};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, Strides, Vjp, arity, want_dtype,
};
use crate::ops::composed;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::LayerNormForm;
use lamina_kernels::{Isa, layer_norm as kernel};

params! {
    /// The weight's axes say what a row is.
    pub struct LayerNormBackward { centred: bool = true }
}

const NAME: &str = "layer_norm_backward";

impl Op for LayerNormBackward {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy, x, weight, mean, inverse] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, FLOATS)?;
        if !x.shape.ends_with(&weight.shape) || weight.is_empty() {
            return Err(Error::shape(format!(
                "{NAME}: x has shape {:?}, weight {:?}; x must end in it, and it must not be empty",
                x.shape, weight.shape
            )));
        }
        let mut rows = x.clone();
        let outer = rows.shape.len() - weight.shape.len();
        rows.shape[outer..].fill(1);
        let wanted = [
            ("the gradient", &dy, &x),
            ("mean", &mean, &rows),
            ("inverse", &inverse, &rows),
        ];
        for (name, got, wanted) in wanted {
            if got != wanted {
                return Err(Error::shape(format!(
                    "{NAME}: {name} is {} {:?}, wanted {} {:?} for x {:?}",
                    got.dtype, got.shape, wanted.dtype, wanted.shape, x.shape
                )));
            }
        }
        if weight.dtype != x.dtype {
            return Err(Error::dtype(format!(
                "{NAME}: x is {}, weight {}; cast one first",
                x.dtype, weight.dtype
            )));
        }
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1, 2, 3, 4],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        composed::twin_vjp(vjp, |inputs| {
            Ok(vec![composed::layer_norm::backward(inputs, self.centred)?])
        })
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
        macro_rules! run {
            ($ty:ty) => {
                kernel::layer_norm_backward::<$ty>(
                    Isa::current(),
                    kernel::Forward {
                        x: call.slice(1)?,
                        gamma: call.slice(2)?,
                        mean: call.slice(3)?,
                        inverse: call.slice(4)?,
                    },
                    kernel::Form {
                        centred: self.centred,
                        ..kernel::Form::rows(0.0)
                    },
                    call.slice(0)?,
                    call.out(0)?,
                )
            };
        }
        match call.dtype(0) {
            DType::F64 => run!(f64),
            _ => run!(f32),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [dy, x, weight, mean, inverse] = call.inputs else {
            return Err(Error::internal("layer_norm_backward: five inputs"));
        };
        let dims = dims(&x.shape, weight.shape.len());
        let operands = [dy, x, weight, mean, inverse];
        let form = LayerNormForm {
            eps: 0.0,
            centred: self.centred,
            groups: 1,
        };
        let kernels = lamina_gpu::kernels::layer_norm_backward(operands, dims, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        10 * inputs[0].len() as u64
    }
}
