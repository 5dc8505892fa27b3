//! Elementwise functions.

use super::emit::Emit;
use crate::ir::Attribute;
use crate::write::elem_type;
use lamina_core::{Attr, DType, Error, Result};

/// Functions that ONNX has under another name.
const SAME: &[(&str, &str)] = &[
    ("add", "Add"),
    ("sub", "Sub"),
    ("mul", "Mul"),
    ("div", "Div"),
    ("pow", "Pow"),
    ("maximum", "Max"),
    ("minimum", "Min"),
    ("eq", "Equal"),
    ("lt", "Less"),
    ("le", "LessOrEqual"),
    ("gt", "Greater"),
    ("ge", "GreaterOrEqual"),
    ("logical_and", "And"),
    ("logical_or", "Or"),
    ("logical_xor", "Xor"),
    ("logical_not", "Not"),
    ("neg", "Neg"),
    ("abs", "Abs"),
    ("sign", "Sign"),
    ("floor", "Floor"),
    ("ceil", "Ceil"),
    ("round", "Round"),
    ("reciprocal", "Reciprocal"),
    ("sqrt", "Sqrt"),
    ("exp", "Exp"),
    ("log", "Log"),
    ("sin", "Sin"),
    ("cos", "Cos"),
    ("tan", "Tan"),
    ("asin", "Asin"),
    ("acos", "Acos"),
    ("atan", "Atan"),
    ("sinh", "Sinh"),
    ("cosh", "Cosh"),
    ("tanh", "Tanh"),
    ("asinh", "Asinh"),
    ("acosh", "Acosh"),
    ("atanh", "Atanh"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("mish", "Mish"),
    ("bitwise_and", "BitwiseAnd"),
    ("bitwise_or", "BitwiseOr"),
    ("bitwise_xor", "BitwiseXor"),
    ("bitwise_not", "BitwiseNot"),
    ("sigmoid", "Sigmoid"),
    ("erf", "Erf"),
    ("relu", "Relu"),
    ("isnan", "IsNaN"),
    ("where", "Where"),
];

pub(super) fn emit(e: &mut Emit<'_>, name: &str) -> Result<bool> {
    if let Some((_, op)) = SAME.iter().find(|(own, _)| *own == name) {
        e.direct(op, &[]);
        return Ok(true);
    }
    let inputs = e.inputs.to_vec();
    let x = inputs.first().map_or("", String::as_str);
    match name {
        "ne" => {
            let equal = e.make("Equal", &[x, &inputs[1]], &[]);
            e.finish("Not", &[&equal], &[]);
        }
        "square" => e.finish("Mul", &[x, x], &[]),
        "rsqrt" => {
            let root = e.make("Sqrt", &[x], &[]);
            e.finish("Reciprocal", &[&root], &[]);
        }
        "leaky_relu" => {
            let slope = e.float("negative_slope")?;
            e.direct("LeakyRelu", &[("alpha", Attribute::Float(slope as f32))]);
        }
        "elu" => elu(e)?,
        // (e^x - 1) and ln(1 + x) exist only as the sums they are.
        "expm1" => {
            let one = e.scalar(e.dtype(0), 1.0);
            let power = e.make("Exp", &[x], &[]);
            e.finish("Sub", &[&power, &one], &[]);
        }
        "log1p" => {
            let one = e.scalar(e.dtype(0), 1.0);
            let sum = e.make("Add", &[x, &one], &[]);
            e.finish("Log", &[&sum], &[]);
        }
        "trunc" => {
            let size = e.make("Abs", &[x], &[]);
            let whole = e.make("Floor", &[&size], &[]);
            let sign = e.make("Sign", &[x], &[]);
            e.finish("Mul", &[&sign, &whole], &[]);
        }
        "bitwise_left_shift" => shift(e, "LEFT"),
        "bitwise_right_shift" => shift(e, "RIGHT"),
        "clip" => clip(e, x)?,
        "gelu" => {
            let approximate = e.text("approximate")?;
            e.direct("Gelu", &[("approximate", Attribute::Str(approximate))]);
        }
        "pow_const" => {
            let exponent = e.float("exponent")?;
            let exponent = e.scalar(e.dtype(0), exponent);
            e.finish("Pow", &[x, &exponent], &[]);
        }
        "cast" => {
            let Attr::DType(to) = e.attr("dtype")? else {
                return Ok(false);
            };
            e.direct("Cast", &[("to", Attribute::Int(elem_type(to) as i64))]);
        }
        "floor_div" | "remainder" | "fmod" => quotient(e, name, x, &inputs[1]),
        _ => return Ok(false),
    }
    Ok(true)
}

/// ONNX shifts unsigned numbers alone.
fn shift(e: &mut Emit<'_>, direction: &str) {
    let direction = Attribute::Str(direction.to_owned());
    e.direct("BitShift", &[("direction", direction)]);
}

/// One function here, three operators there.
fn elu(e: &mut Emit<'_>) -> Result<()> {
    let (alpha, scale, input_scale) = (
        e.float("alpha")?,
        e.float("scale")?,
        e.float("input_scale")?,
    );
    let float = |number: f64| Attribute::Float(number as f32);
    if scale == 1.0 && input_scale == 1.0 {
        e.direct("Elu", &[("alpha", float(alpha))]);
    } else if input_scale == 1.0 {
        e.direct("Selu", &[("alpha", float(alpha)), ("gamma", float(scale))]);
    } else if scale == 1.0 && (alpha * input_scale - 1.0).abs() < 1e-12 {
        e.direct("Celu", &[("alpha", float(alpha))]);
    } else {
        return Err(Error::unsupported(format!(
            "onnx.save: elu of alpha {alpha}, scale {scale} and input_scale {input_scale} has no \
             ONNX operator; Elu, Selu and Celu do"
        )));
    }
    Ok(())
}

/// A bound at infinity is none.
fn clip(e: &mut Emit<'_>, x: &str) -> Result<()> {
    let dtype = e.dtype(0);
    let mut bound = |name: &str| -> Result<String> {
        let number = e.float(name)?;
        Ok(if number.is_infinite() {
            String::new()
        } else {
            e.scalar(dtype, number)
        })
    };
    let (lo, hi) = (bound("min")?, bound("max")?);
    let inputs: Vec<&str> = if hi.is_empty() {
        vec![x, &lo]
    } else {
        vec![x, &lo, &hi]
    };
    let used = if lo.is_empty() && hi.is_empty() {
        1
    } else {
        inputs.len()
    };
    e.finish("Clip", &inputs[..used], &[]);
    Ok(())
}

/// Integers have Mod with the divisor's sign; of floats only fmod exists, and
/// a - b floor(a / b) is the other.
fn quotient(e: &mut Emit<'_>, name: &str, a: &str, b: &str) {
    let float = e.dtype(0).is_float();
    let fmod = [("fmod", Attribute::Int(1))];
    match (name, float) {
        ("fmod", _) => e.finish("Mod", &[a, b], &fmod),
        ("remainder", false) => e.finish("Mod", &[a, b], &[]),
        (_, false) => {
            let rest = e.make("Mod", &[a, b], &[]);
            let whole = e.make("Sub", &[a, &rest], &[]);
            e.finish("Div", &[&whole, b], &[]);
        }
        (_, true) => {
            let ratio = e.make("Div", &[a, b], &[]);
            if name == "floor_div" {
                e.finish("Floor", &[&ratio], &[]);
            } else {
                let down = e.make("Floor", &[&ratio], &[]);
                let whole = e.make("Mul", &[&down, b], &[]);
                e.finish("Sub", &[a, &whole], &[]);
            }
        }
    }
}

/// Whether ONNX Runtime and others take this dtype in a reduction as it is.
pub(super) fn reducible(dtype: DType) -> bool {
    dtype.is_float() || matches!(dtype, DType::I32 | DType::I64)
}
