//! Random values.  A node with a seed draws the same ones at every run; without, a model is traced
//! anew at each run, so that they are new.

use super::Handler;
use crate::trace::{Call, Stop, Traced, Value, upload};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Dropout", 1, dropout),
    ("Bernoulli", 15, bernoulli),
    ("RandomUniform", 1, |call| made(call, false)),
    ("RandomUniformLike", 1, |call| like(call, false)),
    ("RandomNormal", 1, |call| made(call, true)),
    ("RandomNormalLike", 1, |call| like(call, true)),
];

/// float32 of [0, 1), or normal ones.
fn draw(call: &Call<'_, '_>, shape: &[usize], normal: bool) -> Traced<Value> {
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    let attrs = Attrs::new().with("shape", shape);
    let device = call.tracer.device;
    if let Some(seed) = call.seed()? {
        let words = [seed as u32, (seed >> 32) as u32, 0, 0];
        let state: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let state: Value = upload(DType::U32, &[4], &state, device)?.into();
        let name = if normal {
            "random_normal"
        } else {
            "random_uniform"
        };
        return call.record_one(name, &[&state], attrs);
    }
    if !call.tracer.concrete {
        return Err(Stop::Later);
    }
    let name = if normal { "normal" } else { "uniform" };
    call.record_one(name, &[], attrs.with("device", device.to_string()))
}

/// Values of the distribution that the attributes describe.
fn spread(call: &Call<'_, '_>, shape: &[usize], dtype: DType, normal: bool) -> Traced<Vec<Value>> {
    if !dtype.is_float() {
        return call.wrong(format!("random values of {dtype}, wanted floats"));
    }
    let (factor, offset) = if normal {
        (call.float_or("scale", 1.0)?, call.float_or("mean", 0.0)?)
    } else {
        let low = call.float_or("low", 0.0)?;
        (call.float_or("high", 1.0)? - low, low)
    };
    let unit = draw(call, shape, normal)?;
    let y = call.with_number("add", &call.with_number("mul", &unit, factor)?, offset)?;
    Ok(vec![call.cast(&y, dtype)?])
}

fn made(call: &mut Call<'_, '_>, normal: bool) -> Traced<Vec<Value>> {
    let Some(dims) = call.ints("shape")? else {
        return call.wrong("attribute 'shape' is required and is missing");
    };
    let shape = super::make::sizes(call, &dims)?;
    let dtype = call.dtype_attribute("dtype")?.unwrap_or(DType::F32);
    spread(call, &shape, dtype, normal)
}

fn like(call: &mut Call<'_, '_>, normal: bool) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let dtype = match call.dtype_attribute("dtype")? {
        Some(dtype) => dtype,
        None => call.dtype(&x)?,
    };
    spread(call, &call.shape(&x)?, dtype, normal)
}

/// 1 with the probability that stands in each place, else 0.
fn bernoulli(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let dtype = match call.dtype_attribute("dtype")? {
        Some(dtype) => dtype,
        None => call.dtype(&x)?,
    };
    let chance = draw(call, &call.shape(&x)?, false)?;
    let hit = call.binary("lt", &chance, &call.cast(&x, DType::F32)?)?;
    Ok(vec![call.cast(&hit, dtype)?])
}

fn dropout(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    if call.version() >= 12 && call.has(2) && call.known(2)?.as_ints() == Some(&[1]) {
        return training(call, &x);
    }
    // The data as it is, and a mask that keeps everything; it has the data's dtype in the first
    // versions.
    let dtype = if call.version() < 10 {
        call.dtype(&x)?
    } else {
        DType::Bool
    };
    let shape = call.shape(&x)?;
    let mask = if call.wants(1) {
        call.full(dtype, &shape, 1.0)?
    } else {
        x.clone()
    };
    Ok(vec![x, mask])
}

/// x / (1 - ratio) where a number drawn is at least the ratio, else 0; and where that is.
fn training(call: &Call<'_, '_>, x: &Value) -> Traced<Vec<Value>> {
    let ratio = match call.optional(1) {
        Some(ratio) => call.cast(&call.reshape(&ratio, &[])?, DType::F32)?,
        None => crate::host::Host::scalar(DType::F32, 0.5).into(),
    };
    let chance = draw(call, &call.shape(x)?, false)?;
    let kept = call.binary("ge", &chance, &ratio)?;
    let left = call.sub(&call.number(&ratio, 1.0)?, &ratio)?;
    let scaled = call.div(x, &call.cast(&left, call.dtype(x)?)?)?;
    let y = call.select(&kept, &scaled, &call.number(x, 0.0)?)?;
    Ok(vec![y, kept])
}
