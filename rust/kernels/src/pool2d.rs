//! Max and average pooling of planes (batch x channels) of rows.
//!
//! The forward passes are separable: the rows of a window are combined first,
//! element by element, then the columns.

mod average;
mod blocked;
mod blocked_backward;
mod max;
mod pairs;
#[cfg(test)]
mod tests;

pub use average::{average_pool2d, average_pool2d_backward};
pub use blocked::{Pooling, pool2d_blocked};
pub use blocked_backward::max_pool2d_backward_blocked;
pub use max::{max_pool2d, max_pool2d_backward, max_pool2d_backward_indices};

use crate::pool::{DisjointMut, parallel_chunks};
use std::ops::Range;

/// Fewer elements than this are pooled by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Sizes of a pooling; the outputs' are given, so that the rounding of
/// `ceil_mode` is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool2dShape {
    /// Batch x channels.
    pub planes: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
}

impl Pool2dShape {
    fn input_plane(&self) -> usize {
        self.in_h * self.in_w
    }

    fn output_plane(&self) -> usize {
        self.out_h * self.out_w
    }

    fn input_len(&self) -> usize {
        self.planes * self.input_plane()
    }

    fn output_len(&self) -> usize {
        self.planes * self.output_plane()
    }

    /// The taps of output row `out_y` that lie in the input.
    fn rows(&self, out_y: usize) -> Range<usize> {
        taps(
            out_y * self.stride[0],
            self.pads[0],
            self.in_h,
            self.kernel[0],
            self.dilation[0],
        )
    }

    /// The taps of output column `out_x` that lie in the input.
    fn columns(&self, out_x: usize) -> Range<usize> {
        taps(
            out_x * self.stride[1],
            self.pads[1],
            self.in_w,
            self.kernel[1],
            self.dilation[1],
        )
    }

    /// The input row under tap `tap` of output row `out_y`.
    fn row(&self, out_y: usize, tap: usize) -> usize {
        out_y * self.stride[0] + tap * self.dilation[0] - self.pads[0]
    }

    /// The input column under tap `tap` of output column `out_x`.
    fn column(&self, out_x: usize, tap: usize) -> usize {
        out_x * self.stride[1] + tap * self.dilation[1] - self.pads[1]
    }

    /// Columns of a padded row that the windows reach, at least all of the
    /// input's.
    fn padded_row(&self) -> usize {
        let reach = self.out_w.saturating_sub(1) * self.stride[1]
            + (self.kernel[1] - 1) * self.dilation[1]
            + 1;
        reach.max(self.pads[1] + self.in_w)
    }

    /// Calls `body(plane)` for all planes, in parallel; a plane costs about
    /// `work` elements.
    fn each_plane(&self, work: usize, body: impl Fn(usize) + Sync) {
        parallel_chunks(self.planes, MIN_CHUNK.div_ceil(work.max(1)), |range| {
            for plane in range {
                body(plane);
            }
        });
    }
}

/// Taps `k` with `pad <= start + k * dilation < pad + len`.
pub(crate) fn taps(
    start: usize,
    pad: usize,
    len: usize,
    kernel: usize,
    dilation: usize,
) -> Range<usize> {
    let first = pad.saturating_sub(start).div_ceil(dilation);
    let last = (pad + len).saturating_sub(start).div_ceil(dilation);
    first.min(kernel)..last.min(kernel).max(first.min(kernel))
}

/// The plane `index` of `planes` of `len`.
///
/// # Safety
/// No other part in use overlaps it.
unsafe fn plane<'a, T>(all: &DisjointMut<'a, T>, index: usize, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { all.slice(index * len..(index + 1) * len) }
}

/// `out[j] = combine(out[j], row[j * stride])`.
#[inline(always)]
fn combine_strided<T: Copy>(out: &mut [T], row: &[T], stride: usize, combine: impl Fn(T, T) -> T) {
    match stride {
        1 => {
            for (y, x) in out.iter_mut().zip(row) {
                *y = combine(*y, *x);
            }
        }
        2 => {
            // Whole pairs, so that the loop vectorises; the last may lack one.
            let (pairs, rest) = row.as_chunks::<2>();
            for (y, pair) in out.iter_mut().zip(pairs) {
                *y = combine(*y, pair[0]);
            }
            if let (Some(y), Some(x)) = (out.get_mut(pairs.len()), rest.first()) {
                *y = combine(*y, *x);
            }
        }
        _ => {
            for (y, x) in out.iter_mut().zip(row.iter().step_by(stride)) {
                *y = combine(*y, *x);
            }
        }
    }
}
