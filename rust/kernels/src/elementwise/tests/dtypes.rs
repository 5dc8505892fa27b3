//! The other dtypes: integers, f64, halves, Bool, and all casts.

use super::{SIZES, apply, one};
use crate::chain::{Chain, Func};
use crate::dtype::DType;
use crate::isa::Isa;
use crate::math::double;
use half::{bf16, f16};

/// A function and its definition.
type Case = (Func, fn(f64) -> f64);

/// Two's complement with as many bits as `dtype` has.
fn wrap(x: i128, dtype: DType) -> i128 {
    let bits = 8 * dtype.size();
    let low = x & ((1 << bits) - 1);
    if dtype.is_signed() && low >> (bits - 1) == 1 {
        low - (1 << bits)
    } else {
        low
    }
}

fn integer2(func: Func, a: i128, b: i128) -> i128 {
    match func {
        Func::Add => a + b,
        Func::Sub => a - b,
        Func::Mul => a * b,
        Func::Maximum => a.max(b),
        Func::Minimum => a.min(b),
        Func::BitAnd => a & b,
        Func::BitOr => a | b,
        Func::BitXor => a ^ b,
        _ if b == 0 => 0,
        Func::Div => a / b,
        Func::FloorDiv => (a - a.rem_euclid(b.abs())) / b - i128::from(b < 0 && a % b != 0),
        Func::Remainder => ((a % b) + b) % b,
        Func::Fmod => a % b,
        _ => unreachable!(),
    }
}

fn integer1(func: Func, a: i128) -> i128 {
    match func {
        Func::Neg => -a,
        Func::BitNot => !a,
        Func::Abs => a.abs(),
        Func::Sign => a.signum(),
        Func::Square => a * a,
        Func::Relu => a.max(0),
        Func::Clip { lo, hi } => a.max(lo as i128).min(hi as i128),
        Func::PowConst { exponent } => a.pow(exponent as u32),
        Func::Floor | Func::Ceil | Func::Round | Func::Trunc => a,
        _ => unreachable!(),
    }
}

macro_rules! integers {
    ($($name:ident: $t:ty = $dtype:expr;)*) => {$(
        #[test]
        fn $name() {
            let edges = [0, 1, 2, 3, 7, 100, <$t>::MAX, <$t>::MIN, <$t>::MAX - 1, (0 as $t).wrapping_sub(3)];
            let pairs: Vec<($t, $t)> =
                edges.iter().flat_map(|a| edges.iter().map(move |b| (*a, *b))).collect();
            let (a, b): (Vec<$t>, Vec<$t>) = pairs.into_iter().unzip();
            let isa = Isa::current();
            for func in [
                Func::Add, Func::Sub, Func::Mul, Func::Div, Func::FloorDiv, Func::Remainder,
                Func::Fmod, Func::Maximum, Func::Minimum, Func::BitAnd, Func::BitOr, Func::BitXor,
            ] {
                let got: Vec<$t> = apply(isa, &one(func, $dtype), &[&a, &b]);
                for i in 0..a.len() {
                    let want = wrap(integer2(func, a[i] as i128, b[i] as i128), $dtype);
                    assert_eq!(got[i] as i128, want, "{func:?}({}, {})", a[i], b[i]);
                }
            }
            for func in [
                Func::Neg, Func::Abs, Func::Sign, Func::Square, Func::Relu, Func::Floor, Func::Ceil,
                Func::Round, Func::Trunc, Func::BitNot, Func::Clip { lo: 2.0, hi: 50.0 }, Func::PowConst { exponent: 2.0 },
            ] {
                let got: Vec<$t> = apply(isa, &one(func, $dtype), &[&a]);
                for i in 0..a.len() {
                    let want = wrap(integer1(func, a[i] as i128), $dtype);
                    assert_eq!(got[i] as i128, want, "{func:?}({})", a[i]);
                }
            }
            for (func, want) in [
                (Func::Lt, (|a, b| a < b) as fn($t, $t) -> bool),
                (Func::Le, |a, b| a <= b),
                (Func::Eq, |a, b| a == b),
                (Func::Ge, |a, b| a >= b),
            ] {
                let got: Vec<u8> = apply(isa, &one(func, $dtype), &[&a, &b]);
                for i in 0..a.len() {
                    assert_eq!(got[i] == 1, want(a[i], b[i]));
                }
            }
            for (func, sign) in [(Func::ShiftLeft, 1), (Func::ShiftRight, -1)] {
                let got: Vec<$t> = apply(isa, &one(func, $dtype), &[&a, &b]);
                for i in 0..a.len() {
                    let beyond = if sign == -1 && (a[i] as i128) < 0 { -1 } else { 0 };
                    let bits = 8 * size_of::<$t>() as i128;
                    let want = match (b[i] as i128, sign) {
                        (by, _) if !(0..bits).contains(&by) => beyond,
                        (by, 1) => (a[i] as i128) << by,
                        (by, _) => (a[i] as i128) >> by,
                    };
                    assert_eq!(got[i] as i128, wrap(want, $dtype), "{func:?}({}, {})", a[i], b[i]);
                }
            }
            let (base, exponent): ([$t; 4], [$t; 4]) = ([3, 2, 0, 5], [4, 5, 0, 1]);
            let got: Vec<$t> = apply(isa, &one(Func::Pow, $dtype), &[&base, &exponent]);
            assert_eq!(got, [81, 32, 1, 5]);
        }
    )*};
}

integers! {
    u8_follows_two_s_complement: u8 = DType::U8;
    i8_follows_two_s_complement: i8 = DType::I8;
    u16_follows_two_s_complement: u16 = DType::U16;
    i16_follows_two_s_complement: i16 = DType::I16;
    u32_follows_two_s_complement: u32 = DType::U32;
    i32_follows_two_s_complement: i32 = DType::I32;
    u64_follows_two_s_complement: u64 = DType::U64;
    i64_follows_two_s_complement: i64 = DType::I64;
}

#[test]
fn f64_goes_through_the_standard_library() {
    let x: Vec<f64> = (0..600).map(|i| f64::from(i) * 0.02 - 6.0).collect();
    let cases: [Case; 16] = [
        (Func::Exp, f64::exp),
        (Func::Expm1, f64::exp_m1),
        (Func::Tan, f64::tan),
        (Func::Atan, f64::atan),
        (Func::Cosh, f64::cosh),
        (Func::Asinh, f64::asinh),
        (Func::Softplus, |x| x.exp().ln_1p()),
        (Func::Tanh, f64::tanh),
        (Func::Sin, f64::sin),
        (Func::Erf, double::erf),
        (Func::Gelu, double::gelu),
        (Func::GeluTanh, double::gelu_tanh),
        (Func::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Func::Square, |x| x * x),
        (Func::LeakyRelu { slope: 0.1 }, |x| {
            if x < 0.0 { 0.1 * x } else { x }
        }),
        (Func::Clip { lo: -1.0, hi: 1.0 }, |x| x.clamp(-1.0, 1.0)),
    ];
    for (func, want) in cases {
        let got: Vec<f64> = apply(Isa::current(), &one(func, DType::F64), &[&x]);
        for (x, y) in x.iter().zip(&got) {
            let want = want(*x);
            assert!((y - want).abs() <= 1e-15 * want.abs(), "{func:?}({x})");
        }
    }
}

#[test]
fn halves_are_computed_in_f32_and_rounded_once() {
    for n in SIZES {
        let a: Vec<f16> = (0..n)
            .map(|i| f16::from_f32(i as f32 * 0.37 - 40.0))
            .collect();
        let b: Vec<f16> = (0..n)
            .map(|i| f16::from_f32(7.3 - i as f32 * 0.11))
            .collect();
        let got: Vec<f16> = apply(Isa::current(), &one(Func::Mul, DType::F16), &[&a, &b]);
        for i in 0..n {
            assert_eq!(got[i], f16::from_f32(a[i].to_f32() * b[i].to_f32()));
        }
        let a: Vec<bf16> = (0..n)
            .map(|i| bf16::from_f32(i as f32 * 0.37 - 40.0))
            .collect();
        let got: Vec<bf16> = apply(Isa::current(), &one(Func::Square, DType::BF16), &[&a]);
        for i in 0..n {
            assert_eq!(got[i], bf16::from_f32(a[i].to_f32() * a[i].to_f32()));
        }
        let got: Vec<u8> = apply(
            Isa::current(),
            &one(Func::Lt, DType::F16),
            &[&b[..n], &b[..n]],
        );
        assert!(got.iter().all(|x| *x == 0));
    }
}

#[test]
fn logic_has_its_tables() {
    let (a, b) = ([0u8, 0, 1, 1], [0u8, 1, 0, 1]);
    let isa = Isa::current();
    let two = |func| -> Vec<u8> { apply(isa, &one(func, DType::Bool), &[&a, &b]) };
    assert_eq!(two(Func::And), [0, 0, 0, 1]);
    assert_eq!(two(Func::Or), [0, 1, 1, 1]);
    assert_eq!(two(Func::Xor), [0, 1, 1, 0]);
    assert_eq!(two(Func::Maximum), [0, 1, 1, 1]);
    let not: Vec<u8> = apply(isa, &one(Func::Not, DType::Bool), &[&b]);
    assert_eq!(not, [1, 0, 1, 0]);
}

/// A value of some dtype, as bytes and as what casts see.
fn encode(dtype: DType, x: f64) -> Vec<u8> {
    match dtype {
        DType::Bool => vec![u8::from(x != 0.0)],
        DType::U8 => (x as u8).to_ne_bytes().to_vec(),
        DType::I8 => (x as i8).to_ne_bytes().to_vec(),
        DType::U16 => (x as u16).to_ne_bytes().to_vec(),
        DType::I16 => (x as i16).to_ne_bytes().to_vec(),
        DType::U32 => (x as u32).to_ne_bytes().to_vec(),
        DType::I32 => (x as i32).to_ne_bytes().to_vec(),
        DType::U64 => (x as u64).to_ne_bytes().to_vec(),
        DType::I64 => (x as i64).to_ne_bytes().to_vec(),
        DType::F16 => f16::from_f64(x).to_ne_bytes().to_vec(),
        DType::BF16 => bf16::from_f64(x).to_ne_bytes().to_vec(),
        DType::F32 => (x as f32).to_ne_bytes().to_vec(),
        DType::F64 => x.to_ne_bytes().to_vec(),
        DType::Stored(_) => unreachable!(),
    }
}

/// What `x` becomes when it is stored as `dtype`.
fn stored(dtype: DType, x: f64) -> f64 {
    let wrapped = |x: f64| {
        // Integers saturate from floats; samples are in range of i32.
        encode(dtype, x)
    };
    let b = wrapped(x);
    match dtype {
        DType::Bool | DType::U8 => f64::from(b[0]),
        DType::I8 => f64::from(b[0] as i8),
        DType::U16 => f64::from(u16::from_ne_bytes([b[0], b[1]])),
        DType::I16 => f64::from(i16::from_ne_bytes([b[0], b[1]])),
        DType::F16 => f16::from_ne_bytes([b[0], b[1]]).to_f64(),
        DType::BF16 => bf16::from_ne_bytes([b[0], b[1]]).to_f64(),
        DType::U32 => f64::from(u32::from_ne_bytes(b.try_into().unwrap())),
        DType::I32 => f64::from(i32::from_ne_bytes(b.try_into().unwrap())),
        DType::F32 => f64::from(f32::from_ne_bytes(b.try_into().unwrap())),
        DType::U64 => u64::from_ne_bytes(b.try_into().unwrap()) as f64,
        DType::I64 => i64::from_ne_bytes(b.try_into().unwrap()) as f64,
        DType::F64 => x,
        DType::Stored(_) => unreachable!(),
    }
}

/// The bytes of `x`, a value of `from`, cast to `to`.
fn cast_bytes(from: DType, to: DType, x: f64) -> Vec<u8> {
    if from.is_float() || !to.is_int() {
        return encode(to, x);
    }
    // Integers to integers wrap.
    let wrapped = wrap(x as i128, to);
    wrapped.to_le_bytes()[..to.size()].to_vec()
}

#[test]
fn casts_between_all_pairs() {
    let samples = [
        0.0, 1.0, -1.0, 2.75, -2.75, 100.4, 300.0, -129.0, 65_504.0, 70_000.0, -40_000.0,
    ];
    let floats = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e10,
        -1e10,
        1e-3,
        1e20,
    ];
    let computed = || DType::ALL.into_iter().filter(|d| !d.is_stored());
    for from in computed() {
        let mut values: Vec<f64> = samples.iter().map(|x| stored(from, *x)).collect();
        if from.is_float() {
            values.extend(floats.iter().map(|x| stored(from, *x)));
        }
        let src: Vec<u8> = values.iter().flat_map(|x| encode(from, *x)).collect();
        // Aligned for every dtype.
        let mut room = vec![0u64; src.len() / 8 + 1];
        let n = values.len();
        for to in computed() {
            let chain = Chain {
                inputs: vec![from],
                instrs: vec![super::instr(Func::Cast { to }, from, &[0])],
                outputs: vec![1],
            };
            let mut out = vec![0u64; n];
            // SAFETY: both hold `n` elements of their dtypes.
            unsafe {
                let at: *mut u8 = room.as_mut_ptr().cast();
                at.copy_from(src.as_ptr(), src.len());
                let operand = super::Operand {
                    ptr: at,
                    strides: &[1],
                };
                let to: *mut u8 = out.as_mut_ptr().cast();
                super::run(
                    Isa::current(),
                    &super::Prepared::new(&chain),
                    &[n],
                    &[operand],
                    &[to],
                );
            }
            let got: Vec<u8> = out.iter().flat_map(|x| x.to_ne_bytes()).collect();
            for (i, x) in values.iter().enumerate() {
                let want = cast_bytes(from, to, *x);
                let got = &got[i * to.size()..(i + 1) * to.size()];
                let nan = x.is_nan() && to.is_float();
                assert!(
                    nan || got == want,
                    "{x} as {from} to {to}: {got:?}, not {want:?}"
                );
            }
        }
    }
}
