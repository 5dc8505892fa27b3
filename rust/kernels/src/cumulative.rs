//! Running sums and products along an axis of (outer, axis, inner).

use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are for the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Running sums; `exclusive` leaves out the element itself, `reverse` runs
/// from the end.  Integers wrap.
pub fn cumsum<T: Number>(x: &[T], dims: [usize; 3], exclusive: bool, reverse: bool, out: &mut [T]) {
    running(x, dims, exclusive, reverse, out, T::ZERO, T::plus);
}

/// As [`cumsum`], of products.
pub fn cumprod<T: Number>(
    x: &[T],
    dims: [usize; 3],
    exclusive: bool,
    reverse: bool,
    out: &mut [T],
) {
    running(x, dims, exclusive, reverse, out, T::ONE, T::times);
}

fn running<T: Number>(
    x: &[T],
    [outer, axis, inner]: [usize; 3],
    exclusive: bool,
    reverse: bool,
    out: &mut [T],
    start: T,
    join: impl Fn(T, T) -> T + Sync,
) {
    assert!(x.len() == outer * axis * inner && out.len() == x.len());
    let size = axis * inner;
    let shared = DisjointMut::new(out);
    parallel_chunks(outer, MIN_CHUNK.div_ceil(size.max(1)), |range| {
        for o in range {
            let x = &x[o * size..(o + 1) * size];
            // SAFETY: the parts do not overlap.
            let to = unsafe { shared.slice(o * size..(o + 1) * size) };
            let mut totals = vec![start; inner];
            for step in 0..axis {
                let row = if reverse { axis - 1 - step } else { step };
                let range = row * inner..(row + 1) * inner;
                let lines = to[range.clone()].iter_mut().zip(&x[range]);
                for ((to, x), total) in lines.zip(&mut totals) {
                    let before = *total;
                    *total = join(before, *x);
                    *to = if exclusive { before } else { *total };
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{cumprod, cumsum};

    #[test]
    fn running_follows_the_loops() {
        for dims @ [outer, axis, inner] in [[1, 1, 1], [2, 33, 3], [3, 5, 31], [0, 4, 2], [2, 0, 3]]
        {
            let n = outer * axis * inner;
            let x: Vec<f64> = (0..n).map(|i| ((i * 7919) % 13) as f64 - 6.0).collect();
            for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let mut got = [vec![-1.0; n], vec![-1.0; n]];
                cumsum(&x, dims, exclusive, reverse, &mut got[0]);
                cumprod(&x, dims, exclusive, reverse, &mut got[1]);
                for (at, (sum, product)) in got[0].iter().zip(&got[1]).enumerate() {
                    let (o, k, i) = (at / (axis * inner), at / inner % axis, at % inner);
                    let counted = (0..axis).filter(|&j| {
                        let before = if reverse { j > k } else { j < k };
                        before || (j == k && !exclusive)
                    });
                    let own: Vec<f64> = counted.map(|j| x[(o * axis + j) * inner + i]).collect();
                    assert_eq!(*sum, own.iter().sum::<f64>());
                    // In the order of the run: products of these whole numbers may round.
                    let fold = |all: f64, x: &f64| all * x;
                    let wanted = if reverse {
                        own.iter().rev().fold(1.0, fold)
                    } else {
                        own.iter().fold(1.0, fold)
                    };
                    assert_eq!(*product, wanted);
                }
            }
        }
    }
}
