//! Softmax and log-softmax along the middle of `(outer, axis, inner)`,
//! shifted by the maximum.
//!
//! Where all elements are -inf, softmax is 0 and log-softmax -inf (not NaN):
//! a fully masked row attends to nothing.

mod scalar;
#[cfg(test)]
mod tests;
mod vector;

use crate::isa::Isa;
use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are done by the calling thread alone.
const MIN_CHUNK: usize = 1 << 13;
/// Columns done together where the axis is not the last one.
const TILE: usize = 64;

/// `y = e^x / sum e^x`.
pub fn softmax<T: Float>(isa: Isa, x: &[T], dims: [usize; 3], y: &mut [T]) {
    forward(isa, false, x, dims, y);
}

/// `y = x - ln sum e^x`.
pub fn log_softmax<T: Float>(isa: Isa, x: &[T], dims: [usize; 3], y: &mut [T]) {
    forward(isa, true, x, dims, y);
}

/// `dx = y (dy - sum dy y)` from the softmax `y`.
pub fn softmax_backward<T: Float>(isa: Isa, y: &[T], dy: &[T], dims: [usize; 3], dx: &mut [T]) {
    backward(isa, false, y, dy, dims, dx);
}

/// `dx = dy - e^y sum dy` from the log-softmax `y`.
pub fn log_softmax_backward<T: Float>(isa: Isa, y: &[T], dy: &[T], dims: [usize; 3], dx: &mut [T]) {
    backward(isa, true, y, dy, dims, dx);
}

/// One tile: `axis` rows of `stride`, of which `width` columns count.
#[derive(Clone, Copy, Debug)]
struct Tile {
    start: usize,
    axis: usize,
    stride: usize,
    width: usize,
}

impl Tile {
    fn end(&self) -> usize {
        self.start + (self.axis - 1) * self.stride + self.width
    }
}

/// Runs `body` on every tile, in parallel.
fn tiles([outer, axis, inner]: [usize; 3], body: impl Fn(Tile) + Sync) {
    if outer * axis * inner == 0 {
        return;
    }
    let across = inner.div_ceil(TILE);
    let min_tiles = MIN_CHUNK.div_ceil(axis * inner.min(TILE));
    parallel_chunks(outer * across, min_tiles, |range| {
        for unit in range {
            let (o, left) = (unit / across, unit % across * TILE);
            body(Tile {
                start: o * axis * inner + left,
                axis,
                stride: inner,
                width: TILE.min(inner - left),
            });
        }
    });
}

fn forward<T: Float>(isa: Isa, log: bool, x: &[T], dims: [usize; 3], y: &mut [T]) {
    assert!(x.len() == dims.iter().product::<usize>() && y.len() == x.len());
    if let (Some(x), Some(y)) = (T::as_f32(x), T::as_f32_mut(y)) {
        let to = DisjointMut::new(y);
        tiles(dims, |tile| vector::forward(isa, log, x, &to, tile));
    } else {
        let to = DisjointMut::new(y);
        tiles(dims, |tile| scalar::forward(log, x, &to, tile));
    }
}

fn backward<T: Float>(isa: Isa, log: bool, y: &[T], dy: &[T], dims: [usize; 3], dx: &mut [T]) {
    assert!(y.len() == dims.iter().product::<usize>());
    assert!(dy.len() == y.len() && dx.len() == y.len());
    if let (Some(y), Some(dy), Some(dx)) = (T::as_f32(y), T::as_f32(dy), T::as_f32_mut(dx)) {
        let to = DisjointMut::new(dx);
        tiles(dims, |tile| vector::backward(isa, log, y, dy, &to, tile));
    } else {
        let to = DisjointMut::new(dx);
        tiles(dims, |tile| scalar::backward(log, y, dy, &to, tile));
    }
}
