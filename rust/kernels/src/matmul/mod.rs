//! C = A B for f32 and 16-bit integers on packed micro-kernels, and for every other type by
//! plain loops.
//!
//! An element of C is always the same chain of operations: K in blocks of
//! fixed cut, each block summed in order and added to C.  So results depend on
//! K and the instance alone, neither on the number of threads nor on how C is
//! cut into tasks.

mod batch;
pub(crate) mod block;
mod epilogue;
mod few_rows;
mod generic;
mod half;
pub(crate) mod integer;
mod operand;
pub(crate) mod pack;
pub(crate) mod pack_all;
mod plan;
#[cfg(test)]
mod tests;
pub(crate) mod tile;
mod vector;

pub use batch::matmul_f32_batched;
pub use epilogue::Epilogue;
pub use generic::{Scalar, matmul_generic};
pub use integer::{PackedColumns, matmul_integer};
pub use operand::{MatRef, PackedRhs, Rhs};

use crate::isa::Isa;
use operand::PackedPanels;
use plan::Shape;

/// Called with a final, contiguous piece of C while it is in the cache, and
/// with the flat index in C at which it starts; may rewrite it
/// (bias, activation, residual).  Pieces together cover C once.
pub type Tail<'a> = &'a (dyn Fn(usize, &mut [f32]) + Sync);

/// C = A B, finished by `epilogue`: `c` is rows x cols, row-major and
/// contiguous.
///
/// # Panics
/// Where the shapes do not match or a matrix exceeds its data.
pub fn matmul_f32(
    isa: Isa,
    a: MatRef<'_, f32>,
    b: &Rhs<'_>,
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    a.check();
    b.check(isa);
    let (m, k, n) = (a.rows, a.cols, b.cols());
    assert_eq!(b.rows(), k, "matmul: inner sizes differ");
    assert_eq!(c.len(), m * n, "matmul: the result has another size");
    epilogue.check(n, c.len());
    if m == 0 || n == 0 {
        return;
    }
    // For the kernels that do not finish elements in registers.
    let pass = |start: usize, piece: &mut [f32]| epilogue.pass(isa, n, start, piece);
    let tail: Option<Tail<'_>> = if epilogue.finishes() {
        Some(&pass)
    } else {
        epilogue.tail
    };
    let shape = Shape { m, k, n };
    match b {
        Rhs::Plain(b) => {
            let b = *b;
            let done = vector::multiply(isa, a, b, c, tail)
                || plan::small(isa, a, b, c, tail)
                || few_rows::multiply(isa, a, b, c, tail);
            if !done {
                plan::plain(isa, shape, a.raw(), b.raw(), c, epilogue);
            }
        }
        Rhs::Packed(b) => match b.column() {
            Some(b) if vector::multiply(isa, a, b, c, tail) => {}
            _ => match b.panels() {
                PackedPanels::Single(b) => plan::packed(isa, shape, a.raw(), &b, c, epilogue),
                PackedPanels::Half(b) if half::is_few(isa, m) => {
                    half::few_rows(isa, shape, a.raw(), b, c, tail);
                }
                PackedPanels::Half(b) => plan::packed(isa, shape, a.raw(), &b, c, epilogue),
            },
        },
    }
}
