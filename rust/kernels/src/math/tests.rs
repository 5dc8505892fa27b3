use super::{double, erf, exp, gelu, gelu_tanh, log, sigmoid, tanh};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};

type Reference<'a> = &'a dyn Fn(f64) -> f64;

#[derive(Clone, Copy, Debug)]
enum Which {
    Exp,
    Log,
    Tanh,
    Sigmoid,
    Erf,
    Gelu,
    GeluTanh,
}

struct Apply<'a>(Which, &'a [f32], &'a mut [f32]);

impl Kernel for Apply<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Apply(which, src, dst) = self;
        for (x, y) in src.chunks(S::LANES).zip(dst.chunks_mut(S::LANES)) {
            let v = s.load_part(x);
            let v = match which {
                Which::Exp => exp(s, v),
                Which::Log => log(s, v),
                Which::Tanh => tanh(s, v),
                Which::Sigmoid => sigmoid(s, v),
                Which::Erf => erf(s, v),
                Which::Gelu => gelu(s, v),
                Which::GeluTanh => gelu_tanh(s, v),
            };
            s.store_part(y, v);
        }
    }
}

/// Every 997th bit pattern, and the corners.
fn floats() -> Vec<f32> {
    let corners = [
        0.0, -0.0, 1.0, -1.0, 0.625, 0.93, 0.95, 3.95, 20.0, 88.72, 88.73, -87.4, -103.9, -104.0,
    ];
    let edges = [
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        f32::INFINITY,
        -f32::INFINITY,
    ];
    let mut all: Vec<f32> = (0..u32::MAX / 997)
        .map(|i| f32::from_bits(i * 997))
        .collect();
    all.extend(corners);
    all.extend(edges);
    all
}

/// The distance from the true value in units of the last place there.
fn ulps(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.to_bits() == rounded.to_bits() || (got.is_nan() && want.is_nan()) {
        return 0.0;
    }
    if !got.is_finite() || !rounded.is_finite() {
        // Overflow may come half a unit early or late.
        let near = f64::from(f32::MAX);
        return if (want.abs() - near).abs() / near < 1e-6 {
            1.0
        } else {
            f64::INFINITY
        };
    }
    let exponent = ((rounded.to_bits() >> 23) & 0xFF).max(1) as i32;
    (f64::from(got) - want).abs() / 2f64.powi(exponent - 150)
}

fn worst(xs: &[f32], got: &[f32], want: impl Fn(f64) -> f64) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for (x, y) in xs.iter().zip(got) {
        let error = ulps(*y, want(f64::from(*x)));
        if error > worst.0 {
            worst = (error, *x);
        }
    }
    worst
}

#[test]
fn vectors_stay_within_their_bounds_everywhere() {
    let xs = floats();
    let mut ys = vec![0.0; xs.len()];
    let stable = |x: f64| {
        if x < 0.0 {
            x.exp() / (1.0 + x.exp())
        } else {
            1.0 / (1.0 + (-x).exp())
        }
    };
    let cases: [(Which, Reference, f64); 5] = [
        (Which::Exp, &f64::exp, 2.0),
        (Which::Log, &f64::ln, 2.0),
        (Which::Tanh, &f64::tanh, 2.0),
        (Which::Sigmoid, &stable, 2.5),
        (Which::Erf, &double::erf, 2.0),
    ];
    for isa in Isa::available() {
        for (which, want, limit) in cases {
            dispatch(isa, Apply(which, &xs, &mut ys));
            let (error, at) = worst(&xs, &ys, want);
            println!("{isa} {which:?}: {error:.3} ulp at {at}");
            assert!(error <= limit, "{isa} {which:?}: {error} ulp at {at:e}");
        }
    }
}

#[test]
fn gelu_is_close_where_it_counts() {
    let xs = floats();
    let mut ys = vec![0.0; xs.len()];
    let below = |x: f32, from: f32, to: f32| (from..to).contains(&x);
    for isa in Isa::available() {
        for (which, want) in [
            (Which::Gelu, double::gelu as fn(f64) -> f64),
            (Which::GeluTanh, double::gelu_tanh),
        ] {
            dispatch(isa, Apply(which, &xs, &mut ys));
            let mut worst = [0.0f64; 3];
            for (x, y) in xs.iter().zip(&ys) {
                let want = want(f64::from(*x));
                let error = ulps(*y, want);
                if *x >= -1.0 || x.is_nan() {
                    worst[0] = worst[0].max(error);
                } else if below(*x, -5.5, -1.0) {
                    worst[1] = worst[1].max(error);
                } else if *x > f32::NEG_INFINITY {
                    worst[2] = worst[2].max((f64::from(*y) - want).abs());
                }
            }
            println!("{isa} {which:?}: {worst:?}");
            assert!(
                worst[0] <= 4.0 && worst[1] <= 60.0 && worst[2] <= 1e-9,
                "{isa} {which:?}: {worst:?}"
            );
        }
    }
}

#[test]
fn angles_are_nearly_correctly_rounded() {
    let xs: Vec<f32> = floats()
        .into_iter()
        .filter(|x| x.abs() <= double::LARGE_ANGLE)
        .collect();
    let sin: Vec<f32> = xs.iter().map(|x| double::sin(*x)).collect();
    let cos: Vec<f32> = xs.iter().map(|x| double::cos(*x)).collect();
    assert!(worst(&xs, &sin, f64::sin).0 <= 0.6);
    assert!(worst(&xs, &cos, f64::cos).0 <= 0.6);
    assert_eq!(double::sin(-0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!(double::sin_any(3e38), (f64::from(3e38f32)).sin() as f32);
}

#[test]
fn powers_follow_c() {
    let xs: Vec<f32> = (0..u32::MAX / 3_999_971)
        .map(|i| f32::from_bits(i * 3_999_971))
        .collect();
    let inf = f32::INFINITY;
    let mut ys = vec![
        0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 3.0, -3.0, 0.1, 17.3, -9.7, 1e10, inf, -inf,
    ];
    ys.extend([f32::NAN, 16_777_215.0, 33_554_434.0, 1e-30]);
    let corners = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        inf,
        -inf,
        f32::NAN,
        1e-45,
        -1e-45,
        0.999_999_9,
        1.000_000_1,
        -2.0,
    ];
    for x in xs.iter().chain(&corners) {
        for y in &ys {
            let want = f64::from(*x).powf(f64::from(*y));
            let error = ulps(double::pow(*x, *y), want);
            assert!(
                error <= 0.6 || (error <= 1.0 && want.abs() > 3e38),
                "{x}^{y}: {error}"
            );
        }
    }
}

#[test]
fn erf_matches_the_tables() {
    let table = [
        (1e-300, 1.128_379_167_095_512_6e-300),
        (1e-5, 1.128_379_167_057_9e-5),
        (0.1, 0.112_462_916_018_284_9),
        (0.5, 0.520_499_877_813_046_5),
        (0.9, 0.796_908_212_422_832_2),
        (1.0, 0.842_700_792_949_714_9),
        (1.5, 0.966_105_146_475_310_8),
        (2.0, 0.995_322_265_018_952_7),
        (2.49, 0.999_570_712_132_266_1),
        (2.5, 0.999_593_047_982_555),
        (2.51, 0.999_614_294_518_275_8),
        (3.0, 0.999_977_909_503_001_4),
        (4.0, 0.999_999_984_582_742_1),
        (5.0, 0.999_999_999_998_462_6),
        (5.9, 0.999_999_999_999_999_9),
        (7.0, 1.0),
        (0.0, 0.0),
    ];
    for (x, want) in table {
        assert!((double::erf(x) - want).abs() <= 1e-15 * want, "erf({x})");
        assert_eq!(double::erf(-x), -double::erf(x));
    }
    assert!(double::erf(f64::NAN).is_nan());
}
