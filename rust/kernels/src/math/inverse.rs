//! Inverse trigonometric functions of f32, within 3 ulp.

use super::poly;
use crate::simd::Simd;
use std::f32::consts::{FRAC_PI_2, PI};

/// What pi/2 and pi lack as f32.
const HALF_PI_LOW: f32 = -4.371_139e-8;
const PI_LOW: f32 = -8.742_278e-8;

/// Arc tangent: of t = min(a, 1/a) by a polynomial, a = |x|.
#[inline(always)]
pub fn atan<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let far = s.gt(a, s.splat(1.0));
    let t = s.select(far, s.div(s.splat(1.0), a), a);
    let t2 = s.mul(t, t);
    // (atan t - t) / t^3 in t^2, t <= 1
    let q = poly(
        s,
        t2,
        [
            -0.333_333,
            0.199_985_49,
            -0.142_642_41,
            0.109_521_81,
            -0.084_034_37,
            0.057_957_36,
            -0.031_177_614,
            0.010_914_481,
            -0.001_793_593_9,
        ],
    );
    let y = s.fma(s.mul(t2, t), q, t);
    let turned = s.add(s.sub(s.splat(FRAC_PI_2), y), s.splat(HALF_PI_LOW));
    s.copysign(s.select(far, turned, y), x)
}

/// Arc sine of 0 <= t <= 1/2, of which t2 is the square.
#[inline(always)]
fn asin_near<S: Simd>(s: S, t: S::F, t2: S::F) -> S::F {
    // (asin t - t) / t^3 in t^2
    let q = poly(
        s,
        t2,
        [
            0.166_666_6,
            0.075_005_1,
            0.044_515_718,
            0.031_818_695,
            0.014_394_782,
            0.037_581_045,
        ],
    );
    s.fma(s.mul(t2, t), q, t)
}

/// a = |x|, whether it is above 1/2, and asin a there as pi/2 - 2 w: w, which is
/// asin a elsewhere.
#[inline(always)]
fn asin_parts<S: Simd>(s: S, x: S::F) -> (S::M, S::F) {
    let a = s.abs(x);
    let far = s.gt(a, s.splat(0.5));
    let half = s.fnma(s.splat(0.5), a, s.splat(0.5));
    let t2 = s.select(far, half, s.mul(a, a));
    let t = s.select(far, s.sqrt(half), a);
    (far, asin_near(s, t, t2))
}

/// Arc sine; NaN outside -1..1.
#[inline(always)]
pub fn asin<S: Simd>(s: S, x: S::F) -> S::F {
    let (far, w) = asin_parts(s, x);
    let turned = s.sub(s.splat(FRAC_PI_2), s.sub(s.add(w, w), s.splat(HALF_PI_LOW)));
    s.copysign(s.select(far, turned, w), x)
}

/// Arc cosine; NaN outside -1..1.
#[inline(always)]
pub fn acos<S: Simd>(s: S, x: S::F) -> S::F {
    let (far, w) = asin_parts(s, x);
    let negative = s.lt(x, s.zero());
    let twice = s.add(w, w);
    let below = s.sub(s.splat(PI), s.sub(twice, s.splat(PI_LOW)));
    let outer = s.select(negative, below, twice);
    let signed = s.select(negative, s.neg(w), w);
    let inner = s.sub(s.splat(FRAC_PI_2), s.sub(signed, s.splat(HALF_PI_LOW)));
    s.select(far, outer, inner)
}
