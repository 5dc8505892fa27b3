//! The convolution as products: weights times gathered patches, cut into
//! tasks over images, groups, output elements and output channels.

use super::halo::{Fill, Halo, SLACK};
use super::patches::Patches;
use super::tail;
use crate::cache;
use crate::isa::Isa;
use crate::matmul::Tail;
use crate::matmul::block::{Block, PackedLeft, Panels, Right, k_longest, row_panel, row_panels};
use crate::matmul::tile::{Rows, panel_width, tile_cols};
use crate::pool::{self, DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Simd, dispatch};
use std::ops::Range;

/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 18;
/// Tasks a thread gets, so that a slow one can be relieved.
const TASKS_PER_THREAD: usize = 4;

/// Output channels up to which an image is copied with its surroundings.
const FEW_CHANNELS: usize = 64;

/// y[n, g, r, element] = sum over (c, t) of weight[g][r, (c, t)] times the
/// patch element of x[n, g].
pub(super) struct Product<'a> {
    pub isa: Isa,
    pub batch: usize,
    pub groups: usize,
    /// Output channels of a group.
    pub m: usize,
    /// Input channels of a group.
    pub channels: usize,
    pub x: &'a [f32],
    pub h: usize,
    pub w: usize,
    pub taps: &'a [[isize; 2]],
    pub grid: [usize; 2],
    pub step: [usize; 2],
    /// All groups' packed weights.
    pub weight: &'a [f32],
}

/// How many tasks one of `units` independent parts of the work should be.
pub(super) fn tasks_wanted(work: usize, units: usize) -> usize {
    let threads = pool::threads_here();
    if threads == 1 {
        return 1;
    }
    (work / TASK)
        .clamp(1, threads * TASKS_PER_THREAD)
        .div_ceil(units)
}

/// The most columns of a right block: half the second-level cache.
pub(super) fn most_cols(isa: Isa, k: usize) -> usize {
    let line = k_longest(k).max(1) * size_of::<f32>();
    (cache::l2() / 2 / line).max(4 * tile_cols(isa))
}

/// Part `i` of `parts` of `n` columns, cut at panels.
pub(super) fn col_part(isa: Isa, n: usize, parts: usize, i: usize) -> Range<usize> {
    let step = tile_cols(isa);
    let panels = n.div_ceil(step);
    let edge = |i: usize| n.min(panels * i / parts * step);
    edge(i)..edge(i + 1)
}

impl Product<'_> {
    fn k(&self) -> usize {
        self.channels * self.taps.len()
    }

    fn plane(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// The images of group `group`.
    fn patches(&self, group: usize) -> Patches<'_> {
        let image = self.groups * self.channels * self.h * self.w;
        let from = (group * self.channels * self.h * self.w).min(self.x.len());
        Patches {
            x: &self.x[from..],
            image,
            h: self.h,
            w: self.w,
            taps: self.taps,
            grid: self.grid,
            step: self.step,
        }
        .flattened()
    }

    pub fn run(&self, y: &mut [f32], tail: Option<Tail<'_>>) {
        let rows = tail.filter(|_| self.plane() >= tail::LONG);
        let to = DisjointMut::new(y);
        if self.few_channels() {
            self.run_bands(&to, rows);
        } else {
            self.run_patches(&to, rows);
        }
        if rows.is_none() {
            tail::at_once(y, tail);
        }
    }

    /// Whether gathering patches would cost much beside the products: then
    /// the image is copied once with its surroundings, and every row of a
    /// panel read from its own place.
    fn few_channels(&self) -> bool {
        let reach = self.taps.iter().map(|tap| tap[1]).max().unwrap_or(0)
            - self.taps.iter().map(|tap| tap[1]).min().unwrap_or(0);
        // Elements between the rows are computed for nothing.
        let wasted = reach as usize / self.step[1];
        self.taps.len() > 1 && self.m <= FEW_CHANNELS && wasted * 5 <= self.grid[1]
    }

    fn run_patches(&self, y: &DisjointMut<'_, f32>, tail: Option<Tail<'_>>) {
        let plane = self.plane();
        // Panels that a small image would leave part empty run on into the
        // next image.
        let merge = self.batch > 1 && panel_width(self.isa, plane) * 10 > plane * 11;
        let (images, n) = if merge {
            (1, self.batch * plane)
        } else {
            (self.batch, plane)
        };
        let units = images * self.groups;
        let want = tasks_wanted(self.work(), units);
        let panels = n.div_ceil(tile_cols(self.isa));
        let cols = n
            .div_ceil(most_cols(self.isa, self.k()))
            .max(want)
            .min(panels);
        let all = row_panels(self.isa, self.m);
        let rows = want.div_ceil(cols).min(all);
        parallel_for(units * cols * rows, &|task| {
            let (i, rest) = (task % rows, task / rows);
            let (j, unit) = (rest % cols, rest / cols);
            let (group, image) = (unit % self.groups, unit / self.groups);
            let tiles = all * i / rows..all * (i + 1) / rows;
            let cols = col_part(self.isa, n, cols, j);
            if merge {
                self.across_images(group, tiles, cols, y, tail);
            } else {
                self.within_image(group, image, tiles, cols, y, tail);
            }
        });
    }

    fn run_bands(&self, y: &DisjointMut<'_, f32>, tail: Option<Tail<'_>>) {
        let units = self.batch * self.groups;
        let want = tasks_wanted(self.work(), units);
        // A band's copy stays in the second-level cache.
        let size = [self.h, self.w];
        let whole = Halo::new(size, 0, self.grid, self.step, self.taps);
        let bytes = whole.len() * self.channels * size_of::<f32>();
        let bands = bytes.div_ceil(cache::l2() / 2).max(want).min(self.grid[0]);
        parallel_for(units * bands, &|task| {
            let (band, unit) = (task % bands, task / bands);
            let band = self.grid[0] * band / bands..self.grid[0] * (band + 1) / bands;
            self.band(unit, band, y, tail);
        });
    }

    fn work(&self) -> usize {
        self.batch * self.groups * self.m * self.k() * self.plane()
    }

    /// Rows `band` of all output channels of image and group `unit`.
    fn band(
        &self,
        unit: usize,
        band: Range<usize>,
        y: &DisjointMut<'_, f32>,
        tail: Option<Tail<'_>>,
    ) {
        let (m, plane, grid_w) = (self.m, self.plane(), self.grid[1]);
        let grid = [band.len(), grid_w];
        let halo = Halo::new([self.h, self.w], band.start, grid, self.step, self.taps);
        let mut copy = Scratch::take(self.channels * halo.len() + SLACK);
        let size = self.h * self.w;
        let mut places = Vec::with_capacity(self.k());
        for channel in 0..self.channels {
            let from = channel * halo.len();
            let plane = &self.x[(unit * self.channels + channel) * size..][..size];
            let copy = &mut copy[from..from + halo.len() + SLACK];
            dispatch(
                self.isa,
                Fill {
                    halo: &halo,
                    plane,
                    copy,
                },
            );
            places.extend(halo.places.iter().map(|place| place + from as u32));
        }
        // Output rows at the copy's pitch, then without what is between them.
        let width = (band.len() - 1) * halo.line + grid_w;
        let mut values = Scratch::take(m * width);
        let right = Placed {
            copy: &copy,
            places: &places,
        };
        let tiles = 0..row_panels(self.isa, m);
        self.block(
            unit % self.groups,
            &right,
            tiles,
            0..width,
            values.as_mut_ptr(),
            width,
        );
        for (row, values) in values.chunks_exact(width).enumerate() {
            let start = (unit * m + row) * plane + band.start * grid_w;
            // SAFETY: tasks write different bands.
            let to = unsafe { y.slice(start..start + band.len() * grid_w) };
            for (to, from) in to.chunks_exact_mut(grid_w).zip(values.chunks(halo.line)) {
                to.copy_from_slice(&from[..grid_w]);
            }
            if let Some(tail) = tail {
                tail(start, to);
            }
        }
    }

    /// The rows of the group's tiles `tiles`.
    fn rows(&self, tiles: &Range<usize>) -> Range<usize> {
        let all = row_panels(self.isa, self.m);
        row_panel(all, self.m, tiles.start).start..row_panel(all, self.m, tiles.end - 1).end
    }

    /// Tiles of C at `c`, element (0, 0) of the group's matrix.
    fn block<R: Right>(
        &self,
        group: usize,
        right: &R,
        tiles: Range<usize>,
        cols: Range<usize>,
        c: *mut f32,
        c_row: usize,
    ) {
        let (m, k) = (self.m, self.k());
        let left = &PackedLeft(&self.weight[group * m * k..][..m * k]);
        let all = row_panels(self.isa, m);
        dispatch(
            self.isa,
            Block {
                left,
                right,
                m,
                k,
                tiles,
                all,
                cols,
                c,
                c_row,
                left_stays: true,
                epilogue: None,
            },
        );
    }

    fn within_image(
        &self,
        group: usize,
        image: usize,
        tiles: Range<usize>,
        cols: Range<usize>,
        y: &DisjointMut<'_, f32>,
        tail: Option<Tail<'_>>,
    ) {
        let plane = self.plane();
        let patches = self.patches(group);
        let patches = Patches {
            x: &patches.x[image * patches.image..],
            ..patches
        };
        let start = (image * self.groups + group) * self.m * plane;
        // SAFETY: `start` lies in y; tasks write different elements.
        let c = unsafe { y.as_mut_ptr().add(start) };
        self.block(group, &patches, tiles.clone(), cols.clone(), c, plane);
        if let Some(tail) = tail {
            for row in self.rows(&tiles) {
                let at = start + row * plane;
                // SAFETY: as above.
                tail(at + cols.start, unsafe {
                    y.slice(at + cols.start..at + cols.end)
                });
            }
        }
    }

    fn across_images(
        &self,
        group: usize,
        tiles: Range<usize>,
        cols: Range<usize>,
        y: &DisjointMut<'_, f32>,
        tail: Option<Tail<'_>>,
    ) {
        let plane = self.plane();
        let rows = self.rows(&tiles);
        let width = cols.len();
        let mut block = Scratch::take(rows.len() * width);
        // Where (0, 0) would be: only the block's own part is touched.
        let c = block
            .as_mut_ptr()
            .wrapping_sub(rows.start * width + cols.start);
        self.block(group, &self.patches(group), tiles, cols.clone(), c, width);
        for (row, values) in rows.zip(block.chunks_exact(width)) {
            let mut at = cols.start;
            while at < cols.end {
                let (image, from) = (at / plane, at % plane);
                let len = (plane - from).min(cols.end - at);
                let start = ((image * self.groups + group) * self.m + row) * plane + from;
                // SAFETY: tasks write different elements.
                let piece = unsafe { y.slice(start..start + len) };
                piece.copy_from_slice(&values[at - cols.start..][..len]);
                if let Some(tail) = tail {
                    tail(start, piece);
                }
                at += len;
            }
        }
    }
}

/// A right operand read in place: row k begins at `places[k]`.
struct Placed<'a> {
    copy: &'a [f32],
    places: &'a [u32],
}

impl Right for Placed<'_> {
    fn scratch(&self, _: Isa, _: usize, _: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        _: S,
        k: Range<usize>,
        cols: Range<usize>,
        _: &mut [f32],
    ) -> Panels<'_> {
        Panels {
            start: self.copy[cols.start..].as_ptr(),
            step: tile_cols(S::ISA),
            rows: Some(Rows::At(&self.places[k])),
        }
    }
}
