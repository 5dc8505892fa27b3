//! Where the largest or smallest element lies.

use super::fold::row;
use super::{Combine, Largest, MIN_CHUNK, Smallest};
use crate::isa::Isa;
use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks};

/// The position along the middle of `(outer, axis, inner)` of the largest or
/// smallest element, into `out` of `(outer, inner)`.  The first of equals
/// wins, and NaN beats all, as in NumPy.  `axis` is at least 1.
pub fn arg_reduce<T: Number>(
    isa: Isa,
    largest: bool,
    input: &[T],
    dims: [usize; 3],
    out: &mut [i64],
) {
    let [outer, axis, inner] = dims;
    assert!(axis > 0 || out.is_empty());
    assert!(input.len() == outer * axis * inner && out.len() == outer * inner);
    if largest {
        arg::<T, Largest>(isa, input, dims, out);
    } else {
        arg::<T, Smallest>(isa, input, dims, out);
    }
}

fn arg<T: Number, C: Combine<T>>(
    isa: Isa,
    input: &[T],
    [outer, axis, inner]: [usize; 3],
    out: &mut [i64],
) {
    let shared = DisjointMut::new(out);
    let min_outer = MIN_CHUNK.div_ceil((axis * inner).max(1));
    parallel_chunks(outer, min_outer, |range| {
        for o in range {
            let from = &input[o * axis * inner..(o + 1) * axis * inner];
            // SAFETY: the ranges do not overlap.
            let to = unsafe { shared.slice(o * inner..(o + 1) * inner) };
            if inner == 1 {
                to[0] = first_best::<T, C>(isa, from);
            } else {
                best_rows::<T, C>(from, inner, to);
            }
        }
    });
}

/// Two passes, both of which vectorise: the value, then its first position.
fn first_best<T: Number, C: Combine<T>>(isa: Isa, values: &[T]) -> i64 {
    let best = row::<T, C>(isa, values);
    let same = |x: &T| *x == best || (x.is_nan() && best.is_nan());
    values.iter().position(same).unwrap_or(0) as i64
}

fn best_rows<T: Number, C: Combine<T>>(from: &[T], inner: usize, to: &mut [i64]) {
    let mut best = from[..inner].to_vec();
    to.fill(0);
    for (r, row) in from.chunks_exact(inner).enumerate().skip(1) {
        for j in 0..inner {
            let better = C::combine(best[j], row[j]);
            // An equal element leaves the first; NaN stays once it is there.
            let moved = better != best[j] && !best[j].is_nan();
            if moved {
                best[j] = better;
                to[j] = r as i64;
            }
        }
    }
}
