//! MobileNetV2's block as one kernel (Sandler et al., 2018): a 1x1
//! convolution that widens, a depthwise one, and a 1x1 that narrows.  Some
//! rows at a time, so that the wide image never leaves the second-level cache.

use super::depthwise::Row;
use super::tile::{Ahead, Tile, VECTORS, tile, tiles};
use super::weight::BlockedConvWeight;
use super::{Conv2dShape, Epilogue, Shape};
use crate::blocked;
use crate::cache;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for, threads_here};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Result rows computed together, at most.
const ROWS: usize = 8;

/// A convolution of the block.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    pub weight: &'a BlockedConvWeight,
    pub epilogue: &'a Epilogue<'a>,
}

/// The block's three convolutions, of which the first may be missing.
pub struct InvertedResidual<'a> {
    /// Of the depthwise convolution.
    pub shape: &'a Conv2dShape,
    pub in_c: usize,
    pub out_c: usize,
    pub expand: Option<Stage<'a>>,
    pub depthwise: Stage<'a>,
    /// Alone may have a residual.
    pub project: Stage<'a>,
}

/// Whether one kernel beats three: the wide image does not fit the
/// second-level cache beside what else is used.
pub fn pays(isa: Isa, shape: &Conv2dShape) -> bool {
    let wide = blocked::len(isa, shape.batch, shape.in_c, shape.in_plane()) * size_of::<f32>();
    wide > cache::l2() / 2
}

/// What the parts of a task share.
struct Part<'a> {
    block: &'a InvertedResidual<'a>,
    /// The image, in blocks.
    x: &'a [f32],
    y: &'a DisjointMut<'a, f32>,
    /// Where the image's result begins.
    start: usize,
    rows: Range<usize>,
    /// Result rows computed together.
    together: usize,
}

/// Rows of input that `together` rows of results reach.
fn reach(shape: &Conv2dShape, together: usize) -> usize {
    (together - 1) * shape.stride[0] + (shape.kernel_h - 1) * shape.dilation[0] + 1
}

/// A product of pixels side by side with a packed 1x1 weight.
struct Pixels<'a> {
    x: *const f32,
    places: &'a [u32],
    in_c: usize,
    out_blocks: usize,
    weight: &'a [f32],
    epilogue: &'a Epilogue<'a>,
    y: *mut f32,
    /// From a block of results to the next one.
    block: usize,
    /// As `y`; null: none.
    residual: *const f32,
    count: usize,
}

impl Pixels<'_> {
    /// # Safety
    /// The operands can be accessed so.
    #[inline(always)]
    unsafe fn pair<S: Simd>(&self, s: S, pair: usize) {
        let first = pair * VECTORS;
        let vectors = VECTORS.min(self.out_blocks - first);
        for (at, count) in tiles(S::ISA, self.count) {
            let out = first * self.block + at * S::LANES;
            let t = Tile {
                x: self.x.wrapping_add(at * S::LANES),
                places: self.places,
                full: self.in_c / S::LANES,
                last: self.in_c % S::LANES,
                w: self.weight[first * S::LANES * self.in_c..].as_ptr(),
                out: self.y.wrapping_add(out),
                out_block: self.block,
                bias: self.epilogue.bias_at(first * S::LANES),
                residual: if self.residual.is_null() {
                    self.residual
                } else {
                    self.residual.wrapping_add(out)
                },
                activation: self.epilogue.activation,
                ahead: Ahead::NOTHING,
            };
            // SAFETY: the caller's.
            unsafe { tile::<S, false>(s, count, vectors, &t) };
        }
    }
}

impl Kernel for Part<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let InvertedResidual { shape, expand, .. } = self.block;
        let sizes = Shape::new(S::ISA, shape);
        let (in_line, out_line) = (shape.in_w * S::LANES, shape.out_w() * S::LANES);
        let wide_blocks = sizes.in_blocks;
        // A ring of rows of the wide image, block by block.
        let ring = reach(shape, self.together);
        let (wide_block, mut wide) = match expand {
            Some(_) => (ring * in_line, Scratch::take(wide_blocks * ring * in_line)),
            None => (shape.in_h * in_line, Scratch::take(0)),
        };
        let narrow_block = self.together * out_line;
        let mut narrow = Scratch::take(wide_blocks * narrow_block);
        let places = |blocks: usize, step: usize| -> Vec<u32> {
            (0..blocks).map(|b| (b * step) as u32).collect()
        };
        let in_blocks = blocked::blocks(S::ISA, self.block.in_c);
        let from_x = places(in_blocks, shape.in_plane() * S::LANES);
        let from_narrow = places(wide_blocks, narrow_block);
        let mut lines = Vec::with_capacity(shape.kernel_h);
        let mut done = 0;
        for first in self.rows.clone().step_by(self.together) {
            let rows = first..self.rows.end.min(first + self.together);
            if let Some(stage) = expand {
                let top = (first * shape.stride[0]).saturating_sub(shape.pads[0]);
                let bottom = (first * shape.stride[0] + reach(shape, rows.len()))
                    .saturating_sub(shape.pads[0])
                    .min(shape.in_h);
                let new = top.max(done)..bottom;
                done = done.max(bottom);
                for pair in 0..wide_blocks.div_ceil(VECTORS) {
                    for row in new.clone() {
                        let pixels = Pixels {
                            x: self.x[row * in_line..].as_ptr(),
                            places: &from_x,
                            in_c: self.block.in_c,
                            out_blocks: wide_blocks,
                            weight: stage.weight.data(),
                            epilogue: stage.epilogue,
                            y: wide[row % ring * in_line..].as_mut_ptr(),
                            block: wide_block,
                            residual: std::ptr::null(),
                            count: shape.in_w,
                        };
                        // SAFETY: `run` checked the sizes.
                        unsafe { pixels.pair(s, pair) };
                    }
                }
            }
            let depthwise = &self.block.depthwise;
            let source = if expand.is_some() { &wide } else { self.x };
            for block in 0..wide_blocks {
                for (i, row) in rows.clone().enumerate() {
                    let at = Row {
                        x: source[block * wide_block..].as_ptr(),
                        weight: depthwise.weight.data()[block * shape.kernel() * S::LANES..]
                            .as_ptr(),
                        bias: depthwise.epilogue.bias_at(block * S::LANES),
                        residual: std::ptr::null(),
                        y: narrow[block * narrow_block + i * out_line..].as_mut_ptr(),
                        activation: depthwise.epilogue.activation,
                    };
                    let place = |y: usize| {
                        let y = if expand.is_some() { y % ring } else { y };
                        y * in_line
                    };
                    // SAFETY: the ring holds the rows that these results reach.
                    unsafe { at.run(s, shape, row, place, &mut lines) };
                }
            }
            let project = &self.block.project;
            let out = self.start + first * out_line;
            let out_blocks = blocked::blocks(S::ISA, self.block.out_c);
            let pixels = Pixels {
                x: narrow.as_ptr(),
                places: &from_narrow,
                in_c: shape.out_c,
                out_blocks,
                weight: project.weight.data(),
                epilogue: project.epilogue,
                // SAFETY: inside y; tasks write different rows.
                y: unsafe { self.y.as_mut_ptr().add(out) },
                block: sizes.plane * S::LANES,
                residual: project.epilogue.residual_at(out),
                count: rows.len() * shape.out_w(),
            };
            for pair in 0..out_blocks.div_ceil(VECTORS) {
                // SAFETY: as above.
                unsafe { pixels.pair(s, pair) };
            }
        }
    }
}

impl InvertedResidual<'_> {
    fn check(&self, x: &[f32], y: &[f32]) {
        let (isa, shape) = (self.depthwise.weight.isa(), self.shape);
        let len = |channels, plane| blocked::len(isa, shape.batch, channels, plane);
        assert_eq!(
            x.len(),
            len(self.in_c, shape.in_plane()),
            "inverted residual: x"
        );
        assert_eq!(
            y.len(),
            len(self.out_c, shape.out_plane()),
            "inverted residual: y"
        );
        self.depthwise.weight.check(shape);
        let product = |in_c, out_c| Conv2dShape {
            in_c,
            out_c,
            kernel_h: 1,
            kernel_w: 1,
            groups: 1,
            ..*shape
        };
        self.project.weight.check(&product(shape.out_c, self.out_c));
        match &self.expand {
            Some(expand) => expand.weight.check(&product(self.in_c, shape.in_c)),
            None => assert_eq!(self.in_c, shape.in_c, "inverted residual: x"),
        }
        let lanes = |channels: usize| channels.next_multiple_of(isa.lanes());
        let stages = self
            .expand
            .iter()
            .map(|s| (s, shape.in_c))
            .chain([(&self.depthwise, shape.in_c), (&self.project, self.out_c)]);
        for (stage, channels) in stages {
            let enough = |bias: &[f32]| bias.len() >= lanes(channels);
            assert!(
                stage.epilogue.bias.is_none_or(enough),
                "inverted residual: bias"
            );
            assert!(stage.epilogue.tail.is_none(), "inverted residual: tail");
        }
        let residual = self.project.epilogue.residual;
        assert!(
            residual.is_none_or(|r| r.len() == y.len()),
            "inverted residual: residual"
        );
    }

    /// y = the project stage of the depthwise of the expand stage of x.
    ///
    /// # Panics
    /// Where a slice or a weight has other sizes.
    pub fn run(&self, x: &[f32], y: &mut [f32]) {
        self.check(x, y);
        if y.is_empty() {
            return;
        }
        let (isa, shape) = (self.depthwise.weight.isa(), self.shape);
        let lanes = isa.lanes();
        let height = shape.out_h();
        // Rows at a time, by what of the wide image they bring along.
        let wide = blocked::blocks(isa, shape.in_c) * lanes * size_of::<f32>();
        let bytes = |rows: usize| {
            let ring = reach(shape, rows) * shape.in_w * usize::from(self.expand.is_some());
            wide * (ring + rows * shape.out_w())
        };
        let fits = |rows: &usize| bytes(*rows) <= cache::l2() / 2;
        let together = (1..=ROWS.min(height)).rev().find(fits).unwrap_or(1);
        // A part computes what its neighbour's windows reach a second time.
        let threads = threads_here();
        let parts = if threads == 1 || shape.batch >= 4 * threads {
            1
        } else {
            (2 * threads)
                .div_ceil(shape.batch)
                .min(height.div_ceil(together))
        };
        let (image, result) = (x.len() / shape.batch, y.len() / shape.batch);
        let y = DisjointMut::new(y);
        parallel_for(shape.batch * parts, &|task| {
            let (part, n) = (task % parts, task / parts);
            dispatch(
                isa,
                Part {
                    block: self,
                    x: &x[n * image..(n + 1) * image],
                    y: &y,
                    start: n * result,
                    rows: height * part / parts..height * (part + 1) / parts,
                    together,
                },
            );
        });
    }
}
