//! Functions computed in double precision: sin, cos and pow of f32 (one
//! branch-free expression each, so that a loop over them vectorises), and
//! erf of f64.

/// 1.5 * 2^52: adding it leaves a small integer in the low mantissa bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// Up to here [`sin`] and [`cos`] are good; beyond, [`sin_any`] is.
pub const LARGE_ANGLE: f32 = 1_048_576.0;

/// x = q pi/2 + r with |r| <= pi/4: sine and cosine of r, and q's low bits.
#[inline(always)]
fn quadrant(x: f32) -> (f64, f64, u64) {
    // pi/2 in two parts; the first has 33 bits, so that its product with a
    // quadrant number below 2^20 is exact.
    const HI: f64 = 1.570_796_326_734_125_6;
    const LO: f64 = 6.077_100_506_506_192e-11;
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * HI) - n * LO;
    let r2 = r * r;
    // (sin r - r) / r^3 and (cos r - 1 + r^2/2) / r^4 in r^2
    let p = -0.166_666_666_407_756_8
        + r2 * (0.008_333_329_302_367_909
            + r2 * (-0.000_198_393_114_724_680_2 + r2 * 2.718_114_012_421_718_5e-6));
    let q = 0.041_666_666_619_452_27
        + r2 * (-0.001_388_888_349_675_240_4
            + r2 * (2.479_945_928_550_683_4e-5 - r2 * 2.720_568_283_422_983e-7));
    let sin = r + r * r2 * p;
    let cos = (1.0 - 0.5 * r2) + r2 * r2 * q;
    (sin, cos, shifted.to_bits())
}

/// `odd ? cos : sin`, negated where the second bit of the quadrant is set.
#[inline(always)]
fn turn(sin: f64, cos: f64, quadrant: u64) -> f32 {
    let value = if quadrant & 1 == 1 { cos } else { sin };
    f64::from_bits(value.to_bits() ^ (quadrant & 2) << 62) as f32
}

/// Sine for |x| <= [`LARGE_ANGLE`].
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (sin, cos, q) = quadrant(x);
    // -0 stays.
    if x == 0.0 { x } else { turn(sin, cos, q) }
}

/// Cosine for |x| <= [`LARGE_ANGLE`].
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let (sin, cos, q) = quadrant(x);
    turn(sin, cos, q.wrapping_add(1))
}

/// Tangent for |x| <= [`LARGE_ANGLE`]: sin / cos, or -cos / sin a quarter turn on.
#[inline(always)]
pub fn tan(x: f32) -> f32 {
    let (sin, cos, q) = quadrant(x);
    let odd = q & 1 == 1;
    let ratio = if odd { -cos / sin } else { sin / cos };
    if x == 0.0 { x } else { ratio as f32 }
}

/// Sine of any angle; where [`sin`] is good, its value.
pub fn sin_any(x: f32) -> f32 {
    if x.abs() <= LARGE_ANGLE {
        sin(x)
    } else {
        f64::from(x).sin() as f32
    }
}

/// Cosine of any angle; where [`cos`] is good, its value.
pub fn cos_any(x: f32) -> f32 {
    if x.abs() <= LARGE_ANGLE {
        cos(x)
    } else {
        f64::from(x).cos() as f32
    }
}

/// Tangent of any angle; where [`tan`] is good, its value.
pub fn tan_any(x: f32) -> f32 {
    if x.abs() <= LARGE_ANGLE {
        tan(x)
    } else {
        f64::from(x).tan() as f32
    }
}

/// log2 of a positive finite number, within 2^-39 of its size.
#[inline(always)]
fn log2(x: f64) -> f64 {
    // x = 2^e m with m in [sqrt(1/2), sqrt(2))
    const HALF: u64 = 0x3FE6_A09E_667F_3BCD;
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    let offset = x.to_bits().wrapping_sub(HALF).wrapping_add(1023 << 52);
    let e = f64::from_bits((offset >> 52) | TWO_52) - (f64::from_bits(TWO_52) + 1023.0);
    let m = f64::from_bits((offset & ((1 << 52) - 1)).wrapping_add(HALF));
    // ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let series = 1.0
        + t * (1.0 / 3.0
            + t * (1.0 / 5.0
                + t * (1.0 / 7.0
                    + t * (1.0 / 9.0 + t * (1.0 / 11.0 + t * (1.0 / 13.0 + t * (1.0 / 15.0)))))));
    e + s * series * (2.0 * std::f64::consts::LOG2_E)
}

/// 2^z for |z| <= 1000, within 2^-31 of its size.
#[inline(always)]
fn exp2(z: f64) -> f64 {
    let shifted = z + MAGIC;
    let f = (z - (shifted - MAGIC)) * std::f64::consts::LN_2;
    // e^f, |f| <= 0.347
    let e = 1.0
        + f * (1.0
            + f * (1.0 / 2.0
                + f * (1.0 / 6.0
                    + f * (1.0 / 24.0
                        + f * (1.0 / 120.0
                            + f * (1.0 / 720.0
                                + f * (1.0 / 5040.0 + f * (1.0 / 40_320.0 + f / 362_880.0))))))));
    e * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// x to the power y, with C's special cases.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    let a = x.abs();
    // The logarithm of 1 stands in where a is 0 or infinite.
    let ordinary = a > 0.0 && a < f32::INFINITY;
    let log = log2(f64::from(if ordinary { a } else { 1.0 }));
    let z = f64::from(y) * log;
    let z = if z > 300.0 { 300.0 } else { z };
    let z = if z < -300.0 { -300.0 } else { z };
    let power = exp2(z) as f32;
    // 0^y and inf^y: 0 or infinity by the sign of y.
    let vanishes = (a == 0.0) == (y > 0.0);
    let edge = if vanishes { 0.0 } else { f32::INFINITY };
    let power = if ordinary { power } else { edge };
    // |y| >= 2^24 is an even integer.
    let big = y.abs() >= 16_777_216.0;
    let y_small = if big { 0.0 } else { y };
    let whole = y_small as i32 as f32 == y_small;
    let odd = whole && y_small as i32 & 1 == 1;
    let negative = x.to_bits() >> 31 == 1;
    let power = if negative && odd { -power } else { power };
    let power = if x < 0.0 && x > f32::NEG_INFINITY && !whole {
        f32::NAN
    } else {
        power
    };
    let power = if x.is_nan() || y.is_nan() {
        f32::NAN
    } else {
        power
    };
    // 1^inf and (-1)^inf are 1.
    if y == 0.0 || x == 1.0 || (a == 1.0 && y.abs() == f32::INFINITY) {
        1.0
    } else {
        power
    }
}

/// The error function within 1e-15.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if x.is_nan() {
        return x;
    } else if a < 2.5 {
        erf_series(a)
    } else if a < 6.0 {
        1.0 - erfc_fraction(a)
    } else {
        1.0
    };
    value.copysign(x)
}

/// erf x = 2/sqrt(pi) e^-x^2 sum 2^n x^(2n+1) / (1 3 5 ... (2n+1)): all terms
/// are positive, so nothing cancels.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term > sum * 1e-17 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// erfc x = e^-x^2 / sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))),
/// from the inside out; 60 levels are exact for x >= 2.5.
fn erfc_fraction(x: f64) -> f64 {
    let mut tail = x;
    for k in (1..=60).rev() {
        tail = x + f64::from(k) / 2.0 / tail;
    }
    (-x * x).exp() / (std::f64::consts::PI.sqrt() * tail)
}

/// x/2 (1 + erf(x / sqrt 2))
pub fn gelu(x: f64) -> f64 {
    let a = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    if x > -3.6 {
        return 0.5 * x * (1.0 + erf(a).copysign(x));
    }
    // 1 + erf would cancel.
    0.5 * x * erfc_fraction(a)
}

/// x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3)))
pub fn gelu_tanh(x: f64) -> f64 {
    let inner = x * (1.0 + 0.044_715 * x * x);
    x / (1.0 + (-2.0 * std::f64::consts::FRAC_2_PI.sqrt() * inner).exp())
}
