//! Arithmetic, comparisons, logic and casts.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

macro_rules! unary {
    ($op:literal) => {
        |call| {
            let x = call.input(0)?;
            Ok(vec![call.unary($op, &x)?])
        }
    };
}

macro_rules! binary {
    ($op:literal) => {
        |call| {
            let (a, b) = operands(call)?;
            Ok(vec![call.binary($op, &a, &b)?])
        }
    };
}

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Abs", 1, unary!("abs")),
    ("Neg", 1, unary!("neg")),
    ("Sign", 9, unary!("sign")),
    ("Floor", 1, unary!("floor")),
    ("Ceil", 1, unary!("ceil")),
    ("Round", 11, unary!("round")),
    ("Reciprocal", 1, unary!("reciprocal")),
    ("Sqrt", 1, unary!("sqrt")),
    ("Exp", 1, unary!("exp")),
    ("Log", 1, unary!("log")),
    ("Sin", 7, unary!("sin")),
    ("Cos", 7, unary!("cos")),
    ("Tan", 7, unary!("tan")),
    ("Asin", 7, unary!("asin")),
    ("Acos", 7, unary!("acos")),
    ("Atan", 7, unary!("atan")),
    ("Sinh", 9, unary!("sinh")),
    ("Cosh", 9, unary!("cosh")),
    ("Tanh", 1, unary!("tanh")),
    ("Asinh", 9, unary!("asinh")),
    ("Acosh", 9, unary!("acosh")),
    ("Atanh", 9, unary!("atanh")),
    ("Sigmoid", 1, unary!("sigmoid")),
    ("Erf", 9, unary!("erf")),
    ("Relu", 1, unary!("relu")),
    ("Not", 1, unary!("logical_not")),
    ("IsNaN", 9, unary!("isnan")),
    ("IsInf", 10, is_inf),
    ("Identity", 1, identity),
    ("Add", 1, binary!("add")),
    ("Sub", 1, binary!("sub")),
    ("Mul", 1, binary!("mul")),
    ("Div", 1, div),
    ("Pow", 1, pow),
    ("Mod", 10, modulo),
    ("And", 1, binary!("logical_and")),
    ("Or", 1, binary!("logical_or")),
    ("Xor", 1, binary!("logical_xor")),
    ("BitwiseAnd", 18, binary!("bitwise_and")),
    ("BitwiseOr", 18, binary!("bitwise_or")),
    ("BitwiseXor", 18, binary!("bitwise_xor")),
    ("BitwiseNot", 18, unary!("bitwise_not")),
    ("BitShift", 11, bit_shift),
    ("Equal", 1, binary!("eq")),
    ("Less", 1, binary!("lt")),
    ("LessOrEqual", 12, binary!("le")),
    ("Greater", 1, binary!("gt")),
    ("GreaterOrEqual", 12, binary!("ge")),
    ("Where", 9, select),
    ("Max", 1, |call| variadic(call, "maximum")),
    ("Min", 1, |call| variadic(call, "minimum")),
    ("Sum", 1, |call| variadic(call, "add")),
    ("Mean", 1, mean),
    ("Clip", 1, clip),
    ("BitCast", 26, bit_cast),
    ("Cast", 6, cast),
    ("CastLike", 15, cast_like),
];

/// The two operands; before operator set 7 broadcasting was asked for and
/// could start at an axis of the first.
fn operands(call: &mut Call<'_, '_>) -> Traced<(Value, Value)> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if call.version() >= 7 || !call.flag("broadcast", false)? {
        return Ok((a, b));
    }
    let (rank, own) = (call.rank(&a)?, call.shape(&b)?);
    let Some(axis) = call.int("axis")? else {
        return Ok((a, b));
    };
    let axis = call.axis(axis, rank)?;
    if axis + own.len() > rank {
        return call.wrong(format!(
            "axis {axis} leaves no room for the second operand's {} axes",
            own.len()
        ));
    }
    let mut shape = own.clone();
    shape.resize(rank - axis, 1);
    let b = call.reshape(&b, &shape)?;
    Ok((a, b))
}

fn identity(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    Ok(vec![call.input(0)?])
}

fn div(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = operands(call)?;
    let name = if call.dtype(&a)?.is_float() {
        "div"
    } else {
        "div_trunc"
    };
    Ok(vec![call.binary(name, &a, &b)?])
}

/// The result has the base's dtype, whatever the exponent's.
fn pow(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = operands(call)?;
    let (base, exponent) = (call.dtype(&a)?, call.dtype(&b)?);
    if base.is_float() || !exponent.is_float() {
        let b = call.cast(&b, base)?;
        return Ok(vec![call.binary("pow", &a, &b)?]);
    }
    let a = call.cast(&a, exponent)?;
    let y = call.binary("pow", &a, &b)?;
    Ok(vec![call.cast(&y, base)?])
}

fn bit_shift(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let name = match call.text("direction", "")?.as_str() {
        "LEFT" => "bitwise_left_shift",
        "RIGHT" => "bitwise_right_shift",
        other => {
            return call.wrong(format!(
                "attribute 'direction' is '{other}', wanted 'LEFT' or 'RIGHT'"
            ));
        }
    };
    Ok(vec![call.binary(name, &a, &b)?])
}

fn modulo(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let name = if call.flag("fmod", false)? {
        "fmod"
    } else {
        "remainder"
    };
    Ok(vec![call.binary(name, &a, &b)?])
}

fn select(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (condition, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    Ok(vec![call.select(&condition, &a, &b)?])
}

fn fold(call: &mut Call<'_, '_>, op: &str) -> Traced<(Value, usize)> {
    let all = call.all_inputs()?;
    let mut sum = all[0].clone();
    for x in &all[1..] {
        sum = call.binary(op, &sum, x)?;
    }
    Ok((sum, all.len()))
}

fn variadic(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    Ok(vec![fold(call, op)?.0])
}

fn mean(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (sum, count) = fold(call, "add")?;
    Ok(vec![call.with_number("div", &sum, count as f64)?])
}

fn clip(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    if call.version() < 11 {
        let (lo, hi) = (
            call.float_or("min", f64::NEG_INFINITY)?,
            call.float_or("max", f64::INFINITY)?,
        );
        return Ok(vec![bounded(call, &x, lo, hi)?]);
    }
    // Bounds of the dtype itself bound nothing.
    let (lo, hi) = (call.optional(1), call.optional(2));
    let number = |v: &Option<Value>, none: f64| match v {
        None => Some(none),
        Some(v) => v.host().and_then(|h| h.to_floats().first().copied()),
    };
    let exact = !matches!(call.dtype(&x)?, DType::I64 | DType::U64);
    if exact
        && let (Some(l), Some(h)) = (number(&lo, f64::NEG_INFINITY), number(&hi, f64::INFINITY))
    {
        return Ok(vec![bounded(call, &x, l, h)?]);
    }
    let mut y = x;
    for (bound, op) in [(lo, "maximum"), (hi, "minimum")] {
        if let Some(bound) = bound {
            let bound = call.reshape(&bound, &[])?;
            y = call.binary(op, &y, &bound)?;
        }
    }
    Ok(vec![y])
}

fn bounded(call: &Call<'_, '_>, x: &Value, lo: f64, hi: f64) -> Traced<Value> {
    if lo == f64::NEG_INFINITY && hi == f64::INFINITY {
        return Ok(x.clone());
    }
    call.record_one("clip", &[x], Attrs::new().with("min", lo).with("max", hi))
}

fn is_inf(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (up, down) = (
        call.flag("detect_positive", true)?,
        call.flag("detect_negative", true)?,
    );
    let y = match (up, down) {
        (true, true) => call.record_one("isinf", &[&x], Attrs::new())?,
        (true, false) => call.with_number("eq", &x, f64::INFINITY)?,
        (false, true) => call.with_number("eq", &x, f64::NEG_INFINITY)?,
        (false, false) => {
            let shape = call.shape(&x)?;
            call.full(DType::Bool, &shape, 0.0)?
        }
    };
    Ok(vec![y])
}

fn cast(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let Some(to) = call.dtype_attribute("to")? else {
        return call.wrong("attribute 'to' is required and is missing");
    };
    cast_to(call, &x, to)
}

fn bit_cast(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let Some(to) = call.dtype_attribute("to")? else {
        return call.wrong("attribute 'to' is required and is missing");
    };
    let attrs = Attrs::new().with("dtype", to);
    Ok(vec![call.record_one("bitcast", &[&x], attrs)?])
}

/// Dtypes that are only stored say what becomes of numbers that do not fit.
fn cast_to(call: &Call<'_, '_>, x: &Value, to: DType) -> Traced<Vec<Value>> {
    if !to.is_stored() || call.dtype(x)? == to {
        return Ok(vec![call.cast(x, to)?]);
    }
    let attrs = Attrs::new()
        .with("dtype", to)
        .with("saturate", call.flag("saturate", true)?)
        .with("round_mode", call.text("round_mode", "up")?);
    Ok(vec![call.record_one("cast", &[x], attrs)?])
}

fn cast_like(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, like) = (call.input(0)?, call.input(1)?);
    let to = call.dtype(&like)?;
    cast_to(call, &x, to)
}
