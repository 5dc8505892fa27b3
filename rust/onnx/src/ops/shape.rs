//! The same elements under another shape.

use super::Handler;
use crate::trace::{Call, Traced, Value};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Reshape", 1, reshape),
    ("Flatten", 1, flatten),
    ("Squeeze", 1, squeeze),
    ("Unsqueeze", 1, unsqueeze),
    ("Transpose", 1, transpose),
    ("Expand", 8, expand),
    ("Tile", 6, tile),
    ("DepthToSpace", 1, depth_to_space),
    ("SpaceToDepth", 1, space_to_depth),
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

fn block(call: &Call<'_, '_>) -> Traced<usize> {
    match call.int("blocksize")? {
        Some(b @ 1..=65536) => Ok(b as usize),
        other => call.wrong(format!(
            "attribute 'blocksize' is {other:?}, wanted 1 or more"
        )),
    }
}

fn depth_to_space(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let b = block(call)?;
    let [batch, channels, height, width] = call.dims(&x, "the input")?;
    if channels % (b * b) != 0 {
        return call.wrong(format!(
            "{channels} channels do not divide by the block's {}",
            b * b
        ));
    }
    let depth = channels / (b * b);
    let (split, order) = match call.text("mode", "DCR")?.as_str() {
        "DCR" => ([batch, b, b, depth, height, width], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([batch, depth, b, b, height, width], [0, 1, 4, 2, 5, 3]),
        other => {
            return call.wrong(format!(
                "attribute 'mode' is '{other}', wanted 'DCR' or 'CRD'"
            ));
        }
    };
    let x = call.reshape(&x, &split)?;
    let x = call.transpose(&x, &order)?;
    Ok(vec![
        call.reshape(&x, &[batch, depth, height * b, width * b])?,
    ])
}

fn space_to_depth(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let b = block(call)?;
    let [batch, channels, height, width] = call.dims(&x, "the input")?;
    if height % b != 0 || width % b != 0 {
        return call.wrong(format!(
            "a picture of {height} x {width} does not divide by blocks of {b}"
        ));
    }
    let (rows, cols) = (height / b, width / b);
    let order = match call.text("mode", "DCR")?.as_str() {
        "DCR" => [0, 3, 5, 1, 2, 4],
        "CRD" => [0, 1, 3, 5, 2, 4],
        other => {
            return call.wrong(format!(
                "attribute 'mode' is '{other}', wanted 'DCR' or 'CRD'"
            ));
        }
    };
    let x = call.reshape(&x, &[batch, channels, rows, b, cols, b])?;
    let x = call.transpose(&x, &order)?;
    Ok(vec![
        call.reshape(&x, &[batch, channels * b * b, rows, cols])?,
    ])
}
