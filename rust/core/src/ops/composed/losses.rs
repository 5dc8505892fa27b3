//! Losses.

use crate::layout::resolve_axis;
use crate::ops::{elementwise as e, inputs, reduce, softmax, views};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// `mean`, `sum` or `none`.
    pub struct Reduction { reduction: String = "mean".to_owned() }
}

impl Reduction {
    fn apply(&self, op: &str, loss: &Tensor) -> Result<Tensor> {
        let all: Vec<usize> = (0..loss.rank()).collect();
        match self.reduction.as_str() {
            "none" => Ok(loss.clone()),
            "sum" => reduce::sum(loss, &all, false),
            "mean" => mean_of(&reduce::sum(loss, &all, false)?, loss.len()),
            other => Err(Error::argument(format!(
                "{op}: reduction='{other}' is not 'mean', 'sum' or 'none'"
            ))),
        }
    }
}

fn mean_of(total: &Tensor, count: usize) -> Result<Tensor> {
    e::mul(total, &e::number_like(total, 1.0 / count as f64))
}

/// (x - target)².
pub fn mse_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x, target] = inputs(name, xs)?;
    if x.shape() != target.shape() {
        return Err(Error::shape(format!(
            "{name}: x has shape {:?}, target {:?}; they must be equal",
            x.shape(),
            target.shape()
        )));
    }
    let squares = e::unary(Func::Square, &e::sub(&x, &target)?)?;
    Reduction::from_attrs(name, attrs)?.apply(name, &squares)
}

params! {
    /// As PyTorch's: targets equal to `ignore_index` count nowhere,
    /// `label_smoothing` moves that share of the target to all classes alike.
    pub struct CrossEntropy {
        reduction: String = "mean".to_owned(),
        ignore_index: i64 = -100,
        label_smoothing: f64 = 0.0,
    }
}

/// -log softmax(logits)\[target\], for class indices (batch, *) or
/// probabilities of the logits' shape; logits (batch, classes, *).
pub fn cross_entropy(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [logits, target] = inputs(name, xs)?;
    let form = CrossEntropy::from_attrs(name, attrs)?;
    if !(0.0..=1.0).contains(&form.label_smoothing) {
        return Err(Error::argument(format!(
            "{name}: label_smoothing={} is not within 0 and 1",
            form.label_smoothing
        )));
    }
    let axis = if logits.rank() == 1 {
        0
    } else {
        resolve_axis(name, 1, logits.rank())?
    };
    let classes = logits.shape()[axis];
    let log_p = softmax::log_softmax(&logits, axis as i64)?;
    let reduction = Reduction {
        reduction: form.reduction.clone(),
    };
    if target.dtype().is_float() {
        if target.shape() != logits.shape() {
            return Err(Error::shape(format!(
                "{name}: target probabilities have shape {:?}, logits {:?}; they must be equal",
                target.shape(),
                logits.shape()
            )));
        }
        let target = smoothed(&target, form.label_smoothing, classes)?;
        let loss = e::neg(&reduce::sum(&e::mul(&target, &log_p)?, &[axis], false)?)?;
        return reduction.apply(name, &loss);
    }
    let mut wanted = logits.shape().to_vec();
    wanted.remove(axis);
    if target.shape() != wanted {
        return Err(Error::shape(format!(
            "{name}: target indices have shape {:?}, wanted {wanted:?} for logits {:?}",
            target.shape(),
            logits.shape()
        )));
    }
    if !target.dtype().is_int() {
        return Err(Error::dtype(format!(
            "{name}: target is {}, wanted integers (class indices) or floats (probabilities)",
            target.dtype()
        )));
    }
    let counts = e::compare(
        Func::Ne,
        &target,
        &e::number_like(&target, form.ignore_index as f64),
    )?;
    let zero = e::number_like(&target, 0.0);
    let index = views::unsqueeze(&e::select(&counts, &target, &zero)?, &[axis as i64])?;
    let picked = crate::ops::record(
        "gather",
        &[log_p.clone(), index],
        &Attrs::new().with("dim", axis as i64),
    )?;
    let mut loss = e::neg(&views::reshape_to(&picked[0], &wanted)?)?;
    if form.label_smoothing > 0.0 {
        let even = e::neg(&reduce::sum(&log_p, &[axis], false)?)?;
        let share = e::number_like(&loss, form.label_smoothing / classes as f64);
        let rest = e::number_like(&loss, 1.0 - form.label_smoothing);
        loss = e::add(&e::mul(&loss, &rest)?, &e::mul(&even, &share)?)?;
    }
    loss = e::select(&counts, &loss, &e::number_like(&loss, 0.0))?;
    if form.reduction == "mean" {
        let all: Vec<usize> = (0..loss.rank()).collect();
        let count = reduce::sum(&e::cast(&counts, loss.dtype())?, &all, false)?;
        return e::div(&reduce::sum(&loss, &all, false)?, &count);
    }
    reduction.apply(name, &loss)
}

fn smoothed(target: &Tensor, smoothing: f64, classes: usize) -> Result<Tensor> {
    if smoothing == 0.0 {
        return Ok(target.clone());
    }
    let kept = e::mul(target, &e::number_like(target, 1.0 - smoothing))?;
    e::add(&kept, &e::number_like(target, smoothing / classes as f64))
}
