//! softmax(scale Q Kᵀ + mask) V for many heads at once (Vaswani et al. 2017,
//! section 3.2.1), some rows at a time, so that the scores stay in the
//! second-level cache.
//!
//! A row is the same chain of operations however the rows are cut.

#[cfg(test)]
mod tests;

use crate::cache;
use crate::isa::Isa;
use crate::math;
use crate::matmul::block::{Block, PackedRight, k_range, k_ranges, row_panels};
use crate::matmul::pack::{Raw, pack_right_panels};
use crate::matmul::tile::{panel_width, tile_rows};
use crate::matmul::{Epilogue, MatRef};
use crate::pool::{self, DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::steps::{keep, load, store, vectors};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Rows worth packing a head's keys and values for.
const ROWS: usize = 64;

/// One matrix for each head: `matrix` moved by `at[head]` elements.
#[derive(Clone, Copy)]
pub struct Heads<'a> {
    pub matrix: MatRef<'a, f32>,
    pub at: &'a [usize],
}

impl Heads<'_> {
    fn raw(&self, head: usize, row: usize) -> Raw {
        let start = self.at[head] + row * self.matrix.row_stride;
        Raw {
            start: self.matrix.data.as_ptr().wrapping_add(start),
            ..self.matrix.raw()
        }
    }

    fn check(&self, what: &str, heads: usize, rows: usize, cols: usize) {
        assert!(
            self.at.len() == heads && self.matrix.rows == rows && self.matrix.cols == cols,
            "attention: {what} has another size"
        );
        let last = self.at.iter().max().map_or(0, |at| at + self.matrix.span());
        assert!(
            last <= self.matrix.data.len(),
            "attention: {what} exceeds its data"
        );
    }
}

#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// Rows by depth.
    pub query: Heads<'a>,
    /// Depth by keys.
    pub key: Heads<'a>,
    /// Keys by values.
    pub value: Heads<'a>,
    /// Rows by keys.
    pub mask: Option<Heads<'a>>,
    pub scale: f32,
}

/// Where each head's result lies: rows `row` apart, from `at[head]` on.
#[derive(Clone, Copy)]
pub struct Seats<'a> {
    pub row: usize,
    pub at: &'a [usize],
}

/// # Panics
/// Where sizes do not match, or an operand or the result exceeds its data.
pub fn attention_f32(isa: Isa, attention: &Attention<'_>, to: Seats<'_>, out: &mut [f32]) {
    let Attention {
        query,
        key,
        value,
        mask,
        ..
    } = attention;
    let heads = query.at.len();
    let (rows, depth) = (query.matrix.rows, query.matrix.cols);
    let (keys, values) = (value.matrix.rows, value.matrix.cols);
    query.check("the query", heads, rows, depth);
    key.check("the key", heads, depth, keys);
    value.check("the value", heads, keys, values);
    if let Some(mask) = mask {
        mask.check("the mask", heads, rows, keys);
    }
    if heads == 0 || rows == 0 || values == 0 {
        return;
    }
    let last = to
        .at
        .iter()
        .max()
        .map_or(0, |at| at + (rows - 1) * to.row + values);
    assert!(
        to.at.len() == heads && to.row >= values && last <= out.len(),
        "attention: the result has another size"
    );
    let cuts = (2 * pool::threads_here())
        .div_ceil(heads)
        .min(rows / ROWS)
        .max(1);
    let cuts = if pool::threads_here() == 1 { 1 } else { cuts };
    let out = DisjointMut::new(out);
    parallel_for(heads * cuts, &|task| {
        let (head, cut) = (task / cuts, task % cuts);
        let task = Task {
            attention,
            head,
            rows: rows * cut / cuts..rows * (cut + 1) / cuts,
            out: out.as_mut_ptr().wrapping_add(to.at[head]),
            out_row: to.row,
        };
        dispatch(isa, task);
    });
}

/// Some rows of one head.
struct Task<'a> {
    attention: &'a Attention<'a>,
    head: usize,
    rows: Range<usize>,
    /// Row 0 of the head.
    out: *mut f32,
    out_row: usize,
}

impl Kernel for Task<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Attention {
            query,
            key,
            value,
            mask,
            scale,
        } = *self.attention;
        let (depth, keys, values) = (query.matrix.cols, value.matrix.rows, value.matrix.cols);
        let packed_keys = packed(s, key.raw(self.head, 0), depth, keys);
        let packed_values = packed(s, value.raw(self.head, 0), keys, values);
        // A line more, so that rows do not evict each other.
        let score_row = keys.next_multiple_of(16) + 16;
        let tile = tile_rows(S::ISA);
        let fit = cache::l2() / 4 / (score_row * size_of::<f32>());
        let step = (fit / tile * tile).max(tile);
        let mut scores = Scratch::take(step.min(self.rows.len()) * score_row);
        let mut sums = Scratch::take(step.min(self.rows.len()));
        let scaled = Epilogue {
            scale,
            ..Epilogue::NONE
        };
        for first in self.rows.clone().step_by(step) {
            let rows = step.min(self.rows.end - first);
            s.call(Product {
                left: query.raw(self.head, first),
                right: &packed_keys,
                rows,
                k: depth,
                n: keys,
                c: scores.as_mut_ptr(),
                c_row: score_row,
                epilogue: (scale != 1.0).then_some(&scaled),
            });
            s.call(Exponentials {
                scores: &mut scores,
                row: score_row,
                keys,
                mask: mask.map(|mask| mask.raw(self.head, first)),
                sums: &mut sums[..rows],
            });
            let to = self.out.wrapping_add(first * self.out_row);
            s.call(Product {
                left: Raw {
                    start: scores.as_ptr(),
                    row_stride: score_row,
                    col_stride: 1,
                },
                right: &packed_values,
                rows,
                k: keys,
                n: values,
                c: to,
                c_row: self.out_row,
                epilogue: None,
            });
            for (r, sum) in sums[..rows].iter().enumerate() {
                let by = s.splat(if *sum == 0.0 { 0.0 } else { 1.0 / sum });
                let to = to.wrapping_add(r * self.out_row);
                for (at, n) in vectors::<S>(values) {
                    // SAFETY: inside this task's rows of the result.
                    unsafe { store(s, to.add(at), n, s.mul(load(s, to.add(at), n), by)) };
                }
            }
        }
    }
}

/// A right operand of `k` rows as panels, block of K after block of K.
#[inline(always)]
fn packed<S: Simd>(s: S, b: Raw, k: usize, cols: usize) -> Scratch {
    let width = panel_width(S::ISA, cols);
    let mut data = Scratch::take(k * width);
    for i in 0..k_ranges(k) {
        let k = k_range(k, i);
        let dst = data[k.start * width..].as_mut_ptr();
        // SAFETY: B was checked; the packing is so large.
        unsafe { pack_right_panels(s, b, k, 0..cols, dst) }
    }
    data
}

/// C (rows x n) = A B.
struct Product<'a> {
    left: Raw,
    right: &'a [f32],
    rows: usize,
    k: usize,
    n: usize,
    c: *mut f32,
    c_row: usize,
    epilogue: Option<&'a Epilogue<'a>>,
}

impl Kernel for Product<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let all = row_panels(S::ISA, self.rows);
        let right = PackedRight {
            data: self.right,
            width: panel_width(S::ISA, self.n),
            first_col: 0,
        };
        let block = Block {
            left: &self.left,
            right: &right,
            m: self.rows,
            k: self.k,
            tiles: 0..all,
            all,
            cols: 0..self.n,
            c: self.c,
            c_row: self.c_row,
            left_stays: false,
            epilogue: self.epilogue,
        };
        block.run(s);
    }
}

/// exp(score + mask - the row's largest) in the scores' place, and each row's
/// sum.  A row of nothing but -inf gives zeros.
struct Exponentials<'a> {
    scores: &'a mut [f32],
    row: usize,
    keys: usize,
    /// From the first row on.
    mask: Option<Raw>,
    sums: &'a mut [f32],
}

impl Kernel for Exponentials<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        if let Some(mask) = self.mask {
            for r in 0..self.sums.len() {
                let row = &mut self.scores[r * self.row..][..self.keys];
                // SAFETY: the mask was checked.
                unsafe { add_mask(s, row, mask.at(r, 0), mask.col_stride) };
            }
        }
        // Several rows side by side: one alone waits for its largest element,
        // then for its sum.
        let together = if S::SCALES { 4 } else { 2 };
        let mut r = 0;
        while r + together <= self.sums.len() {
            if S::SCALES {
                self.rows::<4, S>(s, r);
            } else {
                self.rows::<2, S>(s, r);
            }
            r += together;
        }
        (r..self.sums.len()).for_each(|r| self.rows::<1, S>(s, r));
    }
}

impl Exponentials<'_> {
    /// Of `N` rows from `first` on.
    #[inline(always)]
    fn rows<const N: usize, S: Simd>(&mut self, s: S, first: usize) {
        let rows = &mut self.scores[first * self.row..][..(N - 1) * self.row + self.keys];
        let at = rows.as_mut_ptr();
        let mut top = [s.splat(f32::NEG_INFINITY); N];
        for (i, n) in vectors::<S>(self.keys) {
            for (r, top) in top.iter_mut().enumerate() {
                // SAFETY: inside the rows, here and below.
                let x = unsafe { load(s, at.add(r * self.row + i), n) };
                *top = s.max(keep(s, x, n, f32::NEG_INFINITY), *top);
            }
        }
        let shift = top.map(|top| match s.max_lane(top) {
            f32::NEG_INFINITY => s.zero(),
            largest => s.splat(largest),
        });
        let mut total = [s.zero(); N];
        for (i, n) in vectors::<S>(self.keys) {
            for r in 0..N {
                // SAFETY: as above.
                unsafe {
                    let at = at.add(r * self.row + i);
                    let e = math::exp_below(s, s.sub(load(s, at, n), shift[r]));
                    store(s, at, n, e);
                    total[r] = s.add(total[r], keep(s, e, n, 0.0));
                }
            }
        }
        for (sum, total) in self.sums[first..].iter_mut().zip(total) {
            *sum = s.sum(total);
        }
    }
}

/// # Safety
/// The mask has as many elements as the row, `step` apart.
#[inline(always)]
unsafe fn add_mask<S: Simd>(s: S, row: &mut [f32], mask: *const f32, step: usize) {
    let at = row.as_mut_ptr();
    // SAFETY: inside the row; the mask is the caller's.
    unsafe {
        if step == 1 {
            for (i, n) in vectors::<S>(row.len()) {
                let sum = s.add(load(s, at.add(i), n), load(s, mask.add(i), n));
                store(s, at.add(i), n, sum);
            }
        } else {
            for (i, x) in row.iter_mut().enumerate() {
                *x += *mask.add(i * step);
            }
        }
    }
}
