//! Determinants of square matrices, and the matrices of cofactors, which are
//! their gradients.

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer multiplications than this are done by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Multiplications that a matrix of `n` takes.
fn work(n: usize) -> usize {
    n.saturating_mul(n).saturating_mul(n).max(1)
}

/// The determinant of each matrix of (matrices, n, n), by elimination with
/// partial pivoting; 1 of the empty matrix.
pub fn det<T: Float>(x: &[T], n: usize, y: &mut [T]) {
    assert!(x.len() == y.len() * n * n);
    let out = DisjointMut::new(y);
    parallel_chunks(out.len(), MIN_CHUNK.div_ceil(work(n)), |range| {
        let mut a = vec![T::ZERO; n * n];
        for matrix in range {
            a.copy_from_slice(&x[matrix * n * n..(matrix + 1) * n * n]);
            // SAFETY: matrices do not overlap.
            let y = unsafe { out.slice(matrix..matrix + 1) };
            y[0] = eliminate(&mut a, n);
        }
    });
}

/// The product of the pivots.
fn eliminate<T: Float>(a: &mut [T], n: usize) -> T {
    let mut product = T::ONE;
    for k in 0..n {
        let best = (k..n).fold(k, |best, i| {
            if larger(a[i * n + k], a[best * n + k]) {
                i
            } else {
                best
            }
        });
        if best != k {
            swap_rows(a, n, k, best);
            product = -product;
        }
        let pivot = a[k * n + k];
        product = product * pivot;
        if pivot == T::ZERO {
            return T::ZERO;
        }
        let (above, below) = a.split_at_mut((k + 1) * n);
        let row = &above[k * n + k + 1..(k + 1) * n];
        for line in below.chunks_exact_mut(n) {
            let factor = line[k] / pivot;
            for (x, &p) in line[k + 1..].iter_mut().zip(row) {
                *x = *x - factor * p;
            }
        }
    }
    product
}

/// By size; NaN is the largest, so that it is met.
fn larger<T: Float>(a: T, b: T) -> bool {
    let size = |x: T| if x < T::ZERO { -x } else { x };
    size(a) > size(b) || (a.is_nan() && !b.is_nan())
}

fn swap_rows<T>(a: &mut [T], n: usize, i: usize, k: usize) {
    let (low, high) = (i.min(k), i.max(k));
    if low != high {
        let (first, rest) = a.split_at_mut(high * n);
        first[low * n..(low + 1) * n].swap_with_slice(&mut rest[..n]);
    }
}

/// `dx = g * cofactors(x)` for each matrix: the gradient of its determinant,
/// of singular matrices too.
///
/// With complete pivoting x = P L U Q, and the adjugate of U needs no division
/// by its last pivot: only that can be near 0 where there are cofactors.
pub fn det_backward<T: Float>(x: &[T], n: usize, g: &[T], dx: &mut [T]) {
    assert!(x.len() == g.len() * n * n && dx.len() == x.len());
    if n == 0 {
        return;
    }
    let out = DisjointMut::new(dx);
    parallel_chunks(g.len(), MIN_CHUNK.div_ceil(work(n)), |range| {
        let mut factors = Factors::new(n);
        for matrix in range {
            let place = matrix * n * n..(matrix + 1) * n * n;
            // SAFETY: matrices do not overlap.
            let dx = unsafe { out.slice(place.clone()) };
            factors.cofactors(&x[place], g[matrix], dx);
        }
    });
}

/// L and U in one matrix, and where rows and columns came from.
struct Factors<T> {
    n: usize,
    a: Vec<T>,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl<T: Float> Factors<T> {
    fn new(n: usize) -> Self {
        Factors {
            n,
            a: vec![T::ZERO; n * n],
            rows: vec![0; n],
            columns: vec![0; n],
        }
    }

    /// The sign of the permutations times all pivots but the last; 0 where
    /// every cofactor is.
    fn factor(&mut self, x: &[T]) -> T {
        let n = self.n;
        self.a.copy_from_slice(x);
        for (i, (row, column)) in self.rows.iter_mut().zip(&mut self.columns).enumerate() {
            (*row, *column) = (i, i);
        }
        let mut product = T::ONE;
        for k in 0..n {
            let (mut row, mut column) = (k, k);
            for i in k..n {
                for j in k..n {
                    if larger(self.a[i * n + j], self.a[row * n + column]) {
                        (row, column) = (i, j);
                    }
                }
            }
            if row != k {
                swap_rows(&mut self.a, n, k, row);
                self.rows.swap(k, row);
                product = -product;
            }
            if column != k {
                for line in self.a.chunks_exact_mut(n) {
                    line.swap(k, column);
                }
                self.columns.swap(k, column);
                product = -product;
            }
            if k + 1 == n {
                break;
            }
            let pivot = self.a[k * n + k];
            product = product * pivot;
            if pivot == T::ZERO {
                return T::ZERO;
            }
            let (above, below) = self.a.split_at_mut((k + 1) * n);
            let own = &above[k * n + k + 1..(k + 1) * n];
            for line in below.chunks_exact_mut(n) {
                let factor = line[k] / pivot;
                line[k] = factor;
                for (x, &p) in line[k + 1..].iter_mut().zip(own) {
                    *x = *x - factor * p;
                }
            }
        }
        product
    }

    /// Column `c` of adj(x) at a time: U z = L^-1 P e_c, times the product of
    /// the pivots, with the last row first, whose pivot cancels.
    fn cofactors(&mut self, x: &[T], g: T, dx: &mut [T]) {
        let n = self.n;
        let product = self.factor(x) * g;
        if product == T::ZERO {
            dx.fill(T::ZERO);
            return;
        }
        let a = &self.a;
        let last = a[n * n - 1];
        let mut z = vec![T::ZERO; n];
        for c in 0..n {
            z.fill(T::ZERO);
            z[c] = T::ONE;
            for i in c + 1..n {
                z[i] = -(c..i).map(|k| a[i * n + k] * z[k]).sum::<T>();
            }
            // z[n - 1] stays undivided; the others are as much larger.
            for i in (0..n - 1).rev() {
                let tail: T = (i + 1..n - 1).map(|k| a[i * n + k] * z[k]).sum();
                let rest = z[i] * last - a[i * n + n - 1] * z[n - 1] - tail;
                z[i] = rest / a[i * n + i];
            }
            for (i, &z) in z.iter().enumerate() {
                dx[self.rows[c] * n + self.columns[i]] = product * z;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{det, det_backward};

    fn minor(a: &[f64], n: usize, row: usize, column: usize) -> Vec<f64> {
        (0..n * n)
            .filter(|at| at / n != row && at % n != column)
            .map(|at| a[at])
            .collect()
    }

    /// Laplace's expansion.
    fn expansion(a: &[f64], n: usize) -> f64 {
        if n == 0 {
            return 1.0;
        }
        let sign = |j: usize| if j.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..n)
            .map(|j| sign(j) * a[j] * expansion(&minor(a, n, 0, j), n - 1))
            .sum()
    }

    fn check(a: &[f64], n: usize) {
        let mut y = [0.0];
        det(a, n, &mut y);
        assert!((y[0] - expansion(a, n)).abs() < 1e-9, "{a:?}: {y:?}");
        let mut dx = vec![9.0; a.len()];
        det_backward(a, n, &[2.0], &mut dx);
        for at in 0..n * n {
            let (i, j) = (at / n, at % n);
            let sign = if (i + j).is_multiple_of(2) { 2.0 } else { -2.0 };
            let wanted = sign * expansion(&minor(a, n, i, j), n - 1);
            assert!((dx[at] - wanted).abs() < 1e-9, "{a:?}: {dx:?} at {i}, {j}");
        }
    }

    #[test]
    fn determinants_and_cofactors_follow_the_expansion() {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0;
        for n in 0..6 {
            let mut a: Vec<f64> = (0..n * n).map(|i| number(i + n)).collect();
            check(&a, n);
            if n > 1 {
                // Two rows alike: singular, but with cofactors.
                a.copy_within(..n, n);
                check(&a, n);
            }
            if n > 2 {
                // Three: without.
                a.copy_within(..n, 2 * n);
                check(&a, n);
            }
            check(&vec![0.0; n * n], n);
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let mut y = [0.0_f32];
        det(&[1.0, 2.0, f32::NAN, 0.0], 2, &mut y);
        assert!(y[0].is_nan());
    }
}
