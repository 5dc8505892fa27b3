//! Views of images in the blocked layout, which are views of their blocks: of
//! whole ones, since lanes stay together.

use super::{Expand, Slice};
use crate::ops::reorder::blocked_shape;
use lamina_kernels::Isa;

impl Slice {
    /// The same of an image (batch, channels, height, width) in blocks.
    pub(in crate::ops) fn of_blocks(&self, image: &[usize]) -> Option<Slice> {
        let lanes = Isa::current().lanes();
        if image.len() != 4 {
            return None;
        }
        let mut slice = Slice {
            starts: Vec::new(),
            ends: Vec::new(),
            axes: Some(Vec::new()),
            steps: Some(Vec::new()),
        };
        for cut in self.cuts(image).ok()? {
            let (mut start, mut len) = (cut.start, cut.len);
            if len == 0 {
                return None;
            }
            if cut.axis == 1 {
                let end = start + len;
                let whole = |at: usize| at.is_multiple_of(lanes);
                if cut.step != 1 || !whole(start) || !(whole(end) || end == image[1]) {
                    return None;
                }
                (start, len) = (start / lanes, len.div_ceil(lanes));
            }
            let last = start as i64 + (len as i64 - 1) * cut.step as i64;
            let end = last + cut.step.signum() as i64;
            slice.starts.push(start as i64);
            // Before the first element: -1 would be the last one.
            slice.ends.push(if end < 0 { i64::MIN } else { end });
            slice.axes.get_or_insert_default().push(cut.axis as i64);
            slice.steps.get_or_insert_default().push(cut.step as i64);
        }
        Some(slice)
    }
}

impl Expand {
    /// The same of an image in blocks, whose channels stay as they are.
    pub(super) fn of_blocks(&self, image: &[usize]) -> Option<Expand> {
        let shape = self.shape(image).ok()?;
        let same = image.len() == 4 && shape.len() == 4 && image[1] == shape[1];
        let shape = blocked_shape(&shape).filter(|_| same)?;
        Some(Expand {
            shape: shape.into_iter().map(|n| n as i64).collect(),
            both: false,
        })
    }
}
