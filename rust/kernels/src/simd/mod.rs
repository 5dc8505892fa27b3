//! One kernel source for every instruction set.
//!
//! A kernel is a [`Kernel`] whose `run` is written once over [`Simd`] and
//! marked `#[inline(always)]`; [`dispatch`] runs it inside a function compiled
//! for the wanted instruction set.  Everything `run` calls in its hot loops
//! must be inlined into it: mark helpers `#[inline(always)]`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
pub mod steps;
#[cfg(test)]
mod tests;

use crate::isa::Isa;
pub use portable::Portable;

/// The most lanes any instance has.
pub const MAX_LANES: usize = 16;

/// Vector operations of one instruction set.
///
/// A value of an implementing type is the proof that the machine has the
/// instructions: only [`dispatch`] makes one, so all methods on vectors are
/// safe.  `F` holds f32, `I` i32 and `M` one truth value per lane.
pub trait Simd: Copy + Send + Sync + 'static {
    const LANES: usize;
    const ISA: Isa;
    type F: Copy;
    type I: Copy;
    type M: Copy;

    /// Runs `kernel` as a function of its own, which keeps the caller small.
    fn call<K: Kernel>(self, kernel: K) -> K::Out;

    fn splat(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// a * b + c, rounded once where the instruction set can.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// c - a * b.
    fn fnma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// a < b ? a : b; so b where either is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// a > b ? a : b; so b where either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    /// Whether [`Simd::scale`] is one instruction.
    const SCALES: bool = false;
    /// a 2^n for whole n from -152 to 128: overflows to infinity, underflows
    /// through the denormals to 0.
    #[inline(always)]
    fn scale(self, a: Self::F, n: Self::F) -> Self::F {
        // Two factors, since 2^n alone may overflow or be denormal.
        let n = self.round_to_i(n);
        let half = self.shr_i::<1>(n);
        let rest = self.sub_i(n, half);
        let a = self.mul(a, self.power_of_two(half));
        self.mul(a, self.power_of_two(rest))
    }
    /// To the nearest integer, halves to even.
    fn round(self, a: Self::F) -> Self::F;
    fn floor(self, a: Self::F) -> Self::F;
    fn ceil(self, a: Self::F) -> Self::F;
    fn trunc(self, a: Self::F) -> Self::F;

    /// Whether [`Simd::look_up`] is one instruction.
    const LOOKS_UP: bool = false;
    /// For each lane the element that the low five bits of `at` tell.
    #[inline(always)]
    fn look_up(self, table: &[f32; 32], at: Self::I) -> Self::F {
        let mut places = [0; MAX_LANES];
        self.store_i(&mut places, at);
        self.load(&places.map(|at| table[at as usize % 32]))
    }

    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    fn le(self, a: Self::F, b: Self::F) -> Self::M;
    fn eq(self, a: Self::F, b: Self::F) -> Self::M;
    /// True where unordered, as `!=` is.
    fn ne(self, a: Self::F, b: Self::F) -> Self::M;
    fn select(self, mask: Self::M, yes: Self::F, no: Self::F) -> Self::F;

    fn splat_i(self, x: i32) -> Self::I;
    /// Wraps, as do `sub_i` and `mul_i`.
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// `sum` and, of every lane, the products of its two halves as signed 16-bit integers.
    /// Wraps.
    fn add_pairs(self, sum: Self::I, a: Self::I, b: Self::I) -> Self::I;
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn min_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn max_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Shifts by a constant below 32.
    fn shl_i<const N: i32>(self, a: Self::I) -> Self::I;
    /// Keeps the sign.
    fn shr_i<const N: i32>(self, a: Self::I) -> Self::I;
    /// Brings in zeros.
    fn shr_u<const N: i32>(self, a: Self::I) -> Self::I;
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M;
    fn lt_i(self, a: Self::I, b: Self::I) -> Self::M;
    fn select_i(self, mask: Self::M, yes: Self::I, no: Self::I) -> Self::I;

    /// Halves to even; lanes outside i32's range (and NaN) are unspecified.
    fn round_to_i(self, a: Self::F) -> Self::I;
    /// Toward zero; lanes outside i32's range (and NaN) are unspecified.
    fn trunc_to_i(self, a: Self::F) -> Self::I;
    fn to_f(self, a: Self::I) -> Self::F;
    fn bits(self, a: Self::F) -> Self::I;
    /// The floats of these bit patterns.
    #[allow(clippy::wrong_self_convention)]
    fn from_bits(self, a: Self::I) -> Self::F;

    fn and_m(self, a: Self::M, b: Self::M) -> Self::M;
    fn or_m(self, a: Self::M, b: Self::M) -> Self::M;
    fn not_m(self, a: Self::M) -> Self::M;
    /// Lane i's truth value as bit i.
    fn mask_bits(self, a: Self::M) -> u32;
    /// Lane i from bit i.
    fn mask_from_bits(self, bits: u32) -> Self::M;

    /// # Safety
    /// `LANES` values can be read at `p`.
    unsafe fn load_ptr(self, p: *const f32) -> Self::F;
    /// # Safety
    /// `LANES` values can be written at `p`.
    unsafe fn store_ptr(self, p: *mut f32, v: Self::F);
    /// The first `n <= LANES` values; the other lanes are 0.
    ///
    /// # Safety
    /// `n` values can be read at `p`.
    unsafe fn load_ptr_part(self, p: *const f32, n: usize) -> Self::F;
    /// Writes the first `n <= LANES` lanes.
    ///
    /// # Safety
    /// `n` values can be written at `p`.
    unsafe fn store_ptr_part(self, p: *mut f32, n: usize, v: Self::F);

    /// `LANES` halves (IEEE 754's binary16), widened without loss.
    ///
    /// # Safety
    /// `LANES` values can be read at `p`.
    unsafe fn load_half_ptr(self, p: *const u16) -> Self::F;

    /// The even lanes of `low`, then those of `high`.
    fn even(self, low: Self::F, high: Self::F) -> Self::F;

    /// Lanes added in halves: a fixed order for each instance.
    fn sum(self, a: Self::F) -> f32;
    /// The largest lane; unspecified where a lane is NaN.
    fn max_lane(self, a: Self::F) -> f32;
    /// The smallest lane; unspecified where a lane is NaN.
    fn min_lane(self, a: Self::F) -> f32;

    // ---- composed of the above

    /// 2^n for -126 <= n <= 127.
    #[inline(always)]
    fn power_of_two(self, n: Self::I) -> Self::F {
        self.from_bits(self.shl_i::<23>(self.add_i(n, self.splat_i(127))))
    }
    #[inline(always)]
    fn zero(self) -> Self::F {
        self.splat(0.0)
    }
    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        self.lt(b, a)
    }
    #[inline(always)]
    fn ge(self, a: Self::F, b: Self::F) -> Self::M {
        self.le(b, a)
    }
    #[inline(always)]
    fn gt_i(self, a: Self::I, b: Self::I) -> Self::M {
        self.lt_i(b, a)
    }
    #[inline(always)]
    fn is_nan(self, a: Self::F) -> Self::M {
        self.ne(a, a)
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        self.from_bits(self.and_i(self.bits(a), self.splat_i(i32::MAX)))
    }
    #[inline(always)]
    fn neg(self, a: Self::F) -> Self::F {
        self.from_bits(self.xor_i(self.bits(a), self.splat_i(i32::MIN)))
    }
    /// `magnitude` with the sign bit of `sign`.
    #[inline(always)]
    fn copysign(self, magnitude: Self::F, sign: Self::F) -> Self::F {
        let sign = self.and_i(self.bits(sign), self.splat_i(i32::MIN));
        let magnitude = self.and_i(self.bits(magnitude), self.splat_i(i32::MAX));
        self.from_bits(self.or_i(magnitude, sign))
    }
    #[inline(always)]
    fn any(self, a: Self::M) -> bool {
        self.mask_bits(a) != 0
    }
    #[inline(always)]
    fn all(self, a: Self::M) -> bool {
        self.mask_bits(a) == u32::MAX >> (32 - Self::LANES)
    }

    /// The first `LANES` values; panics where there are fewer.
    #[inline(always)]
    fn load(self, src: &[f32]) -> Self::F {
        assert!(src.len() >= Self::LANES);
        // SAFETY: checked above.
        unsafe { self.load_ptr(src.as_ptr()) }
    }
    /// Writes the first `LANES` values; panics where there are fewer.
    #[inline(always)]
    fn store(self, dst: &mut [f32], v: Self::F) {
        assert!(dst.len() >= Self::LANES);
        // SAFETY: checked above.
        unsafe { self.store_ptr(dst.as_mut_ptr(), v) }
    }
    /// As many values as there are, at most `LANES`; the other lanes are 0.
    #[inline(always)]
    fn load_part(self, src: &[f32]) -> Self::F {
        // SAFETY: within the slice.
        unsafe { self.load_ptr_part(src.as_ptr(), src.len().min(Self::LANES)) }
    }
    /// As many lanes as fit, at most `LANES`.
    #[inline(always)]
    fn store_part(self, dst: &mut [f32], v: Self::F) {
        // SAFETY: within the slice.
        unsafe { self.store_ptr_part(dst.as_mut_ptr(), dst.len().min(Self::LANES), v) }
    }
    #[inline(always)]
    fn load_i(self, src: &[i32]) -> Self::I {
        assert!(src.len() >= Self::LANES);
        // SAFETY: checked above; i32 and f32 have one size and no invalid bits.
        self.bits(unsafe { self.load_ptr(src.as_ptr().cast()) })
    }
    #[inline(always)]
    fn store_i(self, dst: &mut [i32], v: Self::I) {
        assert!(dst.len() >= Self::LANES);
        // SAFETY: as in `load_i`.
        unsafe { self.store_ptr(dst.as_mut_ptr().cast(), self.from_bits(v)) }
    }
    #[inline(always)]
    fn load_part_i(self, src: &[i32]) -> Self::I {
        let n = src.len().min(Self::LANES);
        // SAFETY: as in `load_i`.
        self.bits(unsafe { self.load_ptr_part(src.as_ptr().cast(), n) })
    }
    #[inline(always)]
    fn store_part_i(self, dst: &mut [i32], v: Self::I) {
        let n = dst.len().min(Self::LANES);
        // SAFETY: as in `load_i`.
        unsafe { self.store_ptr_part(dst.as_mut_ptr().cast(), n, self.from_bits(v)) }
    }
    /// Truth values as bytes 0 and 1, as many as fit, at most `LANES`.
    #[inline(always)]
    fn store_mask(self, dst: &mut [u8], mask: Self::M) {
        let bits = self.mask_bits(mask);
        for (lane, byte) in dst.iter_mut().take(Self::LANES).enumerate() {
            *byte = u8::from(bits >> lane & 1 == 1);
        }
    }
    /// Bytes (0 is false) as truth values; lanes without a byte are false.
    #[inline(always)]
    fn load_mask(self, src: &[u8]) -> Self::M {
        let mut bits = 0;
        for (lane, byte) in src.iter().take(Self::LANES).enumerate() {
            bits |= u32::from(*byte != 0) << lane;
        }
        self.mask_from_bits(bits)
    }
}

/// Work written once over [`Simd`].  Mark `run` `#[inline(always)]`.
pub trait Kernel {
    type Out;
    fn run<S: Simd>(self, s: S) -> Self::Out;
}

/// Runs `kernel` compiled for `isa`; for the portable instance where the
/// machine lacks `isa`, which [`Isa::current`] never returns.
#[inline]
pub fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the features are there.
    match isa {
        Isa::Avx512 if isa.is_available() => return unsafe { avx512::run(kernel) },
        Isa::Avx2 if isa.is_available() => return unsafe { avx2::run(kernel) },
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    if isa == Isa::Neon {
        return neon::run(kernel);
    }
    let _ = isa;
    kernel.run(Portable)
}
