//! Order and choice: top k, one-hot, non-maximum suppression, what is there at all.

use super::Handler;
use crate::trace::{Call, Stop, Traced, Value, upload};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("TopK", 1, top_k),
    ("OneHot", 9, one_hot),
    ("NonMaxSuppression", 10, non_max_suppression),
    ("NonZero", 9, non_zero),
    ("Unique", 11, unique),
];

/// 0, 1, ... along `axis` of `rank` axes.
pub(super) fn places(call: &Call<'_, '_>, n: usize, rank: usize, axis: usize) -> Traced<Value> {
    let mut shape = vec![1; rank];
    shape[axis] = n;
    super::make::ints(call, DType::I64, &shape, |i| i as i64)
}

fn top_k(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let axis = call.axis(call.int_or("axis", -1)?, shape.len())?;
    let largest = call.flag("largest", true)?;
    let k = if call.version() < 10 {
        call.int_or("k", -1)?
    } else {
        call.known_int(1)?
    };
    if !(0..=shape[axis] as i64).contains(&k) {
        return call.wrong(format!(
            "k is {k}, axis {axis} has {} elements",
            shape[axis]
        ));
    }
    // Unsorted means any order: sorted is one.
    call.record(
        "topk",
        &[&x],
        &Attrs::new()
            .with("k", k)
            .with("dim", axis)
            .with("largest", largest),
    )
}

/// values[1] where the index is the place, values[0] elsewhere; an index
/// below 0 counts from the end, one out of range is nowhere.
fn one_hot(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (indices, values) = (call.input(0)?, call.input(2)?);
    let depth = call.known(1)?.to_floats().first().copied().unwrap_or(0.0);
    if !(0.0..=f64::from(u32::MAX)).contains(&depth) {
        return call.wrong(format!("depth is {depth}"));
    }
    let depth = depth as usize;
    let rank = call.rank(&indices)? + 1;
    let axis = call.axis(call.int_or("axis", -1)?, rank)?;
    let indices = call.cast(&indices, DType::I64)?;
    let negative = call.with_number("lt", &indices, 0.0)?;
    let wrapped = call.with_number("add", &indices, depth as f64)?;
    let indices = call.unsqueeze(&call.select(&negative, &wrapped, &indices)?, &[axis])?;
    let hit = call.binary("eq", &indices, &places(call, depth, rank, axis)?)?;
    let at = |i: usize| -> Traced<Value> { call.reshape(&call.narrow(&values, 0, i, i + 1)?, &[]) };
    Ok(vec![call.select(&hit, &at(1)?, &at(0)?)?])
}

/// The single number in an optional input.
fn number(call: &mut Call<'_, '_>, index: usize) -> Traced<Option<f64>> {
    if !call.has(index) {
        return Ok(None);
    }
    Ok(call.known(index)?.to_floats().first().copied())
}

/// (batch, class, box) for each box kept; the corners may come in any order.
fn non_max_suppression(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    if !call.tracer.concrete {
        return Err(Stop::Later);
    }
    let (boxes, scores) = (call.input(0)?, call.input(1)?);
    let most = number(call, 2)?.unwrap_or(0.0);
    let iou = number(call, 3)?.unwrap_or(0.0);
    let above = number(call, 4)?;
    let [batches, count, _] = call.dims(&boxes, "boxes")?;
    let [_, classes, _] = call.dims(&scores, "scores")?;
    let boxes = corners(call, &boxes)?;
    let mut attrs = Attrs::new()
        .with("iou_threshold", iou)
        .with("max_output", most as i64);
    if let Some(above) = above {
        attrs = attrs.with("score_threshold", above);
    }
    let mut rows = Vec::new();
    // Without boxes there may be any number of pictures.
    for batch in 0..if count == 0 || classes == 0 {
        0
    } else {
        batches
    } {
        let own = call.reshape(&call.narrow(&boxes, 0, batch, batch + 1)?, &[count, 4])?;
        for class in 0..classes {
            let score = call.narrow(
                &call.narrow(&scores, 0, batch, batch + 1)?,
                1,
                class,
                class + 1,
            )?;
            let score = call.reshape(&score, &[count])?;
            let kept = call.record_one("nms", &[&own, &score], attrs.clone())?;
            for index in call.tensor(&kept)?.to_vec::<i64>()? {
                rows.extend([batch as i64, class as i64, index]);
            }
        }
    }
    let shape = [rows.len() / 3, 3];
    let bytes: Vec<u8> = rows.iter().flat_map(|r| r.to_le_bytes()).collect();
    Ok(vec![
        upload(DType::I64, &shape, &bytes, call.tracer.device)?.into(),
    ])
}

/// Boxes with the smaller corner first.
fn corners(call: &Call<'_, '_>, boxes: &Value) -> Traced<Value> {
    let part = |i: usize| call.narrow(boxes, 2, 2 * i, 2 * i + 2);
    let (a, b) = (part(0)?, part(1)?);
    if call.int_or("center_point_box", 0)? == 1 {
        let half = call.with_number("mul", &b, 0.5)?;
        return call.concat(&[call.sub(&a, &half)?, call.add(&a, &half)?], 2);
    }
    call.concat(
        &[
            call.binary("minimum", &a, &b)?,
            call.binary("maximum", &a, &b)?,
        ],
        2,
    )
}

/// The indices of all elements that are not 0, one column each.
fn non_zero(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    if x.host().is_none() && !call.tracer.concrete {
        return Err(Stop::Later);
    }
    let shape = call.shape(&x)?;
    let flags: Vec<bool> = match x.host() {
        Some(host) => host.to_floats().iter().map(|&v| v != 0.0).collect(),
        None => call
            .tensor(&call.cast(&x, DType::Bool)?)?
            .to_vec::<u8>()?
            .iter()
            .map(|&b| b != 0)
            .collect(),
    };
    let found: Vec<usize> = (0..flags.len()).filter(|&i| flags[i]).collect();
    let mut rows = Vec::with_capacity(found.len() * shape.len());
    for axis in 0..shape.len() {
        let inner: usize = shape[axis + 1..].iter().product();
        rows.extend(found.iter().map(|&i| (i / inner % shape[axis]) as i64));
    }
    let bytes: Vec<u8> = rows.iter().flat_map(|r| r.to_le_bytes()).collect();
    Ok(vec![
        upload(
            DType::I64,
            &[shape.len(), found.len()],
            &bytes,
            call.tracer.device,
        )?
        .into(),
    ])
}

/// Distinct elements, or slices along an axis; where each was first, which of
/// them each element is, and how often each is there.
fn unique(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    if !call.tracer.concrete {
        return Err(Stop::Later);
    }
    let x = call.input(0)?;
    let attrs = Attrs::new()
        .with("sorted", call.flag("sorted", true)?)
        .with("dim", call.int("axis")?);
    call.record("unique", &[&x], &attrs)
}
