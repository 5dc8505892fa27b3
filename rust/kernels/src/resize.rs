//! Resampling along axes by tables of taps, forward and backward.
//!
//! Every interpolation is, per axis, a short weighted sum of input positions
//! ([`Taps`]); two axes are two passes, the columns first.

mod blocked;
mod taps;
#[cfg(test)]
mod tests;

pub use blocked::resize2d_blocked;
pub use taps::{Coordinates, Interpolation, Nearest, Taps};

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are made by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Resamples the middle of `(outer, axis, inner)`.
pub fn resize_axis<T: Float>(x: &[T], [outer, inner]: [usize; 2], taps: &Taps, out: &mut [T]) {
    let (from, to) = (taps.input() * inner, taps.output() * inner);
    assert!(x.len() == outer * from && out.len() == outer * to);
    let shared = DisjointMut::new(out);
    parallel_chunks(outer, MIN_CHUNK.div_ceil(to.max(1)), |range| {
        for o in range {
            // SAFETY: the parts do not overlap.
            let y = unsafe { shared.slice(o * to..(o + 1) * to) };
            along(&x[o * from..(o + 1) * from], inner, taps, y);
        }
    });
}

/// The gradient of [`resize_axis`]: `dx`, whole.
pub fn resize_axis_backward<T: Float>(
    dy: &[T],
    [outer, inner]: [usize; 2],
    taps: &Taps,
    dx: &mut [T],
) {
    let (to, from) = (taps.input() * inner, taps.output() * inner);
    assert!(dy.len() == outer * from && dx.len() == outer * to);
    let shared = DisjointMut::new(dx);
    parallel_chunks(outer, MIN_CHUNK.div_ceil(from.max(1)), |range| {
        for o in range {
            // SAFETY: the parts do not overlap.
            let dx = unsafe { shared.slice(o * to..(o + 1) * to) };
            back(&dy[o * from..(o + 1) * from], inner, taps, dx);
        }
    });
}

/// Resamples planes of `(rows, columns)`.
pub fn resize2d<T: Float>(x: &[T], planes: usize, taps: [&Taps; 2], out: &mut [T]) {
    let [rows, columns] = taps;
    let (from, to) = plane_sizes(taps);
    assert!(x.len() == planes * from && out.len() == planes * to);
    let shared = DisjointMut::new(out);
    parallel_chunks(planes, MIN_CHUNK.div_ceil(to.max(1)), |range| {
        let mut wide = vec![T::ZERO; rows.input() * columns.output()];
        for p in range {
            let x = &x[p * from..(p + 1) * from];
            // SAFETY: planes do not overlap.
            let y = unsafe { shared.slice(p * to..(p + 1) * to) };
            for r in 0..rows.input() {
                let (from, to) = (columns.input(), columns.output());
                let wide = &mut wide[r * to..(r + 1) * to];
                along(&x[r * from..(r + 1) * from], 1, columns, wide);
            }
            along(&wide, columns.output(), rows, y);
        }
    });
}

/// The gradient of [`resize2d`]: `dx`, whole.
pub fn resize2d_backward<T: Float>(dy: &[T], planes: usize, taps: [&Taps; 2], dx: &mut [T]) {
    let [rows, columns] = taps;
    let (to, from) = plane_sizes(taps);
    assert!(dy.len() == planes * from && dx.len() == planes * to);
    let shared = DisjointMut::new(dx);
    parallel_chunks(planes, MIN_CHUNK.div_ceil(from.max(1)), |range| {
        let mut wide = vec![T::ZERO; rows.input() * columns.output()];
        for p in range {
            back(
                &dy[p * from..(p + 1) * from],
                columns.output(),
                rows,
                &mut wide,
            );
            // SAFETY: planes do not overlap.
            let dx = unsafe { shared.slice(p * to..(p + 1) * to) };
            for r in 0..rows.input() {
                let (to, from) = (columns.input(), columns.output());
                let dx = &mut dx[r * to..(r + 1) * to];
                back(&wide[r * from..(r + 1) * from], 1, columns, dx);
            }
        }
    });
}

/// Takes whole elements of any kind: nearest resampling without arithmetic.
pub fn resize2d_nearest<T: Copy + Send + Sync>(
    x: &[T],
    planes: usize,
    taps: [&Taps; 2],
    out: &mut [T],
) {
    let [rows, columns] = taps;
    assert!(rows.picks() && columns.picks());
    let (from, to) = plane_sizes(taps);
    assert!(x.len() == planes * from && out.len() == planes * to);
    let shared = DisjointMut::new(out);
    let (in_w, out_w) = (columns.input(), columns.output());
    let min_rows = MIN_CHUNK.div_ceil(out_w.max(1));
    parallel_chunks(planes * rows.output(), min_rows, |range| {
        for row in range {
            let (p, i) = (row / rows.output(), row % rows.output());
            let start = p * from + rows.of(i).0[0] * in_w;
            let x = &x[start..start + in_w];
            // SAFETY: each row is written once.
            let y = unsafe { shared.slice(row * out_w..(row + 1) * out_w) };
            for (j, y) in y.iter_mut().enumerate() {
                *y = x[columns.of(j).0[0]];
            }
        }
    });
}

/// Elements of an input and of an output plane.
fn plane_sizes([rows, columns]: [&Taps; 2]) -> (usize, usize) {
    let input = rows.input() * columns.input();
    (input, rows.output() * columns.output())
}

/// `y[o, :] = sum weight x[place, :]` over the taps of `o`.
fn along<T: Float>(x: &[T], inner: usize, taps: &Taps, y: &mut [T]) {
    for o in 0..taps.output() {
        let (places, weights) = taps.of(o);
        if inner == 1 {
            y[o] = places
                .iter()
                .zip(weights)
                .map(|(place, weight)| x[*place] * T::from_f64(*weight))
                .sum();
            continue;
        }
        let y = &mut y[o * inner..(o + 1) * inner];
        for (tap, (place, weight)) in places.iter().zip(weights).enumerate() {
            let weight = T::from_f64(*weight);
            let x = &x[place * inner..(place + 1) * inner];
            if tap == 0 {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = *x * weight);
            } else {
                y.iter_mut().zip(x).for_each(|(y, x)| *y += *x * weight);
            }
        }
    }
}

/// `dx[place, :] += weight dy[o, :]`, from zero, in the order of `o`.
fn back<T: Float>(dy: &[T], inner: usize, taps: &Taps, dx: &mut [T]) {
    dx.fill(T::ZERO);
    for o in 0..taps.output() {
        let (places, weights) = taps.of(o);
        let dy = &dy[o * inner..(o + 1) * inner];
        for (place, weight) in places.iter().zip(weights) {
            let weight = T::from_f64(*weight);
            let dx = &mut dx[place * inner..(place + 1) * inner];
            dx.iter_mut()
                .zip(dy)
                .for_each(|(dx, dy)| *dx += *dy * weight);
        }
    }
}
