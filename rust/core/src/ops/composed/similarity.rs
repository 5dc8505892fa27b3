//! How alike vectors are.

use super::reduce::{power, root};
use super::{einsum, plus};
use crate::layout::resolve_axis;
use crate::op::{FLOATS, want_dtype};
use crate::ops::{elementwise as e, inputs, reduce};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// `eps` is the least norm that is divided by.
    pub struct Cosine { dim: i64 = 1, eps: f64 = 1e-8 }
}

params! {
    /// `eps` is added to each difference.
    pub struct Distance { p: f64 = 2.0, eps: f64 = 1e-6, keepdim: bool = false }
}

/// The scalar product of two vectors by the product of their lengths, along `dim`.
pub fn cosine_similarity(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [a, b] = inputs(name, xs)?;
    let Cosine { dim, eps } = Cosine::from_attrs(name, attrs)?;
    for x in [&a, &b] {
        want_dtype(name, "x", x.dtype(), FLOATS)?;
    }
    let whole = crate::layout::broadcast(name, a.shape(), b.shape())?;
    let (a, b) = (
        crate::ops::views::expand(&a, &whole)?,
        crate::ops::views::expand(&b, &whole)?,
    );
    let axis = resolve_axis(name, dim, whole.len())?;
    let norm = |x: &Tensor| {
        let squares = reduce::sum(&e::unary(Func::Square, x)?, &[axis], false)?;
        let bounds = Func::Clip {
            lo: eps,
            hi: f64::INFINITY,
        };
        e::unary(bounds, &root(&squares, 2.0)?)
    };
    let dot = reduce::sum(&e::mul(&a, &b)?, &[axis], false)?;
    e::div(&dot, &e::mul(&norm(&a)?, &norm(&b)?)?)
}

/// The p-norm of a - b + eps along the last axis.
pub fn pairwise_distance(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [a, b] = inputs(name, xs)?;
    let Distance { p, eps, keepdim } = Distance::from_attrs(name, attrs)?;
    distance(name, &a, &b, p, eps, keepdim)
}

pub(super) fn distance(
    name: &str,
    a: &Tensor,
    b: &Tensor,
    p: f64,
    eps: f64,
    keepdim: bool,
) -> Result<Tensor> {
    if p.is_nan() || p <= 0.0 {
        return Err(Error::argument(format!(
            "{name}: p={p}, wanted more than 0"
        )));
    }
    for x in [a, b] {
        want_dtype(name, "x", x.dtype(), FLOATS)?;
    }
    let apart = plus(&e::sub(a, b)?, eps)?;
    let Some(last) = apart.rank().checked_sub(1) else {
        return Err(Error::shape(format!(
            "{name}: two numbers have no axis along which they differ; wanted vectors"
        )));
    };
    if p == f64::INFINITY {
        let axes = reduce::Axes {
            dim: Some(vec![-1]),
            keepdim,
        };
        let sizes = e::unary(Func::Abs, &apart)?;
        return reduce::reduce(lamina_kernels::reduce::Reduction::Max, &sizes, axes);
    }
    root(&reduce::sum(&power(&apart, p)?, &[last], keepdim)?, p)
}

/// a weight bᵀ + bias: for (*, first), (out, first, second) and (*, second), (*, out).
pub fn bilinear(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let (a, b, weight, bias) = match xs {
        [a, b, weight] => (a, b, weight, None),
        [a, b, weight, bias] => (a, b, weight, Some(bias)),
        _ => {
            return Err(Error::argument(format!(
                "{name}: takes a, b, weight and, where it is, bias, got {} tensors",
                xs.len()
            )));
        }
    };
    let fits = match *weight.shape() {
        [out, first, second] => {
            a.shape().last() == Some(&first)
                && b.shape().last() == Some(&second)
                && bias.is_none_or(|bias| bias.shape() == [out])
        }
        _ => false,
    };
    if !fits {
        return Err(Error::shape(format!(
            "{name}: a has shape {:?}, b {:?}, weight {:?}, bias {:?}; wanted (*, first), (*, second), \
             (out, first, second) and (out)",
            a.shape(),
            b.shape(),
            weight.shape(),
            bias.map(Tensor::shape)
        )));
    }
    let attrs = Attrs::new().with("equation", "...i,oij,...j->...o");
    let y = einsum::einsum(name, &[a.clone(), weight.clone(), b.clone()], &attrs)?;
    bias.map_or(Ok(y.clone()), |bias| e::add(&y, bias))
}
