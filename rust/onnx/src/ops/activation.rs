//! Activations and functions that are short formulas of others.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;
use std::f64::consts::LN_2;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("LeakyRelu", 1, leaky_relu),
    ("PRelu", 1, prelu),
    ("Elu", 1, elu),
    ("Selu", 1, selu),
    ("Celu", 12, celu),
    ("ThresholdedRelu", 10, thresholded_relu),
    ("Shrink", 9, shrink),
    ("HardSigmoid", 1, hard_sigmoid),
    ("HardSwish", 14, hard_swish),
    ("Gelu", 20, gelu),
    ("Swish", 24, swish),
    ("Mish", 18, mish),
    ("Softplus", 1, softplus),
    ("Softsign", 1, softsign),
    ("Tan", 7, tan),
    ("Sinh", 9, sinh),
    ("Cosh", 9, cosh),
    ("Asinh", 9, asinh),
    ("Acosh", 9, acosh),
    ("Atanh", 9, atanh),
];

fn leaky_relu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    // Before operator set 6 this had the same default.
    let slope = call.float_or("alpha", 0.01)?;
    Ok(vec![call.record_one(
        "leaky_relu",
        &[&x],
        Attrs::new().with("negative_slope", slope),
    )?])
}

/// x < 0 ? slope x : x, with the slope's axes starting at the channel where
/// it does not broadcast from the right.
fn prelu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, mut slope) = (call.input(0)?, call.input(1)?);
    let (shape, own) = (call.shape(&x)?, call.shape(&slope)?);
    if call.version() < 9 && own.len() == 1 && shape.len() > 2 && own[0] != 1 {
        let mut lined = vec![own[0]];
        lined.resize(shape.len() - 1, 1);
        slope = call.reshape(&slope, &lined)?;
    }
    let negative = call.with_number("lt", &x, 0.0)?;
    let scaled = call.mul(&x, &slope)?;
    Ok(vec![call.select(&negative, &scaled, &x)?])
}

/// e^x - 1 without cancellation near 0: tanh(x/2) (e^x + 1).
fn expm1(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    let half = call.with_number("mul", x, 0.5)?;
    let sum = call.with_number("add", &call.unary("exp", x)?, 1.0)?;
    call.mul(&call.unary("tanh", &half)?, &sum)
}

/// ln(1 + u) without cancellation: with w = 1 + u as rounded, u ln(w) / (w - 1)
/// undoes the rounding (Kahan); w = 1 leaves u.
fn log1p(call: &Call<'_, '_>, u: &Value) -> Traced<Value> {
    let w = call.with_number("add", u, 1.0)?;
    let rest = call.with_number("sub", &w, 1.0)?;
    let tiny = call.with_number("eq", &rest, 0.0)?;
    let safe = call.select(&tiny, &call.number(u, 1.0)?, &rest)?;
    let whole = call.mul(&call.unary("log", &w)?, &call.div(u, &safe)?)?;
    call.select(&tiny, u, &whole)
}

/// x > 0 ? x : scale (e^(x / width) - 1); the exponential never sees x > 0,
/// where it would overflow.
fn exponential_unit(call: &Call<'_, '_>, x: &Value, scale: f64, width: f64) -> Traced<Value> {
    let low = call.with_number("minimum", x, 0.0)?;
    let bent = expm1(call, &call.with_number("mul", &low, 1.0 / width)?)?;
    let positive = call.with_number("gt", x, 0.0)?;
    call.select(&positive, x, &call.with_number("mul", &bent, scale)?)
}

fn elu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    Ok(vec![exponential_unit(call, &x, alpha, 1.0)?])
}

fn celu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    Ok(vec![exponential_unit(call, &x, alpha, alpha)?])
}

fn selu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (old_alpha, old_gamma) = (1.6732, 1.0507);
    let modern = call.version() >= 6;
    let alpha = call.float_or(
        "alpha",
        if modern {
            1.673_263_192_176_818_8
        } else {
            old_alpha
        },
    )?;
    let gamma = call.float_or(
        "gamma",
        if modern {
            1.050_701_022_148_132_3
        } else {
            old_gamma
        },
    )?;
    let unit = exponential_unit(call, &x, alpha, 1.0)?;
    Ok(vec![call.with_number("mul", &unit, gamma)?])
}

fn thresholded_relu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    let above = call.with_number("gt", &x, alpha)?;
    let zero = call.number(&x, 0.0)?;
    Ok(vec![call.select(&above, &x, &zero)?])
}

/// x < -lambda: x + bias; x > lambda: x - bias; else 0.
fn shrink(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (lambda, bias) = (call.float_or("lambd", 0.5)?, call.float_or("bias", 0.0)?);
    let zero = call.number(&x, 0.0)?;
    let low = call.with_number("lt", &x, -lambda)?;
    let high = call.with_number("gt", &x, lambda)?;
    let inner = call.select(&high, &call.with_number("sub", &x, bias)?, &zero)?;
    Ok(vec![call.select(
        &low,
        &call.with_number("add", &x, bias)?,
        &inner,
    )?])
}

fn clip01(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    call.record_one("clip", &[x], Attrs::new().with("min", 0.0).with("max", 1.0))
}

fn hard_sigmoid(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (alpha, beta) = (call.float_or("alpha", 0.2)?, call.float_or("beta", 0.5)?);
    let line = call.with_number("add", &call.with_number("mul", &x, alpha)?, beta)?;
    Ok(vec![clip01(call, &line)?])
}

fn hard_swish(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    Ok(vec![call.record_one("hardswish", &[&x], Attrs::new())?])
}

fn gelu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let approximate = call.text("approximate", "none")?;
    if !matches!(approximate.as_str(), "none" | "tanh") {
        return call.wrong(format!(
            "attribute 'approximate' is '{approximate}', wanted 'none' or 'tanh'"
        ));
    }
    let attrs = Attrs::new().with("approximate", approximate);
    Ok(vec![call.record_one("gelu", &[&x], attrs)?])
}

fn swish(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    let gate = call.unary("sigmoid", &call.with_number("mul", &x, alpha)?)?;
    Ok(vec![call.mul(&x, &gate)?])
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)
pub(super) fn softplus_of(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    let small = call.unary("exp", &call.unary("neg", &call.unary("abs", x)?)?)?;
    call.add(&call.with_number("maximum", x, 0.0)?, &log1p(call, &small)?)
}

fn softplus(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    Ok(vec![softplus_of(call, &x)?])
}

fn mish(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let gate = call.unary("tanh", &softplus_of(call, &x)?)?;
    Ok(vec![call.mul(&x, &gate)?])
}

fn softsign(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let below = call.with_number("add", &call.unary("abs", &x)?, 1.0)?;
    Ok(vec![call.div(&x, &below)?])
}

fn tan(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (sin, cos) = (call.unary("sin", &x)?, call.unary("cos", &x)?);
    Ok(vec![call.div(&sin, &cos)?])
}

/// (e^x + e^-x) / 2
fn cosh_of(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    let up = call.unary("exp", x)?;
    let down = call.unary("exp", &call.unary("neg", x)?)?;
    call.with_number("mul", &call.add(&up, &down)?, 0.5)
}

fn cosh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    Ok(vec![cosh_of(call, &x)?])
}

/// tanh x cosh x: no cancellation near 0.
fn sinh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (tanh, cosh) = (call.unary("tanh", &x)?, cosh_of(call, &x)?);
    Ok(vec![call.mul(&tanh, &cosh)?])
}

/// sign(x) ln(1 + a + a^2 / (1 + sqrt(a^2 + 1))), a = |x|; where a^2 would
/// overflow, ln a + ln 2.
fn asinh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let a = call.unary("abs", &x)?;
    let square = call.mul(&a, &a)?;
    let root = call.unary("sqrt", &call.with_number("add", &square, 1.0)?)?;
    let inner = call.add(
        &a,
        &call.div(&square, &call.with_number("add", &root, 1.0)?)?,
    )?;
    let near = log1p(call, &inner)?;
    let far = call.with_number("add", &call.unary("log", &a)?, LN_2)?;
    let large = call.with_number("gt", &a, 1e4)?;
    let size = call.select(&large, &far, &near)?;
    Ok(vec![call.mul(&call.unary("sign", &x)?, &size)?])
}

/// ln(1 + t + sqrt(2 t + t^2)), t = x - 1
fn acosh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let t = call.with_number("sub", &x, 1.0)?;
    let inner = call.mul(&t, &call.with_number("add", &t, 2.0)?)?;
    let sum = call.add(&t, &call.unary("sqrt", &inner)?)?;
    Ok(vec![log1p(call, &sum)?])
}

/// 1/2 ln(1 + 2x / (1 - x))
fn atanh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let one = call.number(&x, 1.0)?;
    let ratio = call.div(&call.with_number("mul", &x, 2.0)?, &call.sub(&one, &x)?)?;
    let log = log1p(call, &ratio)?;
    Ok(vec![call.with_number("mul", &log, 0.5)?])
}
