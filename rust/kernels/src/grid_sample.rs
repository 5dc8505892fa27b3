//! Images read at the places that a grid names, over one axis or several, and
//! the gradients.
//!
//! Each axis reads a few elements ([`axis::Taps`]); what a position reads is
//! their product.  It is found once, for a block of positions, and used for
//! every channel.

mod axis;
mod table;
#[cfg(test)]
mod tests;

pub use axis::{Form, Mode, Padding};

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks, threads_here};
use std::ops::Range;
pub use table::MAX_AXES;
use table::Table;

/// Fewer elements than this are made by the calling thread alone.
const MIN_CHUNK: usize = 1 << 13;
/// Fewer channels than this are not worth finding places for again.
const MIN_CHANNELS: usize = 8;
/// Positions whose places are found at once.
const BLOCK: usize = 128;

/// Images (batch, channels, axes) and grids (batch, positions, axes), whose
/// coordinates begin with that of the last axis.
#[derive(Clone, Debug)]
pub struct Shape {
    pub batch: usize,
    pub channels: usize,
    pub axes: Vec<usize>,
    pub positions: usize,
}

impl Shape {
    fn plane(&self) -> usize {
        self.axes.iter().product()
    }

    fn check(&self, x: usize, grid: usize, y: usize) -> bool {
        let planes = self.batch * self.channels;
        x == planes * self.plane()
            && grid == self.batch * self.positions * self.axes.len()
            && y == planes * self.positions
            && self.axes.iter().all(|&n| n > 0)
    }

    /// Runs `body(image, channels, positions)` for all, `taps` elements of
    /// work each: blocks of positions, and groups of channels where there are
    /// few of them.
    fn each(&self, taps: usize, body: impl Fn(usize, Range<usize>, Range<usize>) + Sync) {
        let blocks = self.positions.div_ceil(BLOCK);
        let wanted = (4 * threads_here()).div_ceil((self.batch * blocks).max(1));
        let groups = wanted.min(self.channels.div_ceil(MIN_CHANNELS)).max(1);
        let size = self.channels.div_ceil(groups).max(1);
        let work = taps * size * BLOCK.min(self.positions);
        let tasks = self.batch * groups * blocks;
        parallel_chunks(tasks, MIN_CHUNK.div_ceil(work.max(1)), |range| {
            for task in range {
                let (unit, block) = (task / blocks, task % blocks);
                let (image, first) = (unit / groups, unit % groups * size);
                let channels = first.min(self.channels)..self.channels.min(first + size);
                let positions = block * BLOCK..self.positions.min((block + 1) * BLOCK);
                body(image, channels, positions);
            }
        });
    }
}

/// `y` (batch, channels, positions): `x` where `grid` says.
pub fn grid_sample<T: Float>(shape: &Shape, form: Form, x: &[T], grid: &[T], y: &mut [T]) {
    assert!(shape.check(x.len(), grid.len(), y.len()));
    let (plane, positions) = (shape.plane(), shape.positions);
    let taps = form.taps().pow(shape.axes.len() as u32);
    let out = DisjointMut::new(y);
    shape.each(taps, |image, channels, range| {
        let table = Table::new(shape, form, grid, image, range.clone(), false);
        for c in channels {
            let c = image * shape.channels + c;
            let x = &x[c * plane..(c + 1) * plane];
            // SAFETY: tasks write channels and positions of their own.
            let y = unsafe { out.slice(c * positions + range.start..c * positions + range.end) };
            table.read(x, y);
        }
    });
}

/// As [`grid_sample`] with [`Mode::Nearest`], for elements of any kind: what
/// is nowhere is `T::default()`.
pub fn grid_sample_nearest<T: Copy + Default + Send + Sync, G: Float>(
    shape: &Shape,
    form: Form,
    x: &[T],
    grid: &[G],
    y: &mut [T],
) {
    assert!(shape.check(x.len(), grid.len(), y.len()) && form.mode == Mode::Nearest);
    let (plane, positions) = (shape.plane(), shape.positions);
    let out = DisjointMut::new(y);
    shape.each(1, |image, channels, range| {
        let table = Table::new(shape, form, grid, image, range.clone(), false);
        for c in channels {
            let c = image * shape.channels + c;
            let x = &x[c * plane..(c + 1) * plane];
            // SAFETY: tasks write channels and positions of their own.
            let y = unsafe { out.slice(c * positions + range.start..c * positions + range.end) };
            table.pick(x, y);
        }
    });
}

/// The gradient of [`grid_sample`] by its input, whole: `g` added where it was
/// read, position after position.
pub fn grid_sample_backward_input<T: Float>(
    shape: &Shape,
    form: Form,
    g: &[T],
    grid: &[T],
    dx: &mut [T],
) {
    assert!(shape.check(dx.len(), grid.len(), g.len()));
    dx.fill(T::ZERO);
    if g.is_empty() {
        return;
    }
    let (plane, positions) = (shape.plane(), shape.positions);
    let taps = form.taps().pow(shape.axes.len() as u32);
    let groups = threads_here().div_ceil(shape.batch);
    let size = shape.channels.div_ceil(groups);
    let groups = shape.channels.div_ceil(size);
    let work = taps * size * positions;
    let out = DisjointMut::new(dx);
    parallel_chunks(shape.batch * groups, MIN_CHUNK.div_ceil(work), |range| {
        for task in range {
            let (image, first) = (task / groups, task % groups * size);
            for start in (0..positions).step_by(BLOCK) {
                let range = start..positions.min(start + BLOCK);
                let table = Table::new(shape, form, grid, image, range.clone(), false);
                for c in first..shape.channels.min(first + size) {
                    let c = image * shape.channels + c;
                    // SAFETY: tasks write channels of their own.
                    let dx = unsafe { out.slice(c * plane..(c + 1) * plane) };
                    table.add(
                        &g[c * positions + range.start..c * positions + range.end],
                        dx,
                    );
                }
            }
        }
    });
}

/// The gradient of [`grid_sample`] by the grid.
pub fn grid_sample_backward_grid<T: Float>(
    shape: &Shape,
    form: Form,
    g: &[T],
    x: &[T],
    grid: &[T],
    dgrid: &mut [T],
) {
    assert!(shape.check(x.len(), grid.len(), g.len()) && dgrid.len() == grid.len());
    let (plane, positions, rank) = (shape.plane(), shape.positions, shape.axes.len());
    let taps = form.taps().pow(rank as u32);
    let whole = Shape {
        channels: 1,
        ..shape.clone()
    };
    let out = DisjointMut::new(dgrid);
    whole.each(taps * shape.channels, |image, _, range| {
        let table = Table::new(shape, form, grid, image, range.clone(), true);
        let first = image * positions;
        // SAFETY: tasks write positions of their own.
        let to = unsafe { out.slice((first + range.start) * rank..(first + range.end) * rank) };
        to.fill(T::ZERO);
        for c in 0..shape.channels {
            let c = image * shape.channels + c;
            let x = &x[c * plane..(c + 1) * plane];
            let g = &g[c * positions + range.start..c * positions + range.end];
            table.slope(x, g, to);
        }
    });
}
