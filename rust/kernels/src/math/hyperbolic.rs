//! Hyperbolic functions, their inverses, and what is made of e^x - 1 and
//! ln(1 + x), of f32: within 4 ulp.

use super::{exp, exp_parts, exp_reduced, log, poly};
use crate::simd::Simd;
use std::f32::consts::LN_2;

/// e^x - 1 without cancellation: with e^x = 2^n e^r and n = a + b it is
/// 2^b (2^a (e^r - 1) + 2^a - 2^-b), which overflows only where e^x does.
#[inline(always)]
pub fn expm1<S: Simd>(s: S, x: S::F) -> S::F {
    let bounded = s.min(s.splat(89.0), s.max(s.splat(-30.0), x));
    let (n, r, q) = exp_reduced(s, bounded);
    let p = s.fma(s.mul(r, r), q, r);
    let n = s.round_to_i(n);
    let a = s.shr_i::<1>(n);
    let b = s.sub_i(n, a);
    let up = s.power_of_two(a);
    let down = s.power_of_two(s.sub_i(s.splat_i(0), b));
    let y = s.mul(s.fma(up, p, s.sub(up, down)), s.power_of_two(b));
    // -0 stays.
    s.select(s.eq(x, s.zero()), x, y)
}

/// ln(1 + x): the logarithm of u = 1 + x as rounded, and what was lost over u.
#[inline(always)]
pub fn log1p<S: Simd>(s: S, x: S::F) -> S::F {
    let u = s.add(s.splat(1.0), x);
    let lost = s.sub(x, s.sub(u, s.splat(1.0)));
    let log_u = log(s, u);
    let y = s.add(log_u, s.div(lost, u));
    // Infinity and NaN; ln 0.
    let y = s.select(s.lt(x, s.splat(f32::INFINITY)), y, x);
    let y = s.select(s.eq(u, s.zero()), log_u, y);
    s.select(s.eq(x, s.zero()), x, y)
}

/// e^x / 2, which overflows later than e^x.
#[inline(always)]
fn half_exp<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.min(s.splat(90.0), s.max(s.splat(-105.0), x));
    let (n, e) = exp_parts(s, x);
    s.scale(e, s.sub(n, s.splat(1.0)))
}

/// (e^x - e^-x) / 2, of which the second part is 1/4 over the first.
#[inline(always)]
pub fn sinh<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let h = half_exp(s, a);
    let far = s.sub(h, s.div(s.splat(0.25), h));
    let x2 = s.mul(x, x);
    // (sinh x - x) / x^3 in x^2, |x| <= 1
    let q = poly(
        s,
        x2,
        [0.166_666_67, 0.008_333_35, 0.000_198_361_6, 2.816_951_3e-6],
    );
    let near = s.fma(s.mul(x2, a), q, a);
    s.copysign(s.select(s.lt(a, s.splat(1.0)), near, far), x)
}

/// (e^x + e^-x) / 2.
#[inline(always)]
pub fn cosh<S: Simd>(s: S, x: S::F) -> S::F {
    let h = half_exp(s, s.abs(x));
    s.add(h, s.div(s.splat(0.25), h))
}

/// ln(a + sqrt(a^2 + 1)), a = |x|, as ln(1 + a + a^2 / (1 + sqrt(a^2 + 1)));
/// from 10^4 on as ln a + ln 2, since a^2 would overflow.
#[inline(always)]
pub fn asinh<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let (one, a2) = (s.splat(1.0), s.mul(a, a));
    let root = s.sqrt(s.add(a2, one));
    let near = log1p(s, s.add(a, s.div(a2, s.add(one, root))));
    let far = s.add(log(s, a), s.splat(LN_2));
    s.copysign(s.select(s.gt(a, s.splat(1e4)), far, near), x)
}

/// ln(x + sqrt(x^2 - 1)) as ln(1 + t + sqrt(2 t + t^2)), t = x - 1; NaN below 1.
#[inline(always)]
pub fn acosh<S: Simd>(s: S, x: S::F) -> S::F {
    let t = s.sub(x, s.splat(1.0));
    let root = s.sqrt(s.mul(t, s.add(t, s.splat(2.0))));
    let near = log1p(s, s.add(t, root));
    let far = s.add(log(s, x), s.splat(LN_2));
    let y = s.select(s.gt(x, s.splat(1e4)), far, near);
    s.select(s.lt(x, s.splat(1.0)), s.splat(f32::NAN), y)
}

/// ln((1 + a) / (1 - a)) / 2, a = |x|, as ln(1 + 2 a / (1 - a)) / 2; NaN beyond 1.
#[inline(always)]
pub fn atanh<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let ratio = s.div(s.add(a, a), s.sub(s.splat(1.0), a));
    s.copysign(s.mul(s.splat(0.5), log1p(s, ratio)), x)
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|).
#[inline(always)]
pub fn softplus<S: Simd>(s: S, x: S::F) -> S::F {
    let small = log1p(s, exp(s, s.neg(s.abs(x))));
    // NaN stays, since `max` gives its second operand then.
    s.add(s.max(s.zero(), x), small)
}

/// x tanh(ln(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2).
#[inline(always)]
pub fn mish<S: Simd>(s: S, x: S::F) -> S::F {
    let two = s.splat(2.0);
    let e = exp(s, s.min(s.splat(20.0), x));
    let n = s.mul(e, s.add(e, two));
    s.mul(x, s.div(n, s.add(n, two)))
}

/// scale x where x > 0, else scale alpha (e^(`input_scale` x) - 1).
#[inline(always)]
pub fn elu<S: Simd>(s: S, x: S::F, [alpha, scale, input_scale]: [f32; 3]) -> S::F {
    let bent = s.mul(
        s.splat(alpha * scale),
        expm1(s, s.mul(x, s.splat(input_scale))),
    );
    s.select(s.lt(x, s.zero()), bent, s.mul(x, s.splat(scale)))
}
