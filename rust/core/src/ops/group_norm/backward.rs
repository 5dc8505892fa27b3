//! The gradient of group normalisation by x, from dy, x, weight, and each
//! group's mean and 1 / sqrt(var + eps).

use super::{check_row, dims, rows};
use crate::call::{CpuCall, GpuCall};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, Strides, Vjp, arity, want_dtype,
};
use crate::ops::composed;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::LayerNormForm;
use lamina_kernels::{Isa, layer_norm as kernel};

params! {
    /// The mean's axes say how many groups there are.
    pub struct GroupNormBackward {}
}

const NAME: &str = "group_norm_backward";

/// How many groups a mean (batch, groups) is of.
fn groups(mean: &[usize]) -> usize {
    mean.get(1).copied().unwrap_or(0)
}

impl Op for GroupNormBackward {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy, x, weight, mean, inverse] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, FLOATS)?;
        let groups = groups(&mean.shape);
        let [batch, channels, _] = dims(NAME, &x.shape, groups)?;
        check_row(NAME, &x, "weight", &weight, channels)?;
        let each = Meta::new(x.dtype, [batch, groups]);
        let wanted = [
            ("the gradient", &dy, &x),
            ("mean", &mean, &each),
            ("inverse", &inverse, &each),
        ];
        for (name, got, wanted) in wanted {
            if got != wanted {
                return Err(Error::shape(format!(
                    "{NAME}: {name} is {} {:?}, wanted {} {:?} for x {:?}",
                    got.dtype, got.shape, wanted.dtype, wanted.shape, x.shape
                )));
            }
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
            Ok(vec![composed::layer_norm::group_backward(inputs)?])
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
        let form = kernel::Form {
            groups: groups(call.shape(3)),
            ..kernel::Form::rows(0.0)
        };
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
                    form,
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
            return Err(Error::internal("group_norm_backward: five inputs"));
        };
        let groups = groups(&mean.shape);
        let dims = rows(dims(NAME, &x.shape, groups)?, groups);
        let form = LayerNormForm {
            eps: 0.0,
            centred: true,
            groups,
        };
        let operands = [dy, x, weight, mean, inverse];
        let kernels = lamina_gpu::kernels::layer_norm_backward(operands, dims, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        10 * inputs[0].len() as u64
    }
}
