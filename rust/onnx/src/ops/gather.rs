//! Reading and writing by index.

use super::Handler;
use crate::host::Host;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Gather", 1, gather),
    ("GatherElements", 11, gather_elements),
    ("GatherND", 11, gather_nd),
    ("Scatter", 9, scatter_elements),
    ("ScatterElements", 11, scatter_elements),
    ("ScatterND", 11, scatter_nd),
    ("Compress", 9, compress),
    ("ReverseSequence", 10, reverse_sequence),
];

fn gather(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int_or("axis", 0)?, call.rank(&x)?)?;
    Ok(vec![call.take(&x, &indices, axis)?])
}

fn gather_elements(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int_or("axis", 0)?, call.rank(&x)?)?;
    Ok(vec![call.record_one(
        "gather",
        &[&x, &indices],
        Attrs::new().with("dim", axis),
    )?])
}

fn compress(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let condition = call.known(1)?;
    let Some(flags) = condition.as_ints() else {
        return call.wrong("the condition is not bool");
    };
    let kept: Vec<i64> = (0..flags.len())
        .filter(|&i| flags[i] != 0)
        .map(|i| i as i64)
        .collect();
    let (x, axis) = if let Some(axis) = call.int("axis")? {
        let axis = call.axis(axis, call.rank(&x)?)?;
        (x, axis)
    } else {
        let len: usize = call.shape(&x)?.iter().product();
        (call.reshape(&x, &[len])?, 0)
    };
    Ok(vec![call.take(
        &x,
        &Host::ints(&[kept.len()], kept).into(),
        axis,
    )?])
}

/// The first elements along the time axis in reverse, of each batch element as many as it says.
fn reverse_sequence(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, lengths) = (call.input(0)?, call.input(1)?);
    let shape = call.shape(&x)?;
    let time = call.axis(call.int_or("time_axis", 0)?, shape.len())?;
    let batch = call.axis(call.int_or("batch_axis", 1)?, shape.len())?;
    if time == batch || call.shape(&lengths)? != [shape[batch]] {
        return call.wrong(format!(
            "lengths of shape {:?} for batch axis {batch} and time axis {time} of {shape:?}",
            call.shape(&lengths)?
        ));
    }
    let mut beside = vec![1; shape.len()];
    beside[batch] = shape[batch];
    let lengths = call.reshape(&call.cast(&lengths, DType::I64)?, &beside)?;
    let places = super::select::places(call, shape[time], shape.len(), time)?;
    let mirrored = call.sub(&call.with_number("sub", &lengths, 1.0)?, &places)?;
    let within = call.binary("lt", &places, &lengths)?;
    let index = call.select(&within, &mirrored, &places)?;
    let index = call.expand(&index, &shape)?;
    let attrs = Attrs::new().with("dim", time);
    Ok(vec![call.record_one("gather", &[&x, &index], attrs)?])
}

/// Index tuples along the last axis of `indices` as flat positions in the
/// axes `sizes`, negative ones counted from the end.
fn flat_positions(call: &Call<'_, '_>, indices: &Value, sizes: &[usize]) -> Traced<Value> {
    let last = call.rank(indices)? - 1;
    let indices = call.cast(indices, DType::I64)?;
    let as_row = |values: Vec<i64>| Value::from(Host::ints(&[values.len()], values));
    let negative = call.with_number("lt", &indices, 0.0)?;
    let wrapped = call.add(&indices, &as_row(sizes.iter().map(|&n| n as i64).collect()))?;
    let indices = call.select(&negative, &wrapped, &indices)?;
    let mut strides = vec![1i64; sizes.len()];
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i] as i64;
    }
    let weighted = call.mul(&indices, &as_row(strides))?;
    call.reduce("sum", &weighted, &[last], false)
}

fn depth(call: &Call<'_, '_>, x: &[usize], indices: &[usize], batch: usize) -> Traced<usize> {
    match indices.last() {
        Some(&k)
            if indices.len() > batch && batch + k <= x.len() && x[..batch] == indices[..batch] =>
        {
            Ok(k)
        }
        _ => call.wrong(format!(
            "indices of shape {indices:?} do not index {x:?} with {batch} batch axes"
        )),
    }
}

fn gather_nd(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let (shape, index_shape) = (call.shape(&x)?, call.shape(&indices)?);
    let batch = call.int_or("batch_dims", 0)?.max(0) as usize;
    let k = depth(call, &shape, &index_shape, batch)?;
    let (outer, inner) = (&shape[..batch], &shape[batch..batch + k]);
    let mut at = flat_positions(call, &indices, inner)?;
    let each: usize = inner.iter().product();
    let batches: usize = outer.iter().product();
    if batch > 0 {
        let mut lined = outer.to_vec();
        lined.resize(index_shape.len() - 1, 1);
        let starts = super::make::ints(call, DType::I64, &lined, |b| (b * each) as i64)?;
        at = call.add(&at, &starts)?;
    }
    let mut flat = vec![batches * each];
    flat.extend(&shape[batch + k..]);
    let x = call.reshape(&x, &flat)?;
    Ok(vec![call.take(&x, &at, 0)?])
}

/// The op of a scatter and what it makes of two elements for one place.
fn reduction(call: &Call<'_, '_>) -> Traced<Option<&'static str>> {
    Ok(match call.text("reduction", "none")?.as_str() {
        "none" => None,
        "add" => Some("sum"),
        "mul" => Some("prod"),
        "max" => Some("amax"),
        "min" => Some("amin"),
        other => {
            return call.wrong(format!(
                "attribute 'reduction' is '{other}', wanted 'none', 'add', 'mul', 'max' or 'min'"
            ));
        }
    })
}

/// `updates` at `indices` along `axis`: reduced with, or in place of what was there.
fn scatter(
    call: &Call<'_, '_>,
    inputs: [&Value; 3],
    axis: usize,
    reduce: Option<&str>,
) -> Traced<Value> {
    let attrs = Attrs::new().with("dim", axis);
    match reduce {
        None => call.record_one("scatter", &inputs, attrs),
        Some(reduce) => call.record_one("scatter_reduce", &inputs, attrs.with("reduce", reduce)),
    }
}

fn scatter_elements(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let axis = call.axis(call.int_or("axis", 0)?, call.rank(&x)?)?;
    let reduce = reduction(call)?;
    Ok(vec![scatter(call, [&x, &indices, &updates], axis, reduce)?])
}

/// Rows of the flattened leading axes: (positions, rest) scattered along 0.
fn scatter_nd(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let (shape, index_shape) = (call.shape(&x)?, call.shape(&indices)?);
    let k = depth(call, &shape, &index_shape, 0)?;
    let reduce = reduction(call)?;
    let rows: usize = shape[..k].iter().product();
    let width: usize = shape[k..].iter().product();
    let count: usize = index_shape[..index_shape.len() - 1].iter().product();
    let at = flat_positions(call, &indices, &shape[..k])?;
    let at = call.expand(&call.reshape(&at, &[count, 1])?, &[count, width])?;
    let flat = call.reshape(&x, &[rows, width])?;
    let updates = call.reshape(&updates, &[count, width])?;
    let y = scatter(call, [&flat, &at, &updates], 0, reduce)?;
    Ok(vec![call.reshape(&y, &shape)?])
}
