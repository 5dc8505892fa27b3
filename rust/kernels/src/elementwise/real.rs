//! Steps of f64 through the standard library.

use super::map::{Call, plain1};
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
