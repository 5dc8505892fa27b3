//! Layer normalisation in recorded ops: the twin that defines the fused op.

use crate::ops::elementwise as e;
use crate::ops::layer_norm::mean;
use crate::{Result, Tensor};
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
