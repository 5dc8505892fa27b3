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

/// Taps under some output columns, and where their pixels begin.
struct Line<'a> {
    /// Offset into x of the first column's first tap in the row, and weight.
    taps: &'a [(isize, usize)],
    /// Values from an output column's pixel to the next one's.
    step: isize,
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
        let lanes = S::LANES as isize;
        for (i, row) in self.rows.clone().enumerate() {
            let top = (row * shape.stride[0]) as isize - shape.pads[0] as isize;
            let mut columns = |columns: Range<usize>| {
                if columns.is_empty() {
                    return;
                }
                let left = (columns.start * shape.stride[1]) as isize - shape.pads[1] as isize;
                taps.clear();
                for tap_y in 0..shape.kernel_h {
                    let y = top + (tap_y * dilation[0]) as isize;
                    for tap_x in 0..shape.kernel_w {
                        let x = left + (tap_x * dilation[1]) as isize;
                        let inside = (0..shape.in_h as isize).contains(&y)
                            && (0..shape.in_w as isize).contains(&x);
                        if inside {
                            let at = (y * shape.in_w as isize + x) * lanes;
                            taps.push((at, (tap_y * shape.kernel_w + tap_x) * S::LANES));
                        }
                    }
                }
                let line = Line {
                    taps: &taps,
                    step: shape.stride[1] as isize * lanes,
                };
                let out = (i * width + columns.start) * S::LANES;
                // SAFETY: the taps of all these columns lie in the image.
                unsafe { self.columns(s, &line, out, columns.len()) };
            };
            // At the edges a column at a time: each lacks other taps.
            for column in 0..whole.start {
                columns(column..column + 1);
            }
            columns(whole.clone());
            for column in whole.end..width {
                columns(column..column + 1);
            }
        }
    }
}

impl Part<'_> {
    /// # Safety
    /// x has the taps of `count` columns.
    #[inline(always)]
    unsafe fn columns<S: Simd>(&self, s: S, line: &Line<'_>, out: usize, count: usize) {
        let mut at = 0;
        // SAFETY: the caller's; `out` lies in y.
        unsafe {
            while at + PIXELS <= count {
                self.pixels::<S, PIXELS>(s, line, out, at);
                at += PIXELS;
            }
            while at < count {
                self.pixels::<S, 1>(s, line, out, at);
                at += 1;
            }
        }
    }

    /// # Safety
    /// As [`Part::columns`].
    #[inline(always)]
    unsafe fn pixels<S: Simd, const N: usize>(&self, s: S, line: &Line<'_>, out: usize, at: usize) {
        let first = at as isize * line.step;
        // SAFETY: the caller's.
        unsafe {
            let bias = if self.bias.is_null() {
                s.zero()
            } else {
                s.load_ptr(self.bias)
            };
            let mut acc = [bias; N];
            for (place, weight) in line.taps {
                let w = s.load_ptr(self.weight.as_ptr().add(*weight));
                let x = self.x.as_ptr().offset(place + first);
                unroll!(P < N, {
                    acc[P] = s.fma(w, s.load_ptr(x.offset(P as isize * line.step)), acc[P]);
                });
            }
            let out = out + at * S::LANES;
            let residual = self.epilogue.residual_at(self.start);
            unroll!(P < N, {
                let to = out + P * S::LANES;
                let mut sum = acc[P];
                if !residual.is_null() {
                    sum = s.add(sum, s.load_ptr(residual.add(to)));
                }
                let sum = self.epilogue.activation.apply(s, sum);
                s.store_ptr(self.y.add(to), sum);
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
