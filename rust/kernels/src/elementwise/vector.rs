//! Steps of f32 over SIMD vectors.

use super::map::{Call, plain1, wide1, wide2};
use super::prepare::register;
use super::scalar::Scalar;
use crate::chain::Func;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::math::{self, double, hyperbolic, inverse};
use crate::simd::{Kernel, Simd, dispatch};

trait Unary: Copy {
    fn apply<S: Simd>(self, s: S, x: S::F) -> S::F;
}

trait Binary: Copy {
    fn apply<S: Simd>(self, s: S, a: S::F, b: S::F) -> S::F;
}

struct UnaryLoop<O>(O, Call);
struct BinaryLoop<O>(O, Call);

impl<O: Unary> Kernel for UnaryLoop<O> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let UnaryLoop(op, call) = self;
        let (src, dst): (*const f32, *mut f32) = (call.args[0].cast(), call.out.cast());
        let whole = call.n / S::LANES * S::LANES;
        // SAFETY: whoever made the call: `n` elements are there.
        unsafe {
            let mut at = 0;
            while at < whole {
                let y = op.apply(s, s.load_ptr(src.add(at)));
                s.store_ptr(dst.add(at), y);
                at += S::LANES;
            }
            if at < call.n {
                let y = op.apply(s, s.load_ptr_part(src.add(at), call.n - at));
                s.store_ptr_part(dst.add(at), call.n - at, y);
            }
        }
    }
}

impl<O: Binary> Kernel for BinaryLoop<O> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let BinaryLoop(op, call) = self;
        // SAFETY: whoever made the call: `n` elements are there, or one.
        unsafe {
            match call.ones {
                0 => pairs::<S, O, false, false>(s, op, call),
                1 => pairs::<S, O, true, false>(s, op, call),
                2 => pairs::<S, O, false, true>(s, op, call),
                _ => pairs::<S, O, true, true>(s, op, call),
            }
        }
    }
}

/// # Safety
/// `call` holds `n` elements of each operand, or one where said.
#[inline(always)]
unsafe fn pairs<S: Simd, O: Binary, const ONE_A: bool, const ONE_B: bool>(s: S, op: O, call: Call) {
    let (a, b): (*const f32, *const f32) = (call.args[0].cast(), call.args[1].cast());
    let dst: *mut f32 = call.out.cast();
    let whole = call.n / S::LANES * S::LANES;
    // SAFETY: the caller's.
    unsafe {
        let all_a = if ONE_A { s.splat(*a) } else { s.zero() };
        let all_b = if ONE_B { s.splat(*b) } else { s.zero() };
        let mut at = 0;
        while at < whole {
            let x = if ONE_A { all_a } else { s.load_ptr(a.add(at)) };
            let y = if ONE_B { all_b } else { s.load_ptr(b.add(at)) };
            s.store_ptr(dst.add(at), op.apply(s, x, y));
            at += S::LANES;
        }
        if at < call.n {
            let n = call.n - at;
            let x = if ONE_A {
                all_a
            } else {
                s.load_ptr_part(a.add(at), n)
            };
            let y = if ONE_B {
                all_b
            } else {
                s.load_ptr_part(b.add(at), n)
            };
            s.store_ptr_part(dst.add(at), n, op.apply(s, x, y));
        }
    }
}

/// Steps whose operands need not be spread where they are one element for all.
pub(super) fn takes_one(func: Func, dtype: DType) -> bool {
    let binary = matches!(
        func,
        Func::Add | Func::Sub | Func::Mul | Func::Div | Func::Maximum | Func::Minimum
    );
    binary && register(dtype) == DType::F32
}

macro_rules! unary {
    ($($name:ident |$s:ident, $x:ident| $e:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl Unary for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, $s: S, $x: S::F) -> S::F {
                $e
            }
        }
    )*};
}

macro_rules! binary {
    ($($name:ident |$s:ident, $a:ident, $b:ident| $e:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl Binary for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, $s: S, $a: S::F, $b: S::F) -> S::F {
                $e
            }
        }
    )*};
}

unary! {
    Neg |s, x| s.neg(x);
    Abs |s, x| s.abs(x);
    Floor |s, x| s.floor(x);
    Ceil |s, x| s.ceil(x);
    Round |s, x| s.round(x);
    Reciprocal |s, x| s.div(s.splat(1.0), x);
    Square |s, x| s.mul(x, x);
    Cube |s, x| s.mul(s.mul(x, x), x);
    Sqrt |s, x| s.sqrt(x);
    Rsqrt |s, x| s.div(s.splat(1.0), s.sqrt(x));
    Exp |s, x| math::exp(s, x);
    Log |s, x| math::log(s, x);
    Trunc |s, x| s.trunc(x);
    Expm1 |s, x| hyperbolic::expm1(s, x);
    Log1p |s, x| hyperbolic::log1p(s, x);
    Asin |s, x| inverse::asin(s, x);
    Acos |s, x| inverse::acos(s, x);
    Atan |s, x| inverse::atan(s, x);
    Sinh |s, x| hyperbolic::sinh(s, x);
    Cosh |s, x| hyperbolic::cosh(s, x);
    Asinh |s, x| hyperbolic::asinh(s, x);
    Acosh |s, x| hyperbolic::acosh(s, x);
    Atanh |s, x| hyperbolic::atanh(s, x);
    Softplus |s, x| hyperbolic::softplus(s, x);
    Softsign |s, x| s.div(x, s.add(s.splat(1.0), s.abs(x)));
    Mish |s, x| hyperbolic::mish(s, x);
    Tanh |s, x| math::tanh(s, x);
    Sigmoid |s, x| math::sigmoid(s, x);
    Erf |s, x| math::erf(s, x);
    Gelu |s, x| math::gelu(s, x);
    GeluTanh |s, x| math::gelu_tanh(s, x);
    // NaN stays, since `max` gives its second operand then.
    Relu |s, x| s.max(s.zero(), x);
    Sign |s, x| {
        let one = s.copysign(s.splat(1.0), x);
        s.select(s.or_m(s.lt(x, s.zero()), s.gt(x, s.zero())), one, x)
    };
}

#[derive(Clone, Copy)]
struct LeakyRelu(f32);

impl Unary for LeakyRelu {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::F) -> S::F {
        s.select(s.lt(x, s.zero()), s.mul(x, s.splat(self.0)), x)
    }
}

#[derive(Clone, Copy)]
struct Elu([f32; 3]);

impl Unary for Elu {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::F) -> S::F {
        hyperbolic::elu(s, x, self.0)
    }
}

#[derive(Clone, Copy)]
struct Clip(f32, f32);

impl Unary for Clip {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::F) -> S::F {
        s.min(s.splat(self.1), s.max(s.splat(self.0), x))
    }
}

binary! {
    Add |s, a, b| s.add(a, b);
    Sub |s, a, b| s.sub(a, b);
    Mul |s, a, b| s.mul(a, b);
    Div |s, a, b| s.div(a, b);
    // `max` and `min` give b where either is NaN.
    Maximum |s, a, b| s.select(s.is_nan(a), a, s.max(a, b));
    Minimum |s, a, b| s.select(s.is_nan(a), a, s.min(a, b));
}

/// All functions of f32 but comparisons, selection and casts; false for
/// those.
///
/// # Safety
/// `call` holds elements of f32.
pub(super) unsafe fn single(isa: Isa, func: Func, call: Call) -> bool {
    match func {
        Func::Add => dispatch(isa, BinaryLoop(Add, call)),
        Func::Sub => dispatch(isa, BinaryLoop(Sub, call)),
        Func::Mul => dispatch(isa, BinaryLoop(Mul, call)),
        Func::Div => dispatch(isa, BinaryLoop(Div, call)),
        Func::Maximum => dispatch(isa, BinaryLoop(Maximum, call)),
        Func::Minimum => dispatch(isa, BinaryLoop(Minimum, call)),
        Func::Neg => dispatch(isa, UnaryLoop(Neg, call)),
        Func::Abs => dispatch(isa, UnaryLoop(Abs, call)),
        Func::Sign => dispatch(isa, UnaryLoop(Sign, call)),
        Func::Floor => dispatch(isa, UnaryLoop(Floor, call)),
        Func::Ceil => dispatch(isa, UnaryLoop(Ceil, call)),
        Func::Round => dispatch(isa, UnaryLoop(Round, call)),
        Func::Reciprocal => dispatch(isa, UnaryLoop(Reciprocal, call)),
        Func::Square => dispatch(isa, UnaryLoop(Square, call)),
        Func::Sqrt => dispatch(isa, UnaryLoop(Sqrt, call)),
        Func::Rsqrt => dispatch(isa, UnaryLoop(Rsqrt, call)),
        Func::Exp => dispatch(isa, UnaryLoop(Exp, call)),
        Func::Log => dispatch(isa, UnaryLoop(Log, call)),
        Func::Tanh => dispatch(isa, UnaryLoop(Tanh, call)),
        Func::Sigmoid => dispatch(isa, UnaryLoop(Sigmoid, call)),
        Func::Erf => dispatch(isa, UnaryLoop(Erf, call)),
        Func::Gelu => dispatch(isa, UnaryLoop(Gelu, call)),
        Func::GeluTanh => dispatch(isa, UnaryLoop(GeluTanh, call)),
        Func::Relu => dispatch(isa, UnaryLoop(Relu, call)),
        Func::LeakyRelu { slope } => dispatch(isa, UnaryLoop(LeakyRelu(slope as f32), call)),
        Func::Clip { lo, hi } => dispatch(isa, UnaryLoop(Clip(lo as f32, hi as f32), call)),
        // SAFETY: the caller's.
        _ => return relatives(isa, func, call) || unsafe { double_precision(isa, func, call) },
    }
    true
}

/// Functions made of e^x - 1, ln(1 + x) and the inverse trigonometric ones.
fn relatives(isa: Isa, func: Func, call: Call) -> bool {
    match func {
        Func::Trunc => dispatch(isa, UnaryLoop(Trunc, call)),
        Func::Expm1 => dispatch(isa, UnaryLoop(Expm1, call)),
        Func::Log1p => dispatch(isa, UnaryLoop(Log1p, call)),
        Func::Asin => dispatch(isa, UnaryLoop(Asin, call)),
        Func::Acos => dispatch(isa, UnaryLoop(Acos, call)),
        Func::Atan => dispatch(isa, UnaryLoop(Atan, call)),
        Func::Sinh => dispatch(isa, UnaryLoop(Sinh, call)),
        Func::Cosh => dispatch(isa, UnaryLoop(Cosh, call)),
        Func::Asinh => dispatch(isa, UnaryLoop(Asinh, call)),
        Func::Acosh => dispatch(isa, UnaryLoop(Acosh, call)),
        Func::Atanh => dispatch(isa, UnaryLoop(Atanh, call)),
        Func::Softplus => dispatch(isa, UnaryLoop(Softplus, call)),
        Func::Softsign => dispatch(isa, UnaryLoop(Softsign, call)),
        Func::Mish => dispatch(isa, UnaryLoop(Mish, call)),
        Func::Elu {
            alpha,
            scale,
            input_scale,
        } => {
            let numbers = [alpha as f32, scale as f32, input_scale as f32];
            dispatch(isa, UnaryLoop(Elu(numbers), call));
        }
        _ => return false,
    }
    true
}

/// Functions computed in f64, and those with an exact remainder.
///
/// # Safety
/// As for [`single`].
unsafe fn double_precision(isa: Isa, func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::Sin if small_angles(call) => wide1(isa, call, double::sin),
            Func::Cos if small_angles(call) => wide1(isa, call, double::cos),
            Func::Tan if small_angles(call) => wide1(isa, call, double::tan),
            Func::Sin => plain1(call, double::sin_any),
            Func::Cos => plain1(call, double::cos_any),
            Func::Tan => plain1(call, double::tan_any),
            Func::Pow => dispatch(isa, PowerLoop(call, None)),
            Func::PowConst { exponent } => power(isa, exponent, call),
            Func::FloorDiv => wide2(isa, call, <f32 as Scalar>::floor_div),
            Func::Remainder => wide2(isa, call, <f32 as Scalar>::remainder),
            Func::Fmod => wide2(isa, call, <f32 as Scalar>::fmod),
            _ => return false,
        }
    }
    true
}

/// Powers of the first operand by the second, or by a constant.  (A closure of
/// this size would not be inlined, and so not vectorised.)
struct PowerLoop(Call, Option<f32>);

impl Kernel for PowerLoop {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        const CHUNK: usize = 64;
        let PowerLoop(call, exponent) = self;
        let mut x = [1.0f32; CHUNK];
        let mut y = [exponent.unwrap_or(1.0); CHUNK];
        for at in (0..call.n).step_by(CHUNK) {
            let n = CHUNK.min(call.n - at);
            let bytes = 4 * at;
            // SAFETY: whoever made the call: `n` elements are there; the
            // result may lie over the operands, which are read first.
            unsafe {
                let from = call.args[0].add(bytes).cast::<f32>();
                from.copy_to_nonoverlapping(x.as_mut_ptr(), n);
                if exponent.is_none() {
                    let from = call.args[1].add(bytes).cast::<f32>();
                    from.copy_to_nonoverlapping(y.as_mut_ptr(), n);
                }
                for i in 0..CHUNK {
                    x[i] = double::pow(x[i], y[i]);
                }
                let to = call.out.add(bytes).cast::<f32>();
                to.copy_from_nonoverlapping(x.as_ptr(), n);
            }
        }
    }
}

fn power(isa: Isa, exponent: f64, call: Call) {
    if exponent == 2.0 {
        dispatch(isa, UnaryLoop(Square, call));
    } else if exponent == 3.0 {
        dispatch(isa, UnaryLoop(Cube, call));
    } else if exponent == 0.5 {
        dispatch(isa, UnaryLoop(Sqrt, call));
    } else if exponent == -0.5 {
        dispatch(isa, UnaryLoop(Rsqrt, call));
    } else if exponent == -1.0 {
        dispatch(isa, UnaryLoop(Reciprocal, call));
    } else {
        dispatch(isa, PowerLoop(call, Some(exponent as f32)));
    }
}

/// Whether the fast reduction holds for the whole block.
///
/// # Safety
/// As for [`single`].
unsafe fn small_angles(call: Call) -> bool {
    // SAFETY: the caller's.
    let xs = unsafe { std::slice::from_raw_parts(call.args[0].cast::<f32>(), call.n) };
    xs.iter()
        .fold(true, |small, x| small & (x.abs() <= double::LARGE_ANGLE))
}
