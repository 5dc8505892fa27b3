//! Losses of class scores (batch, classes, *), or (classes) of one sample.

use super::{reduced, weighted};
use crate::layout::resolve_axis;
use crate::ops::composed::{plus, scaled};
use crate::ops::{elementwise as e, gather, reduce, softmax, views};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// As PyTorch's: targets equal to `ignore_index` count nowhere,
    /// `label_smoothing` moves that share of the target to all classes alike.
    pub struct CrossEntropy {
        reduction: String = "mean".to_owned(),
        ignore_index: i64 = -100,
        label_smoothing: f64 = 0.0,
    }
}

params! {
    pub struct Likelihood { reduction: String = "mean".to_owned(), ignore_index: i64 = -100 }
}

/// Log probabilities and what they are held against.
struct Classes<'a> {
    name: &'a str,
    log_p: Tensor,
    axis: usize,
    /// A weight for each class.
    weight: Option<&'a Tensor>,
}

/// The axis of the classes.
fn class_axis(name: &str, scores: &Tensor) -> Result<usize> {
    resolve_axis(name, i64::from(scores.rank() > 1), scores.rank())
}

impl<'a> Classes<'a> {
    fn new(name: &'a str, log_p: Tensor, axis: usize, weight: Option<&'a Tensor>) -> Result<Self> {
        let classes = log_p.shape()[axis];
        match weight {
            Some(w) if w.shape() != [classes] => Err(Error::shape(format!(
                "{name}: weight has shape {:?}, wanted [{classes}], one for each class",
                w.shape()
            ))),
            _ => Ok(Classes {
                name,
                log_p,
                axis,
                weight,
            }),
        }
    }

    /// A sum over the classes, each times its weight.
    fn over_classes(&self, terms: &Tensor) -> Result<Tensor> {
        let Some(weight) = self.weight else {
            return reduce::sum(terms, &[self.axis], false);
        };
        let mut beside = vec![1; terms.rank() - self.axis];
        beside[0] = weight.len();
        let weight = views::reshape_to(weight, &beside)?;
        reduce::sum(&e::mul(terms, &weight)?, &[self.axis], false)
    }

    /// -log p of the target's class (and that share `smoothing` of the sum over all classes),
    /// weighted; a mean is by the weights of the targets that count.
    fn of_indices(&self, target: &Tensor, form: &CrossEntropy) -> Result<Tensor> {
        let (name, axis) = (self.name, self.axis);
        let mut wanted = self.log_p.shape().to_vec();
        let classes = wanted.remove(axis);
        if target.shape() != wanted {
            return Err(Error::shape(format!(
                "{name}: target indices have shape {:?}, wanted {wanted:?} for scores {:?}",
                target.shape(),
                self.log_p.shape()
            )));
        }
        let ignored = e::number_like(target, form.ignore_index as f64);
        let counts = e::compare(Func::Ne, target, &ignored)?;
        let target = e::select(&counts, target, &e::number_like(target, 0.0))?;
        let index = views::unsqueeze(&target, &[axis as i64])?;
        let picked = gather::gather(&self.log_p, &index, axis as i64)?;
        let mut loss = e::neg(&views::reshape_to(&picked, &wanted)?)?;
        let mut weights = match self.weight {
            Some(weight) => {
                let own = gather::take(weight, &target, 0)?;
                loss = e::mul(&loss, &own)?;
                own
            }
            None => e::number_like(&loss, 1.0),
        };
        if form.label_smoothing > 0.0 {
            let even = e::neg(&self.over_classes(&self.log_p)?)?;
            loss = e::add(
                &scaled(&loss, 1.0 - form.label_smoothing)?,
                &scaled(&even, form.label_smoothing / classes as f64)?,
            )?;
        }
        let zero = e::number_like(&loss, 0.0);
        loss = e::select(&counts, &loss, &zero)?;
        weights = e::select(&counts, &weights, &zero)?;
        weighted(name, &form.reduction, &loss, &weights)
    }

    /// -sum target log p, weighted.
    fn of_probabilities(&self, target: &Tensor, form: &CrossEntropy) -> Result<Tensor> {
        let name = self.name;
        if target.shape() != self.log_p.shape() {
            return Err(Error::shape(format!(
                "{name}: target probabilities have shape {:?}, logits {:?}; they must be equal",
                target.shape(),
                self.log_p.shape()
            )));
        }
        let share = form.label_smoothing / self.log_p.shape()[self.axis] as f64;
        let target = match form.label_smoothing {
            0.0 => target.clone(),
            smoothing => plus(&scaled(target, 1.0 - smoothing)?, share)?,
        };
        let loss = e::neg(&self.over_classes(&e::mul(&target, &self.log_p)?)?)?;
        reduced(name, &form.reduction, &loss)
    }
}

fn scores_target_weight<'a>(
    name: &str,
    xs: &'a [Tensor],
) -> Result<(&'a Tensor, &'a Tensor, Option<&'a Tensor>)> {
    match xs {
        [scores, target] => Ok((scores, target, None)),
        [scores, target, weight] => Ok((scores, target, Some(weight))),
        _ => Err(Error::argument(format!(
            "{name}: takes scores, a target and, where there is one, a weight for each class, got {} tensors",
            xs.len()
        ))),
    }
}

/// -log softmax(logits)\[target\], for class indices (batch, *) or
/// probabilities of the logits' shape; logits (batch, classes, *).
pub fn cross_entropy(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (logits, target, weight) = scores_target_weight(name, xs)?;
    let form = CrossEntropy::from_attrs(name, attrs)?;
    if !(0.0..=1.0).contains(&form.label_smoothing) {
        return Err(Error::argument(format!(
            "{name}: label_smoothing={} is not within 0 and 1",
            form.label_smoothing
        )));
    }
    let axis = class_axis(name, logits)?;
    let log_p = softmax::log_softmax(logits, axis as i64)?;
    let classes = Classes::new(name, log_p, axis, weight)?;
    if target.dtype().is_float() {
        return classes.of_probabilities(target, &form);
    }
    if !target.dtype().is_int() {
        return Err(Error::dtype(format!(
            "{name}: target is {}, wanted integers (class indices) or floats (probabilities)",
            target.dtype()
        )));
    }
    classes.of_indices(target, &form)
}

/// `-log_p[target]`, for class indices (batch, *) and log probabilities (batch, classes, *).
pub fn nll_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (log_p, target, weight) = scores_target_weight(name, xs)?;
    let form = Likelihood::from_attrs(name, attrs)?;
    if !target.dtype().is_int() {
        return Err(Error::dtype(format!(
            "{name}: target is {}, wanted integers: class indices",
            target.dtype()
        )));
    }
    let axis = class_axis(name, log_p)?;
    let form = CrossEntropy {
        reduction: form.reduction,
        ignore_index: form.ignore_index,
        label_smoothing: 0.0,
    };
    Classes::new(name, log_p.clone(), axis, weight)?.of_indices(target, &form)
}
