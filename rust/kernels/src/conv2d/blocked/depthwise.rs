//! One input and one output channel in a group: each lane is a convolution
//! of its own.

use super::tile::Activation;
use super::weight::BlockedConvWeight;
use super::{Conv2dShape, Epilogue, Shape};
use crate::conv2d::shape::inside;
use crate::matmul::tile::unroll;
use crate::pool::{DisjointMut, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Pixels computed together.
const PIXELS: usize = 6;
/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 17;

/// A row of results of one block.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Input rows lie from here.
    pub x: *const f32,
    /// \[tap\]\[lane\]
    pub weight: *const f32,
    /// Null: none.
    pub bias: *const f32,
    /// Lies as the result; null: none.
    pub residual: *const f32,
    pub y: *mut f32,
    pub activation: Activation,
}

impl Row {
    /// Result row `row`; input row i begins at `place(i)`.  `taps` is room.
    ///
    /// # Safety
    /// The row's taps that lie in the image, and its results, can be accessed.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(
        self,
        s: S,
        shape: &Conv2dShape,
        row: usize,
        place: impl Fn(usize) -> usize,
        taps: &mut Vec<(usize, usize)>,
    ) {
        let width = shape.out_w();
        let reach = ((shape.kernel_w - 1) * shape.dilation[1]) as isize;
        let left = -(shape.pads[1] as isize);
        // Columns whose window lies in the image.
        let begin = inside(width, shape.stride[1], left, shape.in_w);
        let end = inside(width, shape.stride[1], left + reach, shape.in_w);
        let (from, to) = (begin.start.max(end.start), begin.end.min(end.end));
        let whole = if from < to { from..to } else { 0..0 };
        // At the edges a column at a time: each lacks other taps.
        let edges = (0..whole.start).chain(whole.end..width).map(|c| c..c + 1);
        for columns in edges.chain([whole.clone()]) {
            if columns.is_empty() {
                continue;
            }
            find_taps(shape, [row, columns.start], S::LANES, &place, taps);
            let at = columns.start * S::LANES;
            s.call(Columns {
                row: Row {
                    residual: if self.residual.is_null() {
                        self.residual
                    } else {
                        self.residual.wrapping_add(at)
                    },
                    y: self.y.wrapping_add(at),
                    ..self
                },
                step: shape.stride[1] * S::LANES,
                taps,
                count: columns.len(),
            });
        }
    }
}

/// The taps of a result that lie in the image: where their pixels begin in
/// x, and their weights.
fn find_taps(
    shape: &Conv2dShape,
    [row, column]: [usize; 2],
    lanes: usize,
    place: &impl Fn(usize) -> usize,
    taps: &mut Vec<(usize, usize)>,
) {
    let at = |i: usize, axis: usize, tap: usize| {
        (i * shape.stride[axis] + tap * shape.dilation[axis]).checked_sub(shape.pads[axis])
    };
    taps.clear();
    for tap_y in 0..shape.kernel_h {
        let Some(y) = at(row, 0, tap_y).filter(|y| *y < shape.in_h) else {
            continue;
        };
        for tap_x in 0..shape.kernel_w {
            if let Some(x) = at(column, 1, tap_x).filter(|x| *x < shape.in_w) {
                let weight = (tap_y * shape.kernel_w + tap_x) * lanes;
                taps.push((place(y) + x * lanes, weight));
            }
        }
    }
}

/// Columns of a row whose taps are the same; those of all lie in the image.
struct Columns<'a> {
    row: Row,
    taps: &'a [(usize, usize)],
    /// From a column's pixel to the next one's.
    step: usize,
    count: usize,
}

impl Kernel for Columns<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut at = 0;
        // SAFETY: the caller of `Row::run` vouches for these columns.
        unsafe {
            while at + PIXELS <= self.count {
                self.pixels::<S, PIXELS>(s, at);
                at += PIXELS;
            }
            while at < self.count {
                self.pixels::<S, 1>(s, at);
                at += 1;
            }
        }
    }
}

impl Columns<'_> {
    /// # Safety
    /// As [`Row::run`], for `N` columns from `at` on.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const N: usize>(&self, s: S, at: usize) {
        let row = &self.row;
        let step = self.step;
        // SAFETY: the caller's.
        unsafe {
            let bias = if row.bias.is_null() {
                s.zero()
            } else {
                s.load_ptr(row.bias)
            };
            let mut acc = [bias; N];
            let first = row.x.add(at * step);
            for (place, weight) in self.taps {
                let w = s.load_ptr(row.weight.add(*weight));
                let x = first.add(*place);
                unroll!(P < N, {
                    acc[P] = s.fma(w, s.load_ptr(x.add(P * step)), acc[P]);
                });
            }
            unroll!(P < N, {
                let to = (at + P) * S::LANES;
                let mut sum = acc[P];
                if !row.residual.is_null() {
                    sum = s.add(sum, s.load_ptr(row.residual.add(to)));
                }
                s.store_ptr(row.y.add(to), row.activation.apply(s, sum));
            });
        }
    }
}

/// Rows `rows` of one block of one image.
struct Part<'a> {
    shape: &'a Conv2dShape,
    /// Of the first row.
    first: Row,
    rows: Range<usize>,
}

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (line, result) = (self.shape.in_w * S::LANES, self.shape.out_w() * S::LANES);
        let mut taps = Vec::with_capacity(self.shape.kernel());
        for (i, row) in self.rows.clone().enumerate() {
            let mut at = self.first;
            at.y = at.y.wrapping_add(i * result);
            if !at.residual.is_null() {
                at.residual = at.residual.wrapping_add(i * result);
            }
            // SAFETY: `forward` checked the sizes.
            unsafe { at.run(s, self.shape, row, |y| y * line, &mut taps) };
        }
    }
}

pub(super) fn forward(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let lanes = isa.lanes();
    let sizes = Shape::new(isa, shape);
    let (block, line) = (shape.in_plane() * lanes, shape.out_w() * lanes);
    let row_work = line * shape.kernel();
    let cuts = (row_work * shape.out_h() / TASK)
        .clamp(1, 4)
        .min(shape.out_h());
    let y = DisjointMut::new(y);
    parallel_for(shape.batch * sizes.out_blocks * cuts, &|task| {
        let (cut, unit) = (task % cuts, task / cuts);
        let rows = shape.out_h() * cut / cuts..shape.out_h() * (cut + 1) / cuts;
        let channels = unit % sizes.out_blocks;
        let start = unit * sizes.plane * lanes + rows.start * line;
        let first = Row {
            x: x[unit * block..(unit + 1) * block].as_ptr(),
            weight: weight.data()[channels * shape.kernel() * lanes..].as_ptr(),
            bias: epilogue.bias_at(channels * lanes),
            residual: epilogue.residual_at(start),
            // SAFETY: tasks write different rows.
            y: unsafe { y.slice(start..start + rows.len() * line) }.as_mut_ptr(),
            activation: epilogue.activation,
        };
        dispatch(isa, Part { shape, first, rows });
    });
}
