//! exp, log, tanh, erf (within 2 ulp), sigmoid (2.5), GELU, and their relatives in
//! [`hyperbolic`] and [`inverse`] over f32 vectors; the double-precision functions
//! of [`double`] serve the rest.
//!
//! The coefficients are weighted minimax fits of our own, made in 40 digits
//! and rounded to f32; each comment states what is fitted and where.

pub mod double;
mod gelu;
pub mod hyperbolic;
pub mod inverse;
#[cfg(test)]
mod tests;

use crate::simd::Simd;
pub use gelu::{gelu, gelu_tanh};

/// p[0] + p[1] x + ... by Horner's rule.
#[inline(always)]
fn poly<S: Simd, const N: usize>(s: S, x: S::F, p: [f32; N]) -> S::F {
    let mut sum = s.splat(p[N - 1]);
    for c in p[..N - 1].iter().rev() {
        sum = s.fma(sum, x, s.splat(*c));
    }
    sum
}

/// ln 2 = `LN2_HI` + `LN2_LO`; the first has nine significant bits, so that
/// its product with an exponent is exact.
const LN2_HI: f32 = 355.0 / 512.0;
const LN2_LO: f32 = -2.121_944_4e-4;

/// e^x for x <= 0; where that takes steps of its own, with the denormals as 0.
#[inline(always)]
pub fn exp_below<S: Simd>(s: S, x: S::F) -> S::F {
    if S::SCALES {
        let (n, e) = exp_parts(s, s.max(s.splat(-105.0), x));
        return s.scale(e, n);
    }
    let (n, e) = exp_parts(s, s.max(s.splat(-87.0), x));
    let e = s.mul(e, s.power_of_two(s.round_to_i(n)));
    s.select(s.lt(x, s.splat(-87.0)), s.zero(), e)
}

/// n and e^r of x = n ln 2 + r, |r| <= ln 2 / 2.
#[inline(always)]
fn exp_parts<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let (n, r, q) = exp_reduced(s, x);
    (n, s.add(s.splat(1.0), s.fma(s.mul(r, r), q, r)))
}

/// n, r and (e^r - 1 - r) / r^2.
#[inline(always)]
fn exp_reduced<S: Simd>(s: S, x: S::F) -> (S::F, S::F, S::F) {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.fnma(n, s.splat(LN2_HI), x);
    let r = s.fnma(n, s.splat(LN2_LO), r);
    let q = poly(
        s,
        r,
        [
            0.499_999_94,
            0.166_665_2,
            0.041_668_393,
            0.008_368_781,
            0.001_381_446_5,
        ],
    );
    (n, r, q)
}

/// e^x: overflows to infinity, underflows through the denormals to 0.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^x = 2^n e^r.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // `min` and `max` give their second operand where one is NaN.
    let x = s.min(s.splat(89.0), s.max(s.splat(-105.0), x));
    let (n, e) = exp_parts(s, x);
    s.scale(e, n)
}

/// Natural logarithm: -inf at 0, NaN below.
///
/// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).
#[inline(always)]
pub fn log<S: Simd>(s: S, x: S::F) -> S::F {
    let tiny = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let scaled = s.select(tiny, s.mul(x, s.splat(33_554_432.0)), x);
    let shift = s.select(tiny, s.splat(-25.0), s.zero());
    // Subtracting the bits of sqrt(1/2) makes the exponent field round there.
    let half = s.splat_i(0x3F35_04F3);
    let offset = s.sub_i(s.bits(scaled), half);
    let e = s.add(s.to_f(s.shr_i::<23>(offset)), shift);
    let mantissa = s.and_i(offset, s.splat_i(0x007F_FFFF));
    let f = s.sub(s.from_bits(s.add_i(mantissa, half)), s.splat(1.0));
    // (ln(1 + f) - f + f^2 / 2) / f^3
    let q = poly(
        s,
        f,
        [
            0.333_333_13,
            -0.250_000_1,
            0.200_021_19,
            -0.166_679_96,
            0.142_195_51,
            -0.124_055_915,
            0.118_881_75,
            -0.116_756_41,
            0.067_466_01,
        ],
    );
    let f2 = s.mul(f, f);
    // Smallest terms first.
    let small = s.fma(e, s.splat(LN2_LO), s.mul(s.mul(f2, f), q));
    let small = s.fnma(s.splat(0.5), f2, small);
    let y = s.fma(e, s.splat(LN2_HI), s.add(f, small));
    // 0, infinity, negative and NaN.
    let y = s.select(s.lt(x, s.splat(f32::INFINITY)), y, x);
    let y = s.select(s.lt(x, s.zero()), s.splat(f32::NAN), y);
    s.select(s.eq(x, s.zero()), s.splat(f32::NEG_INFINITY), y)
}

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let x2 = s.mul(x, x);
    // (tanh x - x) / x^3 in x^2, |x| < 0.625
    let q = poly(
        s,
        x2,
        [
            -0.333_333_3,
            0.133_332_06,
            -0.053_946_763,
            0.021_700_7,
            -0.008_177_395,
            0.002_142_958_8,
        ],
    );
    let near = s.fma(s.mul(x2, a), q, a);
    // 1 - 2 / (e^2x + 1); e^20 is where the quotient no longer counts.
    let e = exp(s, s.min(s.splat(20.0), s.add(a, a)));
    let far = s.sub(s.splat(1.0), s.div(s.splat(2.0), s.add(e, s.splat(1.0))));
    s.copysign(s.select(s.lt(a, s.splat(0.625)), near, far), x)
}

/// 1 / (1 + e^-x), by the exponential that does not overflow.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let e = exp(s, s.neg(s.abs(x)));
    let one = s.splat(1.0);
    s.div(s.select(s.lt(x, s.zero()), e, one), s.add(one, e))
}

/// The error function.
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    // erf x / x - 1 in x^2, |x| < 0.95
    let q = poly(
        s,
        s.mul(x, x),
        [
            0.128_379_17,
            -0.376_126_32,
            0.112_836_64,
            -0.026_857_706,
            0.005_196_952,
            -0.000_809_770_25,
            8.185_091e-5,
        ],
    );
    let near = s.fma(x, q, x);
    // erfc x = exp(-x - x g(x)), 0.92 <= x <= 3.95; from there on erf is 1.
    let t = s.min(s.splat(3.95), a);
    let g = poly(
        s,
        t,
        [
            0.128_551_75,
            0.635_625_24,
            0.105_262_7,
            -0.022_674_14,
            0.002_930_158,
            -4.958_693_5e-5,
            -4.558_115e-5,
            4.938_211_5e-6,
        ],
    );
    let far = s.sub(s.splat(1.0), exp_below(s, s.neg(s.fma(t, g, t))));
    s.select(s.lt(a, s.splat(0.93)), near, s.copysign(far, x))
}
