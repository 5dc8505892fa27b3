//! Layer normalisation in recorded ops: the twins that define the fused ops.

use crate::ops::elementwise as e;
use crate::ops::layer_norm::mean;
use crate::ops::views;
use crate::{Error, Result, Tensor};
use lamina_kernels::Func;

/// From x, and weight and bias of its last axes' shape: y, and of each row
/// the mean and 1 / sqrt(var + eps).
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<[Tensor; 3]> {
    let axes = weight.rank();
    let centre = mean(x, axes)?;
    let centred = e::sub(x, &centre)?;
    let var = mean(&e::unary(Func::Square, &centred)?, axes)?;
    let inverse = e::unary(Func::Rsqrt, &e::add(&var, &e::number_like(x, eps))?)?;
    let y = e::add(&e::mul(&e::mul(&centred, &inverse)?, weight)?, bias)?;
    Ok([y, centre, inverse])
}

/// From dy, x, weight, mean and inverse: dx.  With h = (x - mean) inverse and
/// g = dy weight, dx = inverse (g - mean(g) - h mean(g h)), without mean(g) where rows are not
/// centred.
pub fn backward(inputs: &[Tensor], centred: bool) -> Result<Tensor> {
    let [dy, x, weight, centre, inverse] = inputs else {
        return Err(Error::internal("layer_norm_backward: five inputs"));
    };
    let g = e::mul(dy, weight)?;
    slope(&g, x, [centre, inverse], weight.rank(), centred)
}

/// dx from g = dy weight, with rows of the last `axes` axes.
fn slope(
    g: &Tensor,
    x: &Tensor,
    [centre, inverse]: [&Tensor; 2],
    axes: usize,
    centred: bool,
) -> Result<Tensor> {
    let h = e::mul(&e::sub(x, centre)?, inverse)?;
    let along = e::mul(&h, &mean(&e::mul(g, &h)?, axes)?)?;
    let g = if centred {
        e::sub(g, &mean(g, axes)?)?
    } else {
        g.clone()
    };
    e::mul(&e::sub(&g, &along)?, inverse)
}

/// As [`backward`] of groups of channels: mean and inverse are (batch, groups).
pub fn group_backward(inputs: &[Tensor]) -> Result<Tensor> {
    let [dy, x, weight, centre, inverse] = inputs else {
        return Err(Error::internal("group_norm_backward: five inputs"));
    };
    let &[batch, groups] = centre.shape() else {
        return Err(Error::internal("group_norm_backward: a mean of two axes"));
    };
    let rest = x.len() / (batch * groups).max(1);
    let rows = |t: &Tensor| views::reshape_to(t, &[batch, groups, rest]);
    let lift = |t: &Tensor| views::reshape_to(t, &[batch, groups, 1]);
    let g = e::mul(dy, &super::batch_norm::lift(weight, x.rank())?)?;
    let statistics = [&lift(centre)?, &lift(inverse)?];
    let dx = slope(&rows(&g)?, &rows(x)?, statistics, 1, true)?;
    views::reshape_to(&dx, x.shape())
}
