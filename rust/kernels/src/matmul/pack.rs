//! Packing: operands copied into panels that the micro-kernel reads in order.
//!
//! A left panel holds a tile's rows k by k (`dst[k * rows + row]`), a right
//! panel a tile's columns (`dst[k * width + col]`), padded with zeros to whole
//! vectors.

use super::tile::{MOST_TILE_ROWS, panel_width, tile_cols};
use crate::simd::Simd;
use std::ops::Range;

/// A matrix as the packing sees it: element (r, c) at
/// `start + r * row_stride + c * col_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Raw {
    pub start: *const f32,
    pub row_stride: usize,
    pub col_stride: usize,
}

// SAFETY: only read, while the borrow it was made from lasts.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

/// What a first-level cache holds at the least: so many lines whose
/// addresses differ by multiples of [`ALIAS`] bytes.
const WAYS: usize = 8;
const ALIAS: usize = 4096;

impl Raw {
    /// As a left operand it is better read where it is than packed: K lies
    /// side by side, and the rows of a tile do not evict each other from the
    /// first-level cache.
    #[inline(always)]
    pub(crate) fn reads_in_place(&self) -> bool {
        let step = self.row_stride * size_of::<f32>();
        // A power of two times an odd number: the power tells how many places
        // of the cache the rows can take.
        let places = ALIAS >> step.trailing_zeros().min(ALIAS.trailing_zeros());
        self.col_stride == 1 && places * WAYS > MOST_TILE_ROWS
    }

    /// # Safety
    /// (row, col) lies in the matrix.
    #[inline(always)]
    pub(crate) unsafe fn at(&self, row: usize, col: usize) -> *const f32 {
        // SAFETY: the caller's.
        unsafe {
            self.start
                .add(row * self.row_stride + col * self.col_stride)
        }
    }
}

/// dst[c * dst_stride + r] = src[r * src_stride + c] for r < rows, c < cols.
///
/// # Safety
/// Both can be accessed so.
#[inline(always)]
pub(crate) unsafe fn transpose(
    src: *const f32,
    src_stride: usize,
    dst: *mut f32,
    dst_stride: usize,
    rows: usize,
    cols: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let (rows4, cols4) = (rows / 4 * 4, cols / 4 * 4);
        for r in (0..rows4).step_by(4) {
            for c in (0..cols4).step_by(4) {
                let from = src.add(r * src_stride + c);
                transpose_4x4(from, src_stride, dst.add(c * dst_stride + r), dst_stride);
            }
            for c in cols4..cols {
                for r in r..r + 4 {
                    *dst.add(c * dst_stride + r) = *src.add(r * src_stride + c);
                }
            }
        }
        for r in rows4..rows {
            for c in 0..cols {
                *dst.add(c * dst_stride + r) = *src.add(r * src_stride + c);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_4x4(src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
    use std::arch::x86_64::{_MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps};
    // SAFETY: the caller's; SSE is part of x86-64.
    unsafe {
        let mut r0 = _mm_loadu_ps(src);
        let mut r1 = _mm_loadu_ps(src.add(src_stride));
        let mut r2 = _mm_loadu_ps(src.add(2 * src_stride));
        let mut r3 = _mm_loadu_ps(src.add(3 * src_stride));
        _MM_TRANSPOSE4_PS(&mut r0, &mut r1, &mut r2, &mut r3);
        _mm_storeu_ps(dst, r0);
        _mm_storeu_ps(dst.add(dst_stride), r1);
        _mm_storeu_ps(dst.add(2 * dst_stride), r2);
        _mm_storeu_ps(dst.add(3 * dst_stride), r3);
    }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn transpose_4x4(src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
    use std::arch::aarch64::{vld1q_f32, vst1q_f32, vzip1q_f32, vzip2q_f32};
    // SAFETY: the caller's; NEON is part of AArch64.
    unsafe {
        let r0 = vld1q_f32(src);
        let r1 = vld1q_f32(src.add(src_stride));
        let r2 = vld1q_f32(src.add(2 * src_stride));
        let r3 = vld1q_f32(src.add(3 * src_stride));
        // Columns 0 and 1 of even rows, of odd rows; then columns 2 and 3.
        let (even, odd) = (vzip1q_f32(r0, r2), vzip1q_f32(r1, r3));
        vst1q_f32(dst, vzip1q_f32(even, odd));
        vst1q_f32(dst.add(dst_stride), vzip2q_f32(even, odd));
        let (even, odd) = (vzip2q_f32(r0, r2), vzip2q_f32(r1, r3));
        vst1q_f32(dst.add(2 * dst_stride), vzip1q_f32(even, odd));
        vst1q_f32(dst.add(3 * dst_stride), vzip2q_f32(even, odd));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
unsafe fn transpose_4x4(src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
    for r in 0..4 {
        for c in 0..4 {
            // SAFETY: the caller's.
            unsafe { *dst.add(c * dst_stride + r) = *src.add(r * src_stride + c) }
        }
    }
}

/// Packs A's rows `rows` (one tile's) and columns `k` into a left panel.
///
/// # Safety
/// The ranges lie in `a`; `dst` has room for `rows.len() * k.len()`.
#[inline(always)]
pub(crate) unsafe fn pack_left<S: Simd>(
    s: S,
    a: Raw,
    rows: Range<usize>,
    k: Range<usize>,
    dst: *mut f32,
) {
    let m = rows.len();
    // SAFETY: the caller's.
    unsafe {
        if a.row_stride == 1 {
            for (i, k) in k.enumerate() {
                let (src, dst) = (a.at(rows.start, k), dst.add(i * m));
                s.store_ptr_part(dst, m, s.load_ptr_part(src, m));
            }
        } else if a.col_stride == 1 {
            transpose(a.at(rows.start, k.start), a.row_stride, dst, m, m, k.len());
        } else {
            for (i, k) in k.enumerate() {
                for (r, row) in rows.clone().enumerate() {
                    *dst.add(i * m + r) = *a.at(row, k);
                }
            }
        }
    }
}

/// Packs B's rows `k` and columns `cols` (one tile's) into a right panel.
///
/// # Safety
/// The ranges lie in `b`; `dst` has room for `k.len()` rows of
/// [`panel_width`].
#[inline(always)]
pub(crate) unsafe fn pack_right<S: Simd>(
    s: S,
    b: Raw,
    k: Range<usize>,
    cols: Range<usize>,
    dst: *mut f32,
) {
    let n = cols.len();
    let width = panel_width(S::ISA, n);
    // SAFETY: the caller's.
    unsafe {
        if b.col_stride == 1 {
            for (i, k) in k.enumerate() {
                copy_padded(s, b.at(k, cols.start), n, dst.add(i * width));
            }
            return;
        }
        if n < width {
            std::slice::from_raw_parts_mut(dst, k.len() * width).fill(0.0);
        }
        if b.row_stride == 1 {
            transpose(
                b.at(k.start, cols.start),
                b.col_stride,
                dst,
                width,
                n,
                k.len(),
            );
        } else {
            for (i, k) in k.enumerate() {
                for (c, col) in cols.clone().enumerate() {
                    *dst.add(i * width + c) = *b.at(k, col);
                }
            }
        }
    }
}

/// Copies `n` values and zeros up to a whole vector.
///
/// # Safety
/// Both can be accessed so.
#[inline(always)]
pub(crate) unsafe fn copy_padded<S: Simd>(s: S, src: *const f32, n: usize, dst: *mut f32) {
    let mut at = 0;
    // SAFETY: the caller's.
    unsafe {
        while at + S::LANES <= n {
            s.store_ptr(dst.add(at), s.load_ptr(src.add(at)));
            at += S::LANES;
        }
        if at < n {
            s.store_ptr(dst.add(at), s.load_ptr_part(src.add(at), n - at));
        }
    }
}

/// Packs rows `k` and columns `cols` (starting at a panel's) into panels, one
/// after the other.
///
/// # Safety
/// As for [`pack_right`], for every panel.
#[inline(always)]
pub(crate) unsafe fn pack_right_panels<S: Simd>(
    s: S,
    b: Raw,
    k: Range<usize>,
    cols: Range<usize>,
    dst: *mut f32,
) {
    let step = tile_cols(S::ISA);
    for (panel, start) in cols.clone().step_by(step).enumerate() {
        let cols = start..cols.end.min(start + step);
        // SAFETY: the caller's.
        unsafe { pack_right(s, b, k.clone(), cols, dst.add(panel * step * k.len())) }
    }
}
