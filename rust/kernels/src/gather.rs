//! Reading and writing by index along an axis.  Data is (outer, axis, inner);
//! indices are checked first ([`resolve`]), so the kernels are plain loops.

use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are moved by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;
/// Columns that one task sums.
const COLUMNS: usize = 256;

/// Indices counted from either end of an axis as places on it; the first one
/// out of range is the error.
pub fn resolve<I: Copy + Into<i64>>(indices: &[I], axis: usize) -> Result<Vec<usize>, i64> {
    let length = axis as i64;
    indices
        .iter()
        .map(|&index| {
            let index: i64 = index.into();
            let place = if index < 0 { index + length } else { index };
            (0..length)
                .contains(&place)
                .then_some(place as usize)
                .ok_or(index)
        })
        .collect()
}

/// `out[o, k, :] = x[o, places[k], :]`.
pub fn take<T: Copy + Send + Sync>(
    x: &[T],
    [outer, axis, inner]: [usize; 3],
    places: &[usize],
    out: &mut [T],
) {
    assert!(x.len() == outer * axis * inner && out.len() == outer * places.len() * inner);
    assert!(places.iter().all(|&p| p < axis) || out.is_empty());
    if out.is_empty() {
        return;
    }
    let rows = DisjointMut::new(out);
    let min_rows = MIN_CHUNK.div_ceil(inner);
    parallel_chunks(outer * places.len(), min_rows, |range| {
        for row in range {
            let from = (row / places.len() * axis + places[row % places.len()]) * inner;
            // SAFETY: each row is written once.
            let to = unsafe { rows.slice(row * inner..(row + 1) * inner) };
            to.copy_from_slice(&x[from..from + inner]);
        }
    });
}

/// `out[o, k, i] = x[o, places[o, k, i], i]`, `count` places on the axis.
pub fn gather<T: Copy + Send + Sync>(
    x: &[T],
    [outer, axis, inner]: [usize; 3],
    count: usize,
    places: &[usize],
    out: &mut [T],
) {
    assert!(x.len() == outer * axis * inner && out.len() == outer * count * inner);
    assert!(places.len() == out.len());
    let shared = DisjointMut::new(out);
    parallel_chunks(places.len(), MIN_CHUNK, |range| {
        // SAFETY: the ranges do not overlap.
        let to = unsafe { shared.slice(range.clone()) };
        for (at, to) in range.zip(to) {
            *to = x[(at / (count * inner) * axis + places[at]) * inner + at % inner];
        }
    });
}

/// `out[o, places[k], :] += g[o, k, :]` in the order of k.
pub fn take_sum<T: Number>(
    g: &[T],
    [outer, axis, inner]: [usize; 3],
    places: &[usize],
    out: &mut [T],
) {
    assert!(g.len() == outer * places.len() * inner && out.len() == outer * axis * inner);
    by_columns([outer, axis, inner], places.len(), out, |o, columns, to| {
        for (k, &place) in places.iter().enumerate() {
            let row = (o * places.len() + k) * inner;
            let to = &mut to(place)[columns.clone()];
            let from = &g[row + columns.start..row + columns.end];
            to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.plus(f));
        }
    });
}

/// `out[o, places[o, k, i], i]` becomes `put(it, g[o, k, i])`, in the order
/// of k: a sum ([`Number::plus`]), or the last one.
pub fn scatter<T: Copy + Send + Sync>(
    g: &[T],
    dims: [usize; 3],
    count: usize,
    places: &[usize],
    out: &mut [T],
    put: impl Fn(T, T) -> T + Sync,
) {
    let [outer, axis, inner] = dims;
    assert!(g.len() == outer * count * inner && out.len() == outer * axis * inner);
    assert!(places.len() == g.len());
    by_columns(dims, count, out, |o, columns, to| {
        for k in 0..count {
            let row = (o * count + k) * inner;
            for i in columns.clone() {
                let to = &mut to(places[row + i])[i];
                *to = put(*to, g[row + i]);
            }
        }
    });
}

/// Runs `body(o, columns, row)` for each outer index and block of columns;
/// `row(place)` is a row of the output, of which the task may write its
/// columns.
fn by_columns<'a, T: Send + Sync>(
    [outer, axis, inner]: [usize; 3],
    count: usize,
    out: &'a mut [T],
    body: impl Fn(usize, std::ops::Range<usize>, &dyn Fn(usize) -> &'a mut [T]) + Sync,
) {
    let blocks = inner.div_ceil(COLUMNS);
    let shared = DisjointMut::new(out);
    let min_tasks = MIN_CHUNK.div_ceil((count * inner.min(COLUMNS)).max(1));
    parallel_chunks(outer * blocks, min_tasks, |range| {
        for task in range {
            let (o, first) = (task / blocks, task % blocks * COLUMNS);
            let row = |place: usize| {
                assert!(place < axis);
                let start = (o * axis + place) * inner;
                // SAFETY: tasks write only columns of their own.
                unsafe { shared.slice(start..start + inner) }
            };
            body(o, first..inner.min(first + COLUMNS), &row);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{gather, resolve, scatter, take, take_sum};
    use crate::number::Number;

    const CASES: &[([usize; 3], usize)] = &[
        ([1, 1, 1], 1),
        ([2, 5, 3], 33),
        ([3, 31, 33], 7),
        ([1, 4, 600], 65),
        ([2, 3, 4], 0),
        ([0, 3, 4], 2),
    ];

    fn indices(count: usize, axis: usize) -> Vec<i64> {
        (0..count)
            .map(|i| ((i * 7919 + 13) % (2 * axis)) as i64 - axis as i64)
            .collect()
    }

    #[test]
    fn reading_and_summing_follow_the_loops() {
        for &(dims @ [outer, axis, inner], count) in CASES {
            let x: Vec<f64> = (0..outer * axis * inner).map(|i| i as f64).collect();
            let g: Vec<f64> = (0..outer * count * inner).map(|i| (i * i) as f64).collect();
            let few = resolve(&indices(count, axis), axis).unwrap();
            let each = resolve(&indices(g.len(), axis), axis).unwrap();
            let mut got = [vec![-1.0; g.len()], vec![-1.0; g.len()]];
            take(&x, dims, &few, &mut got[0]);
            gather(&x, dims, count, &each, &mut got[1]);
            let mut sums = vec![vec![0.0; x.len()], vec![0.0; x.len()], x.clone()];
            take_sum(&g, dims, &few, &mut sums[0]);
            scatter(&g, dims, count, &each, &mut sums[1], f64::plus);
            scatter(&g, dims, count, &each, &mut sums[2], |_, new| new);
            let mut wanted = vec![vec![0.0; x.len()], vec![0.0; x.len()], x.clone()];
            for o in 0..outer {
                for k in 0..count {
                    for i in 0..inner {
                        let at = (o * count + k) * inner + i;
                        let place = |p: usize| (o * axis + p) * inner + i;
                        assert_eq!(got[0][at], x[place(few[k])]);
                        assert_eq!(got[1][at], x[place(each[at])]);
                        wanted[0][place(few[k])] += g[at];
                        wanted[1][place(each[at])] += g[at];
                        wanted[2][place(each[at])] = g[at];
                    }
                }
            }
            assert_eq!(sums, wanted, "{dims:?} {count}");
        }
    }

    #[test]
    fn indices_count_from_either_end() {
        assert_eq!(resolve(&[0_i32, 2, -1, -3], 3), Ok(vec![0, 2, 2, 0]));
        assert_eq!(resolve(&[0_i64, 3], 3), Err(3));
        assert_eq!(resolve(&[-4_i64], 3), Err(-4));
        assert_eq!(resolve::<i64>(&[], 0), Ok(vec![]));
    }
}
