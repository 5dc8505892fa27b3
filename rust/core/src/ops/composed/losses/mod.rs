//! Losses: a loss for each element or row, and what becomes of all of them.

mod classes;
mod elements;
mod pairs;

pub use classes::{cross_entropy, nll_loss};
pub use elements::{
    binary_cross_entropy, binary_cross_entropy_with_logits, gaussian_nll_loss,
    hinge_embedding_loss, huber_loss, kl_div, l1_loss, mse_loss, poisson_nll_loss, smooth_l1_loss,
    soft_margin_loss,
};
pub use pairs::{cosine_embedding_loss, margin_ranking_loss, triplet_margin_loss};

use super::scaled;
use crate::ops::{elementwise as e, reduce};
use crate::{Error, Result, Tensor};

fn total(loss: &Tensor) -> Result<Tensor> {
    let all: Vec<usize> = (0..loss.rank()).collect();
    reduce::sum(loss, &all, false)
}

/// `none` leaves the losses as they are, `sum` adds them up, `mean` divides the sum by their number.
fn reduced(op: &str, reduction: &str, loss: &Tensor) -> Result<Tensor> {
    match reduction {
        "none" => Ok(loss.clone()),
        "sum" => total(loss),
        "mean" => scaled(&total(loss)?, 1.0 / loss.len() as f64),
        other => Err(Error::argument(format!(
            "{op}: reduction='{other}' is not 'mean', 'sum' or 'none'"
        ))),
    }
}

/// As [`reduced`]; a mean is by the weights.
fn weighted(op: &str, reduction: &str, loss: &Tensor, weights: &Tensor) -> Result<Tensor> {
    if reduction == "mean" {
        return e::div(&total(loss)?, &total(weights)?);
    }
    reduced(op, reduction, loss)
}

/// That `target` has the shape of `x`.
fn same_shape(op: &str, x: &Tensor, name: &str, target: &Tensor) -> Result<()> {
    if x.shape() == target.shape() {
        return Ok(());
    }
    Err(Error::shape(format!(
        "{op}: x has shape {:?}, {name} {:?}; they must be equal",
        x.shape(),
        target.shape()
    )))
}
