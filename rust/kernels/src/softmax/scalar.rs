//! One column at a time, for f64.

use super::Tile;
use crate::number::Float;
use crate::pool::DisjointMut;

/// Writes element `at`.
fn put<T: Float>(to: &DisjointMut<T>, at: usize, value: T) {
    // SAFETY: a tile's elements are written by one task.
    unsafe { to.slice(at..at + 1)[0] = value };
}

pub(super) fn forward<T: Float>(log: bool, x: &[T], to: &DisjointMut<T>, tile: Tile) {
    for column in 0..tile.width {
        let at = |i: usize| tile.start + i * tile.stride + column;
        let largest =
            (0..tile.axis).fold(T::LOWEST, |m, i| if x[at(i)] > m { x[at(i)] } else { m });
        let shift = if largest == T::LOWEST {
            T::ZERO
        } else {
            largest
        };
        let sum: T = (0..tile.axis).map(|i| (x[at(i)] - shift).exp()).sum();
        for i in 0..tile.axis {
            let x = x[at(i)] - shift;
            let y = match (log, sum == T::ZERO) {
                (true, true) => T::LOWEST,
                (true, false) => x - sum.ln(),
                (false, true) => T::ZERO,
                (false, false) => x.exp() / sum,
            };
            put(to, at(i), y);
        }
    }
}

pub(super) fn backward<T: Float>(log: bool, y: &[T], dy: &[T], to: &DisjointMut<T>, tile: Tile) {
    for column in 0..tile.width {
        let at = |i: usize| tile.start + i * tile.stride + column;
        let weight = |i: usize| if log { T::ONE } else { y[at(i)] };
        let sum: T = (0..tile.axis).map(|i| dy[at(i)] * weight(i)).sum();
        for i in 0..tile.axis {
            let (y, dy) = (y[at(i)], dy[at(i)]);
            let dx = if log {
                dy - y.exp() * sum
            } else {
                y * (dy - sum)
            };
            put(to, at(i), dx);
        }
    }
}
