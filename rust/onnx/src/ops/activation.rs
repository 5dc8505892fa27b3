//! Activations.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("LeakyRelu", 1, leaky_relu),
    ("PRelu", 1, prelu),
    ("Elu", 1, elu),
    ("Selu", 1, selu),
    ("Celu", 12, celu),
    ("ThresholdedRelu", 10, thresholded_relu),
    ("Shrink", 9, shrink),
    ("HardSigmoid", 1, hard_sigmoid),
    ("HardSwish", 14, |call| plain(call, "hardswish")),
    ("Gelu", 20, gelu),
    ("Swish", 24, swish),
    ("SwiGLU", 28, swiglu),
    ("Mish", 18, |call| plain(call, "mish")),
    ("Softplus", 1, |call| plain(call, "softplus")),
    ("Softsign", 1, |call| plain(call, "softsign")),
];

fn plain(call: &mut Call<'_, '_>, name: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    Ok(vec![call.record_one(name, &[&x], Attrs::new())?])
}

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

/// The slope's axes start at the channel where it does not broadcast from the right.
fn prelu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, mut slope) = (call.input(0)?, call.input(1)?);
    let (shape, own) = (call.shape(&x)?, call.shape(&slope)?);
    if call.version() < 9 && own.len() == 1 && shape.len() > 2 && own[0] != 1 {
        let mut lined = vec![own[0]];
        lined.resize(shape.len() - 1, 1);
        slope = call.reshape(&slope, &lined)?;
    }
    Ok(vec![call.record_one(
        "prelu",
        &[&x, &slope],
        Attrs::new(),
    )?])
}

fn elu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    Ok(vec![call.record_one(
        "elu",
        &[&x],
        Attrs::new().with("alpha", alpha),
    )?])
}

fn celu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    Ok(vec![call.record_one(
        "celu",
        &[&x],
        Attrs::new().with("alpha", alpha),
    )?])
}

fn selu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    // Before operator set 6 the constants had four digits.
    let (alpha, scale) = if call.version() >= 6 {
        (1.673_263_192_176_818_8, 1.050_701_022_148_132_3)
    } else {
        (1.6732, 1.0507)
    };
    let (alpha, scale) = (
        call.float_or("alpha", alpha)?,
        call.float_or("gamma", scale)?,
    );
    let attrs = Attrs::new().with("alpha", alpha).with("scale", scale);
    Ok(vec![call.record_one("selu", &[&x], attrs)?])
}

fn thresholded_relu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    let attrs = Attrs::new().with("threshold", alpha);
    Ok(vec![call.record_one("threshold", &[&x], attrs)?])
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

fn hard_sigmoid(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (alpha, beta) = (call.float_or("alpha", 0.2)?, call.float_or("beta", 0.5)?);
    let attrs = Attrs::new().with("alpha", alpha).with("beta", beta);
    Ok(vec![call.record_one("hardsigmoid", &[&x], attrs)?])
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

/// The first input as swish has it, times the second.
fn swiglu(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let gate = swish(call)?;
    let b = call.input(1)?;
    Ok(vec![call.mul(&gate[0], &b)?])
}

fn swish(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, alpha) = (call.input(0)?, call.float_or("alpha", 1.0)?);
    let gate = call.unary("sigmoid", &call.with_number("mul", &x, alpha)?)?;
    Ok(vec![call.mul(&x, &gate)?])
}
