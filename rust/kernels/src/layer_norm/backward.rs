//! The gradient of layer normalisation, and of its forms, by x.

use super::{Form, MIN_CHUNK, SIDE, first as first_of, fits, part};
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
/// `dx = inverse (g - mean(g) - h mean(g h))`, without `mean(g)` where rows are not centred.
pub fn layer_norm_backward<T: Float>(
    isa: Isa,
    forward: Forward<T>,
    form: Form,
    dy: &[T],
    dx: &mut [T],
) {
    let Forward {
        x,
        gamma,
        mean,
        inverse,
    } = forward;
    let rows = mean.len();
    let count = x.len() / rows.max(1);
    assert!(x.len() == rows * count && dy.len() == x.len() && dx.len() == x.len());
    assert!(inverse.len() == rows && fits(gamma.len(), form.groups, count));
    let to = DisjointMut::new(dx);
    parallel_chunks(rows, MIN_CHUNK.div_ceil(count.max(1)), |range| {
        let elements = range.start * count..range.end * count;
        let forward = Forward {
            x: &x[elements.clone()],
            gamma,
            mean: &mean[range.clone()],
            inverse: &inverse[range.clone()],
        };
        let first = range.start;
        let dy = &dy[elements.clone()];
        // SAFETY: the ranges do not overlap.
        let dx = unsafe { to.slice(elements) };
        let Some((forward, dy)) = single(forward).zip(T::as_f32(dy)) else {
            return plain(forward, form, first, dy, dx);
        };
        if let Some(dx) = T::as_f32_mut(dx) {
            dispatch(
                isa,
                Rows {
                    forward,
                    form,
                    first,
                    dy,
                    dx,
                },
            );
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
fn plain<T: Float>(forward: Forward<T>, form: Form, first: usize, dy: &[T], dx: &mut [T]) {
    let Forward {
        x,
        gamma,
        mean,
        inverse,
    } = forward;
    let count = x.len() / mean.len().max(1);
    for (row, (mean, inverse)) in mean.iter().zip(inverse).enumerate() {
        let at = row * count;
        let gamma = part(gamma, form.groups, first + row);
        let inner = count / gamma.len().max(1);
        let g = |i: usize| dy[at + i] * gamma[i / inner];
        let h = |i: usize| (x[at + i] - *mean) * *inverse;
        let even = if form.centred {
            (0..count).map(g).sum::<T>().over(count)
        } else {
            T::ZERO
        };
        let along = (0..count).map(|i| g(i) * h(i)).sum::<T>().over(count);
        for i in 0..count {
            dx[at + i] = *inverse * (g(i) - even - h(i) * along);
        }
    }
}

/// f32 over SIMD vectors.
struct Rows<'a> {
    forward: Forward<'a, f32>,
    form: Form,
    /// The number of the first of these rows.
    first: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rows {
            forward,
            form,
            first,
            dy,
            dx,
        } = self;
        let Forward {
            x,
            gamma,
            mean,
            inverse,
        } = forward;
        let rows = mean.len();
        let count = x.len() / rows.max(1);
        assert!(inverse.len() == rows && x.len() == rows * count);
        assert!(dy.len() == x.len() && dx.len() == x.len());
        for row in 0..rows {
            let range = row * count..(row + 1) * count;
            let (x, dy, dx) = (&x[range.clone()], &dy[range.clone()], &mut dx[range]);
            let gamma = part(gamma, form.groups, first + row);
            let each = gamma.len() == count;
            let inner = (count / gamma.len().max(1)).max(1);
            let centre = s.splat(mean[row]);
            let [even, along] = if each {
                sums::<S, true>(s, [x, dy, gamma], centre)
            } else {
                let mut total = [0.0; 2];
                let parts = x.chunks(inner).zip(dy.chunks(inner)).zip(gamma.chunks(1));
                for ((x, dy), gamma) in parts {
                    let of = sums::<S, false>(s, [x, dy, gamma], centre);
                    total = [total[0] + of[0], total[1] + of[1]];
                }
                total
            };
            let even = if form.centred { even } else { 0.0 };
            let scale = f64::from(inverse[row]);
            let n = count as f64;
            // dx = (g inverse - even) - (x - mean) along, with the factors taken in.
            let even = s.splat((even / n * scale) as f32);
            let along = s.splat((along / n * scale * scale * scale) as f32);
            let factors = [centre, s.splat(inverse[row]), even, along];
            if each {
                slopes::<S, true>(s, [x, dy, gamma], factors, dx);
                continue;
            }
            let parts = x.chunks(inner).zip(dy.chunks(inner)).zip(gamma.chunks(1));
            for (((x, dy), gamma), dx) in parts.zip(dx.chunks_mut(inner)) {
                slopes::<S, false>(s, [x, dy, gamma], factors, dx);
            }
        }
    }
}

/// `(dy gamma scale - even) - (x - centre) along`, with a gamma for each element or one for all.
#[inline(always)]
fn slopes<S: Simd, const EACH: bool>(
    s: S,
    [x, dy, gamma]: [&[f32]; 3],
    [centre, scale, even, along]: [S::F; 4],
    dx: &mut [f32],
) {
    assert!(dy.len() == x.len() && dx.len() == x.len());
    assert!(gamma.len() == if EACH { x.len() } else { 1 });
    let one = first_of(s, gamma);
    for (at, m) in vectors::<S>(x.len()) {
        // SAFETY: all slices have as many elements as x, or are not read.
        unsafe {
            let gamma = if EACH {
                load(s, gamma.as_ptr().add(at), m)
            } else {
                one
            };
            let d = s.sub(load(s, x.as_ptr().add(at), m), centre);
            let g = s.mul(s.mul(load(s, dy.as_ptr().add(at), m), gamma), scale);
            let v = s.fnma(d, along, s.sub(g, even));
            store(s, dx.as_mut_ptr().add(at), m, v);
        }
    }
}

/// The sums of g = dy gamma and of g (x - centre), with a gamma for each element or one for all.
#[inline(always)]
fn sums<S: Simd, const EACH: bool>(s: S, [x, dy, gamma]: [&[f32]; 3], centre: S::F) -> [f64; 2] {
    assert!(dy.len() == x.len() && gamma.len() == if EACH { x.len() } else { 1 });
    let one = first_of(s, gamma);
    let mut total = [0.0; 2];
    let mut from = 0;
    for (x, dy) in x.chunks(super::BLOCK).zip(dy.chunks(super::BLOCK)) {
        let gamma = if EACH { &gamma[from..] } else { gamma };
        let mut first = [s.zero(); SIDE];
        let mut second = [s.zero(); SIDE];
        let whole = x.len() / (SIDE * S::LANES) * (SIDE * S::LANES);
        let mut at = 0;
        while at < whole {
            for side in 0..SIDE {
                let at = at + side * S::LANES;
                // SAFETY: below `whole`; the two are of one length.
                let (x, dy, gamma) = unsafe {
                    (
                        s.load_ptr(x.as_ptr().add(at)),
                        s.load_ptr(dy.as_ptr().add(at)),
                        if EACH {
                            s.load_ptr(gamma.as_ptr().add(at))
                        } else {
                            one
                        },
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
            // SAFETY: within the block.  Lanes past its end have dy = 0.
            let (x, dy, gamma) = unsafe {
                (
                    load(s, x.as_ptr().add(at), m),
                    load(s, dy.as_ptr().add(at), m),
                    if EACH {
                        load(s, gamma.as_ptr().add(at), m)
                    } else {
                        one
                    },
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
        from += x.len();
    }
    total
}
