//! Quantised tensors: to and from their codes, and products of them.

use super::Handler;
use super::convolution::Plane;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("QuantizeLinear", 10, quantize),
    ("DequantizeLinear", 10, dequantize),
    ("DynamicQuantizeLinear", 11, dynamic),
    ("MatMulInteger", 10, matmul_integer),
    ("ConvInteger", 10, conv_integer),
    ("QLinearMatMul", 10, qlinear_matmul),
    ("QLinearConv", 10, qlinear_conv),
];

/// An element type that need not be given; 0 says that it is not.
fn dtype(call: &Call<'_, '_>, name: &str) -> Traced<Option<DType>> {
    match call.int_or(name, 0)? {
        0 => Ok(None),
        _ => call.dtype_attribute(name),
    }
}

/// Codes or numbers, scale and perhaps zero point, as `name` takes them.
fn linear(call: &Call<'_, '_>, name: &str, mut attrs: Attrs) -> Traced<Vec<Value>> {
    let (x, scale, zero_point) = (call.input(0)?, call.input(1)?, call.optional(2));
    let block_size = call.int_or("block_size", 0)?;
    if block_size < 0 {
        return call.wrong(format!(
            "attribute 'block_size' is {block_size}, wanted 0 or more"
        ));
    }
    attrs = (attrs.with("axis", call.int_or("axis", 1)?)).with("block_size", block_size);
    if let Some(dtype) = dtype(call, "output_dtype")? {
        attrs = attrs.with("dtype", dtype);
    }
    let mut inputs = vec![&x, &scale];
    inputs.extend(zero_point.as_ref());
    Ok(vec![call.record_one(name, &inputs, attrs)?])
}

fn quantize(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let mut attrs = Attrs::new().with("saturate", call.flag("saturate", true)?);
    if let Some(precision) = dtype(call, "precision")? {
        attrs = attrs.with("precision", precision);
    }
    linear(call, "quantize_linear", attrs)
}

fn dequantize(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    linear(call, "dequantize_linear", Attrs::new())
}

fn dynamic(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    call.record("dynamic_quantize_linear", &[&x], &Attrs::new())
}

/// Inputs 2 and 3, the zero points of `a` and `b`: 0 where they are left out.
fn zero_points(call: &Call<'_, '_>, a: &Value, b: &Value) -> Traced<[Value; 2]> {
    let zero = |at, of| match call.optional(at) {
        Some(zero) => Ok(zero),
        None => call.number(of, 0.0),
    };
    Ok([zero(2, a)?, zero(3, b)?])
}

fn matmul_integer(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let [a_zero, b_zero] = zero_points(call, &a, &b)?;
    let inputs = [&a, &b, &a_zero, &b_zero];
    Ok(vec![call.record_one(
        "matmul_integer",
        &inputs,
        Attrs::new(),
    )?])
}

fn conv_integer(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let plane = Plane::of(call, &call.input(0)?, &call.input(1)?)?;
    let (x, w) = (&plane.x, &plane.w);
    let [x_zero, w_zero] = zero_points(call, x, w)?;
    let y = call.record_one(
        "conv2d_integer",
        &[x, w, &x_zero, &w_zero],
        plane.attrs.clone(),
    )?;
    Ok(vec![plane.result(call, &y)?])
}

fn qlinear_matmul(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let inputs = (0..8).map(|i| call.input(i)).collect::<Traced<Vec<_>>>()?;
    let inputs: Vec<&Value> = inputs.iter().collect();
    Ok(vec![call.record_one(
        "qlinear_matmul",
        &inputs,
        Attrs::new(),
    )?])
}

fn qlinear_conv(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let mut inputs = (0..8).map(|i| call.input(i)).collect::<Traced<Vec<_>>>()?;
    inputs.extend(call.optional(8));
    let plane = Plane::of(call, &inputs[0], &inputs[3])?;
    (inputs[0], inputs[3]) = (plane.x.clone(), plane.w.clone());
    let inputs: Vec<&Value> = inputs.iter().collect();
    let y = call.record_one("qlinear_conv2d", &inputs, plane.attrs.clone())?;
    Ok(vec![plane.result(call, &y)?])
}
