//! Operators of ONNX's first years that exporters of that time wrote without
//! a specification of their own.

use super::Handler;
use crate::trace::{Call, Traced, Value};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("ImageScaler", 1, image_scaler),
    ("Crop", 1, crop),
    ("Affine", 1, affine),
    ("Scale", 1, scale),
    ("ScaledTanh", 1, scaled_tanh),
    ("ParametricSoftplus", 1, parametric_softplus),
];

/// scale x + bias[channel]
fn image_scaler(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let bias = call.floats("bias")?.unwrap_or_default();
    let scaled = call.with_number("mul", &x, call.float_or("scale", 1.0)?)?;
    let shape = [bias.len(), 1, 1];
    let bias = super::make::numbers(call, call.dtype(&x)?, &shape, |i| bias[i])?;
    Ok(vec![call.add(&scaled, &bias)?])
}

/// Without the border (left, top, right, bottom), or `scale` (height, width)
/// from the border's left and top.
fn crop(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let [_, _, height, width] = call.dims(&x, "the input")?;
    let Some(&[left, top, right, bottom]) = call.ints("border")?.as_deref() else {
        return call.wrong("attribute 'border' must be four numbers");
    };
    let (end_y, end_x) = match call.ints("scale")?.as_deref() {
        Some(&[h, w]) => (top.saturating_add(h), left.saturating_add(w)),
        Some(other) => {
            return call.wrong(format!(
                "attribute 'scale' is {other:?}, wanted height and width"
            ));
        }
        None => (
            (height as i64).saturating_sub(bottom),
            (width as i64).saturating_sub(right),
        ),
    };
    if left < 0 || top < 0 || end_y < top || end_x < left {
        return call.wrong(format!(
            "a border of {left}, {top}, {right}, {bottom} does not fit {height} x {width}"
        ));
    }
    Ok(vec![call.slice(
        &x,
        &[2, 3],
        &[top, left],
        &[end_y, end_x],
        &[1, 1],
    )?])
}

fn affine(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let scaled = call.with_number("mul", &x, call.float_or("alpha", 1.0)?)?;
    Ok(vec![call.with_number(
        "add",
        &scaled,
        call.float_or("beta", 0.0)?,
    )?])
}

fn scale(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    Ok(vec![call.with_number(
        "mul",
        &x,
        call.float_or("scale", 1.0)?,
    )?])
}

/// alpha tanh(beta x)
fn scaled_tanh(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let y = call.unary(
        "tanh",
        &call.with_number("mul", &x, call.float_or("beta", 1.0)?)?,
    )?;
    Ok(vec![call.with_number(
        "mul",
        &y,
        call.float_or("alpha", 1.0)?,
    )?])
}

/// alpha ln(1 + e^(beta x))
fn parametric_softplus(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let bent = call.with_number("mul", &x, call.float_or("beta", 1.0)?)?;
    let y = call.unary("softplus", &bent)?;
    Ok(vec![call.with_number(
        "mul",
        &y,
        call.float_or("alpha", 1.0)?,
    )?])
}
