//! Steps of f64 through the standard library.

use super::map::{Call, plain1};
use super::scalar::clip;
use crate::chain::Func;
use crate::math::double;

/// Functions that only floats have; false for the others.
///
/// # Safety
/// `call` holds elements of f64.
pub(super) unsafe fn double(func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::Reciprocal => plain1(call, f64::recip),
            Func::Sqrt => plain1(call, f64::sqrt),
            Func::Rsqrt => plain1(call, |x: f64| 1.0 / x.sqrt()),
            Func::Exp => plain1(call, f64::exp),
            Func::Log => plain1(call, f64::ln),
            Func::Sin => plain1(call, f64::sin),
            Func::Cos => plain1(call, f64::cos),
            Func::Expm1 => plain1(call, f64::exp_m1),
            Func::Log1p => plain1(call, f64::ln_1p),
            Func::Tan => plain1(call, f64::tan),
            Func::Asin => plain1(call, f64::asin),
            Func::Acos => plain1(call, f64::acos),
            Func::Atan => plain1(call, f64::atan),
            Func::Sinh => plain1(call, f64::sinh),
            Func::Cosh => plain1(call, f64::cosh),
            Func::Asinh => plain1(call, f64::asinh),
            Func::Acosh => plain1(call, acosh),
            Func::Atanh => plain1(call, f64::atanh),
            Func::Softplus => plain1(call, softplus),
            Func::Softsign => plain1(call, |x: f64| x / (1.0 + x.abs())),
            Func::Mish => plain1(call, |x: f64| x * softplus(x).tanh()),
            Func::Elu {
                alpha,
                scale,
                input_scale,
            } => plain1(call, |x: f64| {
                if x < 0.0 {
                    scale * alpha * (x * input_scale).exp_m1()
                } else {
                    scale * x
                }
            }),
            Func::Tanh => plain1(call, f64::tanh),
            Func::Sigmoid => plain1(call, sigmoid),
            Func::Erf => plain1(call, double::erf),
            Func::Gelu => plain1(call, double::gelu),
            Func::GeluTanh => plain1(call, double::gelu_tanh),
            Func::LeakyRelu { slope } => {
                plain1(call, |x: f64| if x < 0.0 { x * slope } else { x });
            }
            _ => return false,
        }
    }
    true
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

fn softplus(x: f64) -> f64 {
    // NaN stays, since `clip` keeps it.
    clip(x, 0.0, f64::INFINITY) + (-x.abs()).exp().ln_1p()
}

/// ln(x + sqrt(x^2 - 1)) with t = x - 1, so that nothing cancels near 1.
fn acosh(x: f64) -> f64 {
    if x > 1e150 {
        return x.ln() + std::f64::consts::LN_2;
    }
    let t = x - 1.0;
    if t < 0.0 {
        return f64::NAN;
    }
    (t + (t * (t + 2.0)).sqrt()).ln_1p()
}
