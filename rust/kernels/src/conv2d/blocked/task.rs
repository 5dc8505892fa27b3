//! How the work is cut into tasks.

use super::tile::VECTORS;
use crate::blocked;
use crate::cache;
use crate::conv2d::product::tasks_wanted;
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;
use std::ops::Range;

/// Pieces of the image, and pieces of the output channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Along each image, of `length` lines.
    pub lines: usize,
    /// Of the pairs of output blocks.
    pub pairs: usize,
    length: usize,
    all_pairs: usize,
}

impl Cut {
    /// For `length` lines of `bytes` of input each: what a task reads of them
    /// stays in the second-level cache.
    pub fn new(isa: Isa, shape: &Conv2dShape, length: usize, bytes: usize) -> Cut {
        let all_pairs = blocked::blocks(isa, shape.out_c).div_ceil(VECTORS);
        let work = shape.output_len() * shape.group_in() * shape.kernel();
        let want = tasks_wanted(work, shape.batch);
        let fit = (bytes * length).div_ceil(cache::l2() / 2).max(1);
        // Cutting the image reads the weight once more, cutting the channels
        // the image.
        let weight = shape.weight_len() * size_of::<f32>();
        let (lines, pairs) = if weight > bytes * length {
            let pairs = want.div_ceil(fit).min(all_pairs);
            (fit.max(want.div_ceil(pairs)), pairs)
        } else {
            let lines = fit.max(want).min(length);
            (lines, want.div_ceil(lines).min(all_pairs))
        };
        Cut {
            lines: lines.min(length).max(1),
            pairs: pairs.max(1),
            length,
            all_pairs,
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
