//! Losses of class scores.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("NegativeLogLikelihoodLoss", 12, |call| {
        let scores = call.input(0)?;
        Ok(vec![likelihood(call, &scores)?])
    }),
    ("SoftmaxCrossEntropyLoss", 12, cross_entropy),
];

/// The loss of log softmax, and log softmax itself.
fn cross_entropy(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let scores = call.input(0)?;
    let log_p = call.record_one("log_softmax", &[&scores], Attrs::new().with("dim", 1i64))?;
    Ok(vec![likelihood(call, &log_p)?, log_p])
}

/// -log_p[batch, target, *], times the target's weight; targets equal to `ignore_index` weigh
/// nothing, and a mean is over the weights.
fn likelihood(call: &mut Call<'_, '_>, log_p: &Value) -> Traced<Value> {
    let target = call.input(1)?;
    let (shape, wanted) = (call.shape(log_p)?, call.shape(&target)?);
    let one_less = shape.len() >= 2 && wanted.len() + 1 == shape.len();
    if !one_less || shape[0] != wanted[0] || shape[2..] != wanted[1..] {
        return call.wrong(format!(
            "scores of shape {shape:?} with targets of shape {wanted:?}, wanted (batch, classes, *) and (batch, *)"
        ));
    }
    let ignored = match call.int("ignore_index")? {
        None => None,
        Some(index) => Some(call.with_number("eq", &target, index as f64)?),
    };
    let class = match &ignored {
        None => target,
        Some(ignored) => call.select(ignored, &call.number(&target, 0.0)?, &target)?,
    };
    let index = call.unsqueeze(&class, &[1])?;
    let picked = call.record_one("gather", &[log_p, &index], Attrs::new().with("dim", 1i64))?;
    let mut loss = call.unary("neg", &call.reshape(&picked, &wanted)?)?;
    let mut weight = match call.optional(2) {
        None => None,
        Some(weights) => Some(call.take(&weights, &class, 0)?),
    };
    if let Some(ignored) = &ignored {
        let none = call.number(log_p, 0.0)?;
        loss = call.select(ignored, &none, &loss)?;
        weight = Some(match weight {
            Some(weight) => call.select(ignored, &none, &weight)?,
            None => {
                let counts = call.unary("logical_not", ignored)?;
                call.cast(&counts, call.dtype(log_p)?)?
            }
        });
    }
    if let Some(weight) = &weight {
        loss = call.mul(&loss, weight)?;
    }
    let all: Vec<usize> = (0..wanted.len()).collect();
    match (call.text("reduction", "mean")?.as_str(), weight) {
        ("none", _) => Ok(loss),
        ("sum", _) => call.reduce("sum", &loss, &all, false),
        ("mean", None) => call.reduce("mean", &loss, &all, false),
        ("mean", Some(weight)) => {
            let total = call.reduce("sum", &loss, &all, false)?;
            call.div(&total, &call.reduce("sum", &weight, &all, false)?)
        }
        (other, _) => call.wrong(format!(
            "attribute 'reduction' is '{other}', wanted 'none', 'sum' or 'mean'"
        )),
    }
}
