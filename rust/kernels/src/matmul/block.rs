//! One task's part of C: all of K, block by block.

use super::epilogue::Epilogue;
use super::pack::{Raw, pack_left, pack_right_panels};
use super::tile::{L2, Lies, Rows, Tile, panel_width, prefetch, tile, tile_cols, tile_rows};
use crate::cache::LINE;
use crate::isa::Isa;
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// K is cut evenly into blocks of at most this: a right panel of a block
/// stays in the first-level cache, a left block in the second.
const K_BLOCK: usize = 384;

/// Lines that a core asks for at once without waiting.
const AHEAD: usize = 24;

/// Into how many blocks K is cut.
pub(crate) fn k_ranges(k: usize) -> usize {
    k.div_ceil(K_BLOCK).max(1)
}

/// Block `i` of K.
pub(crate) fn k_range(k: usize, i: usize) -> Range<usize> {
    let blocks = k_ranges(k);
    k * i / blocks..k * (i + 1) / blocks
}

/// The longest block of K.
pub(crate) fn k_longest(k: usize) -> usize {
    k.div_ceil(k_ranges(k))
}

/// Into how many tiles `m` rows are cut.
pub(crate) fn row_panels(isa: Isa, m: usize) -> usize {
    m.div_ceil(tile_rows(isa))
}

/// The rows of tile `i`: tiles differ by at most one row.
#[inline(always)]
pub(crate) fn row_panel(panels: usize, m: usize, i: usize) -> Range<usize> {
    m * i / panels..m * (i + 1) / panels
}

/// Where a block of a left operand's panels is.
pub(crate) struct LeftPanels {
    pub start: *const f32,
    /// Step from a row to the next one: the panel of rows `r..` is at `start +
    /// (r - first row) * row`.
    pub row: usize,
    /// Rows lie as they are in the operand, K side by side; else panels are
    /// packed.
    pub in_place: bool,
}

pub(crate) trait Left: Sync {
    /// How much scratch `panels` needs for so many rows and so long a K.
    fn scratch(&self, rows: usize, k: usize) -> usize;

    /// Panels of the rows of tiles `tiles` (of `all`, of `m` rows).
    ///
    /// # Safety
    /// The ranges lie in the operand; `scratch` is as long as asked for.
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        tiles: Range<usize>,
        all: usize,
        m: usize,
        k: Range<usize>,
        scratch: &mut [f32],
    ) -> LeftPanels;
}

/// Where a block of a right operand's panels is.
pub(crate) struct Panels<'a> {
    pub start: *const f32,
    /// Step from panel to panel.
    pub step: usize,
    /// Where a panel's rows are; `None`: one after the other.
    pub rows: Option<Rows<'a>>,
}

pub(crate) trait Right: Sync {
    /// Whether panels may have to come from far away: weights do.
    const FAR: bool = false;

    fn scratch(&self, isa: Isa, cols: usize, k: usize) -> usize;

    /// Panels of rows `k` and columns `cols`, which start at a panel's.
    ///
    /// # Safety
    /// As for [`Left::panels`].
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        k: Range<usize>,
        cols: Range<usize>,
        scratch: &mut [f32],
    ) -> Panels<'_>;
}

impl Left for Raw {
    fn scratch(&self, rows: usize, k: usize) -> usize {
        if self.reads_in_place() { 0 } else { rows * k }
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        tiles: Range<usize>,
        all: usize,
        m: usize,
        k: Range<usize>,
        scratch: &mut [f32],
    ) -> LeftPanels {
        let first = row_panel(all, m, tiles.start).start;
        if self.reads_in_place() {
            // SAFETY: the caller's.
            let start = unsafe { self.at(first, k.start) };
            return LeftPanels {
                start,
                row: self.row_stride,
                in_place: true,
            };
        }
        for tile in tiles {
            let rows = row_panel(all, m, tile);
            // SAFETY: the caller's.
            unsafe {
                let dst = scratch.as_mut_ptr().add((rows.start - first) * k.len());
                pack_left(s, *self, rows, k.clone(), dst);
            }
        }
        LeftPanels {
            start: scratch.as_ptr(),
            row: k.len(),
            in_place: false,
        }
    }
}

impl Right for Raw {
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
        let step = tile_cols(S::ISA) * k.len();
        // SAFETY: the caller's.
        unsafe { pack_right_panels(s, *self, k, cols, scratch.as_mut_ptr()) }
        Panels {
            start: scratch.as_ptr(),
            step,
            rows: None,
        }
    }
}

/// A left operand whose panels are packed already, block of K after block of
/// K.
pub(crate) struct PackedLeft<'a>(pub &'a [f32]);

impl Left for PackedLeft<'_> {
    fn scratch(&self, _: usize, _: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        _: S,
        tiles: Range<usize>,
        all: usize,
        m: usize,
        k: Range<usize>,
        _: &mut [f32],
    ) -> LeftPanels {
        let first = row_panel(all, m, tiles.start).start;
        LeftPanels {
            start: self.0[k.start * m + first * k.len()..].as_ptr(),
            row: k.len(),
            in_place: false,
        }
    }
}

/// A right operand whose panels are packed already, block of K after block of
/// K, for columns from `first_col` on.
pub(crate) struct PackedRight<'a> {
    pub data: &'a [f32],
    /// Of all panels together.
    pub width: usize,
    pub first_col: usize,
}

impl Right for PackedRight<'_> {
    const FAR: bool = true;

    fn scratch(&self, _: Isa, _: usize, _: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        _: S,
        k: Range<usize>,
        cols: Range<usize>,
        _: &mut [f32],
    ) -> Panels<'_> {
        let start = k.start * self.width + (cols.start - self.first_col) * k.len();
        Panels {
            start: self.data[start..].as_ptr(),
            step: tile_cols(S::ISA) * k.len(),
            rows: None,
        }
    }
}

/// C's tiles `tiles` (of `all` row tiles) and columns `cols`.
pub(crate) struct Block<'a, L, R> {
    pub left: &'a L,
    pub right: &'a R,
    pub m: usize,
    pub k: usize,
    pub tiles: Range<usize>,
    pub all: usize,
    pub cols: Range<usize>,
    /// Element (0, 0) of the whole C.
    pub c: *mut f32,
    pub c_row: usize,
    /// Which operand's panel stays in the first-level cache while the other's
    /// pass by.
    pub left_stays: bool,
    /// For the final elements, by their places in the whole C.
    pub epilogue: Option<&'a Epilogue<'a>>,
}

impl<L: Left, R: Right> Kernel for Block<'_, L, R> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let step = tile_cols(S::ISA);
        let rows = row_panel(self.all, self.m, self.tiles.start).start
            ..row_panel(self.all, self.m, self.tiles.end - 1).end;
        let longest = k_longest(self.k);
        let mut left = Scratch::take(self.left.scratch(rows.len(), longest));
        let mut right = Scratch::take(self.right.scratch(S::ISA, self.cols.len(), longest));
        for i in 0..k_ranges(self.k) {
            let k = k_range(self.k, i);
            let (len, tiles, cols) = (k.len(), self.tiles.clone(), self.cols.clone());
            // SAFETY: the block lies in C and in the operands, which the
            // maker of this `Block` vouches for; scratch is as asked for.
            unsafe {
                let a = self
                    .left
                    .panels(s, tiles, self.all, self.m, k.clone(), &mut left);
                let b = self.right.panels(s, k, cols, &mut right);
                let one = |tile_row: usize, panel: usize| {
                    let r = row_panel(self.all, self.m, tile_row);
                    let col = self.cols.start + panel * step;
                    let cols = step.min(self.cols.end - col);
                    let finish = self
                        .epilogue
                        .filter(|_| i + 1 == k_ranges(self.k))
                        .map(|epilogue| epilogue.at(self.c_row, r.start, col));
                    let (a_row, a_k) = if a.in_place { (a.row, 1) } else { (1, r.len()) };
                    let t = Tile {
                        a: a.start.add((r.start - rows.start) * a.row),
                        a_row,
                        a_k,
                        b: b.start.add(panel * b.step),
                        b_rows: b.rows.unwrap_or(Rows::Every(panel_width(S::ISA, cols))),
                        k: len,
                        c: self.c.add(r.start * self.c_row + col),
                        c_row: self.c_row,
                        cols,
                        add: i > 0,
                        finish,
                    };
                    let lies = if a.in_place {
                        Lies::InPlace
                    } else {
                        Lies::Packed
                    };
                    tile(s, r.len(), lies, &t);
                };
                let panels = self.cols.len().div_ceil(step);
                // A piece of the next panel is asked for before each tile.
                let piece = b.step.div_ceil(self.tiles.len()).next_multiple_of(LINE);
                let ahead = R::FAR && piece <= AHEAD * LINE;
                if self.left_stays && !ahead {
                    for tile_row in self.tiles.clone() {
                        (0..panels).for_each(|panel| one(tile_row, panel));
                    }
                } else {
                    for panel in 0..panels {
                        let next = b.start.wrapping_add((panel + 1) * b.step);
                        let more = ahead && panel + 1 < panels;
                        for (i, tile_row) in self.tiles.clone().enumerate() {
                            let piece = if more { piece } else { 0 };
                            for at in (i * piece..(i + 1) * piece).step_by(LINE) {
                                prefetch::<L2>(next.wrapping_add(at));
                            }
                            one(tile_row, panel);
                        }
                    }
                }
            }
        }
    }
}
