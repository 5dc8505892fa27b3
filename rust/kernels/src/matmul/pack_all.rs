//! Whole operands packed ahead of the product, on all threads.
//!
//! A packed operand is block of K after block of K; in a block, panel after
//! panel.

use super::block::{k_range, k_ranges, row_panel, row_panels};
use super::pack::{Raw, pack_left, pack_right_panels};
use super::tile::{panel_width, tile_cols};
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Tiles packed by one task.
const PANELS: usize = 8;

/// An operand, its rows (a left one's) or columns (a right one's), and where
/// to.
pub(crate) struct Job<'a> {
    pub raw: Raw,
    pub range: Range<usize>,
    pub dst: &'a mut [f32],
}

/// Packs a left operand's rows, which must be all of it, and a right operand's
/// columns.
pub(crate) fn pack_all(isa: Isa, k: usize, left: Option<Job<'_>>, right: Option<Job<'_>>) {
    let left = left.filter(|job| !job.range.is_empty()).map(|job| {
        let groups = row_panels(isa, job.range.len()).div_ceil(PANELS);
        (job.raw, job.range, groups, DisjointMut::new(job.dst))
    });
    let right = right.filter(|job| !job.range.is_empty()).map(|job| {
        let groups = job.range.len().div_ceil(PANELS * tile_cols(isa));
        (job.raw, job.range, groups, DisjointMut::new(job.dst))
    });
    let blocks = k_ranges(k);
    let lefts = left.as_ref().map_or(0, |job| job.2) * blocks;
    let rights = right.as_ref().map_or(0, |job| job.2) * blocks;
    parallel_for(lefts + rights, &|task| {
        if let Some((raw, rows, groups, dst)) = &left
            && task < lefts
        {
            let k = k_range(k, task / groups);
            left_group(isa, *raw, rows.len(), k, task % groups, dst);
        } else if let Some((raw, cols, groups, dst)) = &right {
            let task = task - lefts;
            let k = k_range(k, task / groups);
            right_group(isa, *raw, cols.clone(), k, task % groups, dst);
        }
    });
}

fn left_group(
    isa: Isa,
    raw: Raw,
    m: usize,
    k: Range<usize>,
    group: usize,
    dst: &DisjointMut<'_, f32>,
) {
    let all = row_panels(isa, m);
    let tiles = group * PANELS..all.min((group + 1) * PANELS);
    let first = row_panel(all, m, tiles.start).start;
    let len = (row_panel(all, m, tiles.end - 1).end - first) * k.len();
    let start = k.start * m + first * k.len();
    // SAFETY: tasks fill different panels.
    let dst = unsafe { dst.slice(start..start + len) };
    dispatch(
        isa,
        PackLeft {
            raw,
            m,
            all,
            k,
            tiles,
            dst,
        },
    );
}

fn right_group(
    isa: Isa,
    raw: Raw,
    cols: Range<usize>,
    k: Range<usize>,
    group: usize,
    dst: &DisjointMut<'_, f32>,
) {
    let step = PANELS * tile_cols(isa);
    let part = group * step..cols.len().min((group + 1) * step);
    let start = k.start * panel_width(isa, cols.len()) + part.start * k.len();
    let len = k.len() * panel_width(isa, part.len());
    // SAFETY: tasks fill different panels.
    let dst = unsafe { dst.slice(start..start + len) };
    let cols = cols.start + part.start..cols.start + part.end;
    dispatch(isa, PackRight { raw, k, cols, dst });
}

struct PackLeft<'a> {
    raw: Raw,
    m: usize,
    all: usize,
    k: Range<usize>,
    tiles: Range<usize>,
    dst: &'a mut [f32],
}

impl Kernel for PackLeft<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut at = 0;
        for tile in self.tiles {
            let rows = row_panel(self.all, self.m, tile);
            let len = rows.len() * self.k.len();
            let dst = self.dst[at..at + len].as_mut_ptr();
            // SAFETY: rows of a checked matrix; `dst` as above.
            unsafe { pack_left(s, self.raw, rows, self.k.clone(), dst) }
            at += len;
        }
    }
}

struct PackRight<'a> {
    raw: Raw,
    k: Range<usize>,
    cols: Range<usize>,
    dst: &'a mut [f32],
}

impl Kernel for PackRight<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        assert!(self.dst.len() >= self.k.len() * panel_width(S::ISA, self.cols.len()));
        // SAFETY: columns of a checked matrix; `dst` as above.
        unsafe { pack_right_panels(s, self.raw, self.k, self.cols, self.dst.as_mut_ptr()) }
    }
}
