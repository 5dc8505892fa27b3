//! NEON: eight lanes, as a pair of registers of four.
//!
//! `AArch64` has thirty-two registers of four lanes, so sixteen of these pairs:
//! as many as AVX2 has registers, for which the kernels' tiles are cut.

use super::{Kernel, Simd};
use crate::isa::Isa;
use std::arch::aarch64::{
    float32x4_t, int32x4_t, uint32x4_t, vadd_f32, vaddq_f32, vaddq_s32, vaddvq_u32, vandq_s32,
    vandq_u32, vbslq_f32, vbslq_s32, vceqq_f32, vceqq_s32, vcleq_f32, vcltq_f32, vcltq_s32,
    vcombine_f32, vcvt_f32_f16, vcvtnq_s32_f32, vcvtq_f32_s32, vcvtq_s32_f32, vdivq_f32,
    vdup_n_f32, vdupq_n_f32, vdupq_n_s32, vdupq_n_u32, veorq_s32, vfmaq_f32, vfmsq_f32,
    vget_high_f32, vget_lane_f32, vget_low_f32, vget_low_s16, vld1_f32, vld1_lane_f32, vld1_u16,
    vld1q_f32, vld1q_u32, vmaxq_f32, vmaxq_s32, vmaxvq_f32, vminq_f32, vminq_s32, vminvq_f32,
    vmull_high_s16, vmull_s16, vmulq_f32, vmulq_s32, vmvnq_u32, vorrq_s32, vorrq_u32, vpadd_f32,
    vpaddq_s32, vreinterpret_f16_u16, vreinterpretq_f32_s32, vreinterpretq_s16_s32,
    vreinterpretq_s32_f32, vreinterpretq_s32_u32, vreinterpretq_u32_s32, vrndmq_f32, vrndnq_f32,
    vrndpq_f32, vrndq_f32, vshlq_n_s32, vshrq_n_s32, vshrq_n_u32, vsqrtq_f32, vst1_f32,
    vst1_lane_f32, vst1q_f32, vsubq_f32, vsubq_s32, vtstq_u32, vuzp1q_f32,
};

/// The proof that NEON is there; made by [`run`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

/// Safe to call: NEON is part of `AArch64`.
pub(super) fn run<K: Kernel>(kernel: K) -> K::Out {
    kernel.run(Neon(()))
}

/// Lanes 0 to 3 and 4 to 7.
#[derive(Clone, Copy, Debug)]
pub struct Pair<T>(T, T);

type F = Pair<float32x4_t>;
type I = Pair<int32x4_t>;
type M = Pair<uint32x4_t>;

/// Of each half of a mask, the bits for which its lanes stand.
static LANE_BITS: [u32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

#[inline(always)]
fn lane_bits() -> M {
    // SAFETY: four values from index 0 and four from index 4 of eight.
    unsafe {
        let bits = LANE_BITS.as_ptr();
        Pair(vld1q_u32(bits), vld1q_u32(bits.add(4)))
    }
}

/// The first `n <= 4` values, then zeros.
///
/// # Safety
/// `n` values can be read at `p`.
#[inline(always)]
unsafe fn load_part(p: *const f32, n: usize) -> float32x4_t {
    // SAFETY: the caller's.
    unsafe {
        let none = vdup_n_f32(0.0);
        match n {
            0 => vdupq_n_f32(0.0),
            1 => vcombine_f32(vld1_lane_f32::<0>(p, none), none),
            2 => vcombine_f32(vld1_f32(p), none),
            3 => vcombine_f32(vld1_f32(p), vld1_lane_f32::<0>(p.add(2), none)),
            _ => vld1q_f32(p),
        }
    }
}

/// Writes the first `n <= 4` lanes.
///
/// # Safety
/// `n` values can be written at `p`.
#[inline(always)]
unsafe fn store_part(p: *mut f32, n: usize, v: float32x4_t) {
    // SAFETY: the caller's.
    unsafe {
        match n {
            0 => {}
            1 => vst1_lane_f32::<0>(p, vget_low_f32(v)),
            2 => vst1_f32(p, vget_low_f32(v)),
            3 => {
                vst1_f32(p, vget_low_f32(v));
                vst1_lane_f32::<0>(p.add(2), vget_high_f32(v));
            }
            _ => vst1q_f32(p, v),
        }
    }
}

/// `n` lanes, in each of the two halves.
#[inline(always)]
fn halves(n: usize) -> [usize; 2] {
    debug_assert!(n <= 8);
    [n.min(4), n.saturating_sub(4)]
}

// SAFETY, for every block that has no word of its own: a `Neon` exists only
// where its features do.

/// An operation on both halves.
macro_rules! lanewise {
    ($($name:ident($($a:ident: $t:ty),*) -> $r:ty = $e:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($a: $t),*) -> $r {
            unsafe {
                let low = { $(let $a = $a.0;)* $e };
                let high = { $(let $a = $a.1;)* $e };
                Pair(low, high)
            }
        }
    )*};
}

impl Simd for Neon {
    const LANES: usize = 8;
    const ISA: Isa = Isa::Neon;
    type F = F;
    type I = I;
    type M = M;

    #[inline(never)]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }

    lanewise! {
        add(a: F, b: F) -> F = vaddq_f32(a, b);
        sub(a: F, b: F) -> F = vsubq_f32(a, b);
        mul(a: F, b: F) -> F = vmulq_f32(a, b);
        div(a: F, b: F) -> F = vdivq_f32(a, b);
        fma(a: F, b: F, c: F) -> F = vfmaq_f32(c, a, b);
        fnma(a: F, b: F, c: F) -> F = vfmsq_f32(c, a, b);
        // NEON's own minimum and maximum answer otherwise where a lane is NaN.
        min(a: F, b: F) -> F = vbslq_f32(vcltq_f32(a, b), a, b);
        max(a: F, b: F) -> F = vbslq_f32(vcltq_f32(b, a), a, b);
        sqrt(a: F) -> F = vsqrtq_f32(a);
        round(a: F) -> F = vrndnq_f32(a);
        floor(a: F) -> F = vrndmq_f32(a);
        ceil(a: F) -> F = vrndpq_f32(a);
        trunc(a: F) -> F = vrndq_f32(a);
        lt(a: F, b: F) -> M = vcltq_f32(a, b);
        le(a: F, b: F) -> M = vcleq_f32(a, b);
        eq(a: F, b: F) -> M = vceqq_f32(a, b);
        ne(a: F, b: F) -> M = vmvnq_u32(vceqq_f32(a, b));
        select(mask: M, yes: F, no: F) -> F = vbslq_f32(mask, yes, no);
        add_i(a: I, b: I) -> I = vaddq_s32(a, b);
        sub_i(a: I, b: I) -> I = vsubq_s32(a, b);
        mul_i(a: I, b: I) -> I = vmulq_s32(a, b);
        add_pairs(sum: I, a: I, b: I) -> I = {
            let (a, b) = (vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
            let low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
            vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(a, b)))
        };
        and_i(a: I, b: I) -> I = vandq_s32(a, b);
        or_i(a: I, b: I) -> I = vorrq_s32(a, b);
        xor_i(a: I, b: I) -> I = veorq_s32(a, b);
        min_i(a: I, b: I) -> I = vminq_s32(a, b);
        max_i(a: I, b: I) -> I = vmaxq_s32(a, b);
        eq_i(a: I, b: I) -> M = vceqq_s32(a, b);
        lt_i(a: I, b: I) -> M = vcltq_s32(a, b);
        select_i(mask: M, yes: I, no: I) -> I = vbslq_s32(mask, yes, no);
        round_to_i(a: F) -> I = vcvtnq_s32_f32(a);
        trunc_to_i(a: F) -> I = vcvtq_s32_f32(a);
        to_f(a: I) -> F = vcvtq_f32_s32(a);
        bits(a: F) -> I = vreinterpretq_s32_f32(a);
        from_bits(a: I) -> F = vreinterpretq_f32_s32(a);
        and_m(a: M, b: M) -> M = vandq_u32(a, b);
        or_m(a: M, b: M) -> M = vorrq_u32(a, b);
        not_m(a: M) -> M = vmvnq_u32(a);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        unsafe { Pair(vdupq_n_f32(x), vdupq_n_f32(x)) }
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> I {
        unsafe { Pair(vdupq_n_s32(x), vdupq_n_s32(x)) }
    }
    #[inline(always)]
    fn shl_i<const N: i32>(self, a: I) -> I {
        unsafe { Pair(vshlq_n_s32::<N>(a.0), vshlq_n_s32::<N>(a.1)) }
    }
    #[inline(always)]
    fn shr_i<const N: i32>(self, a: I) -> I {
        unsafe { Pair(vshrq_n_s32::<N>(a.0), vshrq_n_s32::<N>(a.1)) }
    }
    #[inline(always)]
    fn shr_u<const N: i32>(self, a: I) -> I {
        unsafe {
            let half = |a| vreinterpretq_s32_u32(vshrq_n_u32::<N>(vreinterpretq_u32_s32(a)));
            Pair(half(a.0), half(a.1))
        }
    }
    #[inline(always)]
    fn mask_bits(self, a: M) -> u32 {
        unsafe {
            let bits = lane_bits();
            vaddvq_u32(vorrq_u32(vandq_u32(a.0, bits.0), vandq_u32(a.1, bits.1)))
        }
    }
    #[inline(always)]
    fn mask_from_bits(self, bits: u32) -> M {
        unsafe {
            let (set, lanes) = (vdupq_n_u32(bits), lane_bits());
            Pair(vtstq_u32(set, lanes.0), vtstq_u32(set, lanes.1))
        }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, p: *const f32) -> F {
        // SAFETY: the caller's.
        unsafe { Pair(vld1q_f32(p), vld1q_f32(p.add(4))) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, p: *mut f32, v: F) {
        // SAFETY: the caller's.
        unsafe {
            vst1q_f32(p, v.0);
            vst1q_f32(p.add(4), v.1);
        }
    }
    #[inline(always)]
    unsafe fn load_ptr_part(self, p: *const f32, n: usize) -> F {
        let [low, high] = halves(n);
        // SAFETY: the caller's.
        unsafe { Pair(load_part(p, low), load_part(p.wrapping_add(4), high)) }
    }
    #[inline(always)]
    unsafe fn store_ptr_part(self, p: *mut f32, n: usize, v: F) {
        let [low, high] = halves(n);
        // SAFETY: the caller's.
        unsafe {
            store_part(p, low, v.0);
            store_part(p.wrapping_add(4), high, v.1);
        }
    }
    #[inline(always)]
    unsafe fn load_half_ptr(self, p: *const u16) -> F {
        // SAFETY: the caller's.
        unsafe {
            let [low, high] = [vld1_u16(p), vld1_u16(p.add(4))].map(|h| vreinterpret_f16_u16(h));
            Pair(vcvt_f32_f16(low), vcvt_f32_f16(high))
        }
    }
    #[inline(always)]
    fn even(self, low: F, high: F) -> F {
        unsafe { Pair(vuzp1q_f32(low.0, low.1), vuzp1q_f32(high.0, high.1)) }
    }

    #[inline(always)]
    fn sum(self, a: F) -> f32 {
        unsafe {
            let four = vaddq_f32(a.0, a.1);
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(vpadd_f32(two, two))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: F) -> f32 {
        unsafe { vmaxvq_f32(vmaxq_f32(a.0, a.1)) }
    }
    #[inline(always)]
    fn min_lane(self, a: F) -> f32 {
        unsafe { vminvq_f32(vminq_f32(a.0, a.1)) }
    }
}
