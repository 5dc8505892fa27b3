//! Right operands of 16-bit floats, packed as they are and widened to f32 as
//! they are read: half the memory, and half the way from it.
//!
//! The panels and an element's chain of operations are those of the operand
//! widened beforehand, so are the results, bit by bit.

#[cfg(test)]
mod tests;

use super::Tail;
use super::block::{Panels, Right, k_range, k_ranges, row_panel, row_panels};
use super::operand::MatRef;
use super::pack::Raw;
use super::pack_all::{Job, pack_all};
use super::plan::Shape;
use super::tile::{panel_width, tile_cols, tile_rows, unroll};
use crate::isa::Isa;
use crate::pool::{self, DisjointMut, parallel_blocks, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// With more tiles of rows, halves are widened ahead of them.
const FEW_TILES: usize = 3;
/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 16;

/// A packed right operand of halves.
#[derive(Clone, Copy)]
pub(super) struct PackedHalf<'a> {
    pub data: &'a [u16],
    pub cols: usize,
}

/// Packs `b` as [`super::pack_all`] packs f32; `dst` is zeros.
pub(super) fn pack(isa: Isa, b: MatRef<'_, u16>, dst: &mut [u16]) {
    let (step, width) = (tile_cols(isa), panel_width(isa, b.cols));
    let panels = b.cols.div_ceil(step);
    let dst = DisjointMut::new(dst);
    parallel_for(panels * k_ranges(b.rows), &|task| {
        let (k, col) = (k_range(b.rows, task / panels), task % panels * step);
        let cols = col..b.cols.min(col + step);
        let wide = panel_width(isa, cols.len());
        let start = k.start * width + col * k.len();
        // SAFETY: tasks fill different panels.
        let panel = unsafe { dst.slice(start..start + k.len() * wide) };
        for (k, row) in k.zip(panel.chunks_exact_mut(wide)) {
            for (col, to) in cols.clone().zip(row) {
                *to = b.data[k * b.row_stride + col * b.col_stride];
            }
        }
    });
}

impl Right for PackedHalf<'_> {
    fn scratch(&self, isa: Isa, cols: usize, k: usize) -> usize {
        panel_width(isa, cols) * k
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        k: Range<usize>,
        cols: Range<usize>,
        scratch: &mut [f32],
    ) -> Panels<'_> {
        let start = k.start * panel_width(S::ISA, self.cols) + cols.start * k.len();
        let len = panel_width(S::ISA, cols.len()) * k.len();
        let (from, to) = (&self.data[start..start + len], &mut scratch[..len]);
        for at in (0..len).step_by(S::LANES) {
            // SAFETY: both have `len` elements, whole vectors.
            unsafe {
                let wide = s.load_half_ptr(from.as_ptr().add(at));
                s.store_ptr(to.as_mut_ptr().add(at), wide);
            }
        }
        Panels {
            start: scratch.as_ptr(),
            step: tile_cols(S::ISA) * k.len(),
            rows: None,
        }
    }
}

/// Whether halves are better widened in registers, again for each tile of
/// rows, than ahead of the product.
pub(super) fn is_few(isa: Isa, rows: usize) -> bool {
    rows <= FEW_TILES * tile_rows(isa)
}

/// C = A B for a few rows, one or more, at the speed of memory.
pub(super) fn few_rows(
    isa: Isa,
    Shape { m, k, n }: Shape,
    a: Raw,
    b: PackedHalf<'_>,
    c: &mut [f32],
    tail: Option<Tail<'_>>,
) {
    let mut left = Scratch::take(m * k);
    let job = Job {
        raw: a,
        range: 0..m,
        dst: &mut left,
    };
    pack_all(isa, k, Some(job), None);
    let threads = pool::threads_here();
    let block = if threads == 1 || m * k * n < 2 * TASK {
        n
    } else {
        n.div_ceil(2 * threads).max(TASK / (m * k).max(1))
    };
    let c = DisjointMut::new(c);
    parallel_blocks(n, block.next_multiple_of(tile_cols(isa)), |_, cols| {
        let few = FewRows {
            a: &left,
            k,
            b,
            m,
            cols: cols.clone(),
            c: c.as_mut_ptr(),
            c_row: n,
        };
        dispatch(isa, few);
        for row in 0..if tail.is_some() { m } else { 0 } {
            let start = row * n + cols.start;
            // SAFETY: blocks of columns do not overlap.
            let piece = unsafe { c.slice(start..start + cols.len()) };
            if let Some(tail) = tail {
                tail(start, piece);
            }
        }
    });
}

/// Columns `cols` of C, which no one else touches.
struct FewRows<'a> {
    /// Packed.
    a: &'a [f32],
    k: usize,
    b: PackedHalf<'a>,
    m: usize,
    cols: Range<usize>,
    /// Element (0, 0) of C.
    c: *mut f32,
    c_row: usize,
}

impl Kernel for FewRows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (step, tiles) = (tile_cols(S::ISA), row_panels(S::ISA, self.m));
        // One row alone has too few sums to hide the additions' latency.
        let at_once = if self.m == 1 { 2 * step } else { step };
        for i in 0..k_ranges(self.k) {
            let k = k_range(self.k, i);
            let mut col = self.cols.start;
            while col < self.cols.end {
                let left = self.cols.end - col;
                let cols = if left < at_once {
                    step.min(left)
                } else {
                    at_once
                };
                for tile in 0..tiles {
                    let rows = row_panel(tiles, self.m, tile);
                    self.add(s, k.clone(), rows, col..col + cols);
                }
                col += cols;
            }
        }
    }
}

impl FewRows<'_> {
    /// Adds a block of K to one panel's rows, or to two panels' one row.
    #[inline(always)]
    fn add<S: Simd>(&self, s: S, k: Range<usize>, rows: Range<usize>, cols: Range<usize>) {
        let width = panel_width(S::ISA, self.b.cols);
        let start = k.start * width + cols.start * k.len();
        let len = k.len() * panel_width(S::ISA, cols.len());
        let part = Part {
            a: &self.a[k.start * self.m + rows.start * k.len()..],
            k: k.len(),
            b: &self.b.data[start..start + len],
            // SAFETY: a place in C.
            c: unsafe { self.c.add(rows.start * self.c_row + cols.start) },
            c_row: self.c_row,
            cols: cols.len(),
            add: k.start > 0,
        };
        macro_rules! by_rows {
            ($vecs:literal: $($rows:literal)*) => {
                match rows.len() {
                    $($rows if const { $rows <= tile_rows(S::ISA) } => {
                        if const { $rows <= tile_rows(S::ISA) } {
                            s.call(Add::<$rows, 1, $vecs>(part));
                        }
                    })*
                    _ => debug_assert!(rows.is_empty()),
                }
            };
        }
        match cols.len().div_ceil(S::LANES) {
            1 => by_rows!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
            2 if tile_cols(S::ISA) > S::LANES => {
                by_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            }
            2 => s.call(Add::<1, 2, 1>(part)),
            _ => s.call(Add::<1, 2, 2>(part)),
        }
    }
}

struct Part<'a> {
    /// A panel, and what follows.
    a: &'a [f32],
    k: usize,
    /// The panels.
    b: &'a [u16],
    /// The first element, and the step from row to row.
    c: *mut f32,
    c_row: usize,
    cols: usize,
    /// Add to C instead of replacing it.
    add: bool,
}

/// `ROWS` rows by `PANELS` panels of `VECS` vectors.
struct Add<'a, const ROWS: usize, const PANELS: usize, const VECS: usize>(Part<'a>);

impl<const ROWS: usize, const PANELS: usize, const VECS: usize> Kernel
    for Add<'_, ROWS, PANELS, VECS>
{
    type Out = ();

    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // In registers: indices are constants.
    fn run<S: Simd>(self, s: S) {
        let t = self.0;
        let panel = t.k * VECS * S::LANES;
        assert!(PANELS * panel <= t.b.len() && ROWS * t.k <= t.a.len());
        let mut sums = [[[s.zero(); VECS]; PANELS]; ROWS];
        let (mut a, mut b) = (t.a.as_ptr(), t.b.as_ptr());
        // SAFETY: checked above; C is the caller's.
        unsafe {
            for _ in 0..t.k {
                for p in 0..PANELS {
                    for v in 0..VECS {
                        let wide = s.load_half_ptr(b.add(p * panel + v * S::LANES));
                        unroll!(R < ROWS, {
                            let x = s.splat(*a.add(R));
                            sums[R][p][v] = s.fma(x, wide, sums[R][p][v]);
                        });
                    }
                }
                a = a.add(ROWS);
                b = b.add(VECS * S::LANES);
            }
            unroll!(R < ROWS, {
                for (i, sum) in sums[R].iter().flatten().enumerate() {
                    let n = t.cols.saturating_sub(i * S::LANES).min(S::LANES);
                    let c = t.c.add(R * t.c_row).wrapping_add(i * S::LANES);
                    let old = if t.add {
                        s.load_ptr_part(c, n)
                    } else {
                        s.zero()
                    };
                    s.store_ptr_part(c, n, s.add(old, *sum));
                }
            });
        }
    }
}
