//! AVX2 with FMA and F16C: eight lanes.

use super::{Kernel, Simd};
use crate::isa::Isa;
use std::arch::x86_64::{
    __m128, __m256, __m256i, _CMP_EQ_OQ, _CMP_LE_OQ, _CMP_LT_OQ, _CMP_NEQ_UQ, _MM_FROUND_NO_EXC,
    _MM_FROUND_TO_NEAREST_INT, _MM_FROUND_TO_NEG_INF, _MM_FROUND_TO_POS_INF, _MM_FROUND_TO_ZERO,
    _mm_add_ps, _mm_cvtss_f32, _mm_loadu_si128, _mm_max_ps, _mm_min_ps, _mm_movehl_ps,
    _mm_shuffle_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_and_si256,
    _mm256_blendv_epi8, _mm256_blendv_ps, _mm256_castpd_ps, _mm256_castps_pd, _mm256_castps_si256,
    _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpeq_epi32,
    _mm256_cmpgt_epi32, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_cvtps_epi32,
    _mm256_cvttps_epi32, _mm256_div_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maskload_ps,
    _mm256_maskstore_ps, _mm256_max_epi32, _mm256_max_ps, _mm256_min_epi32, _mm256_min_ps,
    _mm256_movemask_ps, _mm256_mul_ps, _mm256_mullo_epi32, _mm256_or_ps, _mm256_or_si256,
    _mm256_permute4x64_pd, _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32,
    _mm256_shuffle_ps, _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_srai_epi32, _mm256_srli_epi32,
    _mm256_storeu_ps, _mm256_sub_epi32, _mm256_sub_ps, _mm256_xor_ps, _mm256_xor_si256,
};

/// The proof that AVX2, FMA and F16C are there; made by [`run`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// # Safety
/// The machine has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Out {
    kernel.run(Avx2(()))
}

/// Eight set lanes, then eight clear ones: a window into it masks a tail.
static TAIL: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline(always)]
fn tail(n: usize) -> __m256i {
    debug_assert!(n <= 8);
    // SAFETY: eight values from index 8 - n of sixteen.
    unsafe { _mm256_loadu_si256(TAIL.as_ptr().add(8 - n.min(8)).cast()) }
}

/// Both halves combined, then halves of that.
macro_rules! fold {
    ($v:expr, $op:ident) => {{
        let v = $v;
        let four: __m128 = $op(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let two = $op(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32($op(two, _mm_shuffle_ps::<1>(two, two)))
    }};
}

// SAFETY, for every block here: an `Avx2` exists only where its features do.
macro_rules! intrinsics {
    ($($name:ident($($a:ident: $t:ty),*) -> $r:ty = $e:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($a: $t),*) -> $r {
            unsafe { $e }
        }
    )*};
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const ISA: Isa = Isa::Avx2;
    type F = __m256;
    type I = __m256i;
    type M = __m256;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        unsafe { run(kernel) }
    }

    intrinsics! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        fnma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fnmadd_ps(a, b, c);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        round(a: __m256) -> __m256 =
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        floor(a: __m256) -> __m256 =
            _mm256_round_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a);
        ceil(a: __m256) -> __m256 =
            _mm256_round_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(a);
        trunc(a: __m256) -> __m256 =
            _mm256_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(a);
        lt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        le(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        eq(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        ne(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
        select(mask: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, mask);
        splat_i(x: i32) -> __m256i = _mm256_set1_epi32(x);
        add_i(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        sub_i(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi32(a, b);
        mul_i(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi32(a, b);
        add_pairs(sum: __m256i, a: __m256i, b: __m256i) -> __m256i =
            _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
        and_i(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        or_i(a: __m256i, b: __m256i) -> __m256i = _mm256_or_si256(a, b);
        xor_i(a: __m256i, b: __m256i) -> __m256i = _mm256_xor_si256(a, b);
        min_i(a: __m256i, b: __m256i) -> __m256i = _mm256_min_epi32(a, b);
        max_i(a: __m256i, b: __m256i) -> __m256i = _mm256_max_epi32(a, b);
        eq_i(a: __m256i, b: __m256i) -> __m256 = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
        lt_i(a: __m256i, b: __m256i) -> __m256 = _mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a));
        select_i(mask: __m256, yes: __m256i, no: __m256i) -> __m256i =
            _mm256_blendv_epi8(no, yes, _mm256_castps_si256(mask));
        round_to_i(a: __m256) -> __m256i = _mm256_cvtps_epi32(a);
        trunc_to_i(a: __m256) -> __m256i = _mm256_cvttps_epi32(a);
        to_f(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        bits(a: __m256) -> __m256i = _mm256_castps_si256(a);
        from_bits(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        and_m(a: __m256, b: __m256) -> __m256 = _mm256_and_ps(a, b);
        or_m(a: __m256, b: __m256) -> __m256 = _mm256_or_ps(a, b);
        not_m(a: __m256) -> __m256 =
            _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));
        mask_bits(a: __m256) -> u32 = _mm256_movemask_ps(a) as u32;
        mask_from_bits(bits: u32) -> __m256 = {
            let lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let set = _mm256_and_si256(_mm256_set1_epi32(bits as i32), lane);
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane))
        };
        sum(a: __m256) -> f32 = fold!(a, _mm_add_ps);
        max_lane(a: __m256) -> f32 = fold!(a, _mm_max_ps);
        min_lane(a: __m256) -> f32 = fold!(a, _mm_min_ps);
    }

    #[inline(always)]
    fn shl_i<const N: i32>(self, a: __m256i) -> __m256i {
        unsafe { _mm256_slli_epi32::<N>(a) }
    }
    #[inline(always)]
    fn shr_i<const N: i32>(self, a: __m256i) -> __m256i {
        unsafe { _mm256_srai_epi32::<N>(a) }
    }
    #[inline(always)]
    fn shr_u<const N: i32>(self, a: __m256i) -> __m256i {
        unsafe { _mm256_srli_epi32::<N>(a) }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, p: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, p: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_ptr_part(self, p: *const f32, n: usize) -> __m256 {
        if n == Self::LANES {
            return unsafe { _mm256_loadu_ps(p) };
        }
        unsafe { _mm256_maskload_ps(p, tail(n)) }
    }
    #[inline(always)]
    unsafe fn store_ptr_part(self, p: *mut f32, n: usize, v: __m256) {
        // A masked store takes a dozen cycles on AMD's cores, whatever its mask.
        if n == Self::LANES {
            return unsafe { _mm256_storeu_ps(p, v) };
        }
        unsafe { _mm256_maskstore_ps(p, tail(n), v) }
    }
    #[inline(always)]
    unsafe fn load_half_ptr(self, p: *const u16) -> __m256 {
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
    }
    #[inline(always)]
    fn even(self, low: __m256, high: __m256) -> __m256 {
        unsafe {
            // Of each half the even lanes: 0 2 8 10 | 4 6 12 14.
            let mixed = _mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(mixed))
        }
    }
}
