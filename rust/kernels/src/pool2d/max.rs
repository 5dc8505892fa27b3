//! Maximum pooling: pads with the lowest value, NaN wins, and the gradient
//! goes to the first maximum of the window.

use super::{Pool2dShape, combine_strided, pairs, plane};
use crate::isa::Isa;
use crate::number::{Float, Number};
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};

#[inline(always)]
pub(super) fn larger<T: Number>(a: T, b: T) -> T {
    if b > a || b.is_nan() { b } else { a }
}

/// `y` of `(planes, out_h, out_w)`.  `indices`, if wanted, are positions in
/// the input's plane (`row * in_w + column`); -1 for a window that lies in
/// the padding alone, whose maximum is the lowest value.
pub fn max_pool2d<T: Number>(
    isa: Isa,
    shape: &Pool2dShape,
    x: &[T],
    y: &mut [T],
    indices: Option<&mut [i64]>,
) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    let (size, out_size) = (shape.input_plane(), shape.output_plane());
    let work = size + out_size * shape.kernel[1];
    let to = DisjointMut::new(y);
    let Some(indices) = indices else {
        shape.each_plane(work, |p| {
            // SAFETY: planes do not overlap.
            let y = unsafe { plane(&to, p, out_size) };
            let x = &x[p * size..(p + 1) * size];
            if pairs::fits(shape) {
                dispatch(isa, pairs::Forward { shape, x, y });
            } else {
                dispatch(isa, Plane { shape, x, y });
            }
        });
        return;
    };
    assert_eq!(indices.len(), shape.output_len());
    let places = DisjointMut::new(indices);
    let windows = Windows::new(shape);
    shape.each_plane(work * shape.kernel[0], |p| {
        // SAFETY: planes do not overlap.
        let (y, places) = unsafe { (plane(&to, p, out_size), plane(&places, p, out_size)) };
        let x = &x[p * size..(p + 1) * size];
        let mut next = y.iter_mut().zip(places);
        windows.each_maximum(x, |first| {
            if let Some((y, place)) = next.next() {
                *y = first.map_or(T::LOWEST, |i| x[i]);
                *place = first.map_or(-1, |i| i as i64);
            }
        });
    });
}

/// Where the windows of a plane lie.
struct Windows {
    in_w: usize,
    dilation: [usize; 2],
    /// Of each output row and column: the first input position, and how many
    /// taps lie inside.
    rows: Vec<(usize, usize)>,
    columns: Vec<(usize, usize)>,
}

impl Windows {
    fn new(shape: &Pool2dShape) -> Windows {
        let row = |o| {
            let taps = shape.rows(o);
            let first = if taps.is_empty() {
                0
            } else {
                shape.row(o, taps.start)
            };
            (first, taps.len())
        };
        let column = |o| {
            let taps = shape.columns(o);
            let first = if taps.is_empty() {
                0
            } else {
                shape.column(o, taps.start)
            };
            (first, taps.len())
        };
        Windows {
            in_w: shape.in_w,
            dilation: shape.dilation,
            rows: (0..shape.out_h).map(row).collect(),
            columns: (0..shape.out_w).map(column).collect(),
        }
    }

    /// Calls `body` with the place of each window's first maximum, in order.
    #[inline(always)]
    fn each_maximum<T: Number>(&self, x: &[T], mut body: impl FnMut(Option<usize>)) {
        for &(top, height) in &self.rows {
            for &(left, width) in &self.columns {
                if height * width == 0 {
                    body(None);
                    continue;
                }
                let mut place = top * self.in_w + left;
                let mut best = x[place];
                for ky in 0..height {
                    let row = (top + ky * self.dilation[0]) * self.in_w + left;
                    for kx in 0..width {
                        let at = row + kx * self.dilation[1];
                        // NaN stays once it is there.
                        if x[at] > best || (x[at].is_nan() && !best.is_nan()) {
                            best = x[at];
                            place = at;
                        }
                    }
                }
                body(Some(place));
            }
        }
    }
}

struct Plane<'a, T> {
    shape: &'a Pool2dShape,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Number> Kernel for Plane<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Plane { shape, x, y } = self;
        let (left, in_w) = (shape.pads[1], shape.in_w);
        let mut tall = vec![T::LOWEST; shape.padded_row()];
        for (out_y, y) in y.chunks_exact_mut(shape.out_w.max(1)).enumerate() {
            let inside = &mut tall[left..left + in_w];
            inside.fill(T::LOWEST);
            for ky in shape.rows(out_y) {
                let at = shape.row(out_y, ky) * in_w;
                for (t, x) in inside.iter_mut().zip(&x[at..at + in_w]) {
                    *t = larger(*t, *x);
                }
            }
            y.fill(T::LOWEST);
            for kx in 0..shape.kernel[1] {
                let row = &tall[kx * shape.dilation[1]..];
                combine_strided(y, row, shape.stride[1], larger);
            }
        }
    }
}

/// `dx`, whole, from the input and the gradient of the output.
pub fn max_pool2d_backward<T: Float>(shape: &Pool2dShape, x: &[T], dy: &[T], dx: &mut [T]) {
    assert!(x.len() == shape.input_len() && dx.len() == x.len());
    assert_eq!(dy.len(), shape.output_len());
    let (size, out_size) = (shape.input_plane(), shape.output_plane());
    let to = DisjointMut::new(dx);
    let windows = Windows::new(shape);
    let area = shape.kernel[0] * shape.kernel[1];
    let isa = Isa::current();
    shape.each_plane(size + out_size * area, |p| {
        // SAFETY: planes do not overlap.
        let dx = unsafe { plane(&to, p, size) };
        dx.fill(T::ZERO);
        let (x, dy) = (
            &x[p * size..(p + 1) * size],
            &dy[p * out_size..(p + 1) * out_size],
        );
        if pairs::fits(shape) {
            dispatch(isa, pairs::Backward { shape, x, dy, dx });
            return;
        }
        let mut dy = dy.iter();
        windows.each_maximum(x, |first| {
            if let (Some(dy), Some(i)) = (dy.next(), first) {
                dx[i] += *dy;
            }
        });
    });
}

/// `dx`, whole, from the indices that [`max_pool2d`] gave; negative ones and
/// those beyond the plane receive nothing.
pub fn max_pool2d_backward_indices<T: Float>(
    shape: &Pool2dShape,
    indices: &[i64],
    dy: &[T],
    dx: &mut [T],
) {
    assert!(indices.len() == shape.output_len() && dy.len() == indices.len());
    assert_eq!(dx.len(), shape.input_len());
    let (size, out_size) = (shape.input_plane(), shape.output_plane());
    let to = DisjointMut::new(dx);
    shape.each_plane(size + out_size, |p| {
        // SAFETY: planes do not overlap.
        let dx = unsafe { plane(&to, p, size) };
        dx.fill(T::ZERO);
        let range = p * out_size..(p + 1) * out_size;
        for (i, dy) in indices[range.clone()].iter().zip(&dy[range]) {
            if let Some(dx) = usize::try_from(*i).ok().and_then(|i| dx.get_mut(i)) {
                *dx += *dy;
            }
        }
    });
}
