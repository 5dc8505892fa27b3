//! Layer normalisation in recorded ops: the twins that define the fused ops.

use crate::ops::elementwise as e;
use crate::ops::layer_norm::mean;
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
/// g = dy weight, dx = inverse (g - mean(g) - h mean(g h)).
pub fn backward(inputs: &[Tensor]) -> Result<Tensor> {
    let [dy, x, weight, centre, inverse] = inputs else {
        return Err(Error::internal("layer_norm_backward: five inputs"));
    };
    let axes = weight.rank();
    let h = e::mul(&e::sub(x, centre)?, inverse)?;
    let g = e::mul(dy, weight)?;
    let along = e::mul(&h, &mean(&e::mul(&g, &h)?, axes)?)?;
    e::mul(&e::sub(&e::sub(&g, &mean(&g, axes)?)?, &along)?, inverse)
}
