//! Products with a vector on one side, at the speed of memory.
//!
//! Both kinds are y[q] = sum over p of x[p] M[p, q].  Where M's q is
//! contiguous, rows of M scaled by x[p] are added to y; where its p is,
//! y[q] is a dot product.

use super::{MatRef, Tail};
use crate::isa::Isa;
use crate::pool::{self, parallel_blocks};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};

/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 16;
/// Rows of M added to y at a time.
const ROWS: usize = 8;
/// Dot products taken at a time.
const DOTS: usize = 4;
/// Partial sums of one dot product, in vectors.
const SUMS: usize = 2;

/// C = A B where A is one row or B one column; false where it does not apply.
pub(super) fn multiply(
    isa: Isa,
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    c: &mut [f32],
    tail: Option<Tail<'_>>,
) -> bool {
    let (x, x_stride, mat) = if a.rows == 1 {
        (a.data, a.col_stride, b)
    } else if b.cols == 1 {
        (b.data, b.row_stride, a.transposed())
    } else {
        return false;
    };
    let (p, q) = (mat.rows, mat.cols);
    if p == 0 || (mat.row_stride != 1 && mat.col_stride != 1) {
        return false;
    }
    let gathered = (x_stride != 1).then(|| {
        let mut buf = Scratch::take(p);
        buf.iter_mut()
            .enumerate()
            .for_each(|(i, v)| *v = x[i * x_stride]);
        buf
    });
    // One number repeated is shorter than p: only what lies side by side is cut.
    let x = gathered.as_deref().unwrap_or_else(|| &x[..p]);

    let block = if pool::threads_here() == 1 || p * q < 2 * TASK {
        q
    } else {
        q.div_ceil(2 * pool::threads_here())
            .max(TASK / p)
            .next_multiple_of(64)
    };
    let c = pool::DisjointMut::new(c);
    parallel_blocks(q, block, |_, range| {
        let start = range.start;
        // SAFETY: blocks do not overlap.
        let y = unsafe { c.slice(range) };
        let data = &mat.data[start * mat.col_stride..];
        if mat.col_stride == 1 {
            dispatch(
                isa,
                AddRows {
                    x,
                    data,
                    stride: mat.row_stride,
                    y,
                },
            );
        } else {
            dispatch(
                isa,
                Dots {
                    x,
                    data,
                    stride: mat.col_stride,
                    y,
                },
            );
        }
        if let Some(tail) = tail {
            // A piece lies in one row of C.
            let piece = if b.cols == 1 { 1 } else { y.len() };
            for (i, y) in y.chunks_mut(piece).enumerate() {
                tail(start + i * piece, y);
            }
        }
    });
    true
}

/// y[q] = sum over p of x[p] data[p * stride + q].
struct AddRows<'a> {
    x: &'a [f32],
    data: &'a [f32],
    stride: usize,
    y: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let AddRows { x, data, stride, y } = self;
        y.fill(0.0);
        let mut groups = x.chunks_exact(ROWS);
        let mut row = 0;
        for group in groups.by_ref() {
            let scale: [S::F; ROWS] = std::array::from_fn(|i| s.splat(group[i]));
            add_rows(s, &scale, &data[row * stride..], stride, y);
            row += ROWS;
        }
        for value in groups.remainder() {
            add_rows(s, &[s.splat(*value)], &data[row * stride..], stride, y);
            row += 1;
        }
    }
}

#[inline(always)]
fn add_rows<S: Simd, const N: usize>(
    s: S,
    scale: &[S::F; N],
    data: &[f32],
    stride: usize,
    y: &mut [f32],
) {
    assert!((N - 1) * stride + y.len() <= data.len());
    let mut at = 0;
    while at < y.len() {
        let n = (y.len() - at).min(S::LANES);
        // SAFETY: checked above.
        unsafe {
            let (to, from) = (y.as_mut_ptr().add(at), data.as_ptr().add(at));
            if n == S::LANES {
                let mut sum = s.load_ptr(to);
                for (i, x) in scale.iter().enumerate() {
                    sum = s.fma(*x, s.load_ptr(from.add(i * stride)), sum);
                }
                s.store_ptr(to, sum);
            } else {
                let mut sum = s.load_ptr_part(to, n);
                for (i, x) in scale.iter().enumerate() {
                    sum = s.fma(*x, s.load_ptr_part(from.add(i * stride), n), sum);
                }
                s.store_ptr_part(to, n, sum);
            }
        }
        at += n;
    }
}

/// y[q] = sum over p of x[p] data[q * stride + p].
struct Dots<'a> {
    x: &'a [f32],
    data: &'a [f32],
    stride: usize,
    y: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Dots { x, data, stride, y } = self;
        let mut groups = y.chunks_exact_mut(DOTS);
        let mut row = 0;
        for group in groups.by_ref() {
            group.copy_from_slice(&dots::<S, DOTS>(s, x, &data[row * stride..], stride));
            row += DOTS;
        }
        for value in groups.into_remainder() {
            [*value] = dots::<S, 1>(s, x, &data[row * stride..], stride);
            row += 1;
        }
    }
}

#[inline(always)]
fn dots<S: Simd, const N: usize>(s: S, x: &[f32], data: &[f32], stride: usize) -> [f32; N] {
    assert!((N - 1) * stride + x.len() <= data.len());
    let mut acc = [[s.zero(); SUMS]; N];
    let step = SUMS * S::LANES;
    let whole = x.len() / step * step;
    // SAFETY: checked above.
    unsafe {
        for at in (0..whole).step_by(step) {
            for v in 0..SUMS {
                let at = at + v * S::LANES;
                let xs = s.load_ptr(x.as_ptr().add(at));
                for (i, acc) in acc.iter_mut().enumerate() {
                    acc[v] = s.fma(xs, s.load_ptr(data.as_ptr().add(i * stride + at)), acc[v]);
                }
            }
        }
        for at in (whole..x.len()).step_by(S::LANES) {
            let n = (x.len() - at).min(S::LANES);
            let xs = s.load_ptr_part(x.as_ptr().add(at), n);
            for (i, acc) in acc.iter_mut().enumerate() {
                let from = data.as_ptr().add(i * stride + at);
                acc[0] = s.fma(xs, s.load_ptr_part(from, n), acc[0]);
            }
        }
    }
    std::array::from_fn(|i| s.sum(s.add(acc[i][0], acc[i][1])))
}
