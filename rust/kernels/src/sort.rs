//! Sorting, the largest k, and running sums along the middle of
//! `(outer, axis, inner)`.
//!
//! Equal elements keep their order, in falling order too.  NaN counts as
//! larger than every number: last in rising order, first in falling.

#[cfg(test)]
mod tests;

use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are sorted by the calling thread alone.
const MIN_CHUNK: usize = 1 << 12;

/// Elements whose order is that of an unsigned key.
pub trait Ordered: Number {
    /// Keys compare as the elements do; equal elements have one key.
    fn key(self) -> u64;
}

macro_rules! ordered {
    ($($t:ty: $x:ident => $key:expr;)*) => {$(
        impl Ordered for $t {
            #[inline]
            fn key(self) -> u64 {
                let $x = self;
                $key
            }
        }
    )*};
}

const SIGN: u64 = 1 << 63;

/// The bits of a double in the order of its value; -0 is 0.
#[inline]
fn double_key(x: f64) -> u64 {
    if x.is_nan() {
        return u64::MAX;
    }
    let bits = (x + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

ordered! {
    u8: x => u64::from(x);
    u16: x => u64::from(x);
    u32: x => u64::from(x);
    u64: x => x;
    i8: x => x as u64 ^ SIGN;
    i16: x => x as u64 ^ SIGN;
    i32: x => x as u64 ^ SIGN;
    i64: x => x as u64 ^ SIGN;
    f32: x => double_key(f64::from(x));
    f64: x => double_key(x);
}

/// Sorts; `values` and `indices` (places in the input) have the input's
/// shape.
pub fn sort<T: Ordered>(
    x: &[T],
    dims: [usize; 3],
    descending: bool,
    values: &mut [T],
    indices: &mut [i64],
) {
    topk(x, dims, dims[1], descending, values, indices);
}

/// The first `k <= axis` of the sorted elements: `values` and `indices` of
/// `(outer, k, inner)`, in order, the lower index first among equals.
pub fn topk<T: Ordered>(
    x: &[T],
    [outer, axis, inner]: [usize; 3],
    k: usize,
    largest: bool,
    values: &mut [T],
    indices: &mut [i64],
) {
    assert!(k <= axis && x.len() == outer * axis * inner);
    assert!(values.len() == outer * k * inner && indices.len() == values.len());
    if values.is_empty() {
        return;
    }
    let (values, indices) = (DisjointMut::new(values), DisjointMut::new(indices));
    parallel_chunks(outer * inner, MIN_CHUNK.div_ceil(axis), |range| {
        let mut order: Vec<(u64, usize)> = Vec::with_capacity(axis);
        for line in range {
            let (o, j) = (line / inner, line % inner);
            let at = |i: usize| (o * axis + i) * inner + j;
            let flip = if largest { u64::MAX } else { 0 };
            order.clear();
            order.extend((0..axis).map(|i| (x[at(i)].key() ^ flip, i)));
            if k < axis {
                order.select_nth_unstable(k);
                order.truncate(k);
            }
            // No two pairs are equal, so this is stable.
            order.sort_unstable();
            for (i, (_, place)) in order.iter().enumerate() {
                let to = (o * k + i) * inner + j;
                // SAFETY: each line is written by one task.
                unsafe {
                    values.slice(to..to + 1)[0] = x[at(*place)];
                    indices.slice(to..to + 1)[0] = *place as i64;
                }
            }
        }
    });
}
