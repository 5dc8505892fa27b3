//! Layer normalisation: y, and of each row (the last axes of x) the mean and
//! the inverse of its deviation.
//!
//! y = (x - mean) / sqrt(var + eps) * weight + bias  (Ba, Kiros, Hinton 2016)
//!
//! RMS normalisation is the same with 0 for the mean  (Zhang and Sennrich 2019)

mod backward;

pub use backward::LayerNormBackward;

use super::elementwise as e;
use super::reduce::{self, Axes};
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::node::{record_one, record_op};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::LayerNormForm;
use lamina_kernels::reduce::Reduction;
use lamina_kernels::{Func, Isa, layer_norm as kernel};

params! {
    /// The last axes of x, which make one row; `eps` is added to the variance.  Without `centred`
    /// it is RMS normalisation: the mean is taken for 0.
    pub struct LayerNorm { normalized_shape: Vec<i64>, eps: f64 = 1e-5, centred: bool = true }
}

params! {
    /// As PyTorch's: without an `eps` that of x's dtype.
    pub struct RmsNorm { normalized_shape: Vec<i64>, eps: Option<f64> = None }
}

const NAME: &str = "layer_norm";

impl LayerNorm {
    fn own_name(&self) -> &'static str {
        if self.centred { NAME } else { "rms_norm" }
    }

    /// How many of the last axes are a row.
    pub(crate) fn axes(&self) -> usize {
        self.normalized_shape.len()
    }

    /// A row's sizes, where `x` ends in them.
    fn row<'a>(&self, x: &'a [usize]) -> Result<&'a [usize]> {
        let (name, wanted) = (self.own_name(), &self.normalized_shape);
        if wanted.is_empty() || wanted.iter().any(|&n| n < 1) {
            return Err(Error::shape(format!(
                "{name}: normalized_shape is {wanted:?}, wanted the lengths of the last axes of x, \
                 at least one and none of them 0"
            )));
        }
        let row = &x[x.len().saturating_sub(wanted.len())..];
        if row.iter().map(|&n| n as i64).ne(wanted.iter().copied()) {
            return Err(Error::shape(format!(
                "{name}: x has shape {x:?}, normalized_shape is {wanted:?}; x must end in it"
            )));
        }
        Ok(row)
    }
}

/// (rows, count) of a shape whose last `axes` axes are a row.
fn dims(x: &[usize], axes: usize) -> [usize; 2] {
    let (outer, row) = x.split_at(x.len() - axes);
    [outer.iter().product(), row.iter().product()]
}

/// The mean over the last `axes` axes, kept as axes of length 1.
pub(crate) fn mean(t: &Tensor, axes: usize) -> Result<Tensor> {
    let axes = Axes {
        dim: Some((1..=axes as i64).rev().map(|i| -i).collect()),
        keepdim: true,
    };
    reduce::reduce_as_is(Reduction::Mean, t, axes)
}

impl Op for LayerNorm {
    fn name(&self) -> &str {
        self.own_name()
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, weight, bias] = arity(self, inputs)?;
        let own = self.own_name();
        want_dtype(own, "x", x.dtype, FLOATS)?;
        let row = self.row(&x.shape)?;
        for (name, given) in [("weight", &weight), ("bias", &bias)] {
            if given.shape != row {
                return Err(Error::shape(format!(
                    "{own}: {name} has shape {:?}, wanted {row:?}, the normalized_shape",
                    given.shape
                )));
            }
            if given.dtype != x.dtype {
                return Err(Error::dtype(format!(
                    "{own}: x is {}, {name} {}; cast one first",
                    x.dtype, given.dtype
                )));
            }
        }
        let mut rows = x.shape.clone();
        let outer = rows.len() - row.len();
        rows[outer..].fill(1);
        let rows = Meta::new(x.dtype, rows);
        Ok(vec![x, rows.clone(), rows])
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
        let h = e::mul(&e::sub(x, mean)?, inverse)?;
        let mut grads = vec![None, None, None];
        let mut terms = Vec::new();
        if let Some(dy) = &vjp.grads[0] {
            let op = OpRef::new(LayerNormBackward {
                centred: self.centred,
            });
            let inputs = [dy, x, weight, mean, inverse].map(Tensor::clone);
            terms.push(record_one(&op, &inputs)?);
            if vjp.needs[1] {
                grads[1] = Some(reduce::sum_to(&e::mul(dy, &h)?, weight.shape())?);
            }
            if vjp.needs[2] {
                grads[2] = Some(reduce::sum_to(dy, weight.shape())?);
            }
        }
        let [_, count] = dims(x.shape(), weight.rank());
        let share = |g: &Tensor, sign: f64| e::mul(g, &e::number_like(g, sign / count as f64));
        // A mean that is taken for 0 depends on nothing.
        if let Some(g) = vjp.grads[1].as_ref().filter(|_| self.centred) {
            terms.push(views::expand(&share(g, 1.0)?, x.shape())?);
        }
        if let Some(g) = &vjp.grads[2] {
            let slope = e::mul(&share(g, -1.0)?, &e::unary(Func::Square, inverse)?)?;
            terms.push(e::mul(&slope, &h)?);
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
        let dims = dims(call.shape(0), self.normalized_shape.len());
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
                        centred: self.centred,
                        groups: 1,
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
            return Err(Error::internal("layer_norm: three inputs"));
        };
        let dims = dims(&x.shape, self.normalized_shape.len());
        let form = LayerNormForm {
            eps: self.eps,
            centred: self.centred,
            groups: 1,
        };
        let kernels = lamina_gpu::kernels::layer_norm([x, weight, bias], dims, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        8 * inputs[0].len() as u64
    }
}

/// As recorded by name: from x, and weight and bias where they are given.
pub fn layer_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Vec<Tensor>> {
    let form = LayerNorm::from_attrs(name, attrs)?;
    if !(1..=3).contains(&xs.len()) {
        return Err(Error::argument(format!(
            "{name}: takes x, and weight and bias where they are, got {} tensors",
            xs.len()
        )));
    }
    filled(form, xs)
}

/// As recorded by name: from x, and weight where it is given, y alone.
pub fn rms_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let RmsNorm {
        normalized_shape,
        eps,
    } = RmsNorm::from_attrs(name, attrs)?;
    let (Some(x), true) = (xs.first(), xs.len() <= 2) else {
        return Err(Error::argument(format!(
            "{name}: takes x, and weight where it is, got {} tensors",
            xs.len()
        )));
    };
    let form = LayerNorm {
        normalized_shape,
        eps: eps.unwrap_or_else(|| epsilon(x.dtype())),
        centred: false,
    };
    let outputs = filled(form, xs)?;
    Ok(outputs[0].clone())
}

/// The distance from 1 to the next number.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    }
}

/// With 1 and 0 for the weight and the bias that are not given.
fn filled(form: LayerNorm, xs: &[Tensor]) -> Result<Vec<Tensor>> {
    let x = &xs[0];
    let row = form.row(x.shape())?;
    let mut inputs = xs.to_vec();
    for missing in [1.0, 0.0].iter().skip(xs.len() - 1) {
        inputs.push(Tensor::full(row, *missing, x.dtype(), x.device())?);
    }
    record_op(&OpRef::new(form), &inputs)
}
