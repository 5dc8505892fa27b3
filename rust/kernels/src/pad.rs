//! Padding and cropping of n-dimensional arrays, and its gradient.

#[cfg(test)]
mod tests;

use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks};

/// What lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadMode {
    Constant,
    /// The nearest element.
    Edge,
    /// Mirrored about the outermost elements, which are not repeated.
    Reflect,
    /// Periodic.
    Wrap,
}

/// Fewer elements than this are moved by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;
/// No source: the constant.
const OUTSIDE: usize = usize::MAX;

/// Elements before and after each axis; negative ones crop.
#[derive(Clone, Copy, Debug)]
pub struct Pads<'a> {
    pub before: &'a [isize],
    pub after: &'a [isize],
}

impl Pads<'_> {
    /// The padded shape; None where an axis is cropped by more than it has.
    pub fn apply(&self, shape: &[usize]) -> Option<Vec<usize>> {
        (0..shape.len())
            .map(|a| usize::try_from(shape[a] as isize + self.before[a] + self.after[a]).ok())
            .collect()
    }
}

/// Writes the padded `x`; `value` is what a constant padding holds (and what
/// any padding of an empty axis does).
pub fn pad<T: Copy + Send + Sync>(
    x: &[T],
    shape: &[usize],
    pads: Pads,
    mode: PadMode,
    value: T,
    out: &mut [T],
) {
    let Some(rows) = Rows::new(shape, pads, mode) else {
        out.copy_from_slice(x);
        return;
    };
    assert!(x.len() == rows.input && out.len() == rows.count * rows.width);
    if out.is_empty() {
        return;
    }
    let to = DisjointMut::new(out);
    parallel_chunks(rows.count, MIN_CHUNK.div_ceil(rows.width), |range| {
        for row in range {
            // SAFETY: each row is written once.
            let to = unsafe { to.slice(row * rows.width..(row + 1) * rows.width) };
            match rows.source(row) {
                None => to.fill(value),
                Some(start) => rows.copy(&x[start..start + rows.length], value, to),
            }
        }
    });
}

/// `dx`, whole: each element receives the gradients of all its copies.
pub fn pad_backward<T: Number>(dy: &[T], shape: &[usize], pads: Pads, mode: PadMode, dx: &mut [T]) {
    let Some(rows) = Rows::new(shape, pads, mode) else {
        dx.copy_from_slice(dy);
        return;
    };
    assert!(dx.len() == rows.input && dy.len() == rows.count * rows.width);
    dx.fill(T::ZERO);
    if dx.is_empty() || dy.is_empty() {
        return;
    }
    // Leading axes without padding are independent of each other.
    let padded = |a: &usize| pads.before[*a] != 0 || pads.after[*a] != 0;
    let lead = (0..shape.len()).find(padded).unwrap_or(shape.len());
    let lead = lead.min(shape.len() - 1);
    let planes: usize = shape[..lead].iter().product();
    let (plane, plane_rows) = (rows.input / planes, rows.count / planes);
    let to = DisjointMut::new(dx);
    let min_planes = MIN_CHUNK.div_ceil(plane_rows * rows.width);
    parallel_chunks(planes, min_planes, |range| {
        for p in range {
            // SAFETY: planes do not overlap.
            let dx = unsafe { to.slice(p * plane..(p + 1) * plane) };
            for row in p * plane_rows..(p + 1) * plane_rows {
                let Some(start) = rows.source(row) else {
                    continue;
                };
                let start = start - p * plane;
                let dy = &dy[row * rows.width..(row + 1) * rows.width];
                rows.add(dy, &mut dx[start..start + rows.length]);
            }
        }
    });
}

/// The output as rows along the last axis.
struct Rows {
    /// For each axis and output position: the input position.
    tables: Vec<Vec<usize>>,
    strides: Vec<usize>,
    count: usize,
    width: usize,
    /// Elements of an input row, and of the whole input.
    length: usize,
    input: usize,
    /// Output columns `middle.0..middle.1` copy the input from `middle.2` on.
    middle: (usize, usize, usize),
}

impl Rows {
    /// None for a 0-d array.
    fn new(shape: &[usize], pads: Pads, mode: PadMode) -> Option<Rows> {
        let last = shape.len().checked_sub(1)?;
        assert!(pads.before.len() == shape.len() && pads.after.len() == shape.len());
        let tables: Vec<Vec<usize>> = (0..shape.len())
            .map(|a| table(mode, shape[a], pads.before[a], pads.after[a]))
            .collect();
        let mut strides = vec![1; shape.len()];
        for a in (0..last).rev() {
            strides[a] = strides[a + 1] * shape[a + 1];
        }
        let (width, before) = (tables[last].len(), pads.before[last]);
        let from = before.max(0) as usize;
        let to = (before + shape[last] as isize).clamp(0, width as isize) as usize;
        Some(Rows {
            strides,
            count: tables[..last].iter().map(Vec::len).product(),
            width,
            length: shape[last],
            input: shape.iter().product(),
            middle: (from.min(to), to, (-before).max(0) as usize),
            tables,
        })
    }

    /// Where the input row of output row `row` begins.
    fn source(&self, row: usize) -> Option<usize> {
        let (mut rest, mut start) = (row, 0);
        let outer = self.tables.len() - 1;
        for (table, stride) in self.tables[..outer].iter().zip(&self.strides).rev() {
            let place = table[rest % table.len()];
            if place == OUTSIDE {
                return None;
            }
            start += place * stride;
            rest /= table.len();
        }
        Some(start)
    }

    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let columns = &self.tables[self.tables.len() - 1];
        let outside = (0..self.middle.0).chain(self.middle.1..self.width);
        outside.map(|j| (j, columns[j]))
    }

    fn copy<T: Copy>(&self, x: &[T], value: T, to: &mut [T]) {
        let (from, end, start) = self.middle;
        to[from..end].copy_from_slice(&x[start..start + end - from]);
        for (j, place) in self.edges() {
            to[j] = x.get(place).copied().unwrap_or(value);
        }
    }

    fn add<T: Number>(&self, dy: &[T], dx: &mut [T]) {
        let (from, end, start) = self.middle;
        for (dx, dy) in dx[start..].iter_mut().zip(&dy[from..end]) {
            *dx = dx.plus(*dy);
        }
        for (j, place) in self.edges() {
            if let Some(dx) = dx.get_mut(place) {
                *dx = dx.plus(dy[j]);
            }
        }
    }
}

/// The input position of every output position along one axis.
fn table(mode: PadMode, len: usize, before: isize, after: isize) -> Vec<usize> {
    let n = len as isize;
    (-before..n + after)
        .map(|i| match mode {
            _ if (0..n).contains(&i) => i as usize,
            PadMode::Constant => OUTSIDE,
            _ if n == 0 => OUTSIDE,
            PadMode::Edge => i.clamp(0, n - 1) as usize,
            PadMode::Wrap => i.rem_euclid(n) as usize,
            PadMode::Reflect if n == 1 => 0,
            PadMode::Reflect => {
                // A triangle wave of period 2 (n - 1).
                let i = i.rem_euclid(2 * (n - 1));
                i.min(2 * (n - 1) - i) as usize
            }
        })
        .collect()
}
