//! The gradient of training batch normalisation, from dy, x, weight, mean
//! and biased variance: dx, dweight and dbias.

use super::{blocked, check_rows, dims};
use crate::call::{CpuCall, GpuCall};
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, Strides, Vjp, arity};
use crate::ops::composed;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Isa, batch_norm as kernel};

params! {
    pub struct BatchNormBackward { eps: f64 = 1e-5 }
}

const NAME: &str = "batch_norm_backward";

impl Op for BatchNormBackward {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy, x, weight, mean, var] = arity(self, inputs)?;
        let rows = [("weight", &weight), ("mean", &mean), ("var", &var)];
        let [batch, channels, inner] = check_rows(NAME, &x, &rows)?;
        if dy != x || batch * inner == 0 {
            return Err(Error::shape(format!(
                "{NAME}: the gradient is {} {:?}, x {} {:?}; they must be equal and not empty",
                dy.dtype, dy.shape, x.dtype, x.shape
            )));
        }
        let row = Meta::new(x.dtype, [channels]);
        Ok(vec![x, row.clone(), row])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1, 2, 3, 4],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        composed::twin_vjp(vjp, |inputs| {
            Ok(composed::batch_norm::backward(inputs, self.eps)?.to_vec())
        })
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        blocked::twin(true, self.eps, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let dims = dims(NAME, call.shape(1))?;
        macro_rules! run {
            ($ty:ty) => {
                kernel::batch_norm_backward::<$ty>(
                    Isa::current(),
                    kernel::Forward {
                        x: call.slice(1)?,
                        gamma: call.slice(2)?,
                        mean: call.slice(3)?,
                        var: call.slice(4)?,
                        eps: self.eps,
                    },
                    call.slice(0)?,
                    dims,
                    call.out(0)?,
                    call.out(1)?,
                    call.out(2)?,
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
        let [dy, x, weight, mean, var] = call.inputs else {
            return Err(Error::internal("batch_norm_backward: five inputs"));
        };
        let dims = dims(NAME, &x.shape)?;
        let operands = [dy, x, weight, mean, var];
        let kernels =
            lamina_gpu::kernels::batch_norm_backward(operands, dims, self.eps, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        10 * inputs[0].len() as u64
    }
}
