//! Every function of f32, on every instance.

use super::{Random, SIZES, apply, one};
use crate::chain::Func;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::math::double;

/// A function, its definition in f64 and the error allowed, in units of the
/// last place.
type Case1 = (Func, fn(f64) -> f64, f64);
type Case2 = (Func, fn(f64, f64) -> f64, f64);

fn leaky(x: f64) -> f64 {
    if x < 0.0 { x * f64::from(0.1f32) } else { x }
}

fn sign(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() {
        x
    } else {
        x.signum()
    }
}

const ELU: Func = Func::Elu {
    alpha: 1.5,
    scale: 1.25,
    input_scale: 0.5,
};

fn elu(x: f64) -> f64 {
    1.25 * if x < 0.0 { 1.5 * (0.5 * x).exp_m1() } else { x }
}

fn softplus(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The standard library's loses digits near 0.
fn asinh(x: f64) -> f64 {
    let a = x.abs();
    if a > 1e150 {
        return (a.ln() + std::f64::consts::LN_2).copysign(x);
    }
    (a + a * a / (1.0 + (a * a + 1.0).sqrt()))
        .ln_1p()
        .copysign(x)
}

fn acosh(x: f64) -> f64 {
    if x < 1.0 {
        return f64::NAN;
    }
    if x > 1e150 {
        return x.ln() + std::f64::consts::LN_2;
    }
    let t = x - 1.0;
    (t + (t * (t + 2.0)).sqrt()).ln_1p()
}

fn atanh(x: f64) -> f64 {
    let a = x.abs();
    (0.5 * (2.0 * a / (1.0 - a)).ln_1p()).copysign(x)
}

const UNARY: [Case1; 43] = [
    (Func::Neg, |x| -x, 0.0),
    (Func::Abs, f64::abs, 0.0),
    (Func::Sign, sign, 0.0),
    (Func::Floor, f64::floor, 0.0),
    (Func::Ceil, f64::ceil, 0.0),
    (Func::Round, f64::round_ties_even, 0.0),
    (Func::Reciprocal, |x| 1.0 / x, 0.5),
    (Func::Square, |x| x * x, 0.5),
    (Func::Sqrt, f64::sqrt, 0.5),
    (Func::Rsqrt, |x| 1.0 / x.sqrt(), 1.5),
    (Func::Exp, f64::exp, 2.0),
    (Func::Log, f64::ln, 2.0),
    (Func::Sin, f64::sin, 0.6),
    (Func::Cos, f64::cos, 0.6),
    (Func::Trunc, f64::trunc, 0.0),
    (Func::Expm1, f64::exp_m1, 3.0),
    (Func::Log1p, f64::ln_1p, 3.0),
    (Func::Tan, f64::tan, 0.6),
    (Func::Asin, f64::asin, 3.0),
    (Func::Acos, f64::acos, 3.0),
    (Func::Atan, f64::atan, 3.0),
    (Func::Sinh, f64::sinh, 4.0),
    (Func::Cosh, f64::cosh, 3.0),
    (Func::Asinh, asinh, 4.0),
    (Func::Acosh, acosh, 4.0),
    (Func::Atanh, atanh, 4.0),
    (Func::Softplus, softplus, 4.0),
    (Func::Softsign, |x| x / (1.0 + x.abs()), 1.5),
    (Func::Mish, |x| x * softplus(x).tanh(), 5.0),
    (ELU, elu, 4.0),
    (Func::Tanh, f64::tanh, 2.0),
    (Func::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.5),
    (Func::Erf, double::erf, 2.0),
    (Func::Gelu, double::gelu, 40.0),
    (Func::GeluTanh, double::gelu_tanh, 40.0),
    (Func::Relu, |x| if x < 0.0 { 0.0 } else { x }, 0.0),
    (Func::LeakyRelu { slope: 0.1 }, leaky, 0.5),
    (
        Func::Clip { lo: -1.5, hi: 2.0 },
        |x| x.clamp(-1.5, 2.0),
        0.0,
    ),
    (Func::PowConst { exponent: 2.0 }, |x| x * x, 0.5),
    (Func::PowConst { exponent: 3.0 }, |x| x * x * x, 1.5),
    (Func::PowConst { exponent: 0.5 }, f64::sqrt, 0.5),
    (Func::PowConst { exponent: -1.0 }, |x| 1.0 / x, 0.5),
    (Func::PowConst { exponent: 2.5 }, |x| x.powf(2.5), 0.6),
];

fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

fn minimum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

fn remainder(a: f64, b: f64) -> f64 {
    let r = a % b;
    if r != 0.0 && (r < 0.0) != (b < 0.0) {
        r + b
    } else {
        r
    }
}

fn floor_div(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        a / b
    } else if b.is_infinite() && a.is_finite() {
        if (a < 0.0) == (b < 0.0) || a == 0.0 {
            0.0
        } else {
            -1.0
        }
    } else {
        ((a - remainder(a, b)) / b).round()
    }
}

const BINARY: [Case2; 10] = [
    (Func::Add, |a, b| a + b, 0.5),
    (Func::Sub, |a, b| a - b, 0.5),
    (Func::Mul, |a, b| a * b, 0.5),
    (Func::Div, |a, b| a / b, 0.5),
    (Func::FloorDiv, floor_div, 0.5),
    (Func::Remainder, remainder, 0.5),
    (Func::Fmod, |a, b| a % b, 0.0),
    (Func::Pow, f64::powf, 0.6),
    (Func::Maximum, maximum, 0.0),
    (Func::Minimum, minimum, 0.0),
];

type Comparison = (Func, fn(f32, f32) -> bool);

const COMPARISONS: [Comparison; 6] = [
    (Func::Eq, |a, b| a == b),
    (Func::Ne, |a, b| a != b),
    (Func::Lt, |a, b| a < b),
    (Func::Le, |a, b| a <= b),
    (Func::Gt, |a, b| a > b),
    (Func::Ge, |a, b| a >= b),
];

/// Ordinary values with the special ones strewn in.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        2.5,
        -0.5,
        1.0,
        1e30,
        3e7,
    ];
    let mut random = Random(seed);
    (0..n)
        .map(|_| match random.below(4) {
            0 => special[random.below(special.len())],
            _ => random.float(),
        })
        .collect()
}

fn close(got: f32, want: f64, ulps: f64) -> bool {
    let rounded = want as f32;
    if got == rounded || (got.is_nan() && rounded.is_nan()) {
        return true;
    }
    let exponent = ((rounded.to_bits() >> 23) & 0xFF).max(1) as i32;
    (f64::from(got) - want).abs() <= (ulps + 1e-6) * 2f64.powi(exponent - 150)
}

#[test]
fn every_function_follows_its_definition() {
    for isa in Isa::available() {
        for n in SIZES {
            let (a, b) = (values(n, 1 + n as u64), values(n, 99 + n as u64));
            for (func, want, ulps) in UNARY {
                let got: Vec<f32> = apply(isa, &one(func, DType::F32), &[&a]);
                for (x, y) in a.iter().zip(&got) {
                    let want = want(f64::from(*x));
                    assert!(
                        close(*y, want, ulps),
                        "{isa} {func:?}({x}): {y}, not {want}"
                    );
                }
            }
            for (func, want, ulps) in BINARY {
                let got: Vec<f32> = apply(isa, &one(func, DType::F32), &[&a, &b]);
                for ((x, y), z) in a.iter().zip(&b).zip(&got) {
                    let want = want(f64::from(*x), f64::from(*y));
                    assert!(
                        close(*z, want, ulps),
                        "{isa} {func:?}({x}, {y}): {z}, not {want}"
                    );
                }
            }
            for (func, want) in COMPARISONS {
                let got: Vec<u8> = apply(isa, &one(func, DType::F32), &[&a, &b]);
                for ((x, y), z) in a.iter().zip(&b).zip(&got) {
                    assert_eq!(*z, u8::from(want(*x, *y)), "{isa} {func:?}({x}, {y})");
                }
            }
            let got: Vec<u8> = apply(isa, &one(Func::IsNan, DType::F32), &[&a]);
            assert!(a.iter().zip(&got).all(|(x, y)| x.is_nan() == (*y == 1)));
        }
    }
}

#[test]
fn zero_keeps_its_sign() {
    let check = |func, x: f32, want: f32| {
        let got: Vec<f32> = apply(Isa::current(), &one(func, DType::F32), &[&[x]]);
        assert_eq!(got[0].to_bits(), want.to_bits(), "{func:?}({x})");
    };
    for func in [
        Func::Neg,
        Func::Sin,
        Func::Tanh,
        Func::Erf,
        Func::Gelu,
        Func::GeluTanh,
        Func::Sqrt,
        Func::Floor,
    ] {
        let flip = if func == Func::Neg { -1.0 } else { 1.0 };
        check(func, -0.0, -0.0 * flip);
    }
}

#[test]
fn a_large_angle_leaves_its_neighbours_alone() {
    let few = [0.5f32, 1.5, 2.5];
    let with = [0.5f32, 1.5, 2.5, 1e20];
    for func in [Func::Sin, Func::Cos] {
        let a: Vec<f32> = apply(Isa::current(), &one(func, DType::F32), &[&few]);
        let b: Vec<f32> = apply(Isa::current(), &one(func, DType::F32), &[&with]);
        assert_eq!(a, b[..3]);
    }
}
