//! Tails where a kernel does not write long pieces.

use crate::matmul::Tail;
use crate::pool::{DisjointMut, parallel_chunks};

/// Pieces from this length on get their tail as they are written: to begin
/// one costs as much as a hundred values.
pub(super) const LONG: usize = 128;

/// Applies a tail to a whole result.
pub(super) fn at_once(y: &mut [f32], tail: Option<Tail<'_>>) {
    const PIECE: usize = 1 << 13;
    let Some(tail) = tail else { return };
    let len = y.len();
    let y = DisjointMut::new(y);
    parallel_chunks(len, PIECE, |range| {
        // SAFETY: the chunks do not overlap.
        tail(range.start, unsafe { y.slice(range) });
    });
}
