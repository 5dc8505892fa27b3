//! 1x1 windows: products of pixels and channels, read in place.

use super::task::{Cut, Work};
use super::tile::{Ahead, Tile, tile, tiles};
use super::weight::BlockedConvWeight;
use super::{Epilogue, Pair, Shape};
use crate::blocked;
use crate::pool::{DisjointMut, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Pixels `pixels` of one image by the pairs `pairs` of output blocks.
struct Part<'a> {
    shape: &'a Shape,
    /// The image.
    x: &'a [f32],
    places: &'a [u32],
    weight: &'a [f32],
    y: &'a DisjointMut<'a, f32>,
    /// Where the image's result begins.
    start: usize,
    pixels: Range<usize>,
    pairs: Range<usize>,
    epilogue: &'a Epilogue<'a>,
}

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let in_c = self.shape.group_in;
        let plane = self.shape.plane;
        for pair in self.pairs.clone() {
            let pair = self.shape.pair(S::LANES, pair);
            let Pair { first, vectors, .. } = pair;
            let from = self.start + first * plane * S::LANES;
            let weight = &self.weight[first * S::LANES * in_c..];
            let x = &self.x[pair.block * plane * S::LANES + pair.lane..];
            let all = tiles(S::ISA, self.pixels.len());
            let parts = all.len();
            for (i, (at, count)) in all.enumerate() {
                let pixel = self.pixels.start + at;
                let out = from + pixel * S::LANES;
                let t = Tile {
                    x: x[pixel * S::LANES..].as_ptr(),
                    places: self.places,
                    full: in_c / S::LANES,
                    last: in_c % S::LANES,
                    w: weight.as_ptr(),
                    // SAFETY: inside y, whose size `forward` checked.
                    out: unsafe { self.y.as_mut_ptr().add(out) },
                    out_block: plane * S::LANES,
                    bias: self.epilogue.bias_at(first * S::LANES),
                    residual: self.epilogue.residual_at(out),
                    activation: self.epilogue.activation,
                    ahead: Ahead::panel(
                        S::ISA,
                        weight,
                        vectors * S::LANES * in_c,
                        (i, parts),
                        self.places.len(),
                    )
                    .pixels(count * S::LANES),
                };
                // SAFETY: the sizes were checked; tasks write different places.
                unsafe { tile::<S, false>(s, count, vectors, &t) };
            }
            if let Some(tail) = self.epilogue.tail {
                for v in 0..vectors {
                    let at = from + (v * plane + self.pixels.start) * S::LANES;
                    // SAFETY: this task's own.
                    tail(at, unsafe {
                        self.y.slice(at..at + self.pixels.len() * S::LANES)
                    });
                }
            }
        }
    }
}

pub(super) fn forward(
    shape: &super::Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let sizes = Shape::new(isa, shape);
    let plane = sizes.plane;
    let lanes = isa.lanes();
    let image = sizes.in_blocks * plane * lanes;
    let result = sizes.out_blocks * plane * lanes;
    let places: Vec<u32> = (0..blocked::blocks(isa, sizes.group_in))
        .map(|b| (b * plane * lanes) as u32)
        .collect();
    let pixel = sizes.in_blocks * lanes * size_of::<f32>();
    let cut = Cut::new(&Work::new(isa, shape, plane, pixel));
    let y = DisjointMut::new(y);
    parallel_for(shape.batch * cut.tasks(), &|task| {
        let (index, n) = (task % cut.tasks(), task / cut.tasks());
        let (pixels, pairs) = cut.task(index);
        dispatch(
            isa,
            Part {
                shape: &sizes,
                x: &x[n * image..(n + 1) * image],
                places: &places,
                weight: weight.data(),
                y: &y,
                start: n * result,
                pixels,
                pairs,
                epilogue,
            },
        );
    });
}
