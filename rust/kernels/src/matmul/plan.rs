//! How a product is cut into tasks.

use super::block::{Block, Left, PackedLeft, PackedRight, Right, row_panel, row_panels};
use super::epilogue::Epilogue;
use super::operand::MatRef;
use super::pack::Raw;
use super::pack_all::{Job, pack_all};
use super::tile::{Lies, Rows, Tile, panel_width, tile, tile_cols, tile_rows};
use super::{Tail, block::k_longest};
use crate::cache;
use crate::isa::Isa;
use crate::pool::{self, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

/// Multiply-adds worth a task of its own (some microseconds).
const TASK: usize = 1 << 18;
/// Tasks a thread gets, so that a slow one can be relieved.
const TASKS_PER_THREAD: usize = 4;
/// A left operand up to this (in f32) is packed whole, once.
const LEFT_WHOLE: usize = 4 << 20;
/// At most so much of a right operand (in f32) is packed at once.
const RIGHT_AT_ONCE: usize = 8 << 20;
/// Up to so many multiply-adds packing costs more than it brings.
const SMALL: usize = 24 * 24 * 24;

/// C cut into `rows` by `cols` blocks of whole tiles.
struct Cut {
    rows: usize,
    cols: usize,
    /// Blocks of one column share their packed right panels.
    share_right: bool,
}

impl Cut {
    fn new(isa: Isa, shape: Shape) -> Cut {
        let Shape { m, k, n } = shape;
        let tiles = row_panels(isa, m);
        let panels = n.div_ceil(tile_cols(isa));
        let threads = pool::threads_here();
        let work = m.saturating_mul(n).saturating_mul(k);
        let want = if threads == 1 {
            1
        } else {
            (work / TASK).clamp(1, threads * TASKS_PER_THREAD)
        };
        // A left block of a quarter, a right block of half the second level;
        // AVX2's tiles, which ask for the next panel of a weight, want more of
        // them to a panel.
        let longest = k_longest(k).max(1) * size_of::<f32>();
        let part = if isa == Isa::Avx2 { 2 } else { 4 };
        let most_rows = (cache::l2() / part / longest).max(4 * tile_rows(isa));
        let most_cols = (cache::l2() / 2 / longest).max(4 * tile_cols(isa));
        let rows = m.div_ceil(most_rows);
        if rows == 1 {
            let cols = n.div_ceil(most_cols).max(want).min(panels);
            let rows = want.div_ceil(cols).min(tiles);
            return Cut {
                rows,
                cols,
                share_right: rows > 1,
            };
        }
        // Each thread its own rows: it meets them again in what comes next.
        let rows = rows.next_multiple_of(threads).min(tiles);
        let cols = n
            .div_ceil(2 * most_cols)
            .max(want.div_ceil(rows))
            .min(panels);
        Cut {
            rows,
            cols,
            share_right: true,
        }
    }

    /// Whether A is packed ahead, because several tasks need the same rows.
    fn packs_left(&self, shape: Shape, a: Raw) -> bool {
        self.cols > 1 && shape.m * shape.k <= LEFT_WHOLE && !a.reads_in_place()
    }
}

/// A and B as they are.
pub(super) fn plain(
    isa: Isa,
    shape: Shape,
    a: Raw,
    b: Raw,
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let Shape { m, k, n } = shape;
    let cut = Cut::new(isa, shape);
    let mut left = cut.packs_left(shape, a).then(|| Scratch::take(m * k));
    if !cut.share_right {
        if let Some(left) = &mut left {
            pack_all(
                isa,
                k,
                Some(Job {
                    raw: a,
                    range: 0..m,
                    dst: left,
                }),
                None,
            );
        }
        run(isa, shape, &cut, 0..n, a, left.as_deref(), &b, c, epilogue);
        return;
    }
    let step = tile_cols(isa);
    let at_once = (RIGHT_AT_ONCE / k.max(1) / step).max(16) * step;
    for first_col in (0..n).step_by(at_once) {
        let cols = first_col..n.min(first_col + at_once);
        let width = panel_width(isa, cols.len());
        let mut packed = Scratch::take(k * width);
        let left_job = match &mut left {
            Some(left) if first_col == 0 => Some(Job {
                raw: a,
                range: 0..m,
                dst: left,
            }),
            _ => None,
        };
        let right_job = Job {
            raw: b,
            range: cols.clone(),
            dst: &mut packed,
        };
        pack_all(isa, k, left_job, Some(right_job));
        let right = PackedRight {
            data: &packed,
            width,
            first_col,
        };
        run(
            isa,
            shape,
            &cut,
            cols,
            a,
            left.as_deref(),
            &right,
            c,
            epilogue,
        );
    }
}

/// B packed beforehand.
pub(super) fn packed<R: Right>(
    isa: Isa,
    shape: Shape,
    a: Raw,
    b: &R,
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let Shape { m, k, n } = shape;
    let cut = Cut::new(isa, shape);
    let mut left = cut.packs_left(shape, a).then(|| Scratch::take(m * k));
    if let Some(left) = &mut left {
        pack_all(
            isa,
            k,
            Some(Job {
                raw: a,
                range: 0..m,
                dst: left,
            }),
            None,
        );
    }
    run(isa, shape, &cut, 0..n, a, left.as_deref(), b, c, epilogue);
}

/// Columns `cols` of C, block by block, with A packed or not.
fn run<R: Right>(
    isa: Isa,
    shape: Shape,
    cut: &Cut,
    cols: Range<usize>,
    a: Raw,
    packed: Option<&[f32]>,
    right: &R,
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    match packed {
        Some(data) => blocks(isa, shape, cut, cols, &PackedLeft(data), right, c, epilogue),
        None => blocks(isa, shape, cut, cols, &a, right, c, epilogue),
    }
}

fn blocks<L: Left, R: Right>(
    isa: Isa,
    shape: Shape,
    cut: &Cut,
    cols: Range<usize>,
    left: &L,
    right: &R,
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let Shape { m, k, n } = shape;
    let all = row_panels(isa, m);
    let step = tile_cols(isa);
    let panels = cols.len().div_ceil(step);
    let col_blocks = cut.cols.min(panels);
    // The pool gives a thread consecutive tasks: a band of rows, and in it all
    // rows for one block of columns after the other.
    let threads = pool::threads_here();
    let bands = if cut.rows.is_multiple_of(threads) {
        threads
    } else {
        1
    };
    let band = cut.rows / bands;
    let c = pool::DisjointMut::new(c);
    parallel_for(cut.rows * col_blocks, &|task| {
        let (first, task) = (task / (band * col_blocks), task % (band * col_blocks));
        let (i, j) = (first * band + task % band, task / band);
        let tiles = all * i / cut.rows..all * (i + 1) / cut.rows;
        let rows = row_panel(all, m, tiles.start).start..row_panel(all, m, tiles.end - 1).end;
        let edge = |j: usize| cols.end.min(cols.start + panels * j / col_blocks * step);
        let cols = edge(j)..edge(j + 1);
        let block = Block {
            left,
            right,
            m,
            k,
            tiles,
            all,
            cols: cols.clone(),
            c: c.as_mut_ptr(),
            c_row: n,
            // A left panel goes round the right block where that was just
            // packed by this task.
            left_stays: !cut.share_right,
            epilogue: epilogue.finishes().then_some(epilogue),
        };
        dispatch(isa, block);
        if let Some(tail) = epilogue.tail {
            for row in rows {
                let start = row * n + cols.start;
                // SAFETY: blocks do not overlap.
                tail(start, unsafe { c.slice(start..row * n + cols.end) });
            }
        }
    });
}

/// Small products straight from where the operands are; false where it does
/// not apply.
pub(super) fn small(
    isa: Isa,
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    c: &mut [f32],
    tail: Option<Tail<'_>>,
) -> bool {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let work = m.saturating_mul(n).saturating_mul(k);
    // One block of K, so that the sum is the packed path's.
    if work > SMALL || b.col_stride != 1 || k != k_longest(k) {
        return false;
    }
    dispatch(isa, Small { a, b, c });
    if let Some(tail) = tail {
        for (row, piece) in c.chunks_exact_mut(n).enumerate() {
            tail(row * n, piece);
        }
    }
    true
}

struct Small<'a> {
    a: MatRef<'a, f32>,
    b: MatRef<'a, f32>,
    c: &'a mut [f32],
}

impl Kernel for Small<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (m, k, n) = (self.a.rows, self.a.cols, self.b.cols);
        let all = row_panels(S::ISA, m);
        let step = tile_cols(S::ISA);
        let mut edge = Scratch::take(k * step);
        let lies = match self.a.col_stride {
            1 => Lies::InPlace,
            _ => Lies::Strided,
        };
        for col in (0..n).step_by(step) {
            let cols = step.min(n - col);
            let width = panel_width(S::ISA, cols);
            let from = self.b.data[col.min(self.b.data.len())..].as_ptr();
            let (mut b, mut b_k) = (from, self.b.row_stride);
            // Whole vectors may be read beyond a row, not beyond the data.
            if k > 0 && (k - 1) * b_k + col + width > self.b.data.len() {
                let raw = self.b.raw();
                // SAFETY: columns of B; `edge` holds a full panel.
                unsafe { super::pack::pack_right(s, raw, 0..k, col..col + cols, edge.as_mut_ptr()) }
                (b, b_k) = (edge.as_ptr(), width);
            }
            for i in 0..all {
                let rows = row_panel(all, m, i);
                // SAFETY: the matrices were checked, B above.
                unsafe {
                    let t = Tile {
                        a: self.a.data.as_ptr().add(rows.start * self.a.row_stride),
                        a_row: self.a.row_stride,
                        a_k: self.a.col_stride,
                        b,
                        b_rows: Rows::Every(b_k),
                        k,
                        c: self.c.as_mut_ptr().add(rows.start * n + col),
                        c_row: n,
                        cols,
                        add: false,
                        finish: None,
                    };
                    tile(s, rows.len(), lies, &t);
                }
            }
        }
    }
}
