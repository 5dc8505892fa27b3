//! Joining, cutting and padding.

use super::Handler;
use super::make::ints;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Concat", 1, concat),
    ("Split", 1, split),
    ("Slice", 1, slice),
    ("Pad", 1, pad),
    ("CenterCropPad", 18, center_crop_pad),
    ("Trilu", 14, triangle),
];

fn concat(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let parts = call.all_inputs()?;
    let axis = call.int_or("axis", 1)?;
    let axis = call.axis(axis, call.rank(&parts[0])?)?;
    Ok(vec![call.concat(&parts, axis)?])
}

fn split(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let axis = call.axis(call.int_or("axis", 0)?, shape.len())?;
    let n = shape[axis];
    let given = if call.version() < 13 && call.has_attribute("split") {
        call.ints("split")?
    } else {
        call.known_optional_ints(1)?
    };
    let sizes = match given {
        Some(sizes) => given_sizes(call, &sizes, n)?,
        None => even_sizes(call, n)?,
    };
    let mut at = 0;
    let mut outputs = Vec::with_capacity(sizes.len());
    for size in sizes {
        outputs.push(call.narrow(&x, axis, at, at + size)?);
        at += size;
    }
    Ok(outputs)
}

/// Sizes that must make up an axis of `n`.
pub(super) fn given_sizes(call: &Call<'_, '_>, sizes: &[i64], n: usize) -> Traced<Vec<usize>> {
    let own = sizes
        .iter()
        .map(|&s| usize::try_from(s).ok())
        .collect::<Option<Vec<_>>>();
    let whole =
        own.filter(|own| own.iter().try_fold(0usize, |sum, &s| sum.checked_add(s)) == Some(n));
    match whole {
        Some(own) => Ok(own),
        None => call.wrong(format!("split {sizes:?} does not make up an axis of {n}")),
    }
}

/// Equal parts; the last ones are smaller where the axis does not divide.
fn even_sizes(call: &Call<'_, '_>, n: usize) -> Traced<Vec<usize>> {
    let parts = call.outputs();
    let asked = call.int_or("num_outputs", parts as i64)?;
    if parts == 0 || asked != parts as i64 {
        return call.wrong(format!(
            "an axis of {n} in {asked} parts, and the node has {parts} outputs"
        ));
    }
    let each = n.div_ceil(parts);
    Ok((0..parts)
        .map(|i| each.min(n.saturating_sub(i * each)))
        .collect())
}

fn slice(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = call.rank(&x)?;
    let (starts, ends, axes, steps) = if call.version() < 10 {
        let (Some(starts), Some(ends)) = (call.ints("starts")?, call.ints("ends")?) else {
            return call.wrong("attributes 'starts' and 'ends' are required");
        };
        (starts, ends, call.ints("axes")?, None)
    } else {
        (
            call.known_ints(1)?,
            call.known_ints(2)?,
            call.known_optional_ints(3)?,
            call.known_optional_ints(4)?,
        )
    };
    let count = starts.len();
    let axes = axes.unwrap_or_else(|| (0..count as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; count]);
    if ends.len() != count || axes.len() != count || steps.len() != count || steps.contains(&0) {
        return call.wrong(format!(
            "starts {starts:?}, ends {ends:?}, axes {axes:?} and steps {steps:?} do not go together"
        ));
    }
    call.axes(&axes, rank)?;
    let axes = axes
        .iter()
        .map(|&a| call.axis(a, rank))
        .collect::<Traced<Vec<_>>>()?;
    Ok(vec![call.slice(&x, &axes, &starts, &ends, &steps)?])
}

fn pad(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let mode = call.text("mode", "constant")?;
    if !matches!(mode.as_str(), "constant" | "reflect" | "edge" | "wrap") {
        return call.wrong(format!(
            "attribute 'mode' is '{mode}', which ONNX does not have"
        ));
    }
    let rank = call.rank(&x)?;
    let (given, value, axes) = if call.version() < 11 {
        let name = if call.version() < 2 {
            "paddings"
        } else {
            "pads"
        };
        (
            call.ints(name)?.unwrap_or_default(),
            call.float_or("value", 0.0)?,
            None,
        )
    } else {
        let value = if call.has(2) {
            call.known(2)?.to_floats().first().copied().unwrap_or(0.0)
        } else {
            0.0
        };
        (call.known_ints(1)?, value, call.known_optional_ints(3)?)
    };
    let axes = match axes {
        Some(axes) => axes
            .iter()
            .map(|&a| call.axis(a, rank))
            .collect::<Traced<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return call.wrong(format!(
            "{} pads for {} axes, wanted two for each",
            given.len(),
            axes.len()
        ));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &axis) in axes.iter().enumerate() {
        (before[axis], after[axis]) = (given[i], given[i + axes.len()]);
    }
    Ok(vec![padded(call, &x, &mode, &before, &after, value)?])
}

/// Pads below 0 cut; what they cut is no source of reflections.
fn padded(
    call: &Call<'_, '_>,
    x: &Value,
    mode: &str,
    before: &[i64],
    after: &[i64],
    value: f64,
) -> Traced<Value> {
    let shape = call.shape(x)?;
    let mut x = x.clone();
    for (axis, &n) in shape.iter().enumerate() {
        let cut = |pad: i64| {
            if pad < 0 {
                pad.unsigned_abs() as usize
            } else {
                0
            }
        };
        let (a, b) = (cut(before[axis]), cut(after[axis]));
        if a.saturating_add(b) > n {
            return call.wrong(format!(
                "pads of -{a} and -{b} cut off more than the {n} elements of axis {axis}"
            ));
        }
        if a + b > 0 {
            x = call.narrow(&x, axis, a, n - b)?;
        }
    }
    let positive = |pads: &[i64]| pads.iter().map(|&p| p.max(0)).collect::<Vec<i64>>();
    let (before, after) = (positive(before), positive(after));
    if before.iter().chain(&after).all(|&p| p == 0) {
        return Ok(x);
    }
    let reaches = |n: usize, p: i64| (p as usize) < n;
    let shape = call.shape(&x)?;
    let simple = mode == "edge"
        || (mode == "reflect"
            && (0..shape.len())
                .all(|i| reaches(shape[i], before[i]) && reaches(shape[i], after[i])));
    if mode == "constant" || simple {
        let pads = [before, after].concat();
        return call.record_one(
            "pad",
            &[&x],
            Attrs::new()
                .with("pads", pads)
                .with("mode", mode)
                .with("value", value),
        );
    }
    by_index(call, &x, mode, &before, &after)
}

/// Wrapping, and reflections that go back and forth more than once: by the
/// index that each place reads.
fn by_index(
    call: &Call<'_, '_>,
    x: &Value,
    mode: &str,
    before: &[i64],
    after: &[i64],
) -> Traced<Value> {
    let shape = call.shape(x)?;
    let mut x = x.clone();
    for (axis, &n) in shape
        .iter()
        .enumerate()
        .filter(|&(i, _)| before[i] > 0 || after[i] > 0)
    {
        if n == 0 {
            return call.wrong(format!(
                "axis {axis} is empty: there is nothing to pad it with"
            ));
        }
        let whole = n
            .saturating_add(before[axis] as usize)
            .saturating_add(after[axis] as usize);
        let n = n as i64;
        let indices = ints(call, DType::I64, &[whole], |i| {
            let i = i as i64 - before[axis];
            if mode == "wrap" {
                return i.rem_euclid(n);
            }
            let period = (2 * (n - 1)).max(1);
            let j = i.rem_euclid(period);
            j.min(period - j).min(n - 1)
        })?;
        x = call.take(&x, &indices, axis)?;
    }
    Ok(x)
}

fn center_crop_pad(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let wanted = call.known_ints(1)?;
    let shape = call.shape(&x)?;
    let axes = match call.ints("axes")? {
        Some(axes) => axes
            .iter()
            .map(|&a| call.axis(a, shape.len()))
            .collect::<Traced<Vec<_>>>()?,
        None => (0..shape.len()).collect(),
    };
    if axes.len() != wanted.len() {
        return call.wrong(format!("{} sizes for {} axes", wanted.len(), axes.len()));
    }
    let (mut before, mut after) = (vec![0; shape.len()], vec![0; shape.len()]);
    for (&axis, &size) in axes.iter().zip(&wanted) {
        let size = super::make::sizes(call, &[size])?[0] as i64;
        let more = size - shape[axis] as i64;
        // Cutting starts at the rounded-down middle, so does padding.
        let start = if more < 0 { -((-more) / 2) } else { more / 2 };
        (before[axis], after[axis]) = (start, more - start);
    }
    Ok(vec![padded(call, &x, "constant", &before, &after, 0.0)?])
}

/// The upper or lower triangle of the last two axes, zeros elsewhere.
fn triangle(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let k = if call.has(1) { call.known_int(1)? } else { 0 };
    let upper = call.flag("upper", true)?;
    let shape = call.shape(&x)?;
    let [.., rows, cols] = shape[..] else {
        return call.wrong(format!("{shape:?} has no last two axes"));
    };
    let mask = ints(call, DType::Bool, &[rows, cols], |i| {
        let distance = (i % cols) as i64 - (i / cols) as i64;
        i64::from(if upper { distance >= k } else { distance <= k })
    })?;
    let zero = call.full(call.dtype(&x)?, &[], 0.0)?;
    Ok(vec![call.select(&mask, &x, &zero)?])
}
