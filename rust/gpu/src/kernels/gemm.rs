//! What every tiled product shares: tiles, the grid, splits of a long sum.

use minijinja::context;

use super::{Arg, Kernel, KernelDispatch, Kernels, finish::Finish};
use crate::{adapter::Caps, error::Result, params::params, program::Access};

/// How a workgroup shares one tile of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Invocations along the result's columns and rows.
    pub across: usize,
    pub down: usize,
    /// Rows, and vec4s of columns, that each invocation computes.
    pub rows: usize,
    pub quads: usize,
    /// Terms of the sum that are in workgroup memory at once.
    pub depth: usize,
}

const WIDE: Tile = Tile {
    across: 32,
    down: 2,
    rows: 4,
    quads: 1,
    depth: 16,
};
const TALL: Tile = Tile {
    across: 2,
    down: 32,
    rows: 4,
    quads: 1,
    depth: 16,
};
const SMALL: Tile = Tile {
    across: 8,
    down: 8,
    rows: 4,
    quads: 1,
    depth: 16,
};
const MEDIUM: Tile = Tile {
    across: 16,
    down: 16,
    rows: 4,
    quads: 1,
    depth: 16,
};
const LARGE: Tile = Tile {
    across: 16,
    down: 16,
    rows: 8,
    quads: 2,
    depth: 16,
};

/// Workgroups that keep a large GPU busy.
const BUSY: usize = 128;

impl Tile {
    pub const fn height(self) -> usize {
        self.down * self.rows
    }

    pub const fn width(self) -> usize {
        self.across * self.quads * 4
    }

    pub const fn invocations(self) -> usize {
        self.across * self.down
    }

    /// Bytes of workgroup memory.
    pub const fn shared(self) -> usize {
        4 * self.depth * (self.height() + self.width())
    }

    const fn fits(self, caps: &Caps) -> bool {
        self.invocations() <= caps.max_invocations as usize
            && self.shared() <= caps.max_workgroup_storage as usize
    }

    /// The tile for `batch` results of m x n: as large as leaves enough workgroups.
    pub fn pick(m: usize, n: usize, batch: usize, caps: &Caps) -> Tile {
        if m <= WIDE.height() && n > SMALL.width() {
            return WIDE;
        }
        if n <= TALL.width() && m > SMALL.height() {
            return TALL;
        }
        let tiles = |tile: Tile| m.div_ceil(tile.height()) * n.div_ceil(tile.width()) * batch;
        let worth = |tile: &Tile| {
            let padded = tiles(*tile) * tile.height() * tile.width();
            // At most a third of the work may fall outside the result.
            tile.fits(caps) && tiles(*tile) >= BUSY / 2 && 2 * padded <= 3 * m * n * batch
        };
        [LARGE, MEDIUM].into_iter().find(worth).unwrap_or(SMALL)
    }
}

/// One product of m x k by k x n for each of `batch`, tiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub tile: Tile,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub batch: usize,
    /// Parts into which the sum is cut, each of `chunk` terms.
    pub splits: usize,
    pub chunk: usize,
}

impl Grid {
    /// A sum is cut where it is long and the result small; where follows from sizes alone.
    pub fn new(m: usize, n: usize, k: usize, batch: usize, caps: &Caps) -> Grid {
        let tile = Tile::pick(m, n, batch, caps);
        let tiles = m.div_ceil(tile.height()) * n.div_ceil(tile.width()) * batch;
        let most = (k / (16 * tile.depth)).clamp(1, 64);
        let wanted = (BUSY / 2 / tiles.max(1)).clamp(1, most);
        let chunk = k.div_ceil(wanted).max(1).next_multiple_of(tile.depth);
        Grid {
            tile,
            m,
            n,
            k,
            batch,
            splits: k.div_ceil(chunk).max(1),
            chunk,
        }
    }

    pub fn workgroups(&self) -> u64 {
        let [down, across] = self.tiles();
        (down * across * self.batch * self.splits) as u64
    }

    fn tiles(&self) -> [usize; 2] {
        [
            self.m.div_ceil(self.tile.height()),
            self.n.div_ceil(self.tile.width()),
        ]
    }

    pub fn params(&self) -> GridParams {
        let [down, across] = self.tiles();
        GridParams {
            m: self.m as u32,
            n: self.n as u32,
            k: self.k as u32,
            chunk: self.chunk as u32,
            tiles_down: down as u32,
            tiles_across: across as u32,
            batch: self.batch as u32,
            workgroups: self.workgroups() as u32,
        }
    }

    /// A kernel over this grid; `a_along_k` and `b_along_k` say whether neighbouring invocations
    /// read neighbours along the sum.
    pub fn kernel(&self, template: &'static str, a_along_k: bool, b_along_k: bool) -> Kernel {
        let tile = self.tile;
        let slots = |quads: usize| quads.div_ceil(tile.invocations());
        let (a_quads, b_quads) = (
            tile.height() * tile.depth / 4,
            tile.depth * tile.width() / 4,
        );
        Kernel::new(template, [tile.across as u32, tile.down as u32, 1])
            .shared(tile.shared())
            .set("tile", context! {
                across => tile.across, down => tile.down, rows => tile.rows, quads => tile.quads,
                depth => tile.depth, height => tile.height(), width => tile.width(),
                a_quads, b_quads, a_slots => slots(a_quads), b_slots => slots(b_quads),
                invocations => tile.invocations(), a_along_k, b_along_k,
            })
    }
}

params! {
    /// The sizes of a tiled product.
    pub(crate) struct GridParams {
        m: u32,
        n: u32,
        k: u32,
        chunk: u32,
        tiles_down: u32,
        tiles_across: u32,
        batch: u32,
        workgroups: u32,
    }
}

params! {
    struct SumParams {
        size: u32,
        splits: u32,
        dims: Vec<u32>,
    }
}

/// A product alone, or with the sum of its parts.
pub(crate) fn with_sum(
    product: KernelDispatch,
    grid: &Grid,
    shape: &[usize],
    finish: &Finish,
    caps: &Caps,
) -> Result<Kernels> {
    if grid.splits == 1 {
        return Ok(product.into());
    }
    let size: usize = shape.iter().product();
    let sum = sum_splits(grid.splits, shape, finish, caps)?;
    Ok(Kernels {
        dispatches: vec![product, sum],
        scratch: vec![(4 * grid.splits * size) as u64],
    })
}

/// Adds up the parts of a split sum and finishes: `shape` is the output's, in `finish`'s
/// coordinates; the parts are in scratch 0.
fn sum_splits(
    splits: usize,
    shape: &[usize],
    finish: &Finish,
    caps: &Caps,
) -> Result<KernelDispatch> {
    let size: usize = shape.iter().product();
    let params = SumParams {
        size: size as u32,
        splits: splits as u32,
        dims: shape.iter().map(|&n| n as u32).collect(),
    };
    let workgroup = caps.max_invocations.min(256);
    let kernel = Kernel::new("sum_splits", [workgroup, 1, 1])
        .bind("parts", finish.sum().word(), Access::Read, Arg::Scratch(0))
        .set("rank", shape.len());
    finish
        .result(kernel, false, false)
        .params(finish.params(params.fields(), false))
        .build((size as u64).div_ceil(u64::from(workgroup)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_fits_the_portable_limits() {
        for tile in [WIDE, TALL, SMALL, MEDIUM, LARGE] {
            assert!(tile.fits(&Caps::portable()), "{tile:?}");
        }
    }

    #[test]
    fn splits_cover_the_sum() {
        let caps = Caps::portable();
        for (m, n, k) in [
            (1, 1, 0),
            (1, 1, 1),
            (8, 9, 100_000),
            (64, 64, 4096),
            (1000, 1000, 1000),
            (3, 500, 777),
        ] {
            let grid = Grid::new(m, n, k, 1, &caps);
            assert!(
                grid.chunk * grid.splits >= k && (k == 0 || grid.chunk * (grid.splits - 1) < k)
            );
            assert_eq!(grid.chunk % grid.tile.depth, 0);
        }
        assert!(Grid::new(8, 9, 100_000, 1, &caps).splits >= 32);
        assert_eq!(Grid::new(1000, 1000, 1000, 1, &caps).splits, 1);
    }
}
