//! Batch normalisation of `(batch, channels, inner)`: statistics per channel,
//! two-pass, in f64.

mod blocked;
#[cfg(test)]
mod tests;

use crate::isa::Isa;
use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::{Kernel, Simd, dispatch};
pub use blocked::{batch_norm_backward_blocked, batch_norm_train_blocked};

/// Fewer elements than this are done by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;
/// Running sums side by side.
const LANES: usize = 16;

/// The parameters of one channel's affine map.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a, T> {
    pub gamma: &'a [T],
    pub beta: &'a [T],
}

/// Training: writes `y`, the mean and the biased variance of each channel.
///
/// `y = (x - mean) / sqrt(var + eps) * gamma + beta`
pub fn batch_norm_train<T: Float>(
    isa: Isa,
    x: &[T],
    dims: [usize; 3],
    affine: Affine<T>,
    eps: f64,
    y: &mut [T],
    mean: &mut [T],
    var: &mut [T],
) {
    let [batch, channels, inner] = dims;
    assert!(x.len() == batch * channels * inner && y.len() == x.len());
    assert!(mean.len() == channels && var.len() == channels);
    let (means, vars, to) = (
        DisjointMut::new(mean),
        DisjointMut::new(var),
        DisjointMut::new(y),
    );
    each_tile(dims, |tile| {
        let stats = dispatch(isa, Moments { x, tile });
        let width = tile.channels;
        // SAFETY: tiles do not overlap.
        let (mean, var) = unsafe {
            let range = tile.first..tile.first + width;
            (means.slice(range.clone()), vars.slice(range))
        };
        let mut maps = Vec::with_capacity(width);
        for c in 0..width {
            mean[c] = T::from_f64(stats.mean[c]);
            var[c] = T::from_f64(stats.var[c]);
            let scale = affine.gamma[tile.first + c].to_f64() / (stats.var[c] + eps).sqrt();
            // The mean as it is subtracted is rounded; the shift makes up for it.
            let lost = stats.mean[c] - mean[c].to_f64();
            let shift = affine.beta[tile.first + c].to_f64() - lost * scale;
            maps.push([mean[c], T::from_f64(scale), T::from_f64(shift)]);
        }
        let maps = &maps;
        let to = &to;
        dispatch(isa, Apply { x, tile, maps, to });
    });
}

/// Inference, from given statistics.
pub fn batch_norm_infer<T: Float>(
    isa: Isa,
    x: &[T],
    dims: [usize; 3],
    affine: Affine<T>,
    mean: &[T],
    var: &[T],
    eps: f64,
    y: &mut [T],
) {
    let [batch, channels, inner] = dims;
    assert!(x.len() == batch * channels * inner && y.len() == x.len());
    let to = DisjointMut::new(y);
    each_tile(dims, |tile| {
        let maps: Vec<[T; 3]> = (tile.first..tile.first + tile.channels)
            .map(|c| {
                let scale = affine.gamma[c].to_f64() / (var[c].to_f64() + eps).sqrt();
                [mean[c], T::from_f64(scale), affine.beta[c]]
            })
            .collect();
        let (maps, to) = (&maps, &to);
        dispatch(isa, Apply { x, tile, maps, to });
    });
}

/// What a backward pass reads: the forward's input and statistics.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a, T> {
    pub x: &'a [T],
    pub gamma: &'a [T],
    pub mean: &'a [T],
    /// Biased.
    pub var: &'a [T],
    pub eps: f64,
}

/// The gradients of [`batch_norm_train`]'s `y`.
///
/// With x^ = (x - mean) / sqrt(var + eps) and m elements a channel:
/// dbeta = sum dy, dgamma = sum dy x^,
/// dx = gamma / sqrt(var + eps) (dy - dbeta / m - x^ dgamma / m)
pub fn batch_norm_backward<T: Float>(
    isa: Isa,
    forward: Forward<T>,
    dy: &[T],
    dims: [usize; 3],
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let [batch, channels, inner] = dims;
    let Forward {
        x,
        gamma,
        mean,
        var,
        eps,
    } = forward;
    assert!(x.len() == batch * channels * inner && dy.len() == x.len() && dx.len() == x.len());
    assert!(dgamma.len() == channels && dbeta.len() == channels);
    let count = (batch * inner) as f64;
    let to = DisjointMut::new(dx);
    let (gammas, betas) = (DisjointMut::new(dgamma), DisjointMut::new(dbeta));
    each_tile(dims, |tile| {
        let range = tile.first..tile.first + tile.channels;
        let means = &mean[range.clone()];
        let sums = dispatch(isa, Products { x, dy, tile, means });
        // SAFETY: tiles do not overlap.
        let (dgamma, dbeta) = unsafe { (gammas.slice(range.clone()), betas.slice(range)) };
        let mut maps = Vec::with_capacity(tile.channels);
        for c in 0..tile.channels {
            let rstd = 1.0 / (var[tile.first + c].to_f64() + eps).sqrt();
            let slope = sums.dy_x[c] * rstd;
            dgamma[c] = T::from_f64(slope);
            dbeta[c] = T::from_f64(sums.dy[c]);
            let scale = gamma[tile.first + c].to_f64() * rstd;
            maps.push([
                means[c],
                T::from_f64(scale),
                T::from_f64(sums.dy[c] / count),
                T::from_f64(slope * rstd / count),
            ]);
        }
        let (maps, to) = (&maps, &to);
        dispatch(
            isa,
            Slope {
                x,
                dy,
                tile,
                maps,
                to,
            },
        );
    });
}

/// Some channels of every batch element: several only where `inner` is 1.
#[derive(Clone, Copy, Debug)]
struct Tile {
    first: usize,
    channels: usize,
    dims: [usize; 3],
}

impl Tile {
    /// Where the tile's part of batch element `n` begins.
    #[inline(always)]
    fn start(&self, n: usize) -> usize {
        (n * self.dims[1] + self.first) * self.dims[2]
    }

    /// Channels side by side, each of one element.
    #[inline(always)]
    fn flat(&self) -> bool {
        self.dims[2] == 1
    }
}

/// Runs `body` on tiles of channels: one channel where its rows are long.
fn each_tile([batch, channels, inner]: [usize; 3], body: impl Fn(Tile) + Sync) {
    let width = if inner == 1 { 64 } else { 1 };
    let tiles = channels.div_ceil(width);
    let min_tiles = MIN_CHUNK.div_ceil((batch * inner * width).max(1));
    parallel_chunks(tiles, min_tiles, |range| {
        for t in range {
            let first = t * width;
            body(Tile {
                first,
                channels: width.min(channels - first),
                dims: [batch, channels, inner],
            });
        }
    });
}

/// What is summed over a channel.
trait Term<T>: Copy {
    /// Of the element `x`, its companion `d` and the channel's centre.
    fn term(self, x: T, d: T, centre: f64) -> f64;
}

#[derive(Clone, Copy)]
struct Value;
#[derive(Clone, Copy)]
struct SquaredDistance;
#[derive(Clone, Copy)]
struct Companion;
#[derive(Clone, Copy)]
struct CompanionDistance;

macro_rules! terms {
    ($($name:ident |$x:ident, $d:ident, $centre:ident| $e:expr;)*) => {$(
        impl<T: Float> Term<T> for $name {
            #[inline(always)]
            fn term(self, $x: T, $d: T, $centre: f64) -> f64 {
                $e
            }
        }
    )*};
}

terms! {
    Value |x, _d, _c| x.to_f64();
    SquaredDistance |x, _d, c| (x.to_f64() - c) * (x.to_f64() - c);
    Companion |_x, d, _c| d.to_f64();
    CompanionDistance |x, d, c| d.to_f64() * (x.to_f64() - c);
}

/// The sum over a row, in f64, in a fixed order.
#[inline(always)]
fn row_sum<T: Float>(term: impl Term<T>, x: &[T], d: &[T], centre: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ds, d_rest) = d.as_chunks::<LANES>();
    for (x, d) in xs.iter().zip(ds) {
        for i in 0..LANES {
            lanes[i] += term.term(x[i], d[i], centre);
        }
    }
    for (lane, (x, d)) in lanes.iter_mut().zip(x_rest.iter().zip(d_rest)) {
        *lane += term.term(*x, *d, centre);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// For each channel of the tile, the sum over its elements.
#[inline(always)]
fn channel_sums<T: Float>(
    tile: Tile,
    term: impl Term<T>,
    x: &[T],
    d: &[T],
    centres: &[f64],
) -> Vec<f64> {
    let mut sums = vec![0.0; tile.channels];
    for n in 0..tile.dims[0] {
        let range = tile.start(n)..tile.start(n) + tile.channels * tile.dims[2];
        let (x, d) = (&x[range.clone()], &d[range]);
        if tile.flat() {
            let pairs = x.iter().zip(d).zip(centres);
            for (total, ((x, d), centre)) in sums.iter_mut().zip(pairs) {
                *total += term.term(*x, *d, *centre);
            }
        } else {
            sums[0] += row_sum(term, x, d, centres[0]);
        }
    }
    sums
}

struct Stats {
    mean: Vec<f64>,
    var: Vec<f64>,
}

struct Moments<'a, T> {
    x: &'a [T],
    tile: Tile,
}

impl<T: Float> Kernel for Moments<'_, T> {
    type Out = Stats;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Stats {
        let Moments { x, tile } = self;
        let count = (tile.dims[0] * tile.dims[2]) as f64;
        let mut mean = channel_sums(tile, Value, x, x, &vec![0.0; tile.channels]);
        for m in &mut mean {
            *m /= count;
        }
        let mut var = channel_sums(tile, SquaredDistance, x, x, &mean);
        for v in &mut var {
            *v /= count;
        }
        Stats { mean, var }
    }
}

/// `y = (x - map[0]) map[1] + map[2]`, a map for each channel.
struct Apply<'a, T> {
    x: &'a [T],
    tile: Tile,
    maps: &'a [[T; 3]],
    to: &'a DisjointMut<'a, T>,
}

impl<T: Float> Kernel for Apply<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Apply { x, tile, maps, to } = self;
        for n in 0..tile.dims[0] {
            let range = tile.start(n)..tile.start(n) + tile.channels * tile.dims[2];
            // SAFETY: tiles do not overlap.
            let (x, y) = (&x[range.clone()], unsafe { to.slice(range) });
            if tile.flat() {
                for ((y, x), [mean, scale, shift]) in y.iter_mut().zip(x).zip(maps) {
                    *y = (*x - *mean) * *scale + *shift;
                }
                continue;
            }
            let [mean, scale, shift] = maps[0];
            for (y, x) in y.iter_mut().zip(x) {
                *y = (*x - mean) * scale + shift;
            }
        }
    }
}

struct Sums {
    dy: Vec<f64>,
    /// Of dy (x - mean).
    dy_x: Vec<f64>,
}

struct Products<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    tile: Tile,
    means: &'a [T],
}

impl<T: Float> Kernel for Products<'_, T> {
    type Out = Sums;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Sums {
        let Products { x, dy, tile, means } = self;
        let centres: Vec<f64> = means.iter().map(|m| m.to_f64()).collect();
        Sums {
            dy: channel_sums(tile, Companion, x, dy, &centres),
            dy_x: channel_sums(tile, CompanionDistance, x, dy, &centres),
        }
    }
}

/// `dx = map[1] (dy - map[2] - (x - map[0]) map[3])`
struct Slope<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    tile: Tile,
    maps: &'a [[T; 4]],
    to: &'a DisjointMut<'a, T>,
}

impl<T: Float> Kernel for Slope<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Slope {
            x,
            dy,
            tile,
            maps,
            to,
        } = self;
        for n in 0..tile.dims[0] {
            let range = tile.start(n)..tile.start(n) + tile.channels * tile.dims[2];
            let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
            // SAFETY: tiles do not overlap.
            let dx = unsafe { to.slice(range) };
            let triples = dx.iter_mut().zip(x).zip(dy);
            if tile.flat() {
                for (((dx, x), dy), [mean, scale, offset, slope]) in triples.zip(maps) {
                    *dx = *scale * (*dy - *offset - (*x - *mean) * *slope);
                }
                continue;
            }
            let [mean, scale, offset, slope] = maps[0];
            for ((dx, x), dy) in triples {
                *dx = scale * (*dy - offset - (*x - mean) * slope);
            }
        }
    }
}
