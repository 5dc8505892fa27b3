//! The weight's gradient, from images in blocks.
//!
//! A weight's gradient is a sum over output pixels of the gradient there, a
//! vector of output channels, times what its tap finds in its input channel.
//! A few weights (the *sources*, tap by tap of a channel, as they lie in the
//! result) by vectors of output channels stay in registers while the pixels of
//! a band run by; a band is as many rows or images as the first-level cache
//! holds, with the input copied with its surroundings ([`super::band`]).

mod piece;
#[cfg(test)]
mod tests;
mod tile;

use super::Conv2dShape;
use super::band::Axis;
use super::tile::VECTORS;
use crate::blocked;
use crate::cache;
use crate::conv2d::product::tasks_wanted;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::dispatch;
use piece::Piece;
use std::ops::Range;
use tile::sources;

/// Values of a vector of channels along a band's pixels.
const BAND: usize = 2048;
/// Pieces of the weight below which the pixels are cut in parts, whose sums
/// are added up, so that there is work for several threads.
const FEW_PIECES: usize = 16;
/// The least bands of a part.
const PART: usize = 8;
/// Taps from which one block of input channels fills whole tiles.
const MANY_TAPS: usize = 4;
/// Blocks of input channels taken together where taps are fewer.
const TOGETHER: usize = 3;

/// dw[o, c, a, b] = sum over n, i, j of dy[n, o, i, j] x[n, c, i * stride + a *
/// dilation - pad, ...], for one group.
///
/// x lies (batch, in blocks, height, width, lanes), or if `plain` (batch,
/// channels, height, width); dy (batch, out blocks, height, width, lanes); dw
/// (out channels, in channels, height, width).  Lanes that stand for no
/// channel are not used.  The sums' order follows from sizes alone.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_weight(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[f32],
    plain: bool,
    dy: &[f32],
    dw: &mut [f32],
) {
    assert_eq!(shape.groups, 1, "conv2d: one group");
    let in_len = if plain {
        shape.input_len()
    } else {
        blocked::len(isa, shape.batch, shape.in_c, shape.in_plane())
    };
    assert_eq!(x.len(), in_len, "conv2d: x");
    assert_eq!(
        dy.len(),
        blocked::len(isa, shape.batch, shape.out_c, shape.out_plane()),
        "conv2d: dy"
    );
    assert_eq!(dw.len(), shape.weight_len(), "conv2d: dw");
    if dw.is_empty() {
        return;
    }
    if dy.is_empty() {
        dw.fill(0.0);
        return;
    }
    let job = Job::new(isa, shape, x, plain, dy);
    if job.parts == 1 {
        job.run(dw);
        return;
    }
    let mut sums = Scratch::take(job.parts * dw.len());
    job.run(&mut sums);
    let (first, rest) = sums.split_at(dw.len());
    dw.copy_from_slice(first);
    for part in rest.chunks_exact(dw.len()) {
        dw.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

struct Job<'a> {
    isa: Isa,
    shape: &'a Conv2dShape,
    x: &'a [f32],
    plain: bool,
    dy: &'a [f32],
    /// Blocks of input channels; planes, if plain, are one block.
    in_blocks: usize,
    out_blocks: usize,
    /// Images of a band.
    images: usize,
    /// Pieces along an image's rows.
    cuts: usize,
    bands: usize,
    parts: usize,
}

impl<'a> Job<'a> {
    fn new(isa: Isa, shape: &'a Conv2dShape, x: &'a [f32], plain: bool, dy: &'a [f32]) -> Self {
        let in_blocks = if plain {
            1
        } else {
            blocked::blocks(isa, shape.in_c)
        };
        let out_blocks = blocked::blocks(isa, shape.out_c);
        let (height, width) = (shape.out_h(), shape.out_w());
        // Few planes take little room.
        let pixels = if plain { 4 * BAND } else { BAND } / isa.lanes();
        let rows = (pixels / width).clamp(1, height);
        let cuts = height.div_ceil(rows);
        let images = if cuts == 1 {
            (pixels / (height * width)).clamp(1, shape.batch)
        } else {
            1
        };
        let bands = shape.batch.div_ceil(images) * cuts;
        let pieces = in_blocks * out_blocks.div_ceil(VECTORS);
        let parts = FEW_PIECES.div_ceil(pieces).min(bands / PART).max(1);
        Job {
            isa,
            shape,
            x,
            plain,
            dy,
            in_blocks,
            out_blocks,
            images,
            cuts,
            bands,
            parts,
        }
    }

    /// Into how many pieces the pairs of output blocks and the input blocks
    /// are cut: a task's sums stay in the second-level cache.
    fn pieces(&self) -> [usize; 2] {
        let (shape, lanes) = (self.shape, self.isa.lanes());
        let all = [self.out_blocks.div_ceil(VECTORS), self.in_blocks];
        let channels = if self.plain { shape.in_c } else { lanes };
        let bytes = channels * shape.kernel() * VECTORS * lanes * size_of::<f32>();
        let most = (cache::l2() / 4 / bytes).max(1);
        let work = shape.output_len() * shape.in_c * shape.kernel();
        let want = tasks_wanted(work, self.parts);
        let mut pieces = [1, 1];
        loop {
            let size = [0, 1].map(|i| all[i].div_ceil(pieces[i]));
            let enough = pieces[0] * pieces[1] >= want && size[0] * size[1] <= most;
            if enough || size == [1, 1] {
                return pieces;
            }
            // A pair of output blocks counts as two.
            let axis = usize::from(size[0] == 1 || size[1] > VECTORS * size[0]);
            pieces[axis] += 1;
        }
    }

    /// Every part's sum, one after the other.
    fn run(&self, sums: &mut [f32]) {
        let [outs, ins] = self.pieces();
        let pairs = self.out_blocks.div_ceil(VECTORS);
        let len = self.shape.weight_len();
        let part = |n: usize, i: usize, of: usize| n * i / of..n * (i + 1) / of;
        let sums = DisjointMut::new(sums);
        parallel_for(self.parts * outs * ins, &|task| {
            let (piece, at) = (task % (outs * ins), task / (outs * ins));
            dispatch(
                self.isa,
                Piece {
                    job: self,
                    pairs: part(pairs, piece / ins, outs),
                    blocks: part(self.in_blocks, piece % ins, ins),
                    bands: part(self.bands, at, self.parts),
                    // SAFETY: the part's weight lies in `sums`; tasks write
                    // different elements.
                    dw: unsafe { sums.as_mut_ptr().add(at * len) },
                },
            );
        });
    }

    /// Blocks of input channels taken together, so that tiles are full.
    fn together(&self) -> usize {
        let (lanes, taps) = (self.isa.lanes(), self.shape.kernel());
        let full = taps >= MANY_TAPS || lanes.is_multiple_of(sources(self.isa));
        if full { 1 } else { TOGETHER }
    }

    /// The images and rows of a band.
    fn band(&self, index: usize) -> [Range<usize>; 2] {
        let (cut, at) = (index % self.cuts, index / self.cuts);
        let height = self.shape.out_h();
        let images = at * self.images..self.shape.batch.min((at + 1) * self.images);
        [
            images,
            height * cut / self.cuts..height * (cut + 1) / self.cuts,
        ]
    }

    /// Whether every window is the pixel above it: then x is read in place.
    fn in_place(&self) -> bool {
        let Conv2dShape { stride, pads, .. } = *self.shape;
        self.shape.kernel() == 1 && stride == [1, 1] && pads == [0; 4]
    }

    fn axis(&self, axis: usize, out: Range<usize>) -> Axis {
        let shape = self.shape;
        Axis {
            size: [shape.in_h, shape.in_w][axis],
            pad: shape.pads[axis],
            stride: shape.stride[axis],
            dilation: shape.dilation[axis],
            kernel: [shape.kernel_h, shape.kernel_w][axis],
            out,
        }
    }
}
