//! Losses that compare: two scores, two vectors, or an anchor with two others.

use super::reduced;
use crate::ops::composed::similarity::distance;
use crate::ops::composed::{plus, scaled};
use crate::ops::{elementwise as e, inputs};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    pub struct Ranking { reduction: String = "mean".to_owned(), margin: f64 = 0.0 }
}

params! {
    /// Distances are p-norms of a - b + eps; `swap` takes the nearer of the anchor's and the
    /// positive's distance from the negative.
    pub struct Triplet {
        reduction: String = "mean".to_owned(),
        margin: f64 = 1.0,
        p: f64 = 2.0,
        eps: f64 = 1e-6,
        swap: bool = false,
    }
}

/// max(0, margin - target (a - b)).
pub fn margin_ranking_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [a, b, target] = inputs(name, xs)?;
    let form = Ranking::from_attrs(name, attrs)?;
    let ahead = e::mul(&target, &e::sub(&a, &b)?)?;
    let loss = e::unary(Func::Relu, &plus(&e::neg(&ahead)?, form.margin)?)?;
    reduced(name, &form.reduction, &loss)
}

/// 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) elsewhere.
pub fn cosine_embedding_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    // Added to each squared norm, as PyTorch has it.
    const EPS: f64 = 1e-12;
    let [a, b, target] = inputs(name, xs)?;
    let form = Ranking::from_attrs(name, attrs)?;
    let rows = &a.shape()[..a.rank().saturating_sub(1)];
    if a.shape() != b.shape() || a.rank() == 0 || target.shape() != rows {
        return Err(Error::shape(format!(
            "{name}: vectors of shape {:?} and {:?} with targets {:?}; wanted (*, size) twice and (*)",
            a.shape(),
            b.shape(),
            target.shape()
        )));
    }
    let norm = |x: &Tensor| {
        let last = x.rank() - 1;
        let squares = crate::ops::reduce::sum(&e::unary(Func::Square, x)?, &[last], false)?;
        plus(&squares, EPS)
    };
    let dot = crate::ops::reduce::sum(&e::mul(&a, &b)?, &[a.rank() - 1], false)?;
    let cos = e::mul(
        &dot,
        &e::unary(Func::Rsqrt, &e::mul(&norm(&a)?, &norm(&b)?)?)?,
    )?;
    let near = plus(&scaled(&cos, -1.0)?, 1.0)?;
    let far = e::unary(Func::Relu, &plus(&cos, -form.margin)?)?;
    let alike = e::compare(Func::Eq, &target, &e::number_like(&target, 1.0))?;
    reduced(name, &form.reduction, &e::select(&alike, &near, &far)?)
}

/// max(0, d(anchor, positive) - d(anchor, negative) + margin) (Balntas et al. 2016).
pub fn triplet_margin_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [anchor, positive, negative] = inputs(name, xs)?;
    let form = Triplet::from_attrs(name, attrs)?;
    let apart = |a: &Tensor, b: &Tensor| distance(name, a, b, form.p, form.eps, false);
    let near = apart(&anchor, &positive)?;
    let mut far = apart(&anchor, &negative)?;
    if form.swap {
        far = e::binary(Func::Minimum, &far, &apart(&positive, &negative)?)?;
    }
    let loss = e::unary(Func::Relu, &plus(&e::sub(&near, &far)?, form.margin)?)?;
    reduced(name, &form.reduction, &loss)
}
