//! The library's functions against float64.

mod common;

use common::{bytes, f32s, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{ElementCode, elementwise},
};

/// A function, its limit in units in the last place, and what it computes.
type Unary<'a> = (&'a str, f64, &'a dyn Fn(f64, f64) -> f64);

/// WGSL and what it computes.
type Wide = (&'static str, fn(i64, i64) -> i64);

fn apply(code: &str, x: &[f32], y: &[f32]) -> Option<Vec<f32>> {
    let gpu = gpu()?;
    let view = f32s(&[x.len()]);
    let code = ElementCode::new(code);
    let inputs = [view.clone(), view.clone()];
    let kernels = elementwise(&inputs, &[view], &code, &[], &Caps::portable()).unwrap();
    let size = 4 * x.len() as u64;
    let got = run(&gpu, &kernels, &[bytes(x), bytes(y)], &[], &[size]).unwrap();
    Some(values(&got[0]))
}

/// Asserts that errors stay below so many units in the last place (of the smallest normal number
/// at least: GPUs may flush what is below).
fn ulps(name: &str, got: &[f32], x: &[f32], y: &[f32], limit: f64, f: impl Fn(f64, f64) -> f64) {
    for ((&got, &x), &y) in got.iter().zip(x).zip(y) {
        let wanted = f(f64::from(x), f64::from(y));
        let single = wanted as f32;
        let same = got == single || (got.is_nan() && single.is_nan());
        let unit = (wanted.abs().max(1.2e-38).log2().floor() - 23.0).exp2();
        let error = (f64::from(got) - wanted).abs() / unit;
        let flushed = single.abs() < f32::MIN_POSITIVE && got == 0.0;
        assert!(
            same || flushed || error <= limit,
            "{name}({x:e}, {y}): got {got:e}, wanted {wanted:e}: {error} ulp"
        );
    }
}

fn spread(seed: u64, scales: &[f32]) -> Vec<f32> {
    let mut all = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        88.7,
        -87.3,
        89.0,
        -103.0,
        1e-30,
        -1e-30,
        3e38,
        -3e38,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-42,
        0.999_999_94,
        1.000_000_1,
        0.707_106_77,
    ];
    for (i, scale) in scales.iter().enumerate() {
        all.extend(random(seed + i as u64, 4000).iter().map(|x| x * scale));
    }
    all
}

/// Nothing cancels near 1.
fn acosh(x: f64) -> f64 {
    let t = x - 1.0;
    (t + (t * (t + 2.0)).sqrt()).ln_1p()
}

#[test]
fn one_argument() {
    let x = spread(1, &[1e-4, 0.1, 1.0, 4.0, 10.0, 100.0]);
    let erf = |x: f64, _| erf(x);
    let cases: [Unary; 17] = [
        ("lam_exp", 2.0, &|x, _| x.exp()),
        ("lam_expm1", 4.0, &|x, _| x.exp_m1()),
        ("lam_log", 3.0, &|x, _| x.ln()),
        ("lam_log1p", 4.0, &|x, _| x.ln_1p()),
        ("lam_tanh", 6.0, &|x, _| x.tanh()),
        ("lam_sigmoid", 5.0, &|x, _| 1.0 / (1.0 + (-x).exp())),
        ("lam_softplus", 6.0, &|x, _| {
            x.max(0.0) + (-x.abs()).exp().ln_1p()
        }),
        ("lam_erf", 4.0, &erf),
        ("lam_sinh", 6.0, &|x, _| x.sinh()),
        ("lam_cosh", 6.0, &|x, _| x.cosh()),
        ("lam_asinh", 8.0, &|x, _| x.asinh()),
        ("lam_acosh", 8.0, &|x, _| {
            if x < 1.0 { f64::NAN } else { acosh(x) }
        }),
        ("lam_atanh", 8.0, &|x, _| x.atanh()),
        ("lam_asin", 6.0, &|x, _| x.asin()),
        ("lam_acos", 6.0, &|x, _| x.acos()),
        ("lam_atan", 6.0, &|x, _| x.atan()),
        ("lam_softsign", 4.0, &|x, _| x / (1.0 + x.abs())),
    ];
    for (name, limit, f) in cases {
        let Some(got) = apply(&format!("out0 = {name}(in0);"), &x, &x) else {
            return;
        };
        let f = |x: f64, y: f64| if x.is_nan() { x } else { f(x, y) };
        ulps(name, &got, &x, &x, limit, f);
    }
    // Where the exponential is subnormal, so are the digits of its product with x.
    let x: Vec<f32> = x.into_iter().filter(|x| *x > -80.0).collect();
    let got = apply("out0 = lam_mish(in0);", &x, &x).unwrap();
    ulps("mish", &got, &x, &x, 10.0, |x, _| {
        x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()
    });
}

#[test]
fn angles_of_any_size() {
    let mut x = spread(20, &[1e-3, 1.0, 7.0, 1e3, 1e6, 1e12, 1e30]);
    // Near multiples of a quarter turn, where the remainder is small.
    for k in 1..2000 {
        x.push((f64::from(k) * std::f64::consts::FRAC_PI_2) as f32);
    }
    x.push(16_367_173.0 * 2_f32.powi(72));
    let Some(got) = apply("out0 = lam_sin(in0);", &x, &x) else {
        return;
    };
    ulps("sin", &got, &x, &x, 3.0, |x, _| x.sin());
    let got = apply("out0 = lam_cos(in0);", &x, &x).unwrap();
    ulps("cos", &got, &x, &x, 3.0, |x, _| x.cos());
    let got = apply("out0 = lam_tan(in0);", &x, &x).unwrap();
    ulps("tan", &got, &x, &x, 6.0, |x, _| x.tan());
}

#[test]
fn powers() {
    let mut x: Vec<f32> = random(31, 8000).iter().map(|x| (x * 20.0).exp2()).collect();
    let mut y: Vec<f32> = random(32, 8000).iter().map(|y| y * 6.0).collect();
    x.extend(random(33, 8000).iter().map(|x| 1.0 + x * 0.01));
    y.extend(random(34, 8000).iter().map(|y| y * 9000.0));
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        3.0,
        -3.0,
        0.5,
        -0.5,
        1.5,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-40,
        16_777_217.0,
        33_554_432.0,
        -7.0,
        1e30,
        0.999,
    ];
    for a in edges {
        for b in edges {
            x.push(a);
            y.push(b);
        }
    }
    let Some(got) = apply("out0 = lam_pow(in0, in1);", &x, &y) else {
        return;
    };
    ulps("pow", &got, &x, &y, 2.5, f64::powf);
}

#[test]
fn extremes_carry_nan() {
    let x = spread(41, &[1.0]);
    let y: Vec<f32> = x.iter().rev().copied().collect();
    let Some(got) = apply("out0 = lam_max(in0, in1);", &x, &y) else {
        return;
    };
    let nan = |x: f64, y: f64| x.is_nan() || y.is_nan();
    ulps("max", &got, &x, &y, 0.0, |x, y| {
        if nan(x, y) { f64::NAN } else { x.max(y) }
    });
    let got = apply("out0 = lam_min(in0, in1);", &x, &y).unwrap();
    ulps("min", &got, &x, &y, 0.0, |x, y| {
        if nan(x, y) { f64::NAN } else { x.min(y) }
    });
}

#[test]
fn wide_integers() {
    let Some(gpu) = gpu() else { return };
    let mut a: Vec<i64> = vec![
        0,
        1,
        -1,
        i64::MAX,
        i64::MIN,
        1 << 32,
        (1 << 32) - 1,
        -(1 << 33) + 5,
    ];
    let mut state = 12345_u64;
    for i in 0..500 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        a.push((state as i64) >> (i % 60));
    }
    let b: Vec<i64> = a.iter().rev().copied().collect();
    let n = a.len();
    let wide = Operand::contiguous(Storage::I64, &[n]);
    let caps = Caps::portable();
    let cases: [Wide; 4] = [
        ("lam_i64_add(in0, in1)", i64::wrapping_add),
        ("lam_i64_sub(in0, in1)", i64::wrapping_sub),
        ("lam_i64_mul(in0, in1)", i64::wrapping_mul),
        (
            "lam_i64_from_i32(select(0, 1, lam_i64_lt(in0, in1)) + select(0, 2, lam_i64_eq(in0, in1)))",
            |a, b| i64::from(a < b) + 2 * i64::from(a == b),
        ),
    ];
    for (code, f) in cases {
        let code = ElementCode::new(format!("out0 = {code};"));
        let kernels = elementwise(
            &[wide.clone(), wide.clone()],
            std::slice::from_ref(&wide),
            &code,
            &[],
            &caps,
        )
        .unwrap();
        let got = run(
            &gpu,
            &kernels,
            &[bytes(&a), bytes(&b)],
            &[],
            &[8 * n as u64],
        )
        .unwrap();
        let wanted: Vec<i64> = a.iter().zip(&b).map(|(&a, &b)| f(a, b)).collect();
        assert_eq!(values::<i64>(&got[0]), wanted, "{code:?}");
    }
    let code = ElementCode::new("out0 = lam_i64_to_f32(in0); out1 = lam_i64_from_f32(in1);");
    let floats: Vec<f32> = a
        .iter()
        .map(|&a| a as f32 * 0.75)
        .chain([f32::NAN, 1e30, -1e30])
        .take(n)
        .collect();
    let outputs = [f32s(&[n]), wide.clone()];
    let kernels = elementwise(&[wide, f32s(&[n])], &outputs, &code, &[], &caps).unwrap();
    let sizes = [4 * n as u64, 8 * n as u64];
    let got = run(&gpu, &kernels, &[bytes(&a), bytes(&floats)], &[], &sizes).unwrap();
    let wanted: Vec<f32> = a.iter().map(|&a| a as f32).collect();
    assert_eq!(values::<f32>(&got[0]), wanted);
    let wanted: Vec<i64> = floats.iter().map(|&f| f as i64).collect();
    assert_eq!(values::<i64>(&got[1]), wanted);
}

/// erf in float64: the Maclaurin series, and Lentz's continued fraction of erfc for large x.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    if size < 2.5 {
        let (mut term, mut sum) = (x, x);
        for k in 1..80 {
            term *= -x * x / f64::from(k);
            sum += term / f64::from(2 * k + 1);
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let mut fraction = size;
    for k in (1..200).rev() {
        fraction = size + f64::from(k) / 2.0 / fraction;
    }
    let tail = (-x * x).exp() / (std::f64::consts::PI.sqrt() * fraction);
    x.signum() * (1.0 - tail)
}
