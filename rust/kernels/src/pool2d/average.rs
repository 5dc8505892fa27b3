//! Average pooling.  The divisor counts the taps inside the input, or with
//! `count_include_pad` those inside the padded input.

use super::{Pool2dShape, combine_strided, plane, taps};
use crate::isa::Isa;
use crate::number::Float;
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};

/// Counted taps of each output row, and of each output column.
pub(super) fn counts(shape: &Pool2dShape, include_pad: bool) -> [Vec<usize>; 2] {
    let [top, left, bottom, right] = shape.pads;
    let count = |axis: usize, out: usize, before: usize, len: usize, after: usize| {
        let (pad, len) = if include_pad {
            (0, before + len + after)
        } else {
            (before, len)
        };
        (0..out)
            .map(|o| {
                let start = o * shape.stride[axis];
                taps(start, pad, len, shape.kernel[axis], shape.dilation[axis]).len()
            })
            .collect()
    };
    [
        count(0, shape.out_h, top, shape.in_h, bottom),
        count(1, shape.out_w, left, shape.in_w, right),
    ]
}

/// 1 / (rows x columns); 0 for a window without a counted tap.
#[inline(always)]
pub(super) fn weight<T: Float>(rows: usize, columns: usize) -> T {
    match rows * columns {
        0 => T::ZERO,
        n => T::ONE / T::from_f64(n as f64),
    }
}

/// `y` of `(planes, out_h, out_w)`.
pub fn average_pool2d<T: Float>(
    isa: Isa,
    shape: &Pool2dShape,
    include_pad: bool,
    x: &[T],
    y: &mut [T],
) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    let (size, out_size) = (shape.input_plane(), shape.output_plane());
    let counts = counts(shape, include_pad);
    let to = DisjointMut::new(y);
    shape.each_plane(size + out_size * shape.kernel[1], |p| {
        // SAFETY: planes do not overlap.
        let y = unsafe { plane(&to, p, out_size) };
        let x = &x[p * size..(p + 1) * size];
        let counts = &counts;
        dispatch(
            isa,
            Forward {
                shape,
                counts,
                x,
                y,
            },
        );
    });
}

struct Forward<'a, T> {
    shape: &'a Pool2dShape,
    counts: &'a [Vec<usize>; 2],
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Kernel for Forward<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Forward {
            shape,
            counts,
            x,
            y,
        } = self;
        let (left, in_w) = (shape.pads[1], shape.in_w);
        let mut tall = vec![T::ZERO; shape.padded_row()];
        for (out_y, y) in y.chunks_exact_mut(shape.out_w.max(1)).enumerate() {
            let inside = &mut tall[left..left + in_w];
            inside.fill(T::ZERO);
            for ky in shape.rows(out_y) {
                let at = shape.row(out_y, ky) * in_w;
                for (t, x) in inside.iter_mut().zip(&x[at..at + in_w]) {
                    *t += *x;
                }
            }
            y.fill(T::ZERO);
            for kx in 0..shape.kernel[1] {
                let row = &tall[kx * shape.dilation[1]..];
                combine_strided(y, row, shape.stride[1], |a, b| a + b);
            }
            for (y, columns) in y.iter_mut().zip(&counts[1]) {
                *y = *y * weight(counts[0][out_y], *columns);
            }
        }
    }
}

/// `dx`, whole, from the gradient of the output.
pub fn average_pool2d_backward<T: Float>(
    shape: &Pool2dShape,
    include_pad: bool,
    dy: &[T],
    dx: &mut [T],
) {
    assert!(dx.len() == shape.input_len() && dy.len() == shape.output_len());
    let (size, out_size) = (shape.input_plane(), shape.output_plane());
    let counts = counts(shape, include_pad);
    let to = DisjointMut::new(dx);
    shape.each_plane(size + out_size * shape.kernel[1], |p| {
        // SAFETY: planes do not overlap.
        let dx = unsafe { plane(&to, p, size) };
        backward_plane(shape, &counts, &dy[p * out_size..(p + 1) * out_size], dx);
    });
}

fn backward_plane<T: Float>(shape: &Pool2dShape, counts: &[Vec<usize>; 2], dy: &[T], dx: &mut [T]) {
    let (left, in_w) = (shape.pads[1], shape.in_w);
    let mut wide = vec![T::ZERO; shape.padded_row()];
    dx.fill(T::ZERO);
    for (out_y, dy) in dy.chunks_exact(shape.out_w.max(1)).enumerate() {
        wide.fill(T::ZERO);
        for (out_x, (dy, columns)) in dy.iter().zip(&counts[1]).enumerate() {
            let share = *dy * weight(counts[0][out_y], *columns);
            for kx in 0..shape.kernel[1] {
                wide[out_x * shape.stride[1] + kx * shape.dilation[1]] += share;
            }
        }
        for ky in shape.rows(out_y) {
            let at = shape.row(out_y, ky) * in_w;
            for (dx, share) in dx[at..at + in_w].iter_mut().zip(&wide[left..]) {
                *dx += *share;
            }
        }
    }
}
