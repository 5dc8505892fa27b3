//! Batch normalisation, channels on axis 1 (Ioffe and Szegedy 2015):
//!
//! y = (x - mean) / sqrt(var + eps) weight + bias
//!
//! In training mean and (biased) variance are the batch's own and are
//! outputs too; the layer tracks them.  With running statistics it is a
//! composition that fuses into its neighbours.

mod backward;

pub use backward::BatchNormBackward;

use super::{elementwise as e, reduce, views};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_op;
use crate::op::{
    Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::batch_norm::{self as kernel, Affine};
use lamina_kernels::{Func, Isa};

params! {
    /// `eps` is added to the variance.
    pub struct BatchNorm { eps: f64 = 1e-5 }
}

/// Batch, channels and all else of `x`.
fn dims(op: &str, x: &[usize]) -> Result<[usize; 3]> {
    match x {
        [batch, channels, inner @ ..] => Ok([*batch, *channels, inner.iter().product()]),
        _ => Err(Error::shape(format!(
            "{op}: wanted x (batch, channels, ...), got {x:?}"
        ))),
    }
}

/// One value a channel, of x's dtype.
fn check_channel(op: &str, what: &str, x: &Meta, given: &Meta) -> Result<()> {
    let wanted = Meta::new(x.dtype, [x.shape[1]]);
    if *given == wanted {
        return Ok(());
    }
    Err(Error::shape(format!(
        "{op}: {what} is {} of shape {:?}, wanted {} of {:?}, one for each channel",
        given.dtype, given.shape, wanted.dtype, wanted.shape
    )))
}

impl Op for BatchNorm {
    fn name(&self) -> &str {
        "batch_norm"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, weight, bias] = arity(self, inputs)?;
        want_dtype("batch_norm", "x", x.dtype, FLOATS)?;
        let [batch, channels, inner] = dims("batch_norm", &x.shape)?;
        check_channel("batch_norm", "weight", &x, &weight)?;
        check_channel("batch_norm", "bias", &x, &bias)?;
        if batch * inner == 0 {
            return Err(Error::shape(format!(
                "batch_norm: a channel of {:?} has no elements and no mean",
                x.shape
            )));
        }
        let channel = Meta::new(x.dtype, [channels]);
        Ok(vec![x, channel.clone(), channel])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[1, 2],
        }
    }

    /// Of y by the fused backward; of the statistics, where somebody uses
    /// their gradients, by their definitions.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let [x, weight, _] = vjp.inputs else {
            return Err(Error::internal("batch_norm: three inputs"));
        };
        let [_, mean, var] = vjp.outputs else {
            return Err(Error::internal("batch_norm: three outputs"));
        };
        let inputs = [
            vjp.grad(0)?,
            x.clone(),
            weight.clone(),
            mean.clone(),
            var.clone(),
        ];
        let mut outputs = record_op(&OpRef::new(BatchNormBackward { eps: self.eps }), &inputs)?;
        let (dbias, dweight) = (outputs.pop(), outputs.pop());
        let mut dx = outputs
            .pop()
            .ok_or_else(|| Error::internal("batch_norm_backward: no output"))?;
        let count = (x.len() / x.shape()[1]) as f64;
        if let Some(g) = &vjp.grads[1] {
            let share = e::mul(&per_channel(g, x)?, &e::number_like(x, 1.0 / count))?;
            dx = e::add(&dx, &share)?;
        }
        if let Some(g) = &vjp.grads[2] {
            let centred = e::sub(x, &per_channel(mean, x)?)?;
            let share = e::mul(&per_channel(g, x)?, &e::number_like(x, 2.0 / count))?;
            dx = e::add(&dx, &e::mul(&centred, &share)?)?;
        }
        Ok(vec![Some(dx), dweight, dbias])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (isa, dims) = (Isa::current(), dims("batch_norm", call.shape(0))?);
        if call.dtype(0) == DType::F64 {
            let affine = Affine {
                gamma: call.slice::<f64>(1)?,
                beta: call.slice(2)?,
            };
            kernel::batch_norm_train(
                isa,
                call.slice(0)?,
                dims,
                affine,
                self.eps,
                call.out(0)?,
                call.out(1)?,
                call.out(2)?,
            );
        } else {
            let affine = Affine {
                gamma: call.slice::<f32>(1)?,
                beta: call.slice(2)?,
            };
            kernel::batch_norm_train(
                isa,
                call.slice(0)?,
                dims,
                affine,
                self.eps,
                call.out(0)?,
                call.out(1)?,
                call.out(2)?,
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [x, weight, bias] = call.inputs else {
            return Err(Error::internal("batch_norm: three inputs"));
        };
        let dims = dims("batch_norm", &x.shape)?;
        Ok(Lowered::Kernels(lamina_gpu::kernels::batch_norm(
            x, weight, bias, dims, self.eps, call.caps,
        )?))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        6 * inputs[0].len() as u64
    }
}

/// (channels,) as it broadcasts against `x`.
fn per_channel(value: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1i64; x.rank()];
    shape[1] = -1;
    views::reshape(value, &shape)
}

/// Training: y, and the batch's mean and biased variance.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Vec<Tensor>> {
    record_op(
        &OpRef::new(BatchNorm { eps }),
        &[x.clone(), weight.clone(), bias.clone()],
    )
}

/// With given statistics: one multiply and one add an element, since all
/// else is per channel.
pub fn batch_norm_infer(
    x: &Tensor,
    [weight, bias, mean, var]: [&Tensor; 4],
    eps: f64,
) -> Result<Tensor> {
    want_dtype("batch_norm", "x", x.dtype(), FLOATS)?;
    dims("batch_norm", x.shape())?;
    for (what, given) in [
        ("weight", weight),
        ("bias", bias),
        ("running_mean", mean),
        ("running_var", var),
    ] {
        check_channel("batch_norm", what, x.meta(), given.meta())?;
    }
    let spread = e::unary(Func::Rsqrt, &e::add(var, &e::number_like(var, eps))?)?;
    let scale = e::mul(weight, &spread)?;
    let shift = e::sub(bias, &e::mul(mean, &scale)?)?;
    e::add(
        &e::mul(x, &per_channel(&scale, x)?)?,
        &per_channel(&shift, x)?,
    )
}

/// The composition that defines [`BatchNorm`]; differentiable any number of
/// times.
pub fn batch_norm_composed(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Vec<Tensor>> {
    let axes: Vec<usize> = (0..x.rank()).filter(|&axis| axis != 1).collect();
    let count = e::number_like(x, (x.shape()[1] as f64) / x.len().max(1) as f64);
    let mean = e::mul(&reduce::sum(x, &axes, false)?, &count)?;
    let centred = e::sub(x, &per_channel(&mean, x)?)?;
    let var = e::mul(
        &reduce::sum(&e::unary(Func::Square, &centred)?, &axes, false)?,
        &count,
    )?;
    let spread = e::unary(Func::Rsqrt, &e::add(&var, &e::number_like(x, eps))?)?;
    let scale = per_channel(&e::mul(weight, &spread)?, x)?;
    let y = e::add(&e::mul(&centred, &scale)?, &per_channel(bias, x)?)?;
    Ok(vec![y, mean, var])
}
