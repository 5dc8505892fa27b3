//! Batch normalisation of images in the blocked layout ([`crate::blocked`]):
//! lanes are channels, so statistics are summed lane by lane.

use super::{Affine, Companion, CompanionDistance, Forward, SquaredDistance, Term, Value};
use crate::blocked;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for};
use crate::simd::{Kernel, MAX_LANES, Simd, dispatch};
use std::ops::Range;

/// The least values of a part that is summed by itself.
const PART: usize = 1 << 15;
/// Running sums side by side: of several pixels.
const WIDE: usize = 2 * MAX_LANES;

/// A value for each of a block's lanes; where there are fewer lanes, again.
type Lanes<T> = [T; MAX_LANES];

/// Sizes of an image in blocks.
#[derive(Clone, Copy)]
struct Sizes {
    isa: Isa,
    batch: usize,
    channels: usize,
    blocks: usize,
    /// Values of a block of one image.
    block: usize,
}

impl Sizes {
    fn new(isa: Isa, [batch, channels, plane]: [usize; 3]) -> Sizes {
        Sizes {
            isa,
            batch,
            channels,
            blocks: blocked::blocks(isa, channels),
            block: plane * isa.lanes(),
        }
    }

    fn len(self) -> usize {
        self.batch * self.blocks * self.block
    }

    /// Of one block in image `n`.
    #[inline(always)]
    fn range(self, n: usize, block: usize) -> Range<usize> {
        let start = (n * self.blocks + block) * self.block;
        start..start + self.block
    }

    /// The channels of a block.
    fn channels(self, block: usize) -> Range<usize> {
        let lanes = self.isa.lanes();
        block * lanes..self.channels.min((block + 1) * lanes)
    }

    /// Parts of the batch that are summed by themselves: by sizes alone.
    fn parts(self) -> usize {
        (self.batch * self.block / PART).clamp(1, self.batch)
    }

    /// Two terms of each block's lanes, added up in the order of parts.
    fn sums(
        self,
        part: &(dyn Fn(usize, Range<usize>) -> [Lanes<f64>; 2] + Sync),
    ) -> Vec<[Lanes<f64>; 2]> {
        let parts = self.parts();
        let mut found = vec![[[0.0; MAX_LANES]; 2]; self.blocks * parts];
        let to = DisjointMut::new(&mut found);
        parallel_for(self.blocks * parts, &|task| {
            let (block, i) = (task / parts, task % parts);
            let images = self.batch * i / parts..self.batch * (i + 1) / parts;
            // SAFETY: each task has its own.
            let own = unsafe { to.slice(task..task + 1) };
            own[0] = part(block, images);
        });
        let add = |part: &[[Lanes<f64>; 2]]| {
            let mut sums = part[0];
            for part in &part[1..] {
                for (sums, part) in sums.iter_mut().zip(part) {
                    sums.iter_mut()
                        .zip(part)
                        .for_each(|(sum, part)| *sum += part);
                }
            }
            sums
        };
        found.chunks_exact(parts).map(add).collect()
    }

    /// For each channel its value, in each block's lanes; 0 where there is none.
    fn lanes<T: Copy + Default>(self, of: &dyn Fn(usize) -> T) -> Vec<Lanes<T>> {
        let lane = |block: usize, lane: usize| {
            let channel = block * self.isa.lanes() + lane % self.isa.lanes();
            if channel < self.channels {
                of(channel)
            } else {
                T::default()
            }
        };
        (0..self.blocks)
            .map(|block| std::array::from_fn(|i| lane(block, i)))
            .collect()
    }
}

/// As [`super::batch_norm_train`], of x and y in blocks: `dims` are batch,
/// channels and pixels.
pub fn batch_norm_train_blocked(
    isa: Isa,
    x: &[f32],
    dims: [usize; 3],
    affine: Affine<f32>,
    eps: f64,
    y: &mut [f32],
    mean: &mut [f32],
    var: &mut [f32],
) {
    let sizes = Sizes::new(isa, dims);
    assert!(x.len() == sizes.len() && y.len() == x.len());
    assert!(mean.len() == sizes.channels && var.len() == sizes.channels);
    let count = (dims[0] * dims[2]) as f64;
    let zero = [0.0; MAX_LANES];
    let sums = sizes.sums(&|block, images| [sum(sizes, Value, [x, x], block, images, &zero), zero]);
    let means: Vec<Lanes<f64>> = sums.iter().map(|[sum, _]| sum.map(|v| v / count)).collect();
    let sums = sizes.sums(&|block, images| {
        let centres = &means[block];
        [
            sum(sizes, SquaredDistance, [x, x], block, images, centres),
            zero,
        ]
    });
    let mut maps = Vec::with_capacity(sizes.blocks);
    for (block, [squares, _]) in sums.iter().enumerate() {
        let mut map = [[0.0; MAX_LANES]; 3];
        let first = sizes.channels(block).start;
        for channel in sizes.channels(block) {
            let exact = means[block][channel - first];
            let spread = squares[channel - first] / count;
            mean[channel] = exact as f32;
            var[channel] = spread as f32;
            let scale = f64::from(affine.gamma[channel]) / (spread + eps).sqrt();
            // The mean as it is subtracted is rounded; the shift makes up for it.
            let lost = exact - f64::from(mean[channel]);
            let shift = f64::from(affine.beta[channel]) - lost * scale;
            let values = [mean[channel], scale as f32, shift as f32];
            set(&mut map, isa, channel - first, values);
        }
        maps.push(map);
    }
    let to = DisjointMut::new(y);
    parallel_for(sizes.batch * sizes.blocks, &|task| {
        let (n, block) = (task / sizes.blocks, task % sizes.blocks);
        let range = sizes.range(n, block);
        // SAFETY: tasks write different blocks.
        let (x, y) = (&x[range.clone()], unsafe { to.slice(range) });
        let map = &maps[block];
        dispatch(isa, Apply { x, y, map });
    });
}

/// As [`super::batch_norm_backward`], of x, dy and dx in blocks.
pub fn batch_norm_backward_blocked(
    isa: Isa,
    forward: Forward<f32>,
    dy: &[f32],
    dims: [usize; 3],
    dx: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let sizes = Sizes::new(isa, dims);
    let Forward {
        x,
        gamma,
        mean,
        var,
        eps,
    } = forward;
    assert!(x.len() == sizes.len() && dy.len() == x.len() && dx.len() == x.len());
    assert!(dgamma.len() == sizes.channels && dbeta.len() == sizes.channels);
    let count = (dims[0] * dims[2]) as f64;
    let centres = sizes.lanes(&|channel| f64::from(mean[channel]));
    let sums = sizes.sums(&|block, images| {
        let centres = &centres[block];
        [
            sum(sizes, Companion, [x, dy], block, images.clone(), centres),
            sum(sizes, CompanionDistance, [x, dy], block, images, centres),
        ]
    });
    let mut maps = Vec::with_capacity(sizes.blocks);
    for (block, [dys, products]) in sums.iter().enumerate() {
        let mut map = [[0.0; MAX_LANES]; 4];
        let first = sizes.channels(block).start;
        for channel in sizes.channels(block) {
            let lane = channel - first;
            let rstd = 1.0 / (f64::from(var[channel]) + eps).sqrt();
            let slope = products[lane] * rstd;
            dgamma[channel] = slope as f32;
            dbeta[channel] = dys[lane] as f32;
            let values = [
                mean[channel],
                (f64::from(gamma[channel]) * rstd) as f32,
                (dys[lane] / count) as f32,
                (slope * rstd / count) as f32,
            ];
            set(&mut map, isa, lane, values);
        }
        maps.push(map);
    }
    let to = DisjointMut::new(dx);
    parallel_for(sizes.batch * sizes.blocks, &|task| {
        let (n, block) = (task / sizes.blocks, task % sizes.blocks);
        let range = sizes.range(n, block);
        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
        // SAFETY: tasks write different blocks.
        let dx = unsafe { to.slice(range) };
        let map = &maps[block];
        dispatch(isa, Slope { x, dy, dx, map });
    });
}

/// Sets a lane of each, and where a vector has fewer lanes its repetition.
fn set<const N: usize>(map: &mut [Lanes<f32>; N], isa: Isa, lane: usize, values: [f32; N]) {
    for (lanes, value) in map.iter_mut().zip(values) {
        for lane in (lane..MAX_LANES).step_by(isa.lanes()) {
            lanes[lane] = value;
        }
    }
}

/// The sum of a block's terms over some images, lane by lane.
fn sum<A: Term<f32>>(
    sizes: Sizes,
    term: A,
    [x, d]: [&[f32]; 2],
    block: usize,
    images: Range<usize>,
    centres: &Lanes<f64>,
) -> Lanes<f64> {
    let mut sums = [0.0; MAX_LANES];
    for n in images {
        let range = sizes.range(n, block);
        let (x, d) = (&x[range.clone()], &d[range]);
        let found = dispatch(
            sizes.isa,
            LaneSums {
                term,
                x,
                d,
                centres,
            },
        );
        sums.iter_mut()
            .zip(found)
            .for_each(|(sum, found)| *sum += found);
    }
    sums
}

struct LaneSums<'a, A> {
    term: A,
    x: &'a [f32],
    d: &'a [f32],
    centres: &'a Lanes<f64>,
}

impl<A: Term<f32>> Kernel for LaneSums<'_, A> {
    type Out = Lanes<f64>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Lanes<f64> {
        let LaneSums {
            term,
            x,
            d,
            centres,
        } = self;
        let mut wide = [0.0; WIDE];
        let (xs, x_rest) = x.as_chunks::<WIDE>();
        let (ds, d_rest) = d.as_chunks::<WIDE>();
        for (x, d) in xs.iter().zip(ds) {
            for i in 0..WIDE {
                wide[i] += term.term(x[i], d[i], centres[i % MAX_LANES]);
            }
        }
        for (i, (x, d)) in x_rest.iter().zip(d_rest).enumerate() {
            wide[i] += term.term(*x, *d, centres[i % MAX_LANES]);
        }
        let mut sums = [0.0; MAX_LANES];
        for (i, sum) in wide.into_iter().enumerate() {
            sums[i % S::LANES] += sum;
        }
        std::array::from_fn(|i| sums[i % S::LANES])
    }
}

/// y = (x - map\[0\]) map\[1\] + map\[2\], lane by lane.
struct Apply<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    map: &'a [Lanes<f32>; 3],
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Apply { x, y, map } = self;
        let [mean, scale, shift] = [s.load(&map[0]), s.load(&map[1]), s.load(&map[2])];
        let pixels = x.chunks_exact(S::LANES);
        for (x, y) in pixels.zip(y.chunks_exact_mut(S::LANES)) {
            s.store(y, s.fma(s.sub(s.load(x), mean), scale, shift));
        }
    }
}

/// dx = map\[1\] (dy - map\[2\] - (x - map\[0\]) map\[3\]), lane by lane.
struct Slope<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    map: &'a [Lanes<f32>; 4],
}

impl Kernel for Slope<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Slope { x, dy, dx, map } = self;
        let [mean, scale] = [s.load(&map[0]), s.load(&map[1])];
        let [offset, slope] = [s.load(&map[2]), s.load(&map[3])];
        let pixels = x.chunks_exact(S::LANES).zip(dy.chunks_exact(S::LANES));
        for ((x, dy), dx) in pixels.zip(dx.chunks_exact_mut(S::LANES)) {
            let centred = s.sub(s.load(x), mean);
            let inside = s.fnma(centred, slope, s.sub(s.load(dy), offset));
            s.store(dx, s.mul(scale, inside));
        }
    }
}
