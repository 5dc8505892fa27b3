//! How a workgroup shares reductions: several columns at once, each by `lanes` invocations.

use super::Kernel;
use crate::adapter::Caps;

/// Workgroups that keep a large GPU busy.
const BUSY: usize = 128;
/// Elements that one invocation may take in a row before a reduction is cut: bounds both the
/// rounding of a running sum and the time of a dispatch.
const LONGEST: usize = 4096;
/// Elements that make a part worth its place.
const SHORTEST: usize = 16;

/// `size` reductions of `count` elements each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    /// Invocations that share one reduction; a power of two.
    pub each: usize,
    /// Reductions of one workgroup.
    pub columns: usize,
    /// Neighbouring invocations read along the reduction, not across.
    pub along: bool,
    /// Parts into which each reduction is cut, of `chunk` elements.
    pub parts: usize,
    pub chunk: usize,
    size: usize,
}

impl Lanes {
    /// Everything follows from the sizes, so that equal calls round equally.
    pub fn new(size: usize, count: usize, along: bool, caps: &Caps) -> Self {
        let invocations = 1 << caps.max_invocations.clamp(1, 256).ilog2();
        let useful = (count / 4).max(1).next_power_of_two();
        let lanes = if along {
            useful.min(invocations)
        } else {
            let across = size
                .next_power_of_two()
                .clamp(32.min(invocations), invocations);
            useful.min(invocations / across)
        };
        let columns = invocations / lanes;
        let tiles = size.div_ceil(columns);
        let most = (count / (SHORTEST * lanes)).max(1);
        let wanted = (BUSY / tiles.max(1)).max(count / (LONGEST * lanes));
        let parts = wanted.clamp(1, most);
        let chunk = count.div_ceil(parts).max(1).next_multiple_of(lanes);
        Lanes {
            each: lanes,
            columns,
            along,
            parts: count.div_ceil(chunk).max(1),
            chunk,
            size,
        }
    }

    /// The same with each reduction whole.
    pub fn whole(self, count: usize) -> Self {
        Lanes {
            parts: 1,
            chunk: count,
            ..self
        }
    }

    pub fn tiles(&self) -> usize {
        self.size.div_ceil(self.columns)
    }

    pub fn workgroups(&self) -> u64 {
        (self.tiles() * self.parts) as u64
    }

    /// A kernel whose invocations hold a `state` each, which takes `bytes` in workgroup memory.
    pub fn kernel(&self, template: &'static str, state: &'static str, bytes: usize) -> Kernel {
        let invocations = self.each * self.columns;
        let tree = if self.each > 1 {
            bytes * invocations
        } else {
            0
        };
        Kernel::new(template, [invocations as u32, 1, 1])
            .shared(tree)
            .set("state", state)
            .set("lanes", self.each)
            .set("columns", self.columns)
            .set("along", self.along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_reduction() {
        let caps = Caps::portable();
        for size in [1, 3, 31, 256, 1000, 100_000] {
            for count in [0, 1, 5, 33, 1000, 70_000, 20_000_000] {
                for along in [true, false] {
                    let lanes = Lanes::new(size, count, along, &caps);
                    assert_eq!(lanes.each * lanes.columns, 256);
                    assert!(lanes.parts * lanes.chunk >= count);
                    assert!(lanes.parts == 1 || (lanes.parts - 1) * lanes.chunk < count);
                    assert!(lanes.chunk <= 2 * LONGEST * lanes.each, "{lanes:?}");
                }
            }
        }
    }
}
