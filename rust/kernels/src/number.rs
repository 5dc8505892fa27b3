//! Arithmetic that the generic kernels are written over.

use crate::dtype::Element;

/// Elements with arithmetic of their own: all integers (wrapping), f32, f64.
/// Bool is `u8` with the values 0 and 1.
#[allow(clippy::return_self_not_must_use)]
pub trait Number: Element + Default {
    const ZERO: Self;
    const ONE: Self;
    /// No value is smaller: minus infinity for floats.
    const LOWEST: Self;
    /// No value is larger: infinity for floats.
    const HIGHEST: Self;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn is_nan(self) -> bool;
    /// Divided by a count, at least 1; integers truncate.
    fn over(self, n: usize) -> Self;
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = <$t>::MIN;
            const HIGHEST: Self = <$t>::MAX;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }
            #[inline(always)]
            fn over(self, n: usize) -> Self {
                (self as i128 / n as i128) as $t
            }
        }
    )*};
}

integers!(u8, i8, u16, i16, u32, i32, u64, i64);

/// f32 and f64.
#[allow(clippy::return_self_not_must_use)]
pub trait Float:
    Number
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
    + std::iter::Sum
{
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    /// This slice as f32s, if that is what it holds.
    fn as_f32(slice: &[Self]) -> Option<&[f32]>;
    fn as_f32_mut(slice: &mut [Self]) -> Option<&mut [f32]>;
}

macro_rules! floats {
    ($($t:ty: $slice:ident => $some:expr;)*) => {$(
        impl Number for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$t>::NEG_INFINITY;
            const HIGHEST: Self = <$t>::INFINITY;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self != self
            }
            #[inline(always)]
            fn over(self, n: usize) -> Self {
                self / n as $t
            }
        }
        impl Float for $t {
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn ln(self) -> Self {
                self.ln()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn as_f32($slice: &[Self]) -> Option<&[f32]> {
                $some
            }
            fn as_f32_mut($slice: &mut [Self]) -> Option<&mut [f32]> {
                $some
            }
        }
    )*};
}

floats! {
    f32: slice => Some(slice);
    f64: _slice => None;
}
