//! The gradient of layer normalisation by x.

use super::{MIN_CHUNK, SIDE};
use crate::isa::Isa;
use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::steps::{load, store, vectors};
use crate::simd::{Kernel, Simd, dispatch};

/// What the backward pass reads beside dy: the forward's input and its rows'
/// statistics.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a, T> {
    pub x: &'a [T],
    pub gamma: &'a [T],
    pub mean: &'a [T],
    /// 1 / sqrt(var + eps)
    pub inverse: &'a [T],
}

/// With h = (x - mean) inverse and g = dy gamma:
/// `dx = inverse (g - mean(g) - h mean(g h))`
pub fn layer_norm_backward<T: Float>(isa: Isa, forward: Forward<T>, dy: &[T], dx: &mut [T]) {
    let Forward {
        x,
        gamma,
        mean,
        inverse,
    } = forward;
    let (rows, count) = (mean.len(), gamma.len());
    assert!(x.len() == rows * count && dy.len() == x.len() && dx.len() == x.len());
    assert!(inverse.len() == rows);
    let to = DisjointMut::new(dx);
    parallel_chunks(rows, MIN_CHUNK.div_ceil(count.max(1)), |range| {
        let elements = range.start * count..range.end * count;
        let forward = Forward {
            x: &x[elements.clone()],
            gamma,
            mean: &mean[range.clone()],
            inverse: &inverse[range],
        };
        let dy = &dy[elements.clone()];
        // SAFETY: the ranges do not overlap.
        let dx = unsafe { to.slice(elements) };
        let Some((forward, dy)) = single(forward).zip(T::as_f32(dy)) else {
            return plain(forward, dy, dx);
        };
        if let Some(dx) = T::as_f32_mut(dx) {
            dispatch(isa, Rows { forward, dy, dx });
        }
    });
}

/// All of it as f32s, if that is what it holds.
fn single<T: Float>(of: Forward<T>) -> Option<Forward<f32>> {
    Some(Forward {
        x: T::as_f32(of.x)?,
        gamma: T::as_f32(of.gamma)?,
        mean: T::as_f32(of.mean)?,
        inverse: T::as_f32(of.inverse)?,
    })
}

/// One row after another, for f64.
fn plain<T: Float>(forward: Forward<T>, dy: &[T], dx: &mut [T]) {
    let Forward {
        x,
        gamma,
        mean,
        inverse,
    } = forward;
    let count = gamma.len();
    for (row, (mean, inverse)) in mean.iter().zip(inverse).enumerate() {
        let at = row * count;
        let g = |i: usize| dy[at + i] * gamma[i];
        let h = |i: usize| (x[at + i] - *mean) * *inverse;
        let even = (0..count).map(g).sum::<T>().over(count);
        let along = (0..count).map(|i| g(i) * h(i)).sum::<T>().over(count);
        for i in 0..count {
            dx[at + i] = *inverse * (g(i) - even - h(i) * along);
        }
    }
}

/// f32 over SIMD vectors.
struct Rows<'a> {
    forward: Forward<'a, f32>,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rows { forward, dy, dx } = self;
        let Forward {
            x,
            gamma,
            mean,
            inverse,
        } = forward;
        let (rows, count) = (mean.len(), gamma.len());
        assert!(inverse.len() == rows && x.len() == rows * count);
        assert!(dy.len() == x.len() && dx.len() == x.len());
        for row in 0..rows {
            let range = row * count..(row + 1) * count;
            let (x, dy, dx) = (&x[range.clone()], &dy[range.clone()], &mut dx[range]);
            let centre = s.splat(mean[row]);
            let [even, along] = sums(s, [x, dy, gamma], centre);
            let scale = f64::from(inverse[row]);
            let n = count as f64;
            // dx = (g inverse - even) - (x - mean) along, with the factors taken in.
            let even = s.splat((even / n * scale) as f32);
            let along = s.splat((along / n * scale * scale * scale) as f32);
            let scale = s.splat(inverse[row]);
            for (at, m) in vectors::<S>(count) {
                // SAFETY: all four slices have `count` elements.
                unsafe {
                    let d = s.sub(load(s, x.as_ptr().add(at), m), centre);
                    let gamma = load(s, gamma.as_ptr().add(at), m);
                    let g = s.mul(s.mul(load(s, dy.as_ptr().add(at), m), gamma), scale);
                    let v = s.fnma(d, along, s.sub(g, even));
                    store(s, dx.as_mut_ptr().add(at), m, v);
                }
            }
        }
    }
}

/// The sums of g = dy gamma and of g (x - centre).
#[inline(always)]
fn sums<S: Simd>(s: S, [x, dy, gamma]: [&[f32]; 3], centre: S::F) -> [f64; 2] {
    let mut total = [0.0; 2];
    let blocks = x.chunks(super::BLOCK).zip(dy.chunks(super::BLOCK));
    for ((x, dy), gamma) in blocks.zip(gamma.chunks(super::BLOCK)) {
        let mut first = [s.zero(); SIDE];
        let mut second = [s.zero(); SIDE];
        let whole = x.len() / (SIDE * S::LANES) * (SIDE * S::LANES);
        let mut at = 0;
        while at < whole {
            for side in 0..SIDE {
                let at = at + side * S::LANES;
                // SAFETY: below `whole`; the three are of one length.
                let (x, dy, gamma) = unsafe {
                    (
                        s.load_ptr(x.as_ptr().add(at)),
                        s.load_ptr(dy.as_ptr().add(at)),
                        s.load_ptr(gamma.as_ptr().add(at)),
                    )
                };
                let g = s.mul(dy, gamma);
                first[side] = s.add(first[side], g);
                second[side] = s.fma(g, s.sub(x, centre), second[side]);
            }
            at += SIDE * S::LANES;
        }
        for (at, m) in vectors::<S>(x.len() - whole) {
            let at = whole + at;
            // SAFETY: within the block.  Lanes past its end have g = 0.
            let (x, dy, gamma) = unsafe {
                (
                    load(s, x.as_ptr().add(at), m),
                    load(s, dy.as_ptr().add(at), m),
                    load(s, gamma.as_ptr().add(at), m),
                )
            };
            let g = s.mul(dy, gamma);
            first[0] = s.add(first[0], g);
            second[0] = s.fma(g, s.sub(x, centre), second[0]);
        }
        for (total, of) in total.iter_mut().zip([first, second]) {
            let pair = s.add(s.add(of[0], of[1]), s.add(of[2], of[3]));
            *total += f64::from(s.sum(pair));
        }
    }
    total
}
