//! The fused gradient of batch normalisation in training.  It is not twice
//! differentiable itself: for that its gradient is taken through the
//! composition that defines it.

use super::{batch_norm_composed, check_channel, dims};
use crate::call::{CpuCall, GpuCall};
use crate::op::{Class, Gradient, Lowered, Meta, Op, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Isa;
use lamina_kernels::batch_norm::{self as kernel, Forward};

params! {
    /// Inputs dy, x, weight, mean, var; outputs dx, dweight, dbias.
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
        dims(NAME, &x.shape)?;
        if dy != x {
            return Err(Error::shape(format!(
                "{NAME}: dy is {:?}, x {:?}; they must be alike",
                dy.shape, x.shape
            )));
        }
        for (what, given) in [("weight", &weight), ("mean", &mean), ("var", &var)] {
            check_channel(NAME, what, &x, given)?;
        }
        Ok(vec![x, weight.clone(), weight])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1, 2],
            outputs: &[],
        }
    }

    /// Records the composed forward, its gradient with dy as seed, and the
    /// gradient of that.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let [dy, x, weight, ..] = vjp.inputs else {
            return Err(Error::internal("batch_norm_backward: five inputs"));
        };
        let recording = crate::node::set_grad_enabled(true);
        let result = self.second(vjp, dy, x, weight);
        crate::node::set_grad_enabled(recording);
        result
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (isa, dims) = (Isa::current(), dims(NAME, call.shape(1))?);
        macro_rules! run {
            ($ty:ty) => {{
                let forward = Forward::<$ty> {
                    x: call.slice(1)?,
                    gamma: call.slice(2)?,
                    mean: call.slice(3)?,
                    var: call.slice(4)?,
                    eps: self.eps,
                };
                kernel::batch_norm_backward(
                    isa,
                    forward,
                    call.slice(0)?,
                    dims,
                    call.out(0)?,
                    call.out(1)?,
                    call.out(2)?,
                );
            }};
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
        let kernels = lamina_gpu::kernels::batch_norm_backward(
            [dy, x, weight, mean, var],
            dims,
            self.eps,
            call.caps,
        )?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        10 * inputs[0].len() as u64
    }
}

impl BatchNormBackward {
    fn second(
        &self,
        vjp: &Vjp<'_>,
        dy: &Tensor,
        x: &Tensor,
        weight: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let leaf = |t: &Tensor| -> Result<Tensor> {
            let twin = t.detach()?;
            twin.set_requires_grad(true)?;
            Ok(twin)
        };
        let (dy, x, weight) = (leaf(dy)?, leaf(x)?, leaf(weight)?);
        let bias = leaf(&Tensor::zeros_like(&weight)?)?;
        let y = batch_norm_composed(&x, &weight, &bias, self.eps)?.swap_remove(0);
        let first = crate::grad(
            &[y],
            &[x.clone(), weight.clone(), bias],
            Some(std::slice::from_ref(&dy)),
            true,
        )?;
        let (mut outputs, mut seeds) = (Vec::new(), Vec::new());
        for (output, seed) in first.into_iter().zip(vjp.grads) {
            if let (Some(output), Some(seed)) = (output, seed)
                && output.requires_grad()
            {
                outputs.push(output);
                seeds.push(seed.clone());
            }
        }
        if outputs.is_empty() {
            return Ok(vec![None; 5]);
        }
        let mut found = crate::grad(&outputs, &[dy, x, weight], Some(&seeds), false)?;
        found.extend([None, None]);
        Ok(found)
    }
}
