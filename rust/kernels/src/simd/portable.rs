//! Eight lanes in plain Rust, which the compiler maps to what the target has.

use super::{Kernel, Simd};
use crate::isa::Isa;
use std::array::from_fn;

/// The proof that plain Rust runs.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

const LANES: usize = 8;
type Lanes<T> = [T; LANES];

/// A truth value as all bits or none.
#[inline(always)]
fn truth(x: bool) -> i32 {
    -i32::from(x)
}

#[inline(always)]
fn fold(a: Lanes<f32>, f: impl Fn(f32, f32) -> f32) -> f32 {
    let four: [f32; 4] = from_fn(|i| f(a[i], a[i + 4]));
    f(f(four[0], four[2]), f(four[1], four[3]))
}

/// The float of a half's bits: the fields moved to their places, which divides
/// by 2^112, for the exponents count from another zero.  Zeros and subnormals
/// need no more; infinities and NaNs keep the largest exponent.
#[inline(always)]
fn widened(half: u16) -> f32 {
    const UNIT: f32 = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(half & 0x7fff) << 13;
    let size = (f32::from_bits(bits) * UNIT).to_bits();
    let endless = if bits >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
    f32::from_bits(size | endless | u32::from(half & 0x8000) << 16)
}

macro_rules! lanewise {
    ($($name:ident($($a:ident: $t:ty),*) -> $r:ty = $e:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($a: Lanes<$t>),*) -> Lanes<$r> {
            from_fn(|i| { $(let $a = $a[i];)* $e })
        }
    )*};
}

impl Simd for Portable {
    const LANES: usize = LANES;
    const ISA: Isa = Isa::Portable;
    type F = Lanes<f32>;
    type I = Lanes<i32>;
    type M = Lanes<i32>;

    #[inline(never)]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }

    lanewise! {
        add(a: f32, b: f32) -> f32 = a + b;
        sub(a: f32, b: f32) -> f32 = a - b;
        mul(a: f32, b: f32) -> f32 = a * b;
        div(a: f32, b: f32) -> f32 = a / b;
        fma(a: f32, b: f32, c: f32) -> f32 = a * b + c;
        fnma(a: f32, b: f32, c: f32) -> f32 = c - a * b;
        min(a: f32, b: f32) -> f32 = if a < b { a } else { b };
        max(a: f32, b: f32) -> f32 = if a > b { a } else { b };
        sqrt(a: f32) -> f32 = a.sqrt();
        round(a: f32) -> f32 = a.round_ties_even();
        floor(a: f32) -> f32 = a.floor();
        ceil(a: f32) -> f32 = a.ceil();
        trunc(a: f32) -> f32 = a.trunc();
        lt(a: f32, b: f32) -> i32 = truth(a < b);
        le(a: f32, b: f32) -> i32 = truth(a <= b);
        eq(a: f32, b: f32) -> i32 = truth(a == b);
        ne(a: f32, b: f32) -> i32 = truth(a != b);
        select(mask: i32, yes: f32, no: f32) -> f32 =
            f32::from_bits((mask as u32 & yes.to_bits()) | (!mask as u32 & no.to_bits()));
        add_i(a: i32, b: i32) -> i32 = a.wrapping_add(b);
        sub_i(a: i32, b: i32) -> i32 = a.wrapping_sub(b);
        mul_i(a: i32, b: i32) -> i32 = a.wrapping_mul(b);
        add_pairs(sum: i32, a: i32, b: i32) -> i32 = {
            let low = i32::from(a as i16) * i32::from(b as i16);
            sum.wrapping_add(low).wrapping_add((a >> 16) * (b >> 16))
        };
        and_i(a: i32, b: i32) -> i32 = a & b;
        or_i(a: i32, b: i32) -> i32 = a | b;
        xor_i(a: i32, b: i32) -> i32 = a ^ b;
        min_i(a: i32, b: i32) -> i32 = a.min(b);
        max_i(a: i32, b: i32) -> i32 = a.max(b);
        eq_i(a: i32, b: i32) -> i32 = truth(a == b);
        lt_i(a: i32, b: i32) -> i32 = truth(a < b);
        select_i(mask: i32, yes: i32, no: i32) -> i32 = (mask & yes) | (!mask & no);
        round_to_i(a: f32) -> i32 = a.round_ties_even() as i32;
        trunc_to_i(a: f32) -> i32 = a as i32;
        to_f(a: i32) -> f32 = a as f32;
        bits(a: f32) -> i32 = a.to_bits() as i32;
        from_bits(a: i32) -> f32 = f32::from_bits(a as u32);
        and_m(a: i32, b: i32) -> i32 = a & b;
        or_m(a: i32, b: i32) -> i32 = a | b;
        not_m(a: i32) -> i32 = !a;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [x; LANES]
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Self::I {
        [x; LANES]
    }
    #[inline(always)]
    fn shl_i<const N: i32>(self, a: Self::I) -> Self::I {
        from_fn(|i| a[i] << N)
    }
    #[inline(always)]
    fn shr_i<const N: i32>(self, a: Self::I) -> Self::I {
        from_fn(|i| a[i] >> N)
    }
    #[inline(always)]
    fn shr_u<const N: i32>(self, a: Self::I) -> Self::I {
        from_fn(|i| (a[i] as u32 >> N) as i32)
    }
    #[inline(always)]
    fn mask_bits(self, a: Self::M) -> u32 {
        a.iter()
            .enumerate()
            .fold(0, |bits, (i, lane)| bits | (*lane as u32 & 1) << i)
    }
    #[inline(always)]
    fn mask_from_bits(self, bits: u32) -> Self::M {
        from_fn(|i| truth(bits >> i & 1 == 1))
    }

    #[inline(always)]
    unsafe fn load_ptr(self, p: *const f32) -> Self::F {
        // SAFETY: the caller's.
        unsafe { p.cast::<Lanes<f32>>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, p: *mut f32, v: Self::F) {
        // SAFETY: the caller's.
        unsafe { p.cast::<Lanes<f32>>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_ptr_part(self, p: *const f32, n: usize) -> Self::F {
        let mut v = [0.0; LANES];
        for (i, lane) in v.iter_mut().enumerate().take(n) {
            // SAFETY: the caller's.
            *lane = unsafe { *p.add(i) };
        }
        v
    }
    #[inline(always)]
    unsafe fn store_ptr_part(self, p: *mut f32, n: usize, v: Self::F) {
        for (i, lane) in v.iter().enumerate().take(n) {
            // SAFETY: the caller's.
            unsafe { *p.add(i) = *lane };
        }
    }
    #[inline(always)]
    unsafe fn load_half_ptr(self, p: *const u16) -> Self::F {
        // SAFETY: the caller's.
        let halves = unsafe { p.cast::<Lanes<u16>>().read_unaligned() };
        halves.map(widened)
    }
    #[inline(always)]
    fn even(self, low: Self::F, high: Self::F) -> Self::F {
        from_fn(|i| {
            if i < LANES / 2 {
                low[2 * i]
            } else {
                high[2 * i - LANES]
            }
        })
    }

    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        fold(a, |x, y| x + y)
    }
    #[inline(always)]
    fn max_lane(self, a: Self::F) -> f32 {
        fold(a, f32::max)
    }
    #[inline(always)]
    fn min_lane(self, a: Self::F) -> f32 {
        fold(a, f32::min)
    }
}
