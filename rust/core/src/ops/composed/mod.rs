//! Compositions: functions that record several ops, shared by Python, ONNX
//! and gradients.

pub mod activation;
pub mod batch_norm;
pub mod conv;
pub mod data_dependent;
pub mod einsum;
pub mod embedding;
pub mod fold;
pub mod grid_sample;
pub mod indexing;
pub mod layer_norm;
pub mod losses;
pub mod make;
pub mod norm;
pub mod pool;
pub mod quantize;
pub mod quantized;
pub mod reduce;
pub mod shape;
pub mod similarity;
pub mod spectrum;
pub mod unique;

use super::{elementwise as e, matmul, views};
use crate::node::set_grad_enabled;
use crate::op::Vjp;
use crate::{Error, Result, Tensor};

/// The gradient of a fused op by that of its composed `twin`, recorded with
/// its tape.  The inputs become nodes of their own: what else depends on one
/// of them (a mean on x, above all) keeps its own path.
pub fn twin_vjp(
    vjp: &Vjp<'_>,
    twin: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>>,
) -> Result<Vec<Option<Tensor>>> {
    let own = |t: &Tensor| {
        let shape: Vec<i64> = t.shape().iter().map(|&n| n as i64).collect();
        views::reshape(t, &shape)
    };
    let create_graph = set_grad_enabled(true);
    let recorded = (vjp.inputs.iter().map(own).collect::<Result<Vec<_>>>())
        .and_then(|inputs| Ok((twin(&inputs)?, inputs)));
    set_grad_enabled(create_graph);
    let (outputs, inputs) = recorded?;
    let (seen, seeds): (Vec<Tensor>, Vec<Tensor>) = (outputs.iter().zip(vjp.grads))
        .filter(|(output, _)| output.requires_grad())
        .filter_map(|(output, grad)| Some((output.clone(), grad.clone()?)))
        .unzip();
    let wanted: Vec<Tensor> = (inputs.iter())
        .filter(|t| t.requires_grad())
        .cloned()
        .collect();
    let found = crate::grad(&seen, &wanted, Some(&seeds), create_graph)?;
    let mut found = found.into_iter();
    let of = |t: &Tensor| t.requires_grad().then(|| found.next().flatten());
    Ok(inputs.iter().map(of).map(Option::flatten).collect())
}

/// x times a number.
fn scaled(x: &Tensor, factor: f64) -> Result<Tensor> {
    e::mul(x, &e::number_like(x, factor))
}

/// x plus a number.
fn plus(x: &Tensor, number: f64) -> Result<Tensor> {
    e::add(x, &e::number_like(x, number))
}

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
