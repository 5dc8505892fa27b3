//! What each function means for one element of each type.

use crate::number::Number;

/// Arithmetic that all computed types but Bool have.
pub(super) trait Scalar: Number {
    fn div(self, b: Self) -> Self;
    /// Rounds toward minus infinity.
    fn floor_div(self, b: Self) -> Self;
    /// Has the sign of `b`.
    fn remainder(self, b: Self) -> Self;
    /// Has the sign of `self`.
    fn fmod(self, b: Self) -> Self;
    fn power(self, b: Self) -> Self;
    fn power_const(self, exponent: f64) -> Self;
    fn negative(self) -> Self;
    fn absolute(self) -> Self;
    fn sign(self) -> Self;
    fn floor_(self) -> Self;
    fn ceil_(self) -> Self;
    fn round_(self) -> Self;
    fn trunc_(self) -> Self;
    /// Saturates; for bounds.
    fn from_bound(x: f64) -> Self;
}

/// Functions of the bits of integers.
pub(super) trait Bits: Number {
    fn bit_and(self, b: Self) -> Self;
    fn bit_or(self, b: Self) -> Self;
    fn bit_xor(self, b: Self) -> Self;
    fn bit_not(self) -> Self;
    /// 0 where `b` is negative or at least the number of bits.
    fn shift_left(self, b: Self) -> Self;
    /// As if by one bit less than there are, for such `b`, of signed numbers.
    fn shift_right(self, b: Self) -> Self;
}

/// The larger; NaN where either is.
#[inline(always)]
pub(super) fn maximum<T: Number>(a: T, b: T) -> T {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller; NaN where either is.
#[inline(always)]
pub(super) fn minimum<T: Number>(a: T, b: T) -> T {
    if a < b || a.is_nan() { a } else { b }
}

/// min(max(x, lo), hi); NaN stays.
#[inline(always)]
pub(super) fn clip<T: Number>(x: T, lo: T, hi: T) -> T {
    let x = if lo > x { lo } else { x };
    if hi < x { hi } else { x }
}

/// x to an integer power by squaring, wrapping; a negative exponent gives the
/// truncated reciprocal.
fn int_power<T: Scalar>(base: T, exponent: i64) -> T {
    if exponent < 0 {
        let odd = exponent & 1 == 1;
        let minus_one = T::ZERO.minus(T::ONE);
        return match base {
            b if b == T::ONE => T::ONE,
            b if b == minus_one && minus_one < T::ZERO => {
                if odd {
                    minus_one
                } else {
                    T::ONE
                }
            }
            _ => T::ZERO,
        };
    }
    let (mut result, mut square, mut left) = (T::ONE, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = result.times(square);
        }
        square = square.times(square);
        left >>= 1;
    }
    result
}

macro_rules! integers {
    ($($t:ty: $signed:expr),*) => {$(
        impl Scalar for $t {
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn floor_div(self, b: Self) -> Self {
                if b == 0 {
                    return 0;
                }
                let (q, r) = (self.wrapping_div(b), self.wrapping_rem(b));
                if r != 0 && (r < 0) != (b < 0) { q.wrapping_sub(1) } else { q }
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn remainder(self, b: Self) -> Self {
                if b == 0 {
                    return 0;
                }
                let r = self.wrapping_rem(b);
                if r != 0 && (r < 0) != (b < 0) { r.wrapping_add(b) } else { r }
            }
            #[inline(always)]
            fn fmod(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_rem(b) }
            }
            #[inline(always)]
            fn power(self, b: Self) -> Self {
                // u64 exponents above i64's range: only their low bits count
                // for a wrapping power of an odd base, and an even base is 0
                // long before; the parity is kept by clearing the top bit.
                let b = if $signed { b as i64 } else { (b as u64 & (u64::MAX >> 1)) as i64 };
                int_power(self, b)
            }
            #[inline(always)]
            fn power_const(self, exponent: f64) -> Self {
                if exponent.fract() == 0.0 {
                    int_power(self, exponent as i64)
                } else {
                    (self as f64).powf(exponent) as $t
                }
            }
            #[inline(always)]
            fn negative(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn absolute(self) -> Self {
                if self < 0 { self.wrapping_neg() } else { self }
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn sign(self) -> Self {
                if self < 0 { (0 as $t).wrapping_sub(1) } else { (self > 0) as $t }
            }
            #[inline(always)]
            fn floor_(self) -> Self {
                self
            }
            #[inline(always)]
            fn ceil_(self) -> Self {
                self
            }
            #[inline(always)]
            fn round_(self) -> Self {
                self
            }
            #[inline(always)]
            fn trunc_(self) -> Self {
                self
            }
            #[inline(always)]
            fn from_bound(x: f64) -> Self {
                x as $t
            }
        }
        impl Bits for $t {
            #[inline(always)]
            fn bit_and(self, b: Self) -> Self {
                self & b
            }
            #[inline(always)]
            fn bit_or(self, b: Self) -> Self {
                self | b
            }
            #[inline(always)]
            fn bit_xor(self, b: Self) -> Self {
                self ^ b
            }
            #[inline(always)]
            fn bit_not(self) -> Self {
                !self
            }
            #[inline(always)]
            fn shift_left(self, b: Self) -> Self {
                u32::try_from(b).ok().and_then(|b| self.checked_shl(b)).unwrap_or(0)
            }
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn shift_right(self, b: Self) -> Self {
                let beyond = if self < 0 { (0 as $t).wrapping_sub(1) } else { 0 };
                u32::try_from(b).ok().and_then(|b| self.checked_shr(b)).unwrap_or(beyond)
            }
        }
    )*};
}

integers!(u8: false, i8: true, u16: false, i16: true, u32: false, i32: true, u64: false, i64: true);

/// From the exact remainder, as floor(a / b) is wrong where the quotient is
/// rounded up to an integer.
fn floor_quotient(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let r = a % b;
    let q = (a - r) / b;
    let q = if r != 0.0 && (r < 0.0) != (b < 0.0) {
        q - 1.0
    } else {
        q
    };
    let whole = q.floor();
    if q - whole > 0.5 { whole + 1.0 } else { whole }
}

macro_rules! floats {
    ($($t:ty: $pow:expr;)*) => {$(
        impl Scalar for $t {
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                self / b
            }
            fn floor_div(self, b: Self) -> Self {
                floor_quotient(f64::from(self), f64::from(b)) as $t
            }
            fn remainder(self, b: Self) -> Self {
                let r = self % b;
                if r != 0.0 && (r < 0.0) != (b < 0.0) {
                    r + b
                } else if r == 0.0 {
                    r.copysign(b)
                } else {
                    r
                }
            }
            fn fmod(self, b: Self) -> Self {
                self % b
            }
            #[inline(always)]
            fn power(self, b: Self) -> Self {
                $pow(self, b)
            }
            #[inline(always)]
            fn power_const(self, exponent: f64) -> Self {
                $pow(self, exponent as $t)
            }
            #[inline(always)]
            fn negative(self) -> Self {
                -self
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn sign(self) -> Self {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    self
                }
            }
            #[inline(always)]
            fn floor_(self) -> Self {
                self.floor()
            }
            #[inline(always)]
            fn ceil_(self) -> Self {
                self.ceil()
            }
            #[inline(always)]
            fn round_(self) -> Self {
                self.round_ties_even()
            }
            #[inline(always)]
            fn trunc_(self) -> Self {
                self.trunc()
            }
            #[inline(always)]
            fn from_bound(x: f64) -> Self {
                x as $t
            }
        }
    )*};
}

floats! {
    f32: crate::math::double::pow;
    f64: f64::powf;
}
