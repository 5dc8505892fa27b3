//! Layer normalisation of `(rows, count)`: each row by its own mean and biased
//! variance, two-pass.

mod backward;
#[cfg(test)]
mod tests;

pub use crate::batch_norm::Affine;
pub use backward::{Forward, layer_norm_backward};

use crate::isa::Isa;
use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::steps::{keep, load, store, vectors};
use crate::simd::{Kernel, Simd, dispatch};

/// Fewer elements than this are done by the calling thread alone.
const MIN_CHUNK: usize = 1 << 13;
/// Elements summed in f32 before the sum goes on in f64.
const BLOCK: usize = 4096;
/// Vectors of sums side by side.
const SIDE: usize = 4;

/// Writes `y`, and of each row the mean and `1 / sqrt(var + eps)`.
///
/// `y = (x - mean) / sqrt(var + eps) * gamma + beta`
pub fn layer_norm<T: Float>(
    isa: Isa,
    x: &[T],
    [rows, count]: [usize; 2],
    affine: Affine<T>,
    eps: f64,
    y: &mut [T],
    mean: &mut [T],
    inverse: &mut [T],
) {
    let Affine { gamma, beta } = affine;
    assert!(x.len() == rows * count && y.len() == x.len());
    assert!(gamma.len() == count && beta.len() == count);
    assert!(mean.len() == rows && inverse.len() == rows);
    let [to, means, inverses] = [y, mean, inverse].map(DisjointMut::new);
    parallel_chunks(rows, MIN_CHUNK.div_ceil(count.max(1)), |range| {
        let elements = range.start * count..range.end * count;
        let x = &x[elements.clone()];
        // SAFETY: the ranges do not overlap.
        let (y, mean, inverse) = unsafe {
            (
                to.slice(elements),
                means.slice(range.clone()),
                inverses.slice(range),
            )
        };
        let single = (
            T::as_f32(x),
            T::as_f32(gamma),
            T::as_f32(beta),
            T::as_f32_mut(y),
            T::as_f32_mut(mean),
            T::as_f32_mut(inverse),
        );
        let (Some(x), Some(gamma), Some(beta), Some(y), Some(mean), Some(inverse)) = single else {
            return plain(x, affine, eps, y, mean, inverse);
        };
        dispatch(
            isa,
            Rows {
                x,
                affine: Affine { gamma, beta },
                eps,
                y,
                mean,
                inverse,
            },
        );
    });
}

/// One row after another, for f64.
fn plain<T: Float>(
    x: &[T],
    affine: Affine<T>,
    eps: f64,
    y: &mut [T],
    mean: &mut [T],
    inverse: &mut [T],
) {
    let count = affine.gamma.len();
    for row in 0..mean.len() {
        let range = row * count..(row + 1) * count;
        let (x, y) = (&x[range.clone()], &mut y[range]);
        let centre = x.iter().copied().sum::<T>().over(count);
        let squares: T = x.iter().map(|x| (*x - centre) * (*x - centre)).sum();
        let scale = T::ONE / (squares.over(count) + T::from_f64(eps)).sqrt();
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = (*x - centre) * scale * affine.gamma[i] + affine.beta[i];
        }
        mean[row] = centre;
        inverse[row] = scale;
    }
}

/// f32 over SIMD vectors.
struct Rows<'a> {
    x: &'a [f32],
    affine: Affine<'a, f32>,
    eps: f64,
    y: &'a mut [f32],
    mean: &'a mut [f32],
    inverse: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rows {
            x,
            affine: Affine { gamma, beta },
            eps,
            y,
            mean,
            inverse,
        } = self;
        let count = gamma.len();
        assert!(beta.len() == count && x.len() == y.len() && x.len() == mean.len() * count);
        for row in 0..mean.len() {
            let range = row * count..(row + 1) * count;
            let (x, y) = (&x[range.clone()], &mut y[range]);
            let n = count as f64;
            let centre = (sums(s, x, 0.0)[0] / n) as f32;
            // The centre is rounded: of the true mean it lacks `lost`.
            let [first, second] = sums(s, x, centre);
            let lost = first / n;
            let var = second / n - lost * lost;
            // Not `max`, which would hide a NaN.
            let var = if var < 0.0 { 0.0 } else { var };
            let scale = 1.0 / (var + eps).sqrt();
            mean[row] = (f64::from(centre) + lost) as f32;
            inverse[row] = scale as f32;
            let (centre, shift) = (s.splat(centre), s.splat((-lost * scale) as f32));
            let scale = s.splat(scale as f32);
            for (at, m) in vectors::<S>(count) {
                // SAFETY: all four slices have `count` elements.
                unsafe {
                    let x = s.sub(load(s, x.as_ptr().add(at), m), centre);
                    let h = s.fma(x, scale, shift);
                    let beta = load(s, beta.as_ptr().add(at), m);
                    let v = s.fma(h, load(s, gamma.as_ptr().add(at), m), beta);
                    store(s, y.as_mut_ptr().add(at), m, v);
                }
            }
        }
    }
}

/// The sums of `x - centre` and of its square.
#[inline(always)]
fn sums<S: Simd>(s: S, x: &[f32], centre: f32) -> [f64; 2] {
    let centre = s.splat(centre);
    let mut total = [0.0; 2];
    for block in x.chunks(BLOCK) {
        let mut first = [s.zero(); SIDE];
        let mut second = [s.zero(); SIDE];
        let whole = block.len() / (SIDE * S::LANES) * (SIDE * S::LANES);
        let from = block.as_ptr();
        let mut at = 0;
        while at < whole {
            for side in 0..SIDE {
                // SAFETY: below `whole`.
                let x = unsafe { s.load_ptr(from.add(at + side * S::LANES)) };
                let d = s.sub(x, centre);
                first[side] = s.add(first[side], d);
                second[side] = s.fma(d, d, second[side]);
            }
            at += SIDE * S::LANES;
        }
        for (at, m) in vectors::<S>(block.len() - whole) {
            // SAFETY: within the block.
            let x = unsafe { load(s, from.add(whole + at), m) };
            let d = keep(s, s.sub(x, centre), m, 0.0);
            first[0] = s.add(first[0], d);
            second[0] = s.fma(d, d, second[0]);
        }
        for (total, of) in total.iter_mut().zip([first, second]) {
            let pair = s.add(s.add(of[0], of[1]), s.add(of[2], of[3]));
            *total += f64::from(s.sum(pair));
        }
    }
    total
}
