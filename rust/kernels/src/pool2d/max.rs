//! Maximum pooling: pads with the lowest value, NaN wins, and the gradient
//! goes to the first maximum of the window.

use super::{Pool2dShape, combine_strided, plane};
use crate::isa::Isa;
use crate::number::{Float, Number};
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};

#[inline(always)]
fn larger<T: Number>(a: T, b: T) -> T {
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
            dispatch(isa, Plane { shape, x, y });
        });
        return;
    };
    assert_eq!(indices.len(), shape.output_len());
    let places = DisjointMut::new(indices);
    shape.each_plane(work * shape.kernel[0], |p| {
        // SAFETY: planes do not overlap.
        let (y, places) = unsafe { (plane(&to, p, out_size), plane(&places, p, out_size)) };
        let x = &x[p * size..(p + 1) * size];
        for (at, (y, place)) in y.iter_mut().zip(places).enumerate() {
            let first = first_maximum(shape, x, at / shape.out_w, at % shape.out_w);
            *y = first.map_or(T::LOWEST, |i| x[i]);
            *place = first.map_or(-1, |i| i as i64);
        }
    });
}

/// Where the first maximum of a window lies in the input's plane.
fn first_maximum<T: Number>(
    shape: &Pool2dShape,
    x: &[T],
    out_y: usize,
    out_x: usize,
) -> Option<usize> {
    let mut best: Option<usize> = None;
    let columns = shape.columns(out_x);
    for ky in shape.rows(out_y) {
        let row = shape.row(out_y, ky) * shape.in_w;
        for kx in columns.clone() {
            let at = row + shape.column(out_x, kx);
            let better = match best {
                None => true,
                Some(b) => !x[b].is_nan() && (x[at] > x[b] || x[at].is_nan()),
            };
            if better {
                best = Some(at);
            }
        }
    }
    best
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
    let area = shape.kernel[0] * shape.kernel[1];
    shape.each_plane(size + out_size * area, |p| {
        // SAFETY: planes do not overlap.
        let dx = unsafe { plane(&to, p, size) };
        let x = &x[p * size..(p + 1) * size];
        dx.fill(T::ZERO);
        for (at, dy) in dy[p * out_size..(p + 1) * out_size].iter().enumerate() {
            if let Some(i) = first_maximum(shape, x, at / shape.out_w, at % shape.out_w) {
                dx[i] += *dy;
            }
        }
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
