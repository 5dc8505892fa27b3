//! Steps of the generic types: arithmetic of the integers and of f64, and
//! comparisons.

use super::map::{Call, plain1, plain2, wide2};
use super::scalar::{Bits, Scalar, clip, maximum, minimum};
use crate::chain::Func;
use crate::isa::Isa;
use crate::number::Number;

/// Functions that every arithmetic type has; false for the others.
///
/// # Safety
/// `call` holds elements of `T`, as many as the function takes.
pub(super) unsafe fn arithmetic<T: Scalar>(func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::Add => plain2(call, T::plus),
            Func::Sub => plain2(call, T::minus),
            Func::Mul => plain2(call, T::times),
            Func::Div => plain2(call, T::div),
            Func::FloorDiv => plain2(call, T::floor_div),
            Func::Remainder => plain2(call, T::remainder),
            Func::Fmod => plain2(call, T::fmod),
            Func::Pow => plain2(call, T::power),
            Func::Maximum => plain2(call, maximum::<T>),
            Func::Minimum => plain2(call, minimum::<T>),
            Func::Neg => plain1(call, T::negative),
            Func::Abs => plain1(call, T::absolute),
            Func::Sign => plain1(call, T::sign),
            Func::Floor => plain1(call, T::floor_),
            Func::Ceil => plain1(call, T::ceil_),
            Func::Round => plain1(call, T::round_),
            Func::Trunc => plain1(call, T::trunc_),
            Func::Square => plain1(call, |x: T| x.times(x)),
            Func::Relu => plain1(call, |x: T| clip(x, T::ZERO, T::HIGHEST)),
            Func::Clip { lo, hi } => {
                let (lo, hi) = (T::from_bound(lo), T::from_bound(hi));
                plain1(call, |x: T| clip(x, lo, hi));
            }
            Func::PowConst { exponent } => plain1(call, |x: T| x.power_const(exponent)),
            _ => return false,
        }
    }
    true
}

/// Functions of bits; false for the others.
///
/// # Safety
/// As for [`arithmetic`].
pub(super) unsafe fn bits<T: Bits>(isa: Isa, func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::BitAnd => wide2(isa, call, T::bit_and),
            Func::BitOr => wide2(isa, call, T::bit_or),
            Func::BitXor => wide2(isa, call, T::bit_xor),
            Func::BitNot => plain1(call, T::bit_not),
            Func::ShiftLeft => plain2(call, T::shift_left),
            Func::ShiftRight => plain2(call, T::shift_right),
            _ => return false,
        }
    }
    true
}

/// Comparisons; false for other functions.
///
/// # Safety
/// As for [`arithmetic`]; the result is a byte.
pub(super) unsafe fn comparison<T: Number>(isa: Isa, func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::Eq => wide2(isa, call, |a: T, b: T| u8::from(a == b)),
            Func::Ne => wide2(isa, call, |a: T, b: T| u8::from(a != b)),
            Func::Lt => wide2(isa, call, |a: T, b: T| u8::from(a < b)),
            Func::Le => wide2(isa, call, |a: T, b: T| u8::from(a <= b)),
            Func::Gt => wide2(isa, call, |a: T, b: T| u8::from(a > b)),
            Func::Ge => wide2(isa, call, |a: T, b: T| u8::from(a >= b)),
            Func::IsNan => plain1(call, |a: T| u8::from(a.is_nan())),
            _ => return false,
        }
    }
    true
}
