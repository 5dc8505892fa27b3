//! Elementwise functions.

use super::{Builder, NoParams, sample};
use crate::ops::elementwise::{self as e, cast};
use crate::ops::{bitcast, inputs, stored};
use crate::{DType, Error, params};
use lamina_kernels::Func;

params! {
    pub struct Bounds { min: Option<f64> = None, max: Option<f64> = None }
}

params! {
    pub struct Rounding { rounding_mode: Option<String> = None }
}

params! {
    pub struct Exponent { exponent: f64 }
}

params! {
    /// The last two are for dtypes that are only stored.
    pub struct To { dtype: DType, saturate: bool = true, round_mode: String = "up".to_owned() }
}

pub(super) fn entries(b: &mut Builder) {
    const BINARY: &[Func] = &[
        Func::Add,
        Func::Sub,
        Func::Mul,
        Func::FloorDiv,
        Func::Remainder,
        Func::Fmod,
        Func::Maximum,
        Func::Minimum,
        Func::Eq,
        Func::Ne,
        Func::Lt,
        Func::Le,
        Func::Gt,
        Func::Ge,
        Func::And,
        Func::Or,
        Func::Xor,
        Func::BitAnd,
        Func::BitOr,
        Func::BitXor,
        Func::ShiftLeft,
        Func::ShiftRight,
    ];
    const UNARY: &[Func] = &[
        Func::Not,
        Func::BitNot,
        Func::Neg,
        Func::Abs,
        Func::Sign,
        Func::Floor,
        Func::Ceil,
        Func::Round,
        Func::Trunc,
        Func::Reciprocal,
        Func::Square,
        Func::Sqrt,
        Func::Rsqrt,
        Func::Exp,
        Func::Expm1,
        Func::Log,
        Func::Log1p,
        Func::Sin,
        Func::Cos,
        Func::Tan,
        Func::Asin,
        Func::Acos,
        Func::Atan,
        Func::Sinh,
        Func::Cosh,
        Func::Tanh,
        Func::Asinh,
        Func::Acosh,
        Func::Atanh,
        Func::Softsign,
        Func::Mish,
        Func::Sigmoid,
        Func::Erf,
        Func::Relu,
        Func::IsNan,
    ];
    for &func in BINARY {
        b.composed(
            e::name_of(func),
            sample(&[&[4], &[4]]),
            move |name, xs, attrs| {
                NoParams::from_attrs(name, attrs)?;
                let [x, y] = inputs(name, xs)?;
                Ok(vec![e::binary(func, &x, &y)?])
            },
        );
    }
    for &func in UNARY {
        b.composed(e::name_of(func), sample(&[&[4]]), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            Ok(vec![e::unary(func, &x)?])
        });
    }
    b.composed("div", sample(&[&[4], &[4]]), |name, xs, attrs| {
        let [x, y] = inputs(name, xs)?;
        let mode = Rounding::from_attrs(name, attrs)?.rounding_mode;
        Ok(vec![match mode.as_deref() {
            None => e::div(&x, &y)?,
            Some("trunc") => e::div_trunc(&x, &y)?,
            Some("floor") => e::binary(Func::FloorDiv, &x, &y)?,
            Some(other) => {
                return Err(Error::argument(format!(
                    "div: rounding_mode='{other}' is not None, 'trunc' or 'floor'"
                )));
            }
        }])
    });
    b.composed("pow", sample(&[&[4], &[4]]), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        let [x, y] = inputs(name, xs)?;
        Ok(vec![e::pow(&x, &y)?])
    });
    b.composed(
        "pow_const",
        sample(&[&[4]]).with("exponent", 3.0),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![e::pow_const(
                &x,
                Exponent::from_attrs(name, attrs)?.exponent,
            )?])
        },
    );
    b.composed(
        "clip",
        sample(&[&[4]]).with("min", 0.0),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let bounds = Bounds::from_attrs(name, attrs)?;
            let (lo, hi) = (
                bounds.min.unwrap_or(f64::NEG_INFINITY),
                bounds.max.unwrap_or(f64::INFINITY),
            );
            Ok(vec![e::unary(Func::Clip { lo, hi }, &x)?])
        },
    );
    b.composed(
        "where",
        sample(&[&[4], &[4], &[4]]).typed(0, DType::Bool),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [condition, x, y] = inputs(name, xs)?;
            Ok(vec![e::select(&condition, &x, &y)?])
        },
    );
    b.composed(
        "bitcast",
        sample(&[&[4]])
            .typed(0, DType::F32)
            .with("dtype", DType::I32),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let form = bitcast::Bitcast::from_attrs(name, attrs)?;
            Ok(vec![bitcast::bitcast(&x, form)?])
        },
    );
    b.composed(
        "cast",
        sample(&[&[4]]).with("dtype", DType::F32),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let form = To::from_attrs(name, attrs)?;
            let round = stored::round_of(name, &form.round_mode)?;
            Ok(vec![match form.dtype {
                DType::Stored(to) if x.dtype() != form.dtype => {
                    stored::encode(&x, to, form.saturate, round)?
                }
                dtype => cast(&x, dtype)?,
            }])
        },
    );
}
