//! Many products at once.

use super::operand::{MatRef, PackedRhs, Rhs};
use super::{Epilogue, matmul_f32};
use crate::isa::Isa;
use crate::pool::{self, DisjointMut, parallel_for};

/// Rows in all from which a shared right operand is packed once for all.
const PACK_ROWS: usize = 16;

/// C[i] = A[i] B[i]: `a` and `b` describe one matrix each, whose element
/// (0, 0) lies `a_offsets[i]` and `b_offsets[i]` elements further for product
/// i.  Equal offsets share an operand (broadcast); a packed `b` is shared by
/// all, its offsets must be 0.  `c` holds the results one after the other, and
/// so lies the epilogue's residual; its tail's index counts from the first.
///
/// # Panics
/// Where the shapes do not match or a matrix exceeds its data.
pub fn matmul_f32_batched(
    isa: Isa,
    a: MatRef<'_, f32>,
    a_offsets: &[usize],
    b: &Rhs<'_>,
    b_offsets: &[usize],
    c: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let batch = a_offsets.len();
    assert_eq!(batch, b_offsets.len(), "matmul: batch sizes differ");
    let size = a.rows * b.cols();
    assert_eq!(c.len(), batch * size, "matmul: the result has another size");
    epilogue.check(b.cols(), c.len());
    if batch == 0 || size == 0 {
        return;
    }
    let shared = b_offsets.iter().all(|at| *at == b_offsets[0]);
    let b_first = right(b, b_offsets[0]);
    if shared && let Some(tall) = one_matrix(a, a_offsets) {
        matmul_f32(isa, tall, &b_first, c, epilogue);
        return;
    }
    let packed = match b_first {
        Rhs::Plain(b) if shared && batch > 1 && a.rows > 1 && batch * a.rows >= PACK_ROWS => {
            Some(PackedRhs::new(isa, b))
        }
        _ => None,
    };
    let c = DisjointMut::new(c);
    let one = |i: usize| {
        let a = MatRef {
            data: &a.data[a_offsets[i]..],
            ..a
        };
        let b = match &packed {
            Some(packed) => Rhs::Packed(packed),
            None => right(b, b_offsets[i]),
        };
        let start = i * size;
        // SAFETY: results do not overlap.
        let c = unsafe { c.slice(start..start + size) };
        let here = Epilogue {
            residual: epilogue.residual.map(|r| &r[start..start + size]),
            tail: None,
            ..*epilogue
        };
        match epilogue.tail {
            Some(tail) => {
                let tail = |at: usize, row: &mut [f32]| tail(start + at, row);
                let here = Epilogue {
                    tail: Some(&tail),
                    ..here
                };
                matmul_f32(isa, a, &b, c, &here);
            }
            None => matmul_f32(isa, a, &b, c, &here),
        }
    };
    // Few products, or few threads: each on all threads in turn.  The result
    // is the same either way.
    if batch >= 2 * pool::threads_here() || size * a.cols < 1 << 18 {
        parallel_for(batch, &one);
    } else {
        (0..batch).for_each(one);
    }
}

fn right<'a>(b: &Rhs<'a>, offset: usize) -> Rhs<'a> {
    match b {
        Rhs::Plain(b) => Rhs::Plain(MatRef {
            data: &b.data[offset..],
            ..*b
        }),
        Rhs::Packed(packed) => {
            assert_eq!(offset, 0, "matmul: a packed operand has no batch");
            Rhs::Packed(packed)
        }
    }
}

/// All left operands as one tall matrix, where they follow one another as its
/// rows do.
fn one_matrix<'a>(a: MatRef<'a, f32>, offsets: &[usize]) -> Option<MatRef<'a, f32>> {
    let (first, rest) = offsets.split_first()?;
    let step = a.rows * a.row_stride;
    let follows = |(i, at): (usize, &usize)| *at == first + (i + 1) * step;
    rest.iter().enumerate().all(follows).then(|| MatRef {
        data: &a.data[*first..],
        rows: a.rows * offsets.len(),
        ..a
    })
}
