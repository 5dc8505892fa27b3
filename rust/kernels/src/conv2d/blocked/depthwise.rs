//! One input and one output channel in a group: each lane is a convolution
//! of its own.

use super::weight::BlockedConvWeight;
use super::{Conv2dShape, Epilogue, Shape};
use crate::activation::Activation;
use crate::matmul::tile::unroll;
use crate::pool::{DisjointMut, parallel_for};
use crate::pool2d::taps;
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
    /// Result row `row`; input row i begins at `place(i)`.  `lines` is room.
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
        lines: &mut Vec<Line>,
    ) {
        let top = row * shape.stride[0];
        lines.clear();
        for tap in 0..shape.kernel_h {
            let y = (top + tap * shape.dilation[0]).wrapping_sub(shape.pads[0]);
            if y < shape.in_h {
                lines.push(Line {
                    x: place(y),
                    weight: tap * shape.kernel_w * S::LANES,
                });
            }
        }
        s.call(Columns {
            row: self,
            shape,
            lines,
        });
    }
}

/// A row of taps that lies in the image.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// Where its pixels begin.
    x: usize,
    weight: usize,
}

/// A row of results whose lines are known.
struct Columns<'a> {
    row: Row,
    shape: &'a Conv2dShape,
    lines: &'a [Line],
}

impl Kernel for Columns<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.shape;
        match (shape.kernel_w, shape.stride[1], shape.dilation[1]) {
            (3, 1, 1) => self.columns::<S, 3, 1>(s),
            (3, 2, 1) => self.columns::<S, 3, 2>(s),
            _ => self.columns::<S, 0, 0>(s),
        }
    }
}

impl Columns<'_> {
    /// Windows `WIDTH` wide that move by `STRIDE`, their taps side by side; any
    /// where these are 0.
    #[inline(always)]
    fn columns<S: Simd, const WIDTH: usize, const STRIDE: usize>(&self, s: S) {
        let shape = self.shape;
        let (width, stride, pad) = (shape.out_w(), shape.stride[1], shape.pads[1]);
        let reach = (shape.kernel_w - 1) * shape.dilation[1];
        // Columns whose window lies in the image.
        let begin = pad.div_ceil(stride).min(width);
        let end = match (shape.in_w + pad).checked_sub(reach + 1) {
            Some(last) => (last / stride + 1).clamp(begin, width),
            None => begin,
        };
        // SAFETY: the caller of `Row::run` vouches for these columns.
        unsafe {
            // At the edges a column at a time: each lacks other taps.
            for column in (0..begin).chain(end..width) {
                let start = column * stride;
                let taps = taps(start, pad, shape.in_w, shape.kernel_w, shape.dilation[1]);
                self.pixels::<S, 1, 0, 0>(s, column, taps);
            }
            let all = 0..shape.kernel_w;
            let mut at = begin;
            while at + PIXELS <= end {
                self.pixels::<S, PIXELS, WIDTH, STRIDE>(s, at, all.clone());
                at += PIXELS;
            }
            match end - at {
                5 => self.pixels::<S, 5, WIDTH, STRIDE>(s, at, all),
                4 => self.pixels::<S, 4, WIDTH, STRIDE>(s, at, all),
                3 => self.pixels::<S, 3, WIDTH, STRIDE>(s, at, all),
                2 => self.pixels::<S, 2, WIDTH, STRIDE>(s, at, all),
                1 => self.pixels::<S, 1, WIDTH, STRIDE>(s, at, all),
                _ => {}
            }
        }
    }

    /// Taps `taps` of each line, for `N` columns from `column` on.
    ///
    /// # Safety
    /// As [`Row::run`].  `WIDTH` and `STRIDE` are 0 or the shape's, and with
    /// them its taps lie side by side and are all asked for.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const N: usize, const WIDTH: usize, const STRIDE: usize>(
        &self,
        s: S,
        column: usize,
        taps: Range<usize>,
    ) {
        let (row, shape) = (&self.row, self.shape);
        let [stride, dilation] = match STRIDE {
            0 => [shape.stride[1], shape.dilation[1]],
            _ => [STRIDE, 1],
        }
        .map(|n| n * S::LANES);
        let width = if WIDTH == 0 { taps.len() } else { WIDTH };
        let first = column * stride + taps.start * dilation;
        let first = first.wrapping_sub(shape.pads[1] * S::LANES);
        // SAFETY: the caller's.
        unsafe {
            let bias = if row.bias.is_null() {
                s.zero()
            } else {
                s.load_ptr(row.bias)
            };
            let mut acc = [bias; N];
            for line in self.lines {
                let mut x = row.x.wrapping_add(first.wrapping_add(line.x));
                let mut w = row.weight.add(line.weight + taps.start * S::LANES);
                for _ in 0..width {
                    let weight = s.load_ptr(w);
                    unroll!(P < N, {
                        acc[P] = s.fma(weight, s.load_ptr(x.wrapping_add(P * stride)), acc[P]);
                    });
                    x = x.wrapping_add(dilation);
                    w = w.wrapping_add(S::LANES);
                }
            }
            unroll!(P < N, {
                let to = (column + P) * S::LANES;
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
        let mut lines = Vec::with_capacity(self.shape.kernel_h);
        for (i, row) in self.rows.clone().enumerate() {
            let mut at = self.first;
            at.y = at.y.wrapping_add(i * result);
            if !at.residual.is_null() {
                at.residual = at.residual.wrapping_add(i * result);
            }
            // SAFETY: `forward` checked the sizes.
            unsafe { at.run(s, self.shape, row, |y| y * line, &mut lines) };
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
