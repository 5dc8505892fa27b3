//! Layer normalisation of `(rows, count)`: each row by its own mean and biased
//! variance, two-pass; RMS and group normalisation are forms of it.

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

/// What a row is normalised by, and where its scales stand.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub eps: f64,
    /// Otherwise the mean is taken for 0 and the variance is the mean square.
    pub centred: bool,
    /// Rows `groups` apart share the scales: gamma and beta hold a part for each group, and each
    /// of its values is that of as many neighbours as make up the row.
    pub groups: usize,
}

impl Form {
    /// One scale for each element of a row.
    pub fn rows(eps: f64) -> Self {
        Form {
            eps,
            centred: true,
            groups: 1,
        }
    }
}

/// The part of `scales` that row `row` has.
#[inline(always)]
fn part<T>(scales: &[T], groups: usize, row: usize) -> &[T] {
    let each = scales.len() / groups;
    &scales[row % groups * each..][..each]
}

/// Whether `scales` can be dealt out to rows of `count`.
fn fits(scales: usize, groups: usize, count: usize) -> bool {
    groups > 0
        && scales.is_multiple_of(groups)
        && (count == 0 || (scales > 0 && (count * groups).is_multiple_of(scales)))
}

/// Writes `y`, and of each row the mean and `1 / sqrt(var + eps)`.
///
/// `y = (x - mean) / sqrt(var + eps) * gamma + beta`
pub fn layer_norm<T: Float>(
    isa: Isa,
    x: &[T],
    [rows, count]: [usize; 2],
    affine: Affine<T>,
    form: Form,
    y: &mut [T],
    mean: &mut [T],
    inverse: &mut [T],
) {
    let Affine { gamma, beta } = affine;
    assert!(x.len() == rows * count && y.len() == x.len());
    assert!(gamma.len() == beta.len() && fits(gamma.len(), form.groups, count));
    assert!(mean.len() == rows && inverse.len() == rows);
    let [to, means, inverses] = [y, mean, inverse].map(DisjointMut::new);
    parallel_chunks(rows, MIN_CHUNK.div_ceil(count.max(1)), |range| {
        let elements = range.start * count..range.end * count;
        let (x, first) = (&x[elements.clone()], range.start);
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
            return plain(x, affine, form, first, y, mean, inverse);
        };
        dispatch(
            isa,
            Rows {
                x,
                affine: Affine { gamma, beta },
                form,
                first,
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
    form: Form,
    first: usize,
    y: &mut [T],
    mean: &mut [T],
    inverse: &mut [T],
) {
    let count = x.len() / mean.len().max(1);
    for row in 0..mean.len() {
        let range = row * count..(row + 1) * count;
        let (x, y) = (&x[range.clone()], &mut y[range]);
        let [gamma, beta] =
            [affine.gamma, affine.beta].map(|scales| part(scales, form.groups, first + row));
        let inner = count / gamma.len().max(1);
        let centre = if form.centred {
            x.iter().copied().sum::<T>().over(count)
        } else {
            T::ZERO
        };
        let squares: T = x.iter().map(|x| (*x - centre) * (*x - centre)).sum();
        let scale = T::ONE / (squares.over(count) + T::from_f64(form.eps)).sqrt();
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = (*x - centre) * scale * gamma[i / inner] + beta[i / inner];
        }
        mean[row] = centre;
        inverse[row] = scale;
    }
}

/// f32 over SIMD vectors.
struct Rows<'a> {
    x: &'a [f32],
    affine: Affine<'a, f32>,
    form: Form,
    /// The number of the first of these rows.
    first: usize,
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
            affine,
            form,
            first,
            y,
            mean,
            inverse,
        } = self;
        let count = x.len() / mean.len().max(1);
        assert!(x.len() == y.len() && x.len() == mean.len() * count);
        for row in 0..mean.len() {
            let range = row * count..(row + 1) * count;
            let (x, y) = (&x[range.clone()], &mut y[range]);
            let n = count as f64;
            let centre = if form.centred {
                (sums(s, x, 0.0)[0] / n) as f32
            } else {
                0.0
            };
            // The centre is rounded: of the true mean it lacks `lost`.
            let [of_rest, squares] = sums(s, x, centre);
            let lost = if form.centred { of_rest / n } else { 0.0 };
            let var = squares / n - lost * lost;
            // Not `max`, which would hide a NaN.
            let var = if var < 0.0 { 0.0 } else { var };
            let scale = 1.0 / (var + form.eps).sqrt();
            mean[row] = (f64::from(centre) + lost) as f32;
            inverse[row] = scale as f32;
            let shift = s.splat((-lost * scale) as f32);
            let normal = [s.splat(centre), s.splat(scale as f32), shift];
            let [gamma, beta] =
                [affine.gamma, affine.beta].map(|scales| part(scales, form.groups, first + row));
            if gamma.len() == count {
                scaled::<S, true>(s, x, normal, [gamma, beta], y);
                continue;
            }
            let inner = (count / gamma.len().max(1)).max(1);
            let scales = gamma.chunks(1).zip(beta.chunks(1));
            for ((x, y), (gamma, beta)) in x.chunks(inner).zip(y.chunks_mut(inner)).zip(scales) {
                scaled::<S, false>(s, x, normal, [gamma, beta], y);
            }
        }
    }
}

/// The first element in every lane.
#[inline(always)]
fn first<S: Simd>(s: S, v: &[f32]) -> S::F {
    s.splat(v.first().copied().unwrap_or(0.0))
}

/// `((x - centre) scale + shift) gamma + beta`, with a gamma and a beta for each element or one
/// of them for all.
#[inline(always)]
fn scaled<S: Simd, const EACH: bool>(
    s: S,
    x: &[f32],
    [centre, scale, shift]: [S::F; 3],
    [gamma, beta]: [&[f32]; 2],
    y: &mut [f32],
) {
    let scales = if EACH { x.len() } else { 1 };
    assert!(x.len() == y.len() && gamma.len() == scales && beta.len() == scales);
    let one = [first(s, gamma), first(s, beta)];
    for (at, m) in vectors::<S>(x.len()) {
        // SAFETY: all slices have as many elements as x, or are not read.
        unsafe {
            let [gamma, beta] = if EACH {
                [
                    load(s, gamma.as_ptr().add(at), m),
                    load(s, beta.as_ptr().add(at), m),
                ]
            } else {
                one
            };
            let d = s.sub(load(s, x.as_ptr().add(at), m), centre);
            let v = s.fma(s.fma(d, scale, shift), gamma, beta);
            store(s, y.as_mut_ptr().add(at), m, v);
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
