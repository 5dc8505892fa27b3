//! Group normalisation: y, and of each group of channels of each sample the
//! mean and the inverse of its deviation.  With as many groups as channels it
//! is instance normalisation.
//!
//! y = (x - mean) / sqrt(var + eps) * weight + bias  (Wu and He 2018)

mod backward;

pub use backward::GroupNormBackward;

use super::elementwise as e;
use super::reduce;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::node::{record_one, record_op};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::LayerNormForm;
use lamina_kernels::{Func, Isa, layer_norm as kernel};

params! {
    /// The channels (axis 1) in so many groups; `eps` is added to the variance.
    pub struct GroupNorm { num_groups: usize, eps: f64 = 1e-5 }
}

params! {
    pub struct InstanceNorm { eps: f64 = 1e-5 }
}

const NAME: &str = "group_norm";

/// (batch, channels, rest) of x, where its channels divide into so many groups.
fn dims(op: &str, x: &[usize], groups: usize) -> Result<[usize; 3]> {
    let [batch, channels, rest @ ..] = x else {
        return Err(Error::shape(format!(
            "{op}: x has shape {x:?}, wanted (batch, channels, ...)"
        )));
    };
    if groups == 0 || *channels == 0 || channels % groups != 0 {
        return Err(Error::argument(format!(
            "{op}: num_groups={groups} must divide the {channels} channels of x {x:?}"
        )));
    }
    Ok([*batch, *channels, rest.iter().product()])
}

/// That `row` holds one value for each of so many channels, in x's dtype.
fn check_row(op: &str, x: &Meta, name: &str, row: &Meta, channels: usize) -> Result<()> {
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
    Ok(())
}

/// The kernel's view of it: (rows, count).
fn rows([batch, channels, rest]: [usize; 3], groups: usize) -> [usize; 2] {
    [batch * groups, channels / groups * rest]
}

impl Op for GroupNorm {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, weight, bias] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, FLOATS)?;
        let [batch, channels, _] = dims(NAME, &x.shape, self.num_groups)?;
        check_row(NAME, &x, "weight", &weight, channels)?;
        check_row(NAME, &x, "bias", &bias, channels)?;
        let groups = Meta::new(x.dtype, [batch, self.num_groups]);
        Ok(vec![x, groups.clone(), groups])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[1, 2],
        }
    }

    /// dx is an op of its own; with h = (x - mean) inverse, dweight = sum dy h,
    /// dbias = sum dy; by the mean 1 / n, by the inverse -inverse^2 h / n.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, weight) = (&vjp.inputs[0], &vjp.inputs[1]);
        let (mean, inverse) = (&vjp.outputs[1], &vjp.outputs[2]);
        let [batch, channels, rest] = dims(NAME, x.shape(), self.num_groups)?;
        let each = channels / self.num_groups;
        // All of it as (batch, channels, rest), so that h and what it is multiplied by are one pass.
        let flat = |t: &Tensor| views::reshape_to(t, &[batch, channels, rest]);
        let lifted = |t: &Tensor| {
            let groups = views::reshape_to(t, &[batch, self.num_groups, 1])?;
            let channel = views::expand(&groups, &[batch, self.num_groups, each])?;
            views::reshape_to(&channel, &[batch, channels, 1])
        };
        let centred = e::sub(&flat(x)?, &lifted(mean)?)?;
        let h = e::mul(&centred, &lifted(inverse)?)?;
        let mut grads = vec![None, None, None];
        let mut terms = Vec::new();
        if let Some(dy) = &vjp.grads[0] {
            let op = OpRef::new(GroupNormBackward {});
            let inputs = [dy, x, weight, mean, inverse].map(Tensor::clone);
            terms.push(record_one(&op, &inputs)?);
            if vjp.needs[1] {
                let along = e::mul(&flat(dy)?, &h)?;
                grads[1] = Some(reduce::sum(&along, &[0, 2], false)?);
            }
            if vjp.needs[2] {
                grads[2] = Some(reduce::sum(&flat(dy)?, &[0, 2], false)?);
            }
        }
        let share = |g: &Tensor, sign: f64| {
            let factor = sign / (each * rest).max(1) as f64;
            e::mul(g, &e::number_like(g, factor))
        };
        if let Some(g) = &vjp.grads[1] {
            let even = views::expand(&lifted(&share(g, 1.0)?)?, &[batch, channels, rest])?;
            terms.push(views::reshape_to(&even, x.shape())?);
        }
        if let Some(g) = &vjp.grads[2] {
            let slope = e::mul(&share(g, -1.0)?, &e::unary(Func::Square, inverse)?)?;
            terms.push(views::reshape_to(
                &e::mul(&lifted(&slope)?, &h)?,
                x.shape(),
            )?);
        }
        for term in terms {
            grads[0] = Some(match grads[0].take() {
                Some(sum) => e::add(&sum, &term)?,
                None => term,
            });
        }
        Ok(grads)
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
        let groups = self.num_groups;
        let dims = rows(dims(NAME, call.shape(0), groups)?, groups);
        macro_rules! run {
            ($ty:ty) => {
                kernel::layer_norm::<$ty>(
                    Isa::current(),
                    call.slice(0)?,
                    dims,
                    kernel::Affine {
                        gamma: call.slice(1)?,
                        beta: call.slice(2)?,
                    },
                    kernel::Form {
                        eps: self.eps,
                        centred: true,
                        groups,
                    },
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
            return Err(Error::internal("group_norm: three inputs"));
        };
        let groups = self.num_groups;
        let form = LayerNormForm {
            eps: self.eps,
            centred: true,
            groups,
        };
        let dims = rows(dims(NAME, &x.shape, groups)?, groups);
        let kernels = lamina_gpu::kernels::layer_norm([x, weight, bias], dims, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        8 * inputs[0].len() as u64
    }
}

/// With 1 and 0 for the weight and the bias that are not given: y alone.
fn filled(name: &str, form: GroupNorm, xs: &[Tensor]) -> Result<Tensor> {
    let x = &xs[0];
    let [_, channels, _] = dims(name, x.shape(), form.num_groups)?;
    let mut inputs = xs.to_vec();
    for missing in [1.0, 0.0].iter().skip(xs.len() - 1) {
        inputs.push(Tensor::full(&[channels], *missing, x.dtype(), x.device())?);
    }
    for (row, what) in inputs[1..].iter().zip(["weight", "bias"]) {
        check_row(name, x.meta(), what, row.meta(), channels)?;
    }
    let outputs = record_op(&OpRef::new(form), &inputs)?;
    Ok(outputs[0].clone())
}

fn some_of_three(name: &str, xs: &[Tensor]) -> Result<()> {
    if (1..=3).contains(&xs.len()) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{name}: takes x, and weight and bias where they are, got {} tensors",
        xs.len()
    )))
}

/// As recorded by name: from x, and weight and bias where they are given.
pub fn group_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = GroupNorm::from_attrs(name, attrs)?;
    some_of_three(name, xs)?;
    filled(name, form, xs)
}

/// As recorded by name: each channel of each sample by itself (Ulyanov et al. 2016).
pub fn instance_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let eps = InstanceNorm::from_attrs(name, attrs)?.eps;
    some_of_three(name, xs)?;
    let shape = xs[0].shape();
    if shape.len() < 3 {
        return Err(Error::shape(format!(
            "{name}: x has shape {shape:?}, wanted (batch, channels, ...) with at least one more axis"
        )));
    }
    let num_groups = shape[1];
    filled(name, GroupNorm { num_groups, eps }, xs)
}
