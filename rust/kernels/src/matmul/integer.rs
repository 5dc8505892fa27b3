//! Products of 16-bit integers, summed in 32 bits: exact, but that sums wrap.
//!
//! Two neighbouring terms make a word, and one instruction multiplies the halves of two words and
//! adds both products.  A quantised operand of 8 bits from which its zero point was taken needs 9.

mod tile;

pub(crate) use tile::{DEPTH, Product, ROWS, Tiles, width, word};

use super::MatRef;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_blocks, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};

/// Rows of C in a task, and panels of B.
const TALL: usize = 4 * ROWS;
const WIDE: usize = 8;
/// Products of a batch that go to the threads whole.
const MANY: usize = 8;

/// The right operand, packed: panels of columns, each a row of words after the other.
pub struct PackedColumns {
    words: Vec<i32>,
    isa: Isa,
    terms: usize,
    cols: usize,
}

impl PackedColumns {
    pub fn new(isa: Isa, b: MatRef<'_, i16>) -> PackedColumns {
        b.check();
        let (pairs, width) = (b.rows.div_ceil(2), width(isa));
        let mut words = vec![0; pairs * b.cols.next_multiple_of(width)];
        let size = (pairs * width).max(1);
        let shared = DisjointMut::new(&mut words);
        parallel_blocks(shared.len(), size, |panel, range| {
            let first = panel * width;
            let cols = width.min(b.cols - first);
            // SAFETY: the panels do not overlap.
            let words = unsafe { shared.slice(range) };
            for (pair, words) in words.chunks_exact_mut(width).enumerate() {
                for (lane, to) in words[..cols].iter_mut().enumerate() {
                    let at = 2 * pair * b.row_stride + (first + lane) * b.col_stride;
                    let odd = 2 * pair + 1 < b.rows;
                    *to = word(b.data[at], if odd { b.data[at + b.row_stride] } else { 0 });
                }
            }
        });
        PackedColumns {
            words,
            isa,
            terms: b.rows,
            cols: b.cols,
        }
    }
}

/// C = A B for each of a batch: the matrices of A begin at `starts` in its data, and `columns` has
/// one for each, or one for all.
///
/// # Panics
/// Where the shapes do not match or a matrix exceeds its data.
pub fn matmul_integer(
    isa: Isa,
    a: MatRef<'_, i16>,
    starts: &[usize],
    columns: &[&PackedColumns],
    c: &mut [i32],
) {
    assert!(columns.len() == starts.len() || columns.len() == 1);
    let Some(cols) = columns.first().map(|b| b.cols) else {
        return;
    };
    assert!(
        columns
            .iter()
            .all(|b| b.cols == cols && b.terms == a.cols && b.isa == isa),
        "matmul_integer: operands do not match"
    );
    let size = a.rows * cols;
    assert_eq!(c.len(), starts.len() * size);
    if size == 0 {
        return;
    }
    let shared = DisjointMut::new(c);
    let one = |i: usize| {
        let a = MatRef {
            data: a.data.get(starts[i]..).unwrap_or_default(),
            ..a
        };
        a.check();
        // SAFETY: the results do not overlap.
        let c = unsafe { shared.slice(i * size..(i + 1) * size) };
        multiply(isa, a, columns[i % columns.len()], c);
    };
    if starts.len() < MANY {
        (0..starts.len()).for_each(one);
    } else {
        parallel_for(starts.len(), &one);
    }
}

fn multiply(isa: Isa, a: MatRef<'_, i16>, b: &PackedColumns, c: &mut [i32]) {
    let panels = b.cols.div_ceil(width(isa));
    let (down, across) = (a.rows.div_ceil(TALL), panels.div_ceil(WIDE));
    let c = DisjointMut::new(c);
    let run = |task: usize| {
        let (block, group) = (task / across, task % across);
        let part = Part {
            a,
            b,
            c,
            rows: block * TALL..a.rows.min((block + 1) * TALL),
            panels: group * WIDE..panels.min((group + 1) * WIDE),
        };
        dispatch(isa, part);
    };
    match down * across {
        1 => run(0),
        tasks => parallel_for(tasks, &run),
    }
}

/// A block of rows by a group of panels.
struct Part<'a> {
    a: MatRef<'a, i16>,
    b: &'a PackedColumns,
    c: DisjointMut<'a, i32>,
    rows: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
}

impl Kernel for Part<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (pairs, width, cols) = (self.b.terms.div_ceil(2), 2 * S::LANES, self.b.cols);
        let rows = self.rows.len();
        let mut left = vec![0; TALL * DEPTH.min(pairs)];
        // Without terms the tiles still write their zeros.
        for from in (0..pairs.max(1)).step_by(DEPTH) {
            let depth = DEPTH.min(pairs - from);
            for (row, words) in self.rows.clone().zip(left.chunks_exact_mut(depth.max(1))) {
                pack_row(self.a, row, from, words);
            }
            for panel in self.panels.clone() {
                let first = panel * width;
                let start = (panel * pairs + from) * width;
                let product = Product {
                    left: &left,
                    left_stride: depth,
                    right: &self.b.words[start..start + depth * width],
                    depth,
                    adds: from > 0,
                };
                let tiles = Tiles {
                    rows,
                    cols: width.min(cols - first),
                    start: self.rows.start * cols + first,
                    stride: cols,
                };
                // SAFETY: tasks write different rows and columns.
                unsafe { product.run(s, &tiles, &self.c) };
            }
        }
    }
}

/// The words of a row of A from pair `from` on.
#[inline(always)]
fn pack_row(a: MatRef<'_, i16>, row: usize, from: usize, words: &mut [i32]) {
    let start = row * a.row_stride;
    let at = |k: usize| {
        if k < a.cols {
            a.data[start + k * a.col_stride]
        } else {
            0
        }
    };
    if a.col_stride == 1 {
        let end = a.cols.min(2 * (from + words.len()));
        let mut pairs = a.data[start + 2 * from..start + end].chunks_exact(2);
        for (to, pair) in words.iter_mut().zip(&mut pairs) {
            *to = word(pair[0], pair[1]);
        }
        if let ([odd], Some(last)) = (pairs.remainder(), words.last_mut()) {
            *last = word(*odd, 0);
        }
        return;
    }
    for (pair, to) in words.iter_mut().enumerate() {
        let k = 2 * (from + pair);
        *to = word(at(k), at(k + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::{MatRef, PackedColumns, matmul_integer};
    use crate::isa::Isa;

    fn noise(n: usize, seed: u32, span: i64) -> Vec<i16> {
        let mut x = seed;
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (i64::from(x >> 8) % (2 * span + 1) - span).clamp(-32768, 32767) as i16
        };
        (0..n).map(|_| next()).collect()
    }

    fn check(isa: Isa, [batch, m, k, n]: [usize; 4], turned: bool, shared: bool, span: i64) {
        let a = noise(batch * m * k, 1, span);
        let b = noise(batch * k * n, 2, span);
        let matrix = |data, rows, cols| {
            if turned {
                MatRef::contiguous(data, cols, rows).transposed()
            } else {
                MatRef::contiguous(data, rows, cols)
            }
        };
        let starts: Vec<usize> = (0..batch).map(|i| i * m * k).collect();
        let packed: Vec<PackedColumns> = (0..if shared { 1 } else { batch })
            .map(|i| PackedColumns::new(isa, matrix(&b[i * k * n..], k, n)))
            .collect();
        let columns: Vec<&PackedColumns> = packed.iter().collect();
        let mut c = vec![-7; batch * m * n];
        matmul_integer(isa, matrix(&a, m, k), &starts, &columns, &mut c);
        for (at, got) in c.iter().enumerate() {
            let (i, row, col) = (at / (m * n), at / n % m, at % n);
            let of = if shared { 0 } else { i };
            let sum: i64 = (0..k)
                .map(|t| {
                    let (x, y) = if turned {
                        (t * m + row, col * k + t)
                    } else {
                        (row * k + t, t * n + col)
                    };
                    i64::from(a[i * m * k + x]) * i64::from(b[of * k * n + y])
                })
                .sum();
            assert_eq!(i64::from(*got), i64::from(sum as i32), "{isa} {m}x{k}x{n}");
        }
    }

    #[test]
    fn sizes_astride_the_tiles() {
        for isa in Isa::available() {
            for [m, k, n] in [
                [1, 1, 1],
                [3, 2, 5],
                [6, 31, 16],
                [7, 33, 17],
                [25, 513, 33],
                [49, 1030, 65],
                [2, 5, 300],
                [4, 0, 3],
                [0, 4, 3],
                [3, 4, 0],
            ] {
                check(isa, [1, m, k, n], false, true, 255);
                check(isa, [1, m, k, n], true, true, 255);
            }
        }
    }

    #[test]
    fn batches_and_sums_that_wrap() {
        for isa in Isa::available() {
            for batch in [2, 9] {
                check(isa, [batch, 5, 7, 9], false, false, 255);
                check(isa, [batch, 5, 7, 9], false, true, 255);
            }
            check(isa, [1, 5, 700, 9], false, true, 32768);
        }
    }
}
