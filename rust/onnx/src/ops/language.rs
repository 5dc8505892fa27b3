//! Operators of language models that are short formulas of others.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("RotaryEmbedding", 23, rotary_embedding),
    ("CausalConvWithState", 27, causal_conv),
    ("TensorScatter", 24, tensor_scatter),
    ("TfIdfVectorizer", 9, tf_idf_vectorizer),
];

/// Pairs of elements of a head turned by the angles of their position (Su et al. 2021).
fn rotary_embedding(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    // The axis of heads; beside it the caches have one of length 1.
    let (heads_axis, apart) = match shape[..] {
        [batch, heads, length, size] => (1, vec![batch, heads, length, size]),
        [batch, length, hidden] => {
            let heads = call.int_or("num_heads", 0)?.max(0) as usize;
            if heads == 0 || hidden % heads != 0 {
                return call.wrong(format!(
                    "attribute 'num_heads' is {heads}, which does not divide {hidden}"
                ));
            }
            (2, vec![batch, length, heads, hidden / heads])
        }
        _ => return call.wrong(format!("x has shape {shape:?}, wanted 3 or 4 axes")),
    };
    let size = apart[3];
    let turned = match call.int_or("rotary_embedding_dim", 0)? {
        0 => size,
        n => usize::try_from(n).unwrap_or(0),
    };
    if turned > size || turned % 2 == 1 {
        return call.wrong(format!(
            "attribute 'rotary_embedding_dim' is {turned}, wanted an even number up to {size}"
        ));
    }
    let x = call.reshape(&x, &apart)?;
    let cos = angles(call, 1, heads_axis, turned / 2)?;
    let sin = angles(call, 2, heads_axis, turned / 2)?;
    let moving = call.narrow(&x, 3, 0, turned)?;
    let interleaved = call.flag("interleaved", false)?;
    let part = |i: usize| {
        if interleaved {
            call.slice(&moving, &[3], &[i as i64], &[i64::MAX], &[2])
        } else {
            call.narrow(&moving, 3, i * turned / 2, (i + 1) * turned / 2)
        }
    };
    let (a, b) = (part(0)?, part(1)?);
    let real = call.sub(&call.mul(&cos, &a)?, &call.mul(&sin, &b)?)?;
    let imaginary = call.add(&call.mul(&sin, &a)?, &call.mul(&cos, &b)?)?;
    let mut y = if interleaved {
        let parts = [
            call.unsqueeze(&real, &[4])?,
            call.unsqueeze(&imaginary, &[4])?,
        ];
        let whole = call.shape(&moving)?;
        call.reshape(&call.concat(&parts, 4)?, &whole)?
    } else {
        call.concat(&[real, imaginary], 3)?
    };
    if turned < size {
        y = call.concat(&[y, call.narrow(&x, 3, turned, size)?], 3)?;
    }
    Ok(vec![call.reshape(&y, &shape)?])
}

/// Cosines or sines (batch, length, half), with an axis for the heads.
fn angles(call: &Call<'_, '_>, input: usize, heads_axis: usize, half: usize) -> Traced<Value> {
    let mut cache = call.input(input)?;
    if let Some(positions) = call.optional(3) {
        cache = call.take(&cache, &positions, 0)?;
    }
    let shape = call.shape(&cache)?;
    if shape.len() != 3 || shape[2] != half {
        return call.wrong(format!(
            "the cache of cosines or sines is {shape:?}, wanted (batch, length, {half})"
        ));
    }
    call.unsqueeze(&cache, &[heads_axis])
}

/// A depthwise convolution of what was and what came, and the last of both.
fn causal_conv(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, weight) = (call.input(0)?, call.input(1)?);
    let [batch, channels, _] = call.dims(&x, "the input")?;
    let [of, one, k] = call.dims(&weight, "the weight")?;
    if of != channels || one != 1 || k == 0 {
        return call.wrong(format!(
            "the weight has shape {:?}, wanted [{channels}, 1, k]",
            [of, one, k]
        ));
    }
    let past = match call.optional(3) {
        Some(past) => past,
        None => call.full(call.dtype(&x)?, &[batch, channels, k - 1], 0.0)?,
    };
    let all = if k == 1 {
        x
    } else {
        call.concat(&[past, x], 2)?
    };
    let bias = call.optional(2);
    let mut inputs = vec![&all, &weight];
    inputs.extend(&bias);
    let attrs = Attrs::new().with("groups", channels as i64);
    let mut y = call.record_one("conv1d", &inputs, attrs)?;
    match call.text("activation", "none")?.as_str() {
        "none" => {}
        "silu" | "swish" => y = call.record_one("silu", &[&y], Attrs::new())?,
        other => {
            return call.wrong(format!(
                "attribute 'activation' is '{other}', wanted 'none', 'silu' or 'swish'"
            ));
        }
    }
    let [_, _, total] = call.dims(&all, "the state and the input")?;
    let state = call.narrow(&all, 2, total - (k - 1), total)?;
    Ok(vec![y, state])
}

/// `update` written into a cache along an axis from each batch element's own index on; circular
/// caches go on at their start.
fn tensor_scatter(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (cache, update) = (call.input(0)?, call.input(1)?);
    let (shape, new) = (call.shape(&cache)?, call.shape(&update)?);
    let axis = call.axis(call.int_or("axis", -2)?, shape.len())?;
    if new.len() != shape.len() || axis == 0 {
        return call.wrong(format!(
            "an update of shape {new:?} into a cache of {shape:?} along axis {axis}"
        ));
    }
    let mut at = super::select::places(call, new[axis], shape.len(), axis)?;
    if let Some(first) = call.optional(2) {
        let mut beside = vec![1; shape.len()];
        beside[0] = shape[0];
        let first = call.cast(&call.reshape(&first, &beside)?, DType::I64)?;
        at = call.add(&at, &first)?;
    }
    match call.text("mode", "linear")?.as_str() {
        "linear" => {}
        "circular" => {
            let length = shape[axis] as f64;
            let beyond = call.with_number("ge", &at, length)?;
            at = call.select(&beyond, &call.with_number("sub", &at, length)?, &at)?;
        }
        other => {
            return call.wrong(format!(
                "attribute 'mode' is '{other}', wanted 'linear' or 'circular'"
            ));
        }
    }
    let at = call.expand(&at, &new)?;
    let attrs = Attrs::new().with("dim", axis);
    Ok(vec![call.record_one(
        "scatter",
        &[&cache, &at, &update],
        attrs,
    )?])
}

/// Counts of the n-grams of a pool of integers, or what they weigh.
fn tf_idf_vectorizer(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let Some(pool) = call.ints("pool_int64s")? else {
        return call.unsupported("it has no attribute 'pool_int64s': its n-grams are strings");
    };
    let mut attrs = Attrs::new()
        .with("pool", pool)
        .with("weights", call.floats("weights")?.unwrap_or_default())
        .with("mode", call.text("mode", "TF")?);
    for name in ["ngram_counts", "ngram_indexes"] {
        let Some(numbers) = call.ints(name)? else {
            return call.wrong(format!("attribute '{name}' is required and is missing"));
        };
        attrs = attrs.with(name, numbers);
    }
    for name in ["min_gram_length", "max_gram_length", "max_skip_count"] {
        let Some(number) = call.int(name)? else {
            return call.wrong(format!("attribute '{name}' is required and is missing"));
        };
        attrs = attrs.with(name, number);
    }
    Ok(vec![call.record_one("tfidf", &[&x], attrs)?])
}
