//! The weight's gradient.

use super::depthwise;
use super::patches::{Patches, Transposed};
use super::product::{col_part, most_cols, tasks_wanted};
use super::row_sums::RowSums;
use super::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::block::{Block, Left, LeftPanels, Panels, Right, row_panel, row_panels};
use crate::matmul::pack::{Raw, pack_left};
use crate::matmul::tile::tile_cols;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Simd, dispatch};
use std::ops::Range;

/// Output tiles below which the sum over output elements is cut in parts, so
/// that there is work for several threads.
const FEW_TILES: usize = 16;
/// The least elements of a part.
const PART: usize = 4096;

/// dw[o, c, a, b] = sum over n, i, j of dy[n, o, i, j] x[n, c, i * stride + a *
/// dilation - pad, ...].
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_weight(isa: Isa, shape: &Conv2dShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    shape.check(x.len(), dw.len(), dy.len());
    if dw.is_empty() {
        return;
    }
    if dy.is_empty() {
        dw.fill(0.0);
        return;
    }
    if shape.is_depthwise() {
        depthwise::backward_weight(isa, shape, x, dy, dw);
        return;
    }
    let taps = &shape.taps();
    if let Some(sums) = RowSums::new(isa, shape, taps) {
        sums.run(x, dy, dw);
        return;
    }
    let (m, n) = (shape.group_out(), shape.group_in() * shape.kernel());
    let k = shape.batch * shape.out_plane();
    // By shape alone: the parts' sums are added up.
    let tiles = shape.groups * row_panels(isa, m) * n.div_ceil(tile_cols(isa));
    let parts = FEW_TILES.div_ceil(tiles).min(k / PART).max(1);
    let job = Job {
        isa,
        shape,
        x,
        dy,
        taps,
        m,
        n,
        parts,
    };
    if parts == 1 {
        job.run(dw);
        return;
    }
    let mut sums = Scratch::take(parts * dw.len());
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
    dy: &'a [f32],
    taps: &'a [[isize; 2]],
    m: usize,
    n: usize,
    parts: usize,
}

impl Job<'_> {
    /// Every part's sum, one after the other.
    fn run(&self, sums: &mut [f32]) {
        let Job {
            isa,
            shape,
            m,
            n,
            parts,
            ..
        } = *self;
        let k = shape.batch * shape.out_plane();
        let units = parts * shape.groups;
        let want = tasks_wanted(shape.groups * m * n * k, units);
        let panels = n.div_ceil(tile_cols(isa));
        let cols = n.div_ceil(most_cols(isa, k)).max(want).min(panels);
        let all = row_panels(isa, m);
        let rows = want.div_ceil(cols).min(all);
        let sums = DisjointMut::new(sums);
        parallel_for(units * cols * rows, &|task| {
            let (i, rest) = (task % rows, task / rows);
            let (j, unit) = (rest % cols, rest / cols);
            let (group, part) = (unit % shape.groups, unit / shape.groups);
            let range = k * part / parts..k * (part + 1) / parts;
            let block = Block {
                left: &self.left(group, range.start),
                right: &self.right(group, range.start),
                m,
                k: range.len(),
                tiles: all * i / rows..all * (i + 1) / rows,
                all,
                cols: col_part(isa, n, cols, j),
                // SAFETY: the unit's matrix lies in `sums`; tasks write
                // different elements.
                c: unsafe { sums.as_mut_ptr().add(unit * m * n) },
                c_row: n,
                left_stays: false,
                epilogue: None,
            };
            dispatch(isa, block);
        });
    }

    fn left(&self, group: usize, first: usize) -> OutputRows {
        let plane = self.shape.out_plane();
        OutputRows {
            start: self.dy[group * self.m * plane..].as_ptr(),
            image: self.shape.out_c * plane,
            plane,
            first,
        }
    }

    fn right(&self, group: usize, first: usize) -> From<Transposed<'_>> {
        let shape = self.shape;
        let plane = shape.in_plane();
        let patches = Patches {
            x: &self.x[(group * shape.group_in() * plane).min(self.x.len())..],
            image: shape.in_c * plane,
            h: shape.in_h,
            w: shape.in_w,
            taps: self.taps,
            grid: [shape.out_h(), shape.out_w()],
            step: shape.stride,
        };
        From {
            inner: Transposed(patches.flattened()),
            first,
        }
    }
}

/// The output's gradient as a left operand: rows are a group's channels,
/// columns the elements of all images from `first` on.
struct OutputRows {
    start: *const f32,
    image: usize,
    plane: usize,
    first: usize,
}

// SAFETY: only read, while the gradient is borrowed.
unsafe impl Sync for OutputRows {}

impl Left for OutputRows {
    fn scratch(&self, rows: usize, k: usize) -> usize {
        rows * k
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        tiles: Range<usize>,
        all: usize,
        m: usize,
        k: Range<usize>,
        scratch: &mut [f32],
    ) -> LeftPanels {
        let len = k.len();
        let top = row_panel(all, m, tiles.start).start;
        for tile in tiles {
            let rows = row_panel(all, m, tile);
            let panel = &mut scratch[(rows.start - top) * len..][..rows.len() * len];
            let mut at = 0;
            while at < len {
                let element = self.first + k.start + at;
                let (image, from) = (element / self.plane, element % self.plane);
                let piece = (self.plane - from).min(len - at);
                // SAFETY: elements of image `image`; the panel was sliced.
                unsafe {
                    let start = self.start.add(image * self.image);
                    let raw = Raw {
                        start,
                        row_stride: self.plane,
                        col_stride: 1,
                    };
                    let dst = panel.as_mut_ptr().add(at * rows.len());
                    pack_left(s, raw, rows.clone(), from..from + piece, dst);
                }
                at += piece;
            }
        }
        LeftPanels {
            start: scratch.as_ptr(),
            row: len,
            in_place: false,
        }
    }
}

/// A right operand's rows from `first` on.
struct From<R> {
    inner: R,
    first: usize,
}

impl<R: Right> Right for From<R> {
    fn scratch(&self, isa: Isa, cols: usize, k: usize) -> usize {
        self.inner.scratch(isa, cols, k)
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        k: Range<usize>,
        cols: Range<usize>,
        scratch: &mut [f32],
    ) -> Panels<'_> {
        // SAFETY: the caller's.
        unsafe {
            self.inner
                .panels(s, self.first + k.start..self.first + k.end, cols, scratch)
        }
    }
}
