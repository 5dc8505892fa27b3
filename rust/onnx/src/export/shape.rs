//! Shapes, cuts, joins and indexing.

use super::emit::Emit;
use crate::ir::Attribute;
use lamina_core::{Attr, DType, Error, Result};

pub(super) fn emit(e: &mut Emit<'_>, name: &str) -> Result<bool> {
    match name {
        "reshape" => reshape(e)?,
        "flatten" => flatten(e)?,
        "squeeze" => squeeze(e)?,
        "unsqueeze" => {
            let axes = e.ints("dim")?.unwrap_or_default();
            with_numbers(e, "Unsqueeze", &axes, &[]);
        }
        "permute" => permute(e)?,
        "expand" => expand(e)?,
        "slice" => slice(e)?,
        "concat" => {
            let dim = e.int("dim")?;
            e.direct("Concat", &[("axis", Attribute::Int(dim))]);
        }
        "pad" => pad(e)?,
        "take" | "gather" | "scatter" => {
            let dim = e.int("dim")?;
            let op = match name {
                "take" => "Gather",
                "gather" => "GatherElements",
                _ => "ScatterElements",
            };
            e.direct(op, &[("axis", Attribute::Int(dim))]);
        }
        "scatter_reduce" => {
            let dim = e.int("dim")?;
            let reduction = match e.text("reduce")?.as_str() {
                "prod" => "mul",
                "amax" => "max",
                _ => "min",
            };
            let reduction = Attribute::Str(reduction.to_owned());
            e.direct(
                "ScatterElements",
                &[("axis", Attribute::Int(dim)), ("reduction", reduction)],
            );
        }
        "cumsum" => {
            let (exclusive, reverse) = (e.flag("exclusive")?, e.flag("reverse")?);
            let axis = e.scalar(DType::I64, e.int("dim")? as f64);
            let x = e.inputs[0].clone();
            e.finish(
                "CumSum",
                &[&x, &axis],
                &[
                    ("exclusive", Attribute::Int(i64::from(exclusive))),
                    ("reverse", Attribute::Int(i64::from(reverse))),
                ],
            );
        }
        "frame" => frame(e)?,
        "overlap_add" => overlap_add(e)?,
        "resize" => resize(e)?,
        "iota" => iota(e)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `op` on input 0 and a vector of numbers.
fn with_numbers(e: &mut Emit<'_>, op: &str, values: &[i64], attributes: &[(&str, Attribute)]) {
    let values = e.numbers(values);
    let x = e.inputs[0].clone();
    e.finish(op, &[&x, &values], attributes);
}

fn both_ints(e: &Emit<'_>, name: &str) -> Result<(Vec<i64>, Option<Vec<i64>>)> {
    match e.step.both(name) {
        (Attr::Ints(a), None) => Ok((a, None)),
        (Attr::Ints(a), Some(Attr::Ints(b))) if a.len() == b.len() => Ok((a, Some(b))),
        (a, Some(b)) if a != b => Err(e.step.baked(name, &a, &b)),
        (a, _) => Err(e.odd(name, &a)),
    }
}

/// Sizes of input 0 at both sizes.
fn twin_shape(e: &Emit<'_>) -> Option<Vec<usize>> {
    e.step.twin.as_ref().map(|t| t.inputs[0].shape().to_vec())
}

/// A size that follows the input's own axis is written 0 (as it is there);
/// one more that differs is what is left: -1.
fn reshape(e: &mut Emit<'_>) -> Result<()> {
    let (first, second) = both_ints(e, "shape")?;
    let copies = e.flag("copy_zero")?;
    let mut shape = first.clone();
    if let (Some(second), Some(twin)) = (&second, twin_shape(e)) {
        let own = e.step.inputs[0].shape().to_vec();
        let mut holes = first.iter().filter(|&&n| n == -1).count();
        for i in 0..first.len() {
            if first[i] == second[i] {
                continue;
            }
            let follows = own.get(i).is_some_and(|&n| n as i64 == first[i])
                && twin.get(i).is_some_and(|&n| n as i64 == second[i]);
            shape[i] = if follows { 0 } else { -1 };
            holes += usize::from(!follows);
        }
        let zeros = !copies && first.contains(&0);
        if holes > 1 || (zeros && shape != first) {
            return Err(e
                .step
                .baked("shape", &Attr::Ints(first), &Attr::Ints(second.clone())));
        }
    }
    let exact = !copies && first.contains(&0);
    let attributes = if exact {
        vec![("allowzero", Attribute::Int(1))]
    } else {
        Vec::new()
    };
    with_numbers(e, "Reshape", &shape, &attributes);
    Ok(())
}

/// Leading axes stay as they are, the merged one is what is left; those
/// behind it are written out and must not be dynamic.
fn flatten(e: &mut Emit<'_>) -> Result<()> {
    let rank = e.rank(0) as i64;
    let axis = |n: i64| if n < 0 { n + rank } else { n };
    let (start, end) = (axis(e.int("start_dim")?), axis(e.int("end_dim")?));
    if start == 1 && end == rank - 1 {
        e.direct("Flatten", &[("axis", Attribute::Int(1))]);
        return Ok(());
    }
    let own = e.step.inputs[0].shape().to_vec();
    let mut shape = vec![0i64; start.max(0) as usize];
    shape.push(-1);
    for axis in (end + 1).max(1)..rank {
        let axis = axis as usize;
        if let Some(twin) = twin_shape(e)
            && twin[axis] != own[axis]
        {
            let size = |n: usize| Attr::Int(n as i64);
            return Err(e.step.baked("end_dim", &size(own[axis]), &size(twin[axis])));
        }
        shape.push(own[axis] as i64);
    }
    with_numbers(e, "Reshape", &shape, &[]);
    Ok(())
}

fn squeeze(e: &mut Emit<'_>) -> Result<()> {
    let own = e.step.inputs[0].shape().to_vec();
    let ones = |shape: &[usize]| {
        (0..shape.len())
            .filter(|&i| shape[i] == 1)
            .map(|i| i as i64)
            .collect::<Vec<_>>()
    };
    let axes = if let Some(axes) = e.ints("dim")? {
        axes
    } else {
        let axes = ones(&own);
        if let Some(twin) = twin_shape(e)
            && ones(&twin) != axes
        {
            return Err(e
                .step
                .baked("dim", &Attr::Ints(axes), &Attr::Ints(ones(&twin))));
        }
        axes
    };
    with_numbers(e, "Squeeze", &axes, &[]);
    Ok(())
}

fn permute(e: &mut Emit<'_>) -> Result<()> {
    let rank = e.rank(0) as i64;
    let order = e.ints("dims")?.unwrap_or_else(|| (0..rank).rev().collect());
    let order = order
        .iter()
        .map(|&d| if d < 0 { d + rank } else { d })
        .collect();
    e.direct("Transpose", &[("perm", Attribute::Ints(order))]);
    Ok(())
}

/// 1 keeps an axis in ONNX, as -1 does here.
fn expand(e: &mut Emit<'_>) -> Result<()> {
    let (first, second) = both_ints(e, "shape")?;
    let (own, twin) = (e.step.inputs[0].shape().to_vec(), twin_shape(e));
    let lead = first.len().saturating_sub(own.len());
    let mut shape = first.clone();
    for (i, size) in shape.iter_mut().enumerate() {
        let kept = |shape: &[usize], n: i64| {
            i.checked_sub(lead)
                .and_then(|j| shape.get(j))
                .is_some_and(|&own| own as i64 == n)
        };
        let differs = second.as_ref().is_some_and(|s| s[i] != first[i]);
        let follows = kept(&own, first[i])
            && twin
                .as_ref()
                .zip(second.as_ref())
                .is_none_or(|(t, s)| kept(t, s[i]));
        if differs && !follows {
            return Err(e.step.baked(
                "shape",
                &Attr::Ints(first),
                &Attr::Ints(second.unwrap_or_default()),
            ));
        }
        if *size == -1 || differs {
            *size = 1;
        }
    }
    with_numbers(e, "Expand", &shape, &[]);
    Ok(())
}

/// An end that is the axis's own size at both sizes means "to the end".
fn slice(e: &mut Emit<'_>) -> Result<()> {
    let (ends, other_ends) = both_ints(e, "ends")?;
    let starts = e.ints("starts")?.unwrap_or_default();
    let rank = e.rank(0) as i64;
    let axes = e
        .ints("axes")?
        .unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = e.ints("steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    let own = e.step.inputs[0].shape().to_vec();
    let mut written = ends.clone();
    if let (Some(others), Some(twin)) = (&other_ends, twin_shape(e)) {
        for (i, &axis) in axes.iter().enumerate() {
            if ends[i] == others[i] {
                continue;
            }
            let axis = axis.rem_euclid(rank.max(1)) as usize;
            if steps[i] < 0 || ends[i] < own[axis] as i64 || others[i] < twin[axis] as i64 {
                return Err(e.step.baked(
                    "ends",
                    &Attr::Ints(ends.clone()),
                    &Attr::Ints(others.clone()),
                ));
            }
            written[i] = i64::MAX;
        }
    }
    let numbers = [
        e.numbers(&starts),
        e.numbers(&written),
        e.numbers(&axes),
        e.numbers(&steps),
    ];
    let mut inputs = vec![e.inputs[0].clone()];
    inputs.extend(numbers);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    e.finish("Slice", &inputs, &[]);
    Ok(())
}

fn pad(e: &mut Emit<'_>) -> Result<()> {
    let pads = e.ints("pads")?.unwrap_or_default();
    let mode = e.text("mode")?;
    let pads = e.numbers(&pads);
    let x = e.inputs[0].clone();
    let attribute = [("mode", Attribute::Str(mode.clone()))];
    if mode == "constant" {
        let value = e.float("value")?;
        let value = e.scalar(e.dtype(0), value);
        e.finish("Pad", &[&x, &pads, &value], &attribute);
    } else {
        e.finish("Pad", &[&x, &pads], &attribute);
    }
    Ok(())
}

/// 0, 1, 2, ... is a constant.
fn iota(e: &mut Emit<'_>) -> Result<()> {
    let length = e.int("length")?;
    let dtype = e.step.outputs[0].dtype();
    let numbers = (0..length).map(|i| crate::host::Host::scalar(dtype, i as f64).to_bytes());
    let bytes: Vec<u8> = numbers.flatten().collect();
    let shape = vec![length.max(0) as usize];
    let constant = e.initializer(crate::ir::Constant {
        dtype,
        shape,
        bytes: bytes.into(),
    });
    e.finish("Identity", &[&constant], &[]);
    Ok(())
}

/// Where element `k` of frame `d` stands: step d + dilation k, for all of them in order.
fn frame_places(e: &Emit<'_>, count: usize, size: usize) -> Result<Vec<i64>> {
    let (step, dilation) = (e.int("step")?, e.int("dilation")?);
    let place = |d: usize, k: usize| step * d as i64 + dilation * k as i64;
    Ok((0..count)
        .flat_map(|d| (0..size).map(move |k| place(d, k)))
        .collect())
}

/// The length of axis `at` of input 0, which must be the same at both sizes.
fn fixed(e: &Emit<'_>, at: usize) -> Result<usize> {
    let own = e.step.inputs[0].shape()[at];
    match twin_shape(e) {
        Some(twin) if twin[at] != own => {
            let size = |n: usize| Attr::Int(n as i64);
            Err(e.step.baked("dim", &size(own), &size(twin[at])))
        }
        _ => Ok(own),
    }
}

/// An index of where each element of each frame stands: how many frames there are is written out.
fn frame(e: &mut Emit<'_>) -> Result<()> {
    let axis = e.int("dim")?.rem_euclid(e.rank(0).max(1) as i64) as usize;
    fixed(e, axis)?;
    let shape = e.step.outputs[0].shape();
    let [count, size] = [shape[axis], shape[axis + 1]];
    let places = frame_places(e, count, size)?;
    let index = int_constant(e, &[count, size], &places);
    let x = e.inputs[0].clone();
    e.finish(
        "Gather",
        &[&x, &index],
        &[("axis", Attribute::Int(axis as i64))],
    );
    Ok(())
}

fn int_constant(e: &mut Emit<'_>, shape: &[usize], values: &[i64]) -> String {
    e.initializer(crate::ir::Constant {
        dtype: DType::I64,
        shape: shape.to_vec(),
        bytes: values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
            .into(),
    })
}

/// Zeros, and every element of every frame added where it stands.
fn overlap_add(e: &mut Emit<'_>) -> Result<()> {
    let rank = e.rank(0);
    let axis = e.int("dim")?.rem_euclid(rank.max(1) as i64) as usize;
    let (count, size) = (fixed(e, axis)?, fixed(e, axis + 1)?);
    let length = e.step.outputs[0].shape()[axis];
    let places = frame_places(e, count, size)?;
    let x = e.inputs[0].clone();
    // x's own sizes but for the two axes, which become one of `n`.
    let sizes = |e: &mut Emit<'_>, n: usize| {
        let end = [("end", Attribute::Int(axis as i64))];
        let head = e.make("Shape", &[&x], &end);
        let start = [("start", Attribute::Int(axis as i64 + 2))];
        let tail = e.make("Shape", &[&x], &start);
        let own = e.numbers(&[n as i64]);
        e.make(
            "Concat",
            &[&head, &own, &tail],
            &[("axis", Attribute::Int(0))],
        )
    };
    let (flat, whole) = (sizes(e, count * size), sizes(e, length));
    let updates = e.make("Reshape", &[&x, &flat], &[]);
    let mut beside = vec![1; rank - 1 - axis];
    beside[0] = count * size;
    let index = int_constant(e, &beside, &places);
    let index = e.make("Expand", &[&index, &flat], &[]);
    let zero = e.scalar(e.dtype(0), 0.0);
    let zeros = e.make("Expand", &[&zero, &whole], &[]);
    e.finish(
        "ScatterElements",
        &[&zeros, &index, &updates],
        &[
            ("axis", Attribute::Int(axis as i64)),
            ("reduction", Attribute::Str("add".to_owned())),
        ],
    );
    Ok(())
}

/// By factors where factors were asked for, so that the size stays dynamic.
fn resize(e: &mut Emit<'_>) -> Result<()> {
    let attributes = [
        ("mode", Attribute::Str(e.text("mode")?)),
        (
            "coordinate_transformation_mode",
            Attribute::Str(e.text("coordinate_mode")?),
        ),
        ("nearest_mode", Attribute::Str(e.text("nearest_mode")?)),
    ];
    let x = e.inputs[0].clone();
    if let Attr::Floats(scales) = e.attr("scales")? {
        let mut all = vec![1.0f32; e.rank(0).saturating_sub(scales.len())];
        all.extend(scales.iter().map(|&s| s as f32));
        let bytes: Vec<u8> = all.iter().flat_map(|s| s.to_le_bytes()).collect();
        let scales = e.initializer(crate::ir::Constant {
            dtype: lamina_core::DType::F32,
            shape: vec![all.len()],
            bytes: bytes.into(),
        });
        e.finish("Resize", &[&x, "", &scales], &attributes);
        return Ok(());
    }
    let Some(size) = e.ints("size")? else {
        return Err(Error::internal(
            "onnx.save: resize has neither size nor scales",
        ));
    };
    // Batch and channels are taken from the input when the model runs.
    let sizes = e.make("Shape", &[&x], &[("end", Attribute::Int(2))]);
    let size = e.numbers(&size);
    let sizes = e.make("Concat", &[&sizes, &size], &[("axis", Attribute::Int(0))]);
    e.finish("Resize", &[&x, "", "", &sizes], &attributes);
    Ok(())
}
