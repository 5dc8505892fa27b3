//! Normalisation and softmax.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("BatchNormalization", 1, batch_norm),
    ("InstanceNormalization", 1, instance_norm),
    ("LayerNormalization", 17, layer_norm),
    ("GroupNormalization", 18, group_norm),
    ("RMSNormalization", 23, rms_norm),
    ("MeanVarianceNormalization", 9, mean_variance),
    ("LpNormalization", 1, lp_norm),
    ("LRN", 1, local_response),
    ("Softmax", 1, |call| soft(call, "softmax")),
    ("LogSoftmax", 1, |call| soft(call, "log_softmax")),
    ("Hardmax", 1, hardmax),
];

/// A vector along axis 1 of a tensor of `rank` axes.
fn per_channel(call: &Call<'_, '_>, v: &Value, rank: usize) -> Traced<Value> {
    let mut shape = vec![1; rank];
    shape[1.min(rank - 1)] = call.shape(v)?.iter().product();
    call.reshape(v, &shape)
}

/// x minus its mean over `axes`, and the mean of its square.
fn centred(call: &Call<'_, '_>, x: &Value, axes: &[usize]) -> Traced<(Value, Value, Value)> {
    let mean = call.reduce("mean", x, axes, true)?;
    let centred = call.sub(x, &mean)?;
    let var = call.reduce("mean", &call.mul(&centred, &centred)?, axes, true)?;
    Ok((centred, mean, var))
}

/// 1 / sqrt(var + eps)
fn inverse_deviation(call: &Call<'_, '_>, var: &Value, eps: f64) -> Traced<Value> {
    call.unary("rsqrt", &call.with_number("add", var, eps)?)
}

fn batch_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, scale, bias) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let (mean, var) = (call.input(3)?, call.input(4)?);
    let eps = call.float_or("epsilon", 1e-5)?;
    let version = call.version();
    if version < 9 && !call.flag("spatial", true)? {
        return call.unsupported("batch normalisation that is not spatial");
    }
    let training = if version >= 14 {
        call.flag("training_mode", false)?
    } else {
        version < 7 && !call.flag("is_test", false)? && call.outputs() > 1
    };
    if training {
        return trained_batch_norm(call, &x, [&scale, &bias, &mean, &var], eps);
    }
    if call.outputs() > 1 && (1..call.outputs()).any(|i| call.wants(i)) {
        return call.unsupported("statistics of a batch outside of training mode");
    }
    let attrs = Attrs::new().with("training", false).with("eps", eps);
    Ok(vec![call.record_one(
        "batch_norm",
        &[&x, &scale, &bias, &mean, &var],
        attrs,
    )?])
}

/// The batch's own statistics; running ones move towards them.
fn trained_batch_norm(
    call: &Call<'_, '_>,
    x: &Value,
    state: [&Value; 4],
    eps: f64,
) -> Traced<Vec<Value>> {
    let [scale, bias, old_mean, old_var] = state;
    let momentum = call.float_or("momentum", 0.9)?;
    let rank = call.rank(x)?;
    let axes: Vec<usize> = (0..rank).filter(|&i| i != 1).collect();
    let (centred, mean, var) = centred(call, x, &axes)?;
    let normal = call.mul(&centred, &inverse_deviation(call, &var, eps)?)?;
    let y = call.add(
        &call.mul(&normal, &per_channel(call, scale, rank)?)?,
        &per_channel(call, bias, rank)?,
    )?;
    let channels = call.shape(old_mean)?;
    let mut outputs = vec![y];
    for (old, new) in [(old_mean, mean), (old_var, var)] {
        let new = call.reshape(&new, &channels)?;
        let kept = call.with_number("mul", old, momentum)?;
        outputs.push(call.add(&kept, &call.with_number("mul", &new, 1.0 - momentum)?)?);
    }
    Ok(outputs)
}

fn instance_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, scale, bias) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let attrs = Attrs::new().with("eps", call.float_or("epsilon", 1e-5)?);
    Ok(vec![call.record_one(
        "instance_norm",
        &[&x, &scale, &bias],
        attrs,
    )?])
}

/// x in the dtype of the statistics, and the dtype to go back to.
fn stashed(call: &Call<'_, '_>, x: &Value) -> Traced<(Value, DType)> {
    let dtype = call.dtype(x)?;
    let wide = call.int_or("stash_type", 1)? == 1 && dtype != DType::F64;
    Ok((
        if wide {
            call.cast(x, DType::F32)?
        } else {
            x.clone()
        },
        dtype,
    ))
}

/// Rows are everything from `axis` on; scale and bias broadcast to a row.
fn layer_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, scale, bias) = (call.input(0)?, call.input(1)?, call.optional(2));
    let shape = call.shape(&x)?;
    let row = &shape[call.axis(call.int_or("axis", -1)?, shape.len())?..];
    let mut affine = vec![scale];
    affine.extend(bias);
    // The op computes in float32 whatever it stores; what is stored wide is
    // the statistics, where somebody reads them.
    let dtype = call.dtype(&x)?;
    let wide = if call.wants(1) || call.wants(2) {
        stashed(call, &x)?.0
    } else {
        x
    };
    let (mut inputs, mut whole) = (vec![wide.clone()], true);
    for value in &affine {
        whole &= call.shape(value)? == row;
        inputs.push(call.cast(value, call.dtype(&wide)?)?);
    }
    if !whole {
        inputs.truncate(1);
    }
    let attrs = Attrs::new()
        .with("normalized_shape", sizes(row))
        .with("eps", call.float_or("epsilon", 1e-5)?);
    let inputs: Vec<&Value> = inputs.iter().collect();
    let mut outputs = call.record("layer_norm", &inputs, &attrs)?;
    let mut y = call.cast(&outputs[0], dtype)?;
    if !whole {
        y = call.mul(&y, &affine[0])?;
        if let Some(bias) = affine.get(1) {
            y = call.add(&y, bias)?;
        }
    }
    outputs[0] = y;
    Ok(outputs)
}

fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

/// Rows are everything from `axis` on; the scale broadcasts to a row.
fn rms_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let shape = call.shape(&x)?;
    let row = &shape[call.axis(call.int_or("axis", -1)?, shape.len())?..];
    let attrs = Attrs::new()
        .with("normalized_shape", sizes(row))
        .with("eps", call.float_or("epsilon", 1e-5)?);
    if call.shape(&scale)? == row && call.dtype(&scale)? == call.dtype(&x)? {
        return Ok(vec![call.record_one("rms_norm", &[&x, &scale], attrs)?]);
    }
    let normal = call.record_one("rms_norm", &[&x], attrs)?;
    Ok(vec![call.mul(&normal, &scale)?])
}

/// Groups of channels; the scale is one a group before operator set 21, one
/// a channel since.
fn group_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, mut scale, mut bias) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = call.shape(&x)?;
    let groups = call.int_or("num_groups", 0)? as usize;
    if shape.len() < 2 || groups == 0 || shape[1] % groups != 0 {
        return call.wrong(format!(
            "{shape:?} has no channels that divide into {groups} groups"
        ));
    }
    if call.version() < 21 {
        for row in [&mut scale, &mut bias] {
            let each = call.reshape(row, &[groups, 1])?;
            let each = call.expand(&each, &[groups, shape[1] / groups])?;
            *row = call.reshape(&each, &[shape[1]])?;
        }
    }
    let attrs = Attrs::new()
        .with("num_groups", groups)
        .with("eps", call.float_or("epsilon", 1e-5)?);
    Ok(vec![call.record_one(
        "group_norm",
        &[&x, &scale, &bias],
        attrs,
    )?])
}

fn mean_variance(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let axes = call.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes = call.axes(&axes, call.rank(&x)?)?;
    let (centred, _, var) = centred(call, &x, &axes)?;
    let deviation = call.with_number("add", &call.unary("sqrt", &var)?, 1e-9)?;
    Ok(vec![call.div(&centred, &deviation)?])
}

/// x over its p-norm; a norm of 0 leaves 0.
fn lp_norm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let axis = call.axis(call.int_or("axis", -1)?, call.rank(&x)?)?;
    let norm = match call.int_or("p", 2)? {
        1 => call.reduce("sum", &call.unary("abs", &x)?, &[axis], true)?,
        2 => call.unary(
            "sqrt",
            &call.reduce("sum", &call.mul(&x, &x)?, &[axis], true)?,
        )?,
        p => return call.wrong(format!("attribute 'p' is {p}, wanted 1 or 2")),
    };
    let none = call.with_number("eq", &norm, 0.0)?;
    let norm = call.select(&none, &call.number(&norm, 1.0)?, &norm)?;
    Ok(vec![call.div(&x, &norm)?])
}

/// Of an even window one channel more stands behind than in front.
fn local_response(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (shape, size) = (call.shape(&x)?, call.int_or("size", 0)?);
    if shape.len() < 3 || size < 1 {
        return call.wrong(format!(
            "wanted batch, channels, more axes and size >= 1, got {shape:?} and {size}"
        ));
    }
    let attrs = Attrs::new()
        .with("size", size)
        .with("before", (size - 1) / 2)
        .with("alpha", call.float_or("alpha", 1e-4)?)
        .with("beta", call.float_or("beta", 0.75)?)
        .with("k", call.float_or("bias", 1.0)?);
    Ok(vec![call.record_one(
        "local_response_norm",
        &[&x],
        attrs,
    )?])
}

/// Before operator set 13 everything from `axis` on is one axis.
fn along(
    call: &mut Call<'_, '_>,
    f: &dyn Fn(&Call<'_, '_>, &Value, usize) -> Traced<Value>,
) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    if call.version() >= 13 {
        let axis = call.axis(call.int_or("axis", -1)?, shape.len())?;
        return Ok(vec![f(call, &x, axis)?]);
    }
    let axis = call.int_or("axis", 1)?;
    let axis = if axis == shape.len() as i64 {
        shape.len()
    } else {
        call.axis(axis, shape.len())?
    };
    if axis + 1 == shape.len() {
        return Ok(vec![f(call, &x, axis)?]);
    }
    let flat = call.reshape(
        &x,
        &[
            shape[..axis].iter().product(),
            shape[axis..].iter().product(),
        ],
    )?;
    let y = f(call, &flat, 1)?;
    Ok(vec![call.reshape(&y, &shape)?])
}

fn soft(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    along(call, &|call, x, axis| {
        call.record_one(op, &[x], Attrs::new().with("dim", axis))
    })
}

/// 1 at the first maximum, 0 elsewhere.
fn hardmax(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    along(call, &|call, x, axis| {
        let shape = call.shape(x)?;
        let first = call.record_one(
            "argmax",
            &[x],
            Attrs::new().with("dim", axis).with("keepdim", true),
        )?;
        let places = super::select::places(call, shape[axis], shape.len(), axis)?;
        call.cast(&call.binary("eq", &first, &places)?, call.dtype(x)?)
    })
}
