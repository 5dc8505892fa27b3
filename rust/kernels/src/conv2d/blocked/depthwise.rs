//! One input and one output channel in a group: each lane is a convolution
//! of its own.

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

/// Rows `rows` of one block of one image.
struct Part<'a> {
    shape: &'a Conv2dShape,
    /// The block.
    x: &'a [f32],
    /// \[tap\]\[lane\]
    weight: &'a [f32],
    /// Where the rows begin in the result.
    y: *mut f32,
    start: usize,
    bias: *const f32,
    rows: Range<usize>,
    epilogue: &'a Epilogue<'a>,
}

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.shape;
        let (width, dilation) = (shape.out_w(), shape.dilation);
        let reach = ((shape.kernel_w - 1) * dilation[1]) as isize;
        let left = -(shape.pads[1] as isize);
        // Columns whose window lies in the image.
        let begin = inside(width, shape.stride[1], left, shape.in_w);
        let end = inside(width, shape.stride[1], left + reach, shape.in_w);
        let (from, to) = (begin.start.max(end.start), begin.end.min(end.end));
        let whole = if from < to { from..to } else { 0..0 };
        let mut taps = Vec::with_capacity(shape.kernel());
        for (i, row) in self.rows.clone().enumerate() {
            // At the edges a column at a time: each lacks other taps.
            let edges = (0..whole.start).chain(whole.end..width).map(|c| c..c + 1);
            for columns in edges.chain([whole.clone()]) {
                if columns.is_empty() {
                    continue;
                }
                self.taps(&mut taps, row, columns.start, S::LANES);
                s.call(Columns {
                    part: &self,
                    taps: &taps,
                    out: (i * width + columns.start) * S::LANES,
                    count: columns.len(),
                });
            }
        }
    }
}

impl Part<'_> {
    /// The taps of row `row`, column `column` that lie in the image: where
    /// their pixels begin in x, and their weights.
    fn taps(&self, taps: &mut Vec<(usize, usize)>, row: usize, column: usize, lanes: usize) {
        let shape = self.shape;
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
                    taps.push(((y * shape.in_w + x) * lanes, weight));
                }
            }
        }
    }
}

/// Columns of a row whose taps are the same; those of all lie in the image.
struct Columns<'a> {
    part: &'a Part<'a>,
    taps: &'a [(usize, usize)],
    out: usize,
    count: usize,
}

impl Kernel for Columns<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut at = 0;
        // SAFETY: x has the taps of all columns; they lie in y.
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
    /// x has the taps of `N` columns from `at` on.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const N: usize>(&self, s: S, at: usize) {
        let part = self.part;
        let step = part.shape.stride[1] * S::LANES;
        // SAFETY: the caller's.
        unsafe {
            let bias = if part.bias.is_null() {
                s.zero()
            } else {
                s.load_ptr(part.bias)
            };
            let mut acc = [bias; N];
            let first = part.x.as_ptr().add(at * step);
            for (place, weight) in self.taps {
                let w = s.load_ptr(part.weight.as_ptr().add(*weight));
                let x = first.add(*place);
                unroll!(P < N, {
                    acc[P] = s.fma(w, s.load_ptr(x.add(P * step)), acc[P]);
                });
            }
            let residual = part.epilogue.residual_at(part.start);
            unroll!(P < N, {
                let to = self.out + (at + P) * S::LANES;
                let mut sum = acc[P];
                if !residual.is_null() {
                    sum = s.add(sum, s.load_ptr(residual.add(to)));
                }
                let sum = part.epilogue.activation.apply(s, sum);
                s.store_ptr(part.y.add(to), sum);
            });
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
        let part = Part {
            shape,
            x: &x[unit * block..(unit + 1) * block],
            weight: &weight.data()[channels * shape.kernel() * lanes..],
            // SAFETY: tasks write different rows.
            y: unsafe { y.slice(start..start + rows.len() * line) }.as_mut_ptr(),
            start,
            bias: epilogue.bias_at(channels * lanes),
            rows,
            epilogue,
        };
        dispatch(isa, part);
    });
}
