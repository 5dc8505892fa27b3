//! A task: some weights summed over some bands.

use super::super::band::Band;
use super::super::tile::{PLAIN, VECTORS};
use super::Job;
use super::tile::{Tile, sources, tile};
use crate::matmul::pack::transpose;
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// The weights of some pairs of output blocks and some input blocks, summed
/// over some bands.
pub(super) struct Piece<'a> {
    pub job: &'a Job<'a>,
    pub pairs: Range<usize>,
    pub blocks: Range<usize>,
    pub bands: Range<usize>,
    pub dw: *mut f32,
}

/// The input under a band, as it is read.
struct Input<'a> {
    x: &'a [f32],
    image: usize,
    row: usize,
    places: &'a [u32],
}

/// The output's gradient under a band: its first pixel, and the distances of
/// pairs of blocks, images and blocks.
struct Gradient<'a> {
    dy: &'a [f32],
    pair: usize,
    image: usize,
    block: usize,
}

impl Piece<'_> {
    /// Input channels of some blocks.
    fn channels(&self, blocks: Range<usize>) -> Range<usize> {
        let lanes = if self.job.plain {
            self.job.shape.in_c
        } else {
            self.job.isa.lanes()
        };
        blocks.start * lanes..self.job.shape.in_c.min(blocks.end * lanes)
    }

    /// Where the weights of `channels` find the first pixel: tap by tap of
    /// each, given where the taps of a block lie.
    #[inline(always)]
    fn places(&self, taps: &[u32], block: usize, channels: usize, to: &mut Vec<u32>) {
        let (lanes, plain) = (self.job.isa.lanes(), self.job.plain);
        to.clear();
        for channel in 0..channels {
            let start = if plain {
                channel * block
            } else {
                channel / lanes * block + channel % lanes
            };
            to.extend(taps.iter().map(|tap| tap + start as u32));
        }
    }
}

impl Kernel for Piece<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Piece { job, .. } = self;
        let shape = job.shape;
        let taps = shape.kernel();
        let (unit, per_block) = if job.plain {
            (1, shape.in_c)
        } else {
            (S::LANES, 1)
        };
        let planes = job.in_blocks * per_block;
        let plane = shape.in_plane() * unit;
        let mine = self.channels(self.blocks.clone());
        let (first, count) = (mine.start, mine.len() * taps);
        let mut sums = Scratch::take(self.pairs.len() * count * VECTORS * S::LANES);
        let (mut places, mut copy) = (Vec::new(), Scratch::take(0));
        let step = job.together();
        let mut together = Scratch::take(0);
        for index in self.bands.clone() {
            let [images, rows] = job.band(index);
            let axes = [job.axis(0, rows.clone()), job.axis(1, 0..shape.out_w())];
            let band = Band::new(axes, unit);
            let in_band = band.places(1);
            let gradient = self.gradient([&images, &rows], S::LANES, &mut together);
            for from in self.blocks.clone().step_by(step) {
                let blocks = from..self.blocks.end.min(from + step);
                let channels = self.channels(blocks.clone());
                let line = shape.in_w * unit;
                let start = images.start * planes + blocks.start * per_block;
                let input = if job.in_place() {
                    self.places(&[0], plane, channels.len(), &mut places);
                    Input {
                        x: &job.x[start * plane + rows.start * line..],
                        image: planes * plane,
                        row: line,
                        places: &places,
                    }
                } else {
                    let each = blocks.len() * per_block;
                    let image = each * band.block;
                    if copy.len() < images.len() * image {
                        copy = Scratch::take(images.len() * image);
                    }
                    for n in 0..images.len() {
                        for block in 0..each {
                            let x = &job.x[(start + n * planes + block) * plane..][..plane];
                            let to = n * image + block * band.block;
                            band.fill(x, &mut copy[to..to + band.block]);
                        }
                    }
                    self.places(&in_band, band.block, channels.len(), &mut places);
                    Input {
                        x: &copy,
                        image,
                        row: band.line,
                        places: &places,
                    }
                };
                let at = (channels.start - first) * taps;
                let pixels = [images.len(), rows.len(), shape.out_w()];
                let add = index > self.bands.start;
                self.tiles(s, &input, &gradient, pixels, [at, count], add, &mut sums);
            }
        }
        self.write(first * taps, count, &sums);
    }
}

impl Piece<'_> {
    /// The output's gradient under a band.  Of several images, all of a pair
    /// of blocks is laid side by side: images lie a power of two apart.
    #[inline(always)]
    fn gradient<'a>(
        &'a self,
        [images, rows]: [&Range<usize>; 2],
        lanes: usize,
        copy: &'a mut Scratch,
    ) -> Gradient<'a> {
        let job = self.job;
        let (line, block) = (job.shape.out_w() * lanes, job.shape.out_plane() * lanes);
        let image = job.out_blocks * block;
        let first = self.pairs.start * VECTORS;
        let start = images.start * image + first * block + rows.start * line;
        if images.len() == 1 {
            return Gradient {
                dy: &job.dy[start..],
                pair: VECTORS * block,
                image,
                block,
            };
        }
        let (pair, each) = (images.len() * VECTORS * block, VECTORS * block);
        if copy.len() < self.pairs.len() * pair {
            *copy = Scratch::take(self.pairs.len() * pair);
        }
        for (p, to) in copy
            .chunks_exact_mut(pair)
            .take(self.pairs.len())
            .enumerate()
        {
            let len = each.min((job.out_blocks - first - p * VECTORS) * block);
            for (n, to) in to.chunks_exact_mut(each).enumerate() {
                let from = start + n * image + p * each;
                to[..len].copy_from_slice(&job.dy[from..from + len]);
            }
        }
        Gradient {
            dy: copy,
            pair,
            image: each,
            block,
        }
    }

    /// Adds a band of images, rows and pixels side by side to the sums of all
    /// output channels and of the weights from `at` on, of `count`.
    #[inline(always)]
    fn tiles<S: Simd>(
        &self,
        s: S,
        input: &Input<'_>,
        gradient: &Gradient<'_>,
        [images, rows, width]: [usize; 3],
        [at, count]: [usize; 2],
        add: bool,
        sums: &mut [f32],
    ) {
        let job = self.job;
        let unit = if job.plain { 1 } else { S::LANES };
        let pixels = if input.row == width * unit {
            [images, 1, rows * width]
        } else {
            [images, rows, width]
        };
        let all = input.places.len();
        let parts = all.div_ceil(sources(S::ISA));
        for (i, pair) in self.pairs.clone().enumerate() {
            let vectors = VECTORS.min(job.out_blocks - pair * VECTORS);
            for part in 0..parts {
                let (from, to) = (all * part / parts, all * (part + 1) / parts);
                let row = i * count + at + from;
                let t = Tile {
                    x: input.x.as_ptr(),
                    places: &input.places[from..to],
                    pixels,
                    x_image: input.image,
                    x_row: input.row,
                    dy: gradient.dy[i * gradient.pair..].as_ptr(),
                    dy_block: gradient.block,
                    dy_image: gradient.image,
                    dy_row: width * S::LANES,
                    sums: sums[row * VECTORS * S::LANES..].as_mut_ptr(),
                    add,
                };
                // SAFETY: the sizes were checked; a tap of a row's last pixel
                // lies in the copy; the sums were sliced.
                unsafe {
                    if job.plain {
                        tile::<S, PLAIN>(s, vectors, &t);
                    } else {
                        tile::<S, false>(s, vectors, &t);
                    }
                }
            }
        }
    }

    /// Writes the sums of `count` weights from `first` on.
    #[inline(always)]
    fn write(&self, first: usize, count: usize, sums: &[f32]) {
        let shape = self.job.shape;
        let (lanes, k) = (self.job.isa.lanes(), shape.in_c * shape.kernel());
        for pair in self.pairs.clone() {
            let from = (pair - self.pairs.start) * count * VECTORS * lanes;
            for v in 0..VECTORS.min(self.job.out_blocks - pair * VECTORS) {
                let channel = (pair * VECTORS + v) * lanes;
                let here = lanes.min(shape.out_c - channel);
                // SAFETY: `count` rows of sums, columns of this task's part
                // of dw.
                unsafe {
                    let from = sums[from + v * lanes..].as_ptr();
                    let to = self.dw.add(channel * k + first);
                    transpose(from, VECTORS * lanes, to, k, count, here);
                }
            }
        }
    }
}
