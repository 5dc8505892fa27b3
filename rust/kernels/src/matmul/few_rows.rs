//! Products with a few rows on the left and a large right operand: each
//! element of that is used so few times that packing it would cost more than
//! the product.  Rows of B are read in order, a few at a time, and added,
//! scaled, to all rows of C.
//!
//! The chain of operations of an element is the packed product's.

use super::block::{k_range, k_ranges};
use super::{MatRef, Tail};
use crate::cache;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_blocks};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// More rows make packing pay.
const MOST_ROWS: usize = 8;
/// Rows of B added at a time.
const AT_ONCE: usize = 8;
/// Columns of a task: the rows of C stay in the first-level cache.
const COLUMNS: usize = 512;

/// C = A B; false where it does not apply.
pub(super) fn multiply(
    isa: Isa,
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    c: &mut [f32],
    tail: Option<Tail<'_>>,
) -> bool {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let large = k * n * size_of::<f32>() > cache::l2() / 2;
    if m > MOST_ROWS || !large || b.col_stride != 1 {
        return false;
    }
    let mut rows = Scratch::take(m * k);
    for (i, row) in rows.chunks_exact_mut(k).enumerate() {
        let from = a.data[i * a.row_stride..]
            .iter()
            .step_by(a.col_stride.max(1));
        if a.col_stride == 0 {
            row.fill(a.data[i * a.row_stride]);
        } else {
            row.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
    }
    let c = DisjointMut::new(c);
    parallel_blocks(n, COLUMNS, |_, cols| {
        let mut sums = Scratch::take(m * cols.len());
        let mut part = Scratch::take(m * cols.len());
        for i in 0..k_ranges(k) {
            let to = if i == 0 { &mut *sums } else { &mut *part };
            let data = &b.data[cols.start..];
            dispatch(
                isa,
                AddRows {
                    a: &rows,
                    k: k_range(k, i),
                    all: k,
                    data,
                    b,
                    to,
                },
            );
            if i > 0 {
                sums.iter_mut()
                    .zip(part.iter())
                    .for_each(|(sum, part)| *sum += part);
            }
        }
        for (row, sums) in sums.chunks_exact(cols.len()).enumerate() {
            let start = row * n + cols.start;
            // SAFETY: blocks of columns do not overlap.
            let piece = unsafe { c.slice(start..start + cols.len()) };
            piece.copy_from_slice(sums);
            if let Some(tail) = tail {
                tail(start, piece);
            }
        }
    });
    true
}

/// to\[row\] = sum over k of a\[row, k\] times row k of `data`.
struct AddRows<'a> {
    a: &'a [f32],
    k: Range<usize>,
    /// Columns of `a`.
    all: usize,
    /// B from the first column on.
    data: &'a [f32],
    b: MatRef<'a, f32>,
    to: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let AddRows {
            a,
            k,
            all,
            data,
            b,
            to,
        } = self;
        let width = to.len() / (a.len() / all);
        to.fill(0.0);
        let mut at = k.start;
        while at < k.end {
            let data = &data[at * b.row_stride..];
            if at + AT_ONCE <= k.end {
                add::<S, AT_ONCE>(s, &a[at..], all, data, b.row_stride, to, width);
                at += AT_ONCE;
            } else {
                add::<S, 1>(s, &a[at..], all, data, b.row_stride, to, width);
                at += 1;
            }
        }
    }
}

#[inline(always)]
fn add<S: Simd, const N: usize>(
    s: S,
    a: &[f32],
    a_row: usize,
    data: &[f32],
    stride: usize,
    to: &mut [f32],
    width: usize,
) {
    assert!((N - 1) * stride + width <= data.len());
    let rows = to.len() / width;
    assert!((rows - 1) * a_row + N <= a.len());
    for col in (0..width).step_by(S::LANES) {
        let n = (width - col).min(S::LANES);
        // SAFETY: checked above; `to` has `rows` rows of `width`.
        unsafe {
            let from = data.as_ptr().add(col);
            let mut x = [s.zero(); N];
            for (i, x) in x.iter_mut().enumerate() {
                let from = from.add(i * stride);
                *x = if n == S::LANES {
                    s.load_ptr(from)
                } else {
                    s.load_ptr_part(from, n)
                };
            }
            for row in 0..rows {
                let (a, to) = (
                    a.as_ptr().add(row * a_row),
                    to.as_mut_ptr().add(row * width + col),
                );
                let mut sum = if n == S::LANES {
                    s.load_ptr(to)
                } else {
                    s.load_ptr_part(to, n)
                };
                for (i, x) in x.iter().enumerate() {
                    sum = s.fma(s.splat(*a.add(i)), *x, sum);
                }
                if n == S::LANES {
                    s.store_ptr(to, sum);
                } else {
                    s.store_ptr_part(to, n, sum);
                }
            }
        }
    }
}
