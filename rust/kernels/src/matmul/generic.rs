//! Products of any number type, in plain loops.

use super::MatRef;
use crate::dtype::Element;
use crate::pool::parallel_chunks_mut;

/// A number type with the product's arithmetic; integers wrap.
pub trait Scalar: Element {
    const ZERO: Self;
    /// self + a * b.
    #[must_use]
    fn add_product(self, a: Self, b: Self) -> Self;
}

macro_rules! integers {
    ($($t:ty)*) => {$(impl Scalar for $t {
        const ZERO: $t = 0;
        #[inline(always)]
        fn add_product(self, a: $t, b: $t) -> $t {
            self.wrapping_add(a.wrapping_mul(b))
        }
    })*};
}

macro_rules! floats {
    ($($t:ty)*) => {$(impl Scalar for $t {
        const ZERO: $t = 0.0;
        #[inline(always)]
        fn add_product(self, a: $t, b: $t) -> $t {
            self + a * b
        }
    })*};
}

integers!(u8 i8 u16 i16 u32 i32 u64 i64);
floats!(f32 f64);

/// Rows of C computed together: they share a pass over B.
const ROWS: usize = 8;
/// Rows of B in a pass.
const DEPTH: usize = 64;

/// C = A B: `c` is rows x cols, row-major and contiguous.
///
/// # Panics
/// Where the shapes do not match or a matrix exceeds its data.
pub fn matmul_generic<T: Scalar>(a: MatRef<'_, T>, b: MatRef<'_, T>, c: &mut [T]) {
    a.check();
    b.check();
    assert_eq!(a.cols, b.rows, "matmul: inner sizes differ");
    assert_eq!(
        c.len(),
        a.rows * b.cols,
        "matmul: the result has another size"
    );
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    c.fill(T::ZERO);
    if b.rows == 0 {
        return;
    }
    // Rows of B must be contiguous for the inner loop.
    let copy: Vec<T>;
    let b = if b.col_stride == 1 {
        b
    } else {
        let rows = (0..b.rows).map(|r| r * b.row_stride);
        copy = rows
            .flat_map(|start| (0..b.cols).map(move |col| b.data[start + col * b.col_stride]))
            .collect();
        MatRef::contiguous(&copy, b.rows, b.cols)
    };
    parallel_chunks_mut(c, ROWS * b.cols, |block, c| {
        rows_of_c(a, b, block * ROWS, c);
    });
}

fn rows_of_c<T: Scalar>(a: MatRef<'_, T>, b: MatRef<'_, T>, first: usize, c: &mut [T]) {
    for from in (0..b.rows).step_by(DEPTH) {
        for (i, c) in c.chunks_exact_mut(b.cols).enumerate() {
            let start = (first + i) * a.row_stride;
            for k in from..b.rows.min(from + DEPTH) {
                let x = a.data[start + k * a.col_stride];
                let row = &b.data[k * b.row_stride..][..b.cols];
                for (c, y) in c.iter_mut().zip(row) {
                    *c = c.add_product(x, *y);
                }
            }
        }
    }
}
