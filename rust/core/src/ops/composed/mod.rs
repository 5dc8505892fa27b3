//! Compositions: functions that record several ops, shared by Python, ONNX
//! and gradients.

pub mod activation;
pub mod batch_norm;
pub mod data_dependent;
pub mod layer_norm;
pub mod losses;
pub mod make;
pub mod shape;

use super::{elementwise as e, matmul, views};
use crate::{Error, Result, Tensor};

/// x wᵀ + b, with w (out, in) as PyTorch has it.
pub fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let &[out, inner] = w.shape() else {
        return Err(Error::shape(format!(
            "linear: weight has shape {:?}, wanted (out, in)",
            w.shape()
        )));
    };
    if x.shape().last() != Some(&inner) {
        return Err(Error::shape(format!(
            "linear: x has shape {:?}, weight {:?}; the last axis of x must be {inner}",
            x.shape(),
            w.shape()
        )));
    }
    let y = matmul::matmul(x, &views::transpose_last(w)?)?;
    match bias {
        None => Ok(y),
        Some(b) if b.shape() == [out] => e::add(&y, b),
        Some(b) => Err(Error::shape(format!(
            "linear: bias has shape {:?}, wanted [{out}]",
            b.shape()
        ))),
    }
}
