//! The same elements under another shape.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Reshape", 1, reshape),
    ("Flatten", 1, flatten),
    ("Squeeze", 1, squeeze),
    ("Unsqueeze", 1, unsqueeze),
    ("Transpose", 1, transpose),
    ("Expand", 8, expand),
    ("Tile", 6, tile),
    ("DepthToSpace", 1, |call| blocks(call, "depth_to_space")),
    ("SpaceToDepth", 1, |call| blocks(call, "space_to_depth")),
];

fn reshape(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let wanted = if call.version() < 5 {
        call.ints("shape")?.unwrap_or_default()
    } else {
        call.known_ints(1)?
    };
    let old = call.shape(&x)?;
    let keep_zero = call.flag("allowzero", false)?;
    let len: usize = old.iter().product();
    let mut shape = Vec::with_capacity(wanted.len());
    let mut hole = None;
    for (axis, &n) in wanted.iter().enumerate() {
        shape.push(match n {
            0 if !keep_zero => match old.get(axis) {
                Some(&n) => n,
                None => {
                    return call.wrong(format!(
                        "shape {wanted:?} keeps axis {axis} of {old:?}, which has no such axis"
                    ));
                }
            },
            -1 if hole.is_none() => {
                hole = Some(axis);
                1
            }
            n => match usize::try_from(n) {
                Ok(n) => n,
                Err(_) => {
                    return call.wrong(format!(
                        "shape {wanted:?} is no shape: one -1 at most, nothing else below 0"
                    ));
                }
            },
        });
    }
    let known = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    match (hole, known) {
        (Some(axis), Some(rest)) if rest > 0 && len.is_multiple_of(rest) => {
            shape[axis] = len / rest;
        }
        // Nothing says how often nothing goes into nothing: NumPy refuses too.
        (None, Some(known)) if known == len => {}
        _ => return call.wrong(format!("{old:?} does not reshape to {wanted:?}")),
    }
    Ok(vec![call.reshape(&x, &shape)?])
}

fn flatten(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let axis = call.int_or("axis", 1)?;
    let rank = shape.len() as i64;
    if !(-rank..=rank).contains(&axis) {
        return call.wrong(format!("axis {axis} is out of range for {rank} axes"));
    }
    let at = if axis < 0 { axis + rank } else { axis } as usize;
    let (outer, inner) = (shape[..at].iter().product(), shape[at..].iter().product());
    Ok(vec![call.reshape(&x, &[outer, inner])?])
}

fn axes_of(call: &mut Call<'_, '_>) -> Traced<Option<Vec<i64>>> {
    if call.version() < 13 {
        call.ints("axes")
    } else {
        call.known_optional_ints(1)
    }
}

fn squeeze(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let axes = axes_of(call)?;
    let shape = call.shape(&x)?;
    let gone = match &axes {
        Some(axes) => call.axes(axes, shape.len())?,
        None => (0..shape.len()).filter(|&i| shape[i] == 1).collect(),
    };
    if let Some(&axis) = gone.iter().find(|&&a| shape[a] != 1) {
        return call.wrong(format!(
            "axis {axis} of {shape:?} cannot be squeezed: it is not 1"
        ));
    }
    let kept: Vec<usize> = (0..shape.len())
        .filter(|i| !gone.contains(i))
        .map(|i| shape[i])
        .collect();
    Ok(vec![call.reshape(&x, &kept)?])
}

fn unsqueeze(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let Some(axes) = axes_of(call)? else {
        return call.wrong("it has no axes");
    };
    let rank = call.rank(&x)? + axes.len();
    let axes = call.axes(&axes, rank)?;
    Ok(vec![call.unsqueeze(&x, &axes)?])
}

fn transpose(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = call.rank(&x)?;
    let order = match call.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(perm) => {
            let order = perm
                .iter()
                .map(|&p| call.axis(p, rank))
                .collect::<Traced<Vec<_>>>()?;
            if order.len() != rank || call.axes(&perm, rank)?.len() != rank {
                return call.wrong(format!(
                    "perm {perm:?} does not name each of {rank} axes once"
                ));
            }
            order
        }
    };
    Ok(vec![call.transpose(&x, &order)?])
}

fn expand(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let wanted = call.known_ints(1)?;
    let Some(wanted) = wanted
        .iter()
        .map(|&n| usize::try_from(n).ok())
        .collect::<Option<Vec<_>>>()
    else {
        return call.wrong(format!("shape {wanted:?} has a negative size"));
    };
    let shape = crate::sizes::broadcast(&call.shape(&x)?, &wanted)?;
    Ok(vec![call.expand(&x, &shape)?])
}

/// Each axis n repeated r times: (1, n) expanded to (r, n), joined.
fn tile(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let repeats = call.known_ints(1)?;
    if repeats.len() != shape.len() || repeats.iter().any(|&r| r < 0) {
        return call.wrong(format!(
            "repeats {repeats:?} for {} axes: wanted one number >= 0 for each",
            shape.len()
        ));
    }
    let (mut split, mut wide, mut joined) = (Vec::new(), Vec::new(), Vec::new());
    for (&n, &r) in shape.iter().zip(&repeats) {
        let r = r as usize;
        split.extend([1, n]);
        wide.extend([r, n]);
        let Some(size) = n.checked_mul(r) else {
            return call.wrong(format!("repeats {repeats:?} are too large"));
        };
        joined.push(size);
    }
    crate::sizes::checked_len(&joined)?;
    let x = call.reshape(&x, &split)?;
    let x = call.expand(&x, &wide)?;
    Ok(vec![call.reshape(&x, &joined)?])
}

/// Blocks of pixels into channels, or back.
fn blocks(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let Some(size @ 1..) = call.int("blocksize")? else {
        return call.wrong("attribute 'blocksize' is missing, wanted 1 or more");
    };
    let attrs = Attrs::new()
        .with("block_size", size)
        .with("mode", call.text("mode", "DCR")?);
    Ok(vec![call.record_one(op, &[&x], attrs)?])
}
