//! Batch normalisation in recorded ops: the twins that define the fused
//! training ops, and the form for inference, which fuses with its
//! neighbours.

use crate::ops::elementwise as e;
use crate::ops::reduce::{self, Axes};
use crate::ops::views;
use crate::{Error, Result, Tensor};
use lamina_kernels::Func;
use lamina_kernels::reduce::Reduction;

/// A row of channels against a tensor of `rank` axes: (channels, 1, ...).
pub fn lift(row: &Tensor, rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank - 1];
    shape[0] = row.len();
    views::reshape_to(row, &shape)
}

/// All axes but that of the channels.
fn axes(x: &Tensor) -> Vec<usize> {
    (0..x.rank()).filter(|&axis| axis != 1).collect()
}

fn mean(x: &Tensor) -> Result<Tensor> {
    let dim = axes(x).into_iter().map(|axis| axis as i64).collect();
    let axes = Axes {
        dim: Some(dim),
        keepdim: false,
    };
    reduce::reduce_as_is(Reduction::Mean, x, axes)
}

/// sqrt(var + eps)
fn deviation(var: &Tensor, eps: f64) -> Result<Tensor> {
    e::unary(Func::Sqrt, &e::add(var, &e::number_like(var, eps))?)
}

fn affine(centred: &Tensor, [weight, bias, var]: [&Tensor; 3], eps: f64) -> Result<Tensor> {
    let rank = centred.rank();
    let scale = e::div(weight, &deviation(var, eps)?)?;
    e::add(&e::mul(centred, &lift(&scale, rank)?)?, &lift(bias, rank)?)
}

/// From x, weight and bias: y, the batch's mean and its biased variance.
pub fn training(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<[Tensor; 3]> {
    let mean_of_x = mean(x)?;
    let centred = e::sub(x, &lift(&mean_of_x, x.rank())?)?;
    let var = mean(&e::mul(&centred, &centred)?)?;
    let y = affine(&centred, [weight, bias, &var], eps)?;
    Ok([y, mean_of_x, var])
}

/// From x, weight, bias, and the running mean and variance.
pub fn inference(inputs: &[Tensor], eps: f64) -> Result<Tensor> {
    let [x, weight, bias, mean, var] = inputs else {
        return Err(Error::internal("batch_norm: five inputs"));
    };
    let centred = e::sub(x, &lift(mean, x.rank())?)?;
    affine(&centred, [weight, bias, var], eps)
}

/// From dy, x, weight, mean and biased variance: dx, dweight and dbias.  With
/// h = (x - mean) / sqrt(var + eps),
/// dx = weight / sqrt(var + eps) (dy - mean(dy) - h mean(dy h)).
pub fn backward(inputs: &[Tensor], eps: f64) -> Result<[Tensor; 3]> {
    let [dy, x, weight, mean_of_x, var] = inputs else {
        return Err(Error::internal("batch_norm_backward: five inputs"));
    };
    let rank = x.rank();
    let deviation = deviation(var, eps)?;
    let centred = e::sub(x, &lift(mean_of_x, rank)?)?;
    let h = e::div(&centred, &lift(&deviation, rank)?)?;
    let along = e::mul(dy, &h)?;
    let (dweight, dbias) = (
        reduce::sum(&along, &axes(x), false)?,
        reduce::sum(dy, &axes(x), false)?,
    );
    let count = (x.len() / weight.len().max(1)).max(1) as f64;
    let share = |sum: &Tensor| lift(&e::mul(sum, &e::number_like(sum, 1.0 / count))?, rank);
    let rest = e::sub(dy, &share(&dbias)?)?;
    let rest = e::sub(&rest, &e::mul(&h, &share(&dweight)?)?)?;
    let dx = e::mul(&lift(&e::div(weight, &deviation)?, rank)?, &rest)?;
    Ok([dx, dweight, dbias])
}
