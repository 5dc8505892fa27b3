//! How the work is cut into tasks.

use super::Conv2dShape;
use super::tile::VECTORS;
use crate::blocked;
use crate::cache;
use crate::conv2d::product::tasks_wanted;
use crate::isa::Isa;
use std::ops::Range;

/// What there is to be cut.
pub(super) struct Work {
    /// Independent parts of the work, each cut as this says.
    pub units: usize,
    /// Lines of the images of a unit, and the bytes that a task reads of one.
    pub length: usize,
    pub line: usize,
    /// Bytes that a task reads of some lines at most: at least this, and what
    /// half of the second-level cache holds.
    pub least: usize,
    /// Pairs of output blocks, each of one group.
    pub pairs: usize,
    /// Bytes of the weight.
    pub weight: usize,
    /// Multiply-adds of all units.
    pub multiplies: usize,
}

impl Work {
    /// Of a convolution, `length` lines of `line` bytes an image, of which a
    /// task reads a group's at a time.
    pub fn new(isa: Isa, shape: &Conv2dShape, length: usize, line: usize) -> Work {
        Work {
            units: shape.batch,
            length,
            line: line.div_ceil(shape.groups),
            least: 0,
            pairs: shape.groups * blocked::blocks(isa, shape.group_out()).div_ceil(VECTORS),
            weight: shape.weight_len() * size_of::<f32>(),
            multiplies: shape.output_len() * shape.group_in() * shape.kernel(),
        }
    }
}

/// Pieces of the images, and pieces of the output channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Along the images, of `length` lines.
    lines: usize,
    /// Of the pairs of output blocks.
    pairs: usize,
    length: usize,
    all_pairs: usize,
}

impl Cut {
    pub fn new(work: &Work) -> Cut {
        let &Work { length, pairs, .. } = work;
        let bytes = work.line * length;
        let want = tasks_wanted(work.multiplies, work.units);
        let fit = bytes.div_ceil(work.least.max(cache::l2() / 2)).max(1);
        // Cutting the images reads the weight once more, cutting the channels
        // the images.
        let (lines, cuts) = if work.weight > bytes {
            let cuts = want.div_ceil(fit).min(pairs);
            (fit.max(want.div_ceil(cuts)), cuts)
        } else {
            let lines = fit.max(want).min(length);
            (lines, want.div_ceil(lines).min(pairs))
        };
        Cut {
            lines: lines.min(length).max(1),
            pairs: cuts.max(1),
            length,
            all_pairs: pairs,
        }
    }

    pub fn tasks(&self) -> usize {
        self.lines * self.pairs
    }

    /// Lines and pairs of a task.
    pub fn task(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (pair, line) = (index % self.pairs, index / self.pairs);
        let part = |n: usize, i: usize, of: usize| n * i / of..n * (i + 1) / of;
        (
            part(self.length, line, self.lines),
            part(self.all_pairs, pair, self.pairs),
        )
    }
}
