//! Batch normalisation in training: y, the batch's mean and its biased
//! variance of each channel (axis 1).
//!
//! y = (x - mean) / sqrt(var + eps) * weight + bias  (Ioffe and Szegedy 2015)

mod backward;
mod blocked;

pub use backward::BatchNormBackward;

use super::composed::batch_norm::{inference, lift};
use super::{elementwise as e, views};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_op;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Isa, batch_norm as kernel};

params! {
    /// `eps` is added to the variance.
    pub struct BatchNorm { training: bool = false, eps: f64 = 1e-5 }
}

const NAME: &str = "batch_norm";

/// (batch, channels, inner) of a tensor whose channels are axis 1.
fn dims(op: &str, x: &[usize]) -> Result<[usize; 3]> {
    let [batch, channels, rest @ ..] = x else {
        return Err(Error::shape(format!(
            "{op}: x has shape {x:?}, wanted (batch, channels, ...)"
        )));
    };
    Ok([*batch, *channels, rest.iter().product()])
}

/// That each of `rows` holds one value for each channel of `x`, in its dtype.
fn check_rows(op: &str, x: &Meta, rows: &[(&str, &Meta)]) -> Result<[usize; 3]> {
    want_dtype(op, "x", x.dtype, FLOATS)?;
    let [batch, channels, inner] = dims(op, &x.shape)?;
    for (name, row) in rows {
        if row.shape != [channels] {
            return Err(Error::shape(format!(
                "{op}: {name} has shape {:?}, wanted [{channels}], one for each channel of x {:?}",
                row.shape, x.shape
            )));
        }
        if row.dtype != x.dtype {
            return Err(Error::dtype(format!(
                "{op}: x is {}, {name} {}; cast one first",
                x.dtype, row.dtype
            )));
        }
    }
    Ok([batch, channels, inner])
}

impl Op for BatchNorm {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, weight, bias] = arity(self, inputs)?;
        let rows = [("weight", &weight), ("bias", &bias)];
        let [batch, channels, inner] = check_rows(NAME, &x, &rows)?;
        if batch * inner == 0 {
            return Err(Error::shape(format!(
                "{NAME}: in training each channel needs a value, x has shape {:?}",
                x.shape
            )));
        }
        let row = Meta::new(x.dtype, [channels]);
        Ok(vec![x, row.clone(), row])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[1, 2],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, weight) = (&vjp.inputs[0], &vjp.inputs[1]);
        let (mean, var) = (&vjp.outputs[1], &vjp.outputs[2]);
        let mut grads = vec![None, None, None];
        if let Some(dy) = &vjp.grads[0] {
            let op = OpRef::new(BatchNormBackward { eps: self.eps });
            let inputs = [dy, x, weight, mean, var].map(Tensor::clone);
            grads = record_op(&op, &inputs)?.into_iter().map(Some).collect();
        }
        let share = |of: &Tensor| {
            let count = x.len() / mean.len().max(1);
            let row = e::mul(of, &e::number_like(of, 1.0 / count.max(1) as f64))?;
            lift(&row, x.rank())
        };
        let mut add = |term: Tensor| -> Result<()> {
            grads[0] = Some(match grads[0].take() {
                Some(dx) => e::add(&dx, &term)?,
                None => views::expand(&term, x.shape())?,
            });
            Ok(())
        };
        // By the mean: 1 / n; by the variance: 2 (x - mean) / n.
        if let Some(g) = &vjp.grads[1] {
            add(share(g)?)?;
        }
        if let Some(g) = &vjp.grads[2] {
            let centred = e::sub(x, &lift(mean, x.rank())?)?;
            let twice = e::mul(g, &e::number_like(g, 2.0))?;
            add(e::mul(&centred, &share(&twice)?)?)?;
        }
        Ok(grads)
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        blocked::twin(false, self.eps, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let dims = dims(NAME, call.shape(0))?;
        macro_rules! run {
            ($ty:ty) => {
                kernel::batch_norm_train::<$ty>(
                    Isa::current(),
                    call.slice(0)?,
                    dims,
                    kernel::Affine {
                        gamma: call.slice(1)?,
                        beta: call.slice(2)?,
                    },
                    self.eps,
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
        let [x, weight, bias] = call.inputs else {
            return Err(Error::internal("batch_norm: three inputs"));
        };
        let dims = dims(NAME, &x.shape)?;
        let kernels = lamina_gpu::kernels::batch_norm(x, weight, bias, dims, self.eps, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        8 * inputs[0].len() as u64
    }
}

/// As recorded by name: in training from x, weight and bias three results,
/// else from these with the running mean and variance one.
pub fn batch_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Vec<Tensor>> {
    let form = BatchNorm::from_attrs(name, attrs)?;
    match (form.training, xs) {
        (true, [_, _, _]) => record_op(&OpRef::new(form), xs),
        (false, [x, rows @ ..]) if rows.len() == 4 => {
            let names = ["weight", "bias", "running_mean", "running_var"];
            let rows: Vec<(&str, &Meta)> = names
                .into_iter()
                .zip(rows.iter().map(Tensor::meta))
                .collect();
            check_rows(name, x.meta(), &rows)?;
            Ok(vec![inference(xs, form.eps)?])
        }
        (true, _) => Err(Error::argument(format!(
            "{name}: in training it takes x, weight and bias, got {} tensors",
            xs.len()
        ))),
        (false, _) => Err(Error::argument(format!(
            "{name}: outside of training it takes x, weight, bias, running_mean and running_var, got {} tensors",
            xs.len()
        ))),
    }
}
