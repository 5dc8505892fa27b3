//! Windows of any size, from a copy of some rows with their surroundings
//! ([`Band`]), which stays in the second-level cache while all output
//! channels use it.

use super::band::{Axis, Band};
use super::task::{Cut, Work};
use super::tile::{Ahead, PLAIN, Tile, tile, tiles};
use super::weight::BlockedConvWeight;
use super::{Algorithm, Conv2dShape, Epilogue, Pair, Shape};
use crate::blocked;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Rows `rows` of one image's result, by pairs of output blocks.
struct Part<'a> {
    shape: &'a Conv2dShape,
    sizes: &'a Shape,
    /// The image, in planes or in blocks.
    x: &'a [f32],
    plain: bool,
    weight: &'a [f32],
    y: &'a DisjointMut<'a, f32>,
    /// Where the image's result begins.
    start: usize,
    rows: Range<usize>,
    pairs: Range<usize>,
    epilogue: &'a Epilogue<'a>,
}

impl Part<'_> {
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

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Part { shape, sizes, .. } = self;
        let width = shape.out_w();
        let (unit, blocks) = if self.plain {
            (1, shape.in_c)
        } else {
            (S::LANES, blocked::blocks(S::ISA, sizes.group_in))
        };
        let axes = [self.axis(0, self.rows.clone()), self.axis(1, 0..width)];
        let band = Band::new(axes, unit);
        let places = band.places(blocks);
        let mut copy = Scratch::take(blocks * band.block);
        // Which blocks are in the copy.
        let mut copied = None;
        let image = shape.in_plane() * unit;
        let (k, taps) = (sizes.group_in * shape.kernel(), shape.kernel());
        let line = width * S::LANES;
        for pair in self.pairs.clone() {
            let pair = sizes.pair(S::LANES, pair);
            let Pair { first, vectors, .. } = pair;
            if copied.replace(pair.block) != Some(pair.block) {
                let blocks = self.x[pair.block * image..].chunks_exact(image.max(1));
                for (block, to) in blocks.zip(copy.chunks_exact_mut(band.block)) {
                    band.fill(block, to);
                }
            }
            let from = self.start + first * sizes.plane * S::LANES;
            let weight = &self.weight[first * S::LANES * k..];
            let parts = (tiles(S::ISA, width).len(), self.rows.len());
            for (i, row) in self.rows.clone().enumerate() {
                for (part, (column, count)) in tiles(S::ISA, width).enumerate() {
                    let out = from + row * line + column * S::LANES;
                    let t = Tile {
                        x: copy[i * band.line + column * unit + pair.lane..].as_ptr(),
                        places: &places,
                        full: sizes.group_in / S::LANES * taps,
                        last: sizes.group_in % S::LANES,
                        w: weight.as_ptr(),
                        // SAFETY: inside y, whose size `forward` checked.
                        out: unsafe { self.y.as_mut_ptr().add(out) },
                        out_block: sizes.plane * S::LANES,
                        bias: self.epilogue.bias_at(first * S::LANES),
                        residual: self.epilogue.residual_at(out),
                        activation: self.epilogue.activation,
                        ahead: Ahead::panel(
                            S::ISA,
                            weight,
                            vectors * S::LANES * k,
                            (i * parts.0 + part, parts.0 * parts.1),
                            places.len(),
                        ),
                    };
                    // SAFETY: the sizes were checked; a tap of a row's last
                    // pixel lies in the copy; tasks write different places.
                    unsafe {
                        if self.plain {
                            tile::<S, PLAIN>(s, count, vectors, &t);
                        } else {
                            tile::<S, false>(s, count, vectors, &t);
                        }
                    }
                }
            }
            if let Some(tail) = self.epilogue.tail {
                for v in 0..vectors {
                    let at = from + v * sizes.plane * S::LANES + self.rows.start * line;
                    // SAFETY: this task's own.
                    tail(at, unsafe { self.y.slice(at..at + self.rows.len() * line) });
                }
            }
        }
    }
}

pub(super) fn forward(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let sizes = Shape::new(isa, shape);
    let plain = weight.algorithm() == Algorithm::Stem;
    let image = x.len() / shape.batch;
    let result = y.len() / shape.batch;
    // Input under one output row.
    let row = image / shape.in_h.max(1) * shape.stride[0] * size_of::<f32>();
    let cut = Cut::new(&Work::new(isa, shape, shape.out_h(), row));
    let y = DisjointMut::new(y);
    parallel_for(shape.batch * cut.tasks(), &|task| {
        let (index, n) = (task % cut.tasks(), task / cut.tasks());
        let (rows, pairs) = cut.task(index);
        dispatch(
            isa,
            Part {
                shape,
                sizes: &sizes,
                x: &x[n * image..(n + 1) * image],
                plain,
                weight: weight.data(),
                y: &y,
                start: n * result,
                rows,
                pairs,
                epilogue,
            },
        );
    });
}
