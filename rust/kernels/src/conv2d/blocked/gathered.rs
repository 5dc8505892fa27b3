//! Windows of any size, from a copy of the pixels under each tap, in which the
//! pixels of several rows and images lie side by side: tiles are full however
//! small an image is, and a weight that is read once serves all of them.
//!
//! The gradient to the input is this too: of the pixels that a stride meets
//! with the same taps, a [`Phase`], it is a convolution by those taps that
//! moves by one pixel; no zeros are multiplied.

#[cfg(test)]
mod tests;

use super::band::every;
use super::task::{Cut, Work};
use super::tile::{Ahead, Tile, VECTORS, pixels, tile, tiles};
use super::weight::BlockedConvWeight;
use super::{Conv2dShape, Epilogue};
use crate::activation::Activation;
use crate::blocked;
use crate::conv2d::phase::Phase;
use crate::conv2d::shape::inside;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// The images read or written.
#[derive(Clone, Copy)]
struct Images {
    channels: usize,
    height: usize,
    width: usize,
}

impl Images {
    fn plane(&self) -> usize {
        self.height * self.width
    }
}

/// Result pixels (phase.first + out_step * q) from input pixels (in_step * q +
/// tap), for every q whose result lies in the image.
struct Job<'a> {
    isa: Isa,
    phases: &'a [Phase],
    from: Images,
    in_step: [usize; 2],
    to: Images,
    out_step: [usize; 2],
    x: &'a [f32],
    /// Phase after phase.
    weight: &'a [f32],
    y: DisjointMut<'a, f32>,
    epilogue: &'a Epilogue<'a>,
}

/// y = the convolution of x.
pub(super) fn forward(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let (from, to) = sides(shape);
    let phase = Phase {
        first: [0, 0],
        kernel: Vec::new(),
        taps: shape.taps(),
    };
    let job = Job {
        isa: weight.isa(),
        phases: &[phase],
        from,
        in_step: shape.stride,
        to,
        out_step: [1, 1],
        x,
        weight: weight.data(),
        y: DisjointMut::new(y),
        epilogue,
    };
    job.run(shape.batch);
}

/// dx = the gradient to the input of the convolution that `shape` says.
pub(super) fn backward_input(
    shape: &Conv2dShape,
    dy: &[f32],
    weight: &BlockedConvWeight,
    dx: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let (to, from) = sides(shape);
    let job = Job {
        isa: weight.isa(),
        phases: &Phase::all(shape),
        from,
        in_step: [1, 1],
        to,
        out_step: shape.stride,
        x: dy,
        weight: weight.data(),
        y: DisjointMut::new(dx),
        epilogue,
    };
    job.run(shape.batch);
}

/// The input's images and the output's.
fn sides(shape: &Conv2dShape) -> (Images, Images) {
    let input = Images {
        channels: shape.in_c,
        height: shape.in_h,
        width: shape.in_w,
    };
    let output = Images {
        channels: shape.out_c,
        height: shape.out_h(),
        width: shape.out_w(),
    };
    (input, output)
}

impl Job<'_> {
    /// Rows of a phase, at most.
    fn rows(&self) -> usize {
        self.to.height.div_ceil(self.out_step[0])
    }

    fn run(&self, batch: usize) {
        let taps = |phase: &Phase| phase.taps.len();
        let (all, most) = (
            self.phases.iter().map(taps).sum::<usize>(),
            self.phases.iter().map(taps).max().unwrap_or(0),
        );
        let width = self.to.width.div_ceil(self.out_step[1]);
        let weights = self.from.channels * self.to.channels * all;
        let pixel = blocked::blocks(self.isa, self.from.channels)
            * self.isa.lanes()
            * most
            * size_of::<f32>();
        let length = batch * self.rows();
        let cut = Cut::new(&Work {
            pairs: blocked::blocks(self.isa, self.to.channels).div_ceil(VECTORS),
            multiplies: length * width * weights,
            units: 1,
            weight: weights * size_of::<f32>(),
            length,
            line: width * pixel,
            // A weight is read for that many pixels at least.
            least: 4 * pixels(self.isa) * pixel,
        });
        parallel_for(cut.tasks(), &|task| {
            let (lines, pairs) = cut.task(task);
            dispatch(
                self.isa,
                Part {
                    job: self,
                    lines,
                    pairs,
                },
            );
        });
    }
}

/// Rows `lines` of every phase, counted through all images, by pairs of output
/// blocks.
struct Part<'a> {
    job: &'a Job<'a>,
    lines: Range<usize>,
    pairs: Range<usize>,
}

/// A row of a phase's pixels.
struct Row {
    image: usize,
    /// Row of the input that a tap [0, 0] reads.
    from: isize,
    /// Row of the result.
    to: usize,
}

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let job = self.job;
        let in_blocks = blocked::blocks(S::ISA, job.from.channels);
        let columns = blocked::blocks(S::ISA, job.to.channels) * S::LANES;
        let mut weight = job.weight;
        for phase in job.phases {
            let (own, rest) = weight.split_at(columns * job.from.channels * phase.taps.len());
            weight = rest;
            let rows = self.rows(phase);
            let width = job.to.width.saturating_sub(phase.first[1]);
            let width = width.div_ceil(job.out_step[1]);
            let step = rows.len() * width * S::LANES;
            if step == 0 {
                continue;
            }
            let places: Vec<u32> = (0..in_blocks * phase.taps.len())
                .map(|i| (i * step) as u32)
                .collect();
            let mut copy = Scratch::take(places.len() * step);
            let each = width * S::LANES;
            for (i, to) in copy.chunks_exact_mut(step).enumerate() {
                let (block, tap) = (i / phase.taps.len(), phase.taps[i % phase.taps.len()]);
                for (row, to) in rows.iter().zip(to.chunks_exact_mut(each)) {
                    let plane = row.image * in_blocks + block;
                    job.gather(plane, row.from + tap[0], tap[1], S::LANES, to);
                }
            }
            self.multiply(s, [&copy, own], &places, [phase.first[1], width], &rows);
        }
        self.tail(S::LANES);
    }
}

impl Part<'_> {
    fn rows(&self, phase: &Phase) -> Vec<Row> {
        let job = self.job;
        let row = |line: usize| {
            let (image, q) = (line / job.rows(), line % job.rows());
            Row {
                image,
                from: (q * job.in_step[0]) as isize,
                to: q * job.out_step[0] + phase.first[0],
            }
        };
        let rows = self.lines.clone().map(row);
        rows.filter(|row| row.to < job.to.height).collect()
    }

    /// The gathered pixels times the phase's weights, `width` a row, put where
    /// they belong: every so many from column `first` on.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        s: S,
        [copy, weight]: [&[f32]; 2],
        places: &[u32],
        [first, width]: [usize; 2],
        rows: &[Row],
    ) {
        let job = self.job;
        let epilogue = job.epilogue;
        let blocks = blocked::blocks(S::ISA, job.to.channels);
        let count = rows.len() * width;
        let taps = places.len() / blocked::blocks(S::ISA, job.from.channels).max(1);
        let k = job.from.channels * taps;
        let mut sums = Scratch::take(VECTORS * count * S::LANES);
        for pair in self.pairs.clone() {
            let block = pair * VECTORS;
            let vectors = VECTORS.min(blocks - block);
            let weight = &weight[block * S::LANES * k..];
            let parts = tiles(S::ISA, count).len();
            for (part, (at, pixels)) in tiles(S::ISA, count).enumerate() {
                let t = Tile {
                    // Of a phase without taps there is no copy.
                    x: copy.as_ptr().wrapping_add(at * S::LANES),
                    places,
                    full: job.from.channels / S::LANES * taps,
                    last: job.from.channels % S::LANES,
                    w: weight.as_ptr(),
                    out: sums[at * S::LANES..].as_mut_ptr(),
                    out_block: count * S::LANES,
                    bias: epilogue.bias_at(block * S::LANES),
                    residual: std::ptr::null(),
                    activation: Activation::NONE,
                    ahead: Ahead::panel(
                        S::ISA,
                        weight,
                        vectors * S::LANES * k,
                        (part, parts),
                        places.len(),
                    ),
                };
                // SAFETY: the pixels lie in the copy, the results in `sums`;
                // the weight was packed for these sizes.
                unsafe { tile::<S, false>(s, pixels, vectors, &t) };
            }
            let lines = sums.chunks_exact(width * S::LANES);
            for (i, line) in lines.take(vectors * rows.len()).enumerate() {
                let (v, row) = (i / rows.len(), &rows[i % rows.len()]);
                let plane = row.image * blocks + block + v;
                let start = (plane * job.to.height + row.to) * job.to.width + first;
                for (j, sum) in line.chunks_exact(S::LANES).enumerate() {
                    let at = (start + j * job.out_step[1]) * S::LANES;
                    let mut sum = s.load(sum);
                    // SAFETY: inside y, which tasks write in different places.
                    unsafe {
                        if let Some(residual) = epilogue.residual {
                            sum = s.add(sum, s.load_ptr(residual.as_ptr().add(at)));
                        }
                        let to = job.y.as_mut_ptr().add(at);
                        s.store_ptr(to, epilogue.activation.apply(s, sum));
                    }
                }
            }
        }
    }

    /// Calls the tail with this task's rows, which are final.
    fn tail(&self, lanes: usize) {
        let job = self.job;
        let Some(tail) = job.epilogue.tail else {
            return;
        };
        let blocks = blocked::blocks(job.isa, job.to.channels);
        let channels = self.pairs.start * VECTORS..blocks.min(self.pairs.end * VECTORS);
        let each = job.rows();
        for image in self.lines.start / each..self.lines.end.div_ceil(each) {
            let begin = self.lines.start.max(image * each) - image * each;
            let end = self.lines.end.min((image + 1) * each) - image * each;
            let rows = begin * job.out_step[0]..job.to.height.min(end * job.out_step[0]);
            for block in channels.clone() {
                let start = (image * blocks + block) * job.to.plane();
                let piece = |row: usize| (start + row * job.to.width) * lanes;
                let piece = piece(rows.start)..piece(rows.end);
                // SAFETY: this task's own.
                tail(piece.start, unsafe { job.y.slice(piece) });
            }
        }
    }
}

impl Job<'_> {
    /// What a row's pixels see in row `y` of a plane of blocks, from column
    /// `x` on.
    #[inline(always)]
    fn gather(&self, plane: usize, y: isize, x: isize, lanes: usize, to: &mut [f32]) {
        let Images { height, width, .. } = self.from;
        let step = self.in_step[1];
        let columns = inside(to.len() / lanes, step, x, width);
        if !(0..height as isize).contains(&y) || columns.is_empty() {
            to.fill(0.0);
            return;
        }
        to[..columns.start * lanes].fill(0.0);
        to[columns.end * lanes..].fill(0.0);
        let to = &mut to[columns.start * lanes..columns.end * lanes];
        let column = x + (columns.start * step) as isize;
        let pixel = (plane * height + y as usize) * width + column as usize;
        every(step, lanes, &self.x[pixel * lanes..], to);
    }
}
