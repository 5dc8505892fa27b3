//! Reading and writing by tuples of indices, and sequences turned round.

use crate::layout::{checked_len, resolve_axis};
use crate::ops::composed::make;
use crate::ops::{elementwise as e, gather as g, inputs, iota, reduce, views};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// How many leading axes x and the index have in common.
    pub struct GatherNd { batch_dims: usize = 0 }
}

params! {
    /// `sum`, `prod`, `amax` or `amin`; None puts updates in place of what was there.
    pub struct ScatterNd { reduce: Option<String> = None }
}

params! {
    pub struct ReverseSequence { time_dim: i64 = 0, batch_dim: i64 = 1 }
}

fn integers(name: &str, what: &str, index: &Tensor) -> Result<Tensor> {
    if !index.dtype().is_int() {
        return Err(Error::dtype(format!(
            "{name}: {what} has dtype {}, wanted integers; cast it first",
            index.dtype()
        )));
    }
    e::cast(index, DType::I64)
}

/// How many axes of x a tuple along the last axis of the index names.
fn depth(name: &str, x: &[usize], index: &[usize], batch: usize) -> Result<usize> {
    match index.last() {
        Some(&k) if index.len() > batch && batch + k <= x.len() && x[..batch] == index[..batch] => {
            Ok(k)
        }
        _ => Err(Error::shape(format!(
            "{name}: index has shape {index:?}, which does not index x {x:?}; wanted ({batch} axes as x \
             has them, ..., tuple) with a tuple of at most {} indices",
            x.len().saturating_sub(batch)
        ))),
    }
}

/// Tuples along the last axis as positions in the flattened axes `sizes`; negative indices count
/// from the end, and one out of range leads out of the flattened axes.
fn positions(index: &Tensor, sizes: &[usize]) -> Result<Tensor> {
    let row = |values: &[f64]| make::numbers(DType::I64, &[sizes.len()], values, index.device());
    let lengths: Vec<f64> = sizes.iter().map(|&n| n as f64).collect();
    let mut strides = vec![1.0; sizes.len()];
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * lengths[i];
    }
    let (lengths, zero) = (row(&lengths)?, e::number_like(index, 0.0));
    let below = e::compare(Func::Lt, index, &zero)?;
    let index = e::select(&below, &e::add(index, &lengths)?, index)?;
    // An index that is too large would else be one of the next row.
    let outside = e::binary(
        Func::Or,
        &e::compare(Func::Lt, &index, &zero)?,
        &e::compare(Func::Ge, &index, &lengths)?,
    )?;
    let far = checked_len(sizes)? as f64;
    let at = e::select(
        &outside,
        &e::number_like(&index, far),
        &e::mul(&index, &row(&strides)?)?,
    )?;
    reduce::sum(&at, &[index.rank() - 1], false)
}

/// The part of x that each tuple of indices names.
pub fn gather_nd(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x, index] = inputs(name, xs)?;
    let batch = GatherNd::from_attrs(name, attrs)?.batch_dims;
    let index = integers(name, "index", &index)?;
    let (shape, tuples) = (x.shape().to_vec(), index.shape().to_vec());
    let k = depth(name, &shape, &tuples, batch)?;
    let each: usize = shape[batch..batch + k].iter().product();
    let batches: usize = shape[..batch].iter().product();
    let mut at = positions(&index, &shape[batch..batch + k])?;
    if batch > 0 {
        // An index out of range must leave all of x, and not only its own batch.
        let end = e::number_like(&at, each as f64);
        let outside = e::compare(Func::Ge, &at, &end)?;
        let starts = e::mul(&iota::iota(batches, DType::I64, x.device())?, &end)?;
        let mut beside = shape[..batch].to_vec();
        beside.resize(tuples.len() - 1, 1);
        let shifted = e::add(&at, &views::reshape_to(&starts, &beside)?)?;
        let past = e::number_like(&at, (batches * each) as f64);
        at = e::select(&outside, &past, &shifted)?;
    }
    let mut flat = vec![batches * each];
    flat.extend(&shape[batch + k..]);
    g::take(&views::reshape_to(&x, &flat)?, &at, 0)
}

/// x with updates where each tuple of indices says.
pub fn scatter_nd(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x, index, updates] = inputs(name, xs)?;
    let reduce = ScatterNd::from_attrs(name, attrs)?.reduce;
    let index = integers(name, "index", &index)?;
    let (shape, tuples) = (x.shape().to_vec(), index.shape().to_vec());
    let k = depth(name, &shape, &tuples, 0)?;
    let count: usize = tuples[..tuples.len() - 1].iter().product();
    let wanted = [&tuples[..tuples.len() - 1], &shape[k..]].concat();
    if updates.shape() != wanted {
        return Err(Error::shape(format!(
            "{name}: updates has shape {:?}, wanted {wanted:?} for index {tuples:?} and x {shape:?}",
            updates.shape()
        )));
    }
    let (rows, width): (usize, usize) = (shape[..k].iter().product(), shape[k..].iter().product());
    let at = views::reshape_to(&positions(&index, &shape[..k])?, &[count, 1])?;
    let at = views::expand(&at, &[count, width])?;
    let flat = views::reshape_to(&x, &[rows, width])?;
    let updates = views::reshape_to(&updates, &[count, width])?;
    let y = match reduce {
        None => g::scatter(&flat, &at, &updates, 0)?,
        Some(reduce) => g::scatter_reduce(&flat, &at, &updates, 0, &reduce)?,
    };
    views::reshape_to(&y, &shape)
}

/// Of each batch element the first `lengths[i]` along `time_dim` in reverse, the rest as it is.
pub fn reverse_sequence(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x, lengths] = inputs(name, xs)?;
    let form = ReverseSequence::from_attrs(name, attrs)?;
    let lengths = integers(name, "lengths", &lengths)?;
    let shape = x.shape().to_vec();
    let time = resolve_axis(name, form.time_dim, shape.len())?;
    let batch = resolve_axis(name, form.batch_dim, shape.len())?;
    if time == batch || lengths.shape() != [shape[batch]] {
        return Err(Error::shape(format!(
            "{name}: lengths has shape {:?} for batch axis {batch} and time axis {time} of x {shape:?}; \
             wanted one for each batch element, and two axes",
            lengths.shape()
        )));
    }
    let along = |row: &Tensor, axis: usize| {
        let mut beside = vec![1; shape.len()];
        beside[axis] = shape[axis];
        views::reshape_to(row, &beside)
    };
    let lengths = along(&lengths, batch)?;
    let places = along(&iota::iota(shape[time], DType::I64, x.device())?, time)?;
    let mirrored = e::sub(&e::sub(&lengths, &e::number_like(&lengths, 1.0))?, &places)?;
    let within = e::compare(Func::Lt, &places, &lengths)?;
    let index = e::select(&within, &mirrored, &places)?;
    g::gather(&x, &views::expand(&index, &shape)?, time as i64)
}
