//! Rows of a table by index, one by one or in bags.

use crate::ops::reduce::{self, Axes};
use crate::ops::{elementwise as e, gather as g, inputs, views};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Func;
use lamina_kernels::reduce::Reduction;

params! {
    /// Whose row gets no gradient.
    pub struct Embedding { padding_idx: Option<i64> = None }
}

params! {
    /// `sum`, `mean` or `max`; indices equal to `padding_idx` are in no bag.
    pub struct EmbeddingBag { mode: String = "mean".to_owned(), padding_idx: Option<i64> = None }
}

/// From the end where it is negative.
fn row_of(name: &str, padding_idx: i64, weight: &Tensor) -> Result<i64> {
    let rows = weight.shape().first().copied().unwrap_or(0) as i64;
    if (-rows..rows).contains(&padding_idx) {
        return Ok(padding_idx.rem_euclid(rows));
    }
    Err(Error::argument(format!(
        "{name}: padding_idx={padding_idx} is no row of weight {:?}",
        weight.shape()
    )))
}

/// Whether each index is that of `row`, along a new last axis.
fn is_row(index: &Tensor, row: i64, weight: &Tensor) -> Result<Tensor> {
    let index = e::cast(index, DType::I64)?;
    let rows = e::number_like(&index, weight.shape()[0] as f64);
    let below = e::compare(Func::Lt, &index, &e::number_like(&index, 0.0))?;
    let index = e::select(&below, &e::add(&index, &rows)?, &index)?;
    let hit = e::compare(Func::Eq, &index, &e::number_like(&index, row as f64))?;
    views::unsqueeze(&hit, &[-1])
}

pub fn embedding(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [index, weight] = inputs(name, xs)?;
    let rows = g::take(&weight, &index, 0)?;
    match Embedding::from_attrs(name, attrs)?.padding_idx {
        None => Ok(rows),
        Some(padding) => {
            let row = row_of(name, padding, &weight)?;
            e::select(&is_row(&index, row, &weight)?, &rows.detach()?, &rows)
        }
    }
}

/// Rows of weight by index, made one: index (bags, size), with a weight for each where there is a
/// third input.
pub fn embedding_bag(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (index, weight, scale) = match xs {
        [index, weight] => (index, weight, None),
        [index, weight, scale] => (index, weight, Some(scale)),
        _ => {
            return Err(Error::argument(format!(
                "{name}: takes index, weight and, where they are, weights of the samples, got {} tensors",
                xs.len()
            )));
        }
    };
    let form = EmbeddingBag::from_attrs(name, attrs)?;
    if index.rank() != 2 || weight.rank() != 2 {
        return Err(Error::shape(format!(
            "{name}: index has shape {:?}, weight {:?}; wanted (bags, size) and (count, dim)",
            index.shape(),
            weight.shape()
        )));
    }
    let mode = form.mode.as_str();
    if !matches!(mode, "sum" | "mean" | "max") {
        return Err(Error::argument(format!(
            "{name}: mode='{mode}' is not 'sum', 'mean' or 'max'"
        )));
    }
    let mut rows = g::take(weight, index, 0)?;
    if let Some(scale) = scale {
        if mode != "sum" || scale.shape() != index.shape() {
            return Err(Error::argument(format!(
                "{name}: weights of the samples have shape {:?} and mode is '{mode}'; wanted the shape of \
                 index, {:?}, and 'sum'",
                scale.shape(),
                index.shape()
            )));
        }
        rows = e::mul(&rows, &views::unsqueeze(scale, &[-1])?)?;
    }
    let counts = match form.padding_idx {
        None => None,
        Some(padding) => {
            let row = row_of(name, padding, weight)?;
            Some(e::unary(Func::Not, &is_row(index, row, weight)?)?)
        }
    };
    bagged(&rows, counts.as_ref(), mode)
}

/// (bags, size, dim) to (bags, dim); a bag of nothing is zeros.
fn bagged(rows: &Tensor, counts: Option<&Tensor>, mode: &str) -> Result<Tensor> {
    let &[bags, size, dim] = rows.shape() else {
        return Err(Error::internal("embedding_bag: three axes"));
    };
    let zero = e::number_like(rows, 0.0);
    if size == 0 {
        return views::expand(&zero, &[bags, dim]);
    }
    let kept = |least: f64| match counts {
        None => Ok(rows.clone()),
        Some(counts) => e::select(counts, rows, &e::number_like(rows, least)),
    };
    let number = match counts {
        None => e::number_like(rows, size as f64),
        Some(counts) => reduce::sum(&e::cast(counts, rows.dtype())?, &[1], false)?,
    };
    match mode {
        "max" => {
            let axes = Axes {
                dim: Some(vec![1]),
                keepdim: false,
            };
            let most = reduce::reduce(Reduction::Max, &kept(f64::NEG_INFINITY)?, axes)?;
            let some = e::compare(Func::Gt, &number, &zero)?;
            e::select(&some, &most, &zero)
        }
        "mean" => {
            let at_least_one = e::binary(Func::Maximum, &number, &e::number_like(rows, 1.0))?;
            e::div(&reduce::sum(&kept(0.0)?, &[1], false)?, &at_least_one)
        }
        _ => reduce::sum(&kept(0.0)?, &[1], false),
    }
}
