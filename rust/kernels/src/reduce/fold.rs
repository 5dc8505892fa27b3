//! One row to a number, and rows to one row.

use super::Combine;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::number::Number;
use crate::simd::{Kernel, Portable, Simd, dispatch};
use std::marker::PhantomData;

/// Running results side by side.
const LANES: usize = 64;
/// Rows longer than this are halved: each lane folds 32 elements at most.
const ROW_BLOCK: usize = 32 * LANES;
/// Rows that are folded one after the other.
const ROWS_BLOCK: usize = 32;

/// Floats run on the wanted instruction set, integers on the baseline.
#[inline(always)]
fn run<T: Number, K: Kernel>(isa: Isa, kernel: K) -> K::Out {
    if const { matches!(T::DTYPE, DType::F32 | DType::F64) } {
        dispatch(isa, kernel)
    } else {
        kernel.run(Portable)
    }
}

struct Row<'a, T, C>(&'a [T], PhantomData<C>);

impl<T: Number, C: Combine<T>> Kernel for Row<'_, T, C> {
    type Out = T;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> T {
        let mut lanes = [C::START; LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] = C::combine(lanes[i], chunk[i]);
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane = C::combine(*lane, *x);
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] = C::combine(lanes[i], lanes[i + width]);
            }
            width /= 2;
        }
        lanes[0]
    }
}

/// Folds all of `row`.
pub(super) fn row<T: Number, C: Combine<T>>(isa: Isa, values: &[T]) -> T {
    if values.len() <= ROW_BLOCK {
        return run::<T, _>(isa, Row::<T, C>(values, PhantomData));
    }
    let half = (values.len() / 2).next_multiple_of(ROW_BLOCK);
    let (left, right) = values.split_at(half.min(values.len()));
    C::combine(row::<T, C>(isa, left), row::<T, C>(isa, right))
}

/// Folds row after row of `stride` into `out`.
struct Rows<'a, T, C> {
    from: &'a [T],
    stride: usize,
    count: usize,
    out: &'a mut [T],
    kind: PhantomData<C>,
}

impl<T: Number, C: Combine<T>> Kernel for Rows<'_, T, C> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Rows {
            from,
            stride,
            count,
            out,
            ..
        } = self;
        let width = out.len();
        out.copy_from_slice(&from[..width]);
        for r in 1..count {
            let row = &from[r * stride..r * stride + width];
            for (a, b) in out.iter_mut().zip(row) {
                *a = C::combine(*a, *b);
            }
        }
    }
}

struct Merge<'a, T, C>(&'a mut [T], &'a [T], PhantomData<C>);

impl<T: Number, C: Combine<T>> Kernel for Merge<'_, T, C> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (a, b) in self.0.iter_mut().zip(self.1) {
            *a = C::combine(*a, *b);
        }
    }
}

/// Folds `count >= 1` rows of `stride`, of which the first `out.len()` columns
/// count, into `out`.
pub(super) fn columns<T: Number, C: Combine<T>>(
    isa: Isa,
    from: &[T],
    stride: usize,
    count: usize,
    out: &mut [T],
) {
    if count <= ROWS_BLOCK {
        let kind = PhantomData::<C>;
        let rows = Rows {
            from,
            stride,
            count,
            out,
            kind,
        };
        return run::<T, _>(isa, rows);
    }
    let half = (count / 2).next_multiple_of(ROWS_BLOCK).min(count - 1);
    let mut right = vec![C::START; out.len()];
    columns::<T, C>(isa, from, stride, half, out);
    columns::<T, C>(
        isa,
        &from[half * stride..],
        stride,
        count - half,
        &mut right,
    );
    run::<T, _>(isa, Merge::<T, C>(out, &right, PhantomData));
}
