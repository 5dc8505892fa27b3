//! The micro-kernel: rows of words by two vectors of columns.

use crate::isa::Isa;
use crate::pool::DisjointMut;
use crate::simd::Simd;

/// Rows of a tile: with two vectors each they leave room for both operands in sixteen registers.
pub(crate) const ROWS: usize = 6;
/// Words of a sum taken at a time: a panel of the right operand stays in the first cache.
pub(crate) const DEPTH: usize = 256;

/// Columns of a panel.
pub(crate) const fn width(isa: Isa) -> usize {
    2 * isa.lanes()
}

/// Two neighbouring terms.
#[inline(always)]
pub(crate) fn word(even: i16, odd: i16) -> i32 {
    (i32::from(odd) << 16) | i32::from(even as u16)
}

/// Rows of words by a panel of columns.
pub(crate) struct Product<'a> {
    /// Each row begins `left_stride` words after the one before.
    pub left: &'a [i32],
    pub left_stride: usize,
    /// `depth` rows of `width` words.
    pub right: &'a [i32],
    pub depth: usize,
    /// To what the result holds.
    pub adds: bool,
}

/// Where a panel's results go.
pub(crate) struct Tiles {
    pub rows: usize,
    /// At most a panel's width.
    pub cols: usize,
    pub start: usize,
    pub stride: usize,
}

impl Product<'_> {
    /// # Safety
    /// Nobody else uses these elements of `c`.
    #[inline(always)]
    pub(crate) unsafe fn run<S: Simd>(&self, s: S, to: &Tiles, c: &DisjointMut<'_, i32>) {
        for first in (0..to.rows).step_by(ROWS) {
            // SAFETY: the caller's.
            unsafe {
                match to.rows - first {
                    1 => self.tile::<S, 1>(s, first, to, c),
                    2 => self.tile::<S, 2>(s, first, to, c),
                    3 => self.tile::<S, 3>(s, first, to, c),
                    4 => self.tile::<S, 4>(s, first, to, c),
                    5 => self.tile::<S, 5>(s, first, to, c),
                    _ => self.tile::<S, ROWS>(s, first, to, c),
                }
            }
        }
    }

    /// # Safety
    /// As for [`Product::run`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize>(
        &self,
        s: S,
        first: usize,
        to: &Tiles,
        c: &DisjointMut<'_, i32>,
    ) {
        let sums = self.sums::<S, R>(s, first);
        for (row, [low, high]) in sums.into_iter().enumerate() {
            let start = to.start + (first + row) * to.stride;
            // SAFETY: the caller's.
            let out = unsafe { c.slice(start..start + to.cols) };
            let (left, right) = out.split_at_mut(to.cols.min(S::LANES));
            for (out, sum) in [(left, low), (right, high)] {
                let before = if self.adds {
                    s.load_part_i(out)
                } else {
                    s.splat_i(0)
                };
                s.store_part_i(out, s.add_i(before, sum));
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const R: usize>(&self, s: S, first: usize) -> [[S::I; 2]; R] {
        let (stride, start) = (self.left_stride, first * self.left_stride);
        assert!(self.depth == 0 || start + (R - 1) * stride + self.depth <= self.left.len());
        let mut sums = [[s.splat_i(0); 2]; R];
        for (k, right) in (self.right.chunks_exact(2 * S::LANES).take(self.depth)).enumerate() {
            let (low, high) = (s.load_i(right), s.load_i(&right[S::LANES..]));
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: below the bound that is checked above, since k < depth.
                let x = s.splat_i(unsafe { *self.left.get_unchecked(start + row * stride + k) });
                sums[0] = s.add_pairs(sums[0], x, low);
                sums[1] = s.add_pairs(sums[1], x, high);
            }
        }
        sums
    }
}
