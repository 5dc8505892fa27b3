//! Greedy non-maximum suppression: the best box stays, those that overlap it
//! too much go, and so on.

#[cfg(test)]
mod tests;

use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};
use std::collections::HashMap;

/// What to keep.
#[derive(Clone, Copy, Debug)]
pub struct NmsOptions {
    /// A box goes where its intersection over union with a kept one is
    /// strictly larger.
    pub iou_threshold: f32,
    /// A box counts only where its score is strictly larger.
    pub score_threshold: Option<f32>,
    /// At most this many, the best ones.
    pub max_output: Option<usize>,
}

/// Indices of the kept boxes in falling order of score, the lower index first
/// among equals.
///
/// `boxes` is `(n, 4)`: two opposite corners, in any order.  Boxes of
/// different `classes` or of different `batches` do not suppress each other.
/// A box without an area overlaps nothing; NaN scores come last, and with a
/// score threshold not at all.
pub fn nms(
    isa: Isa,
    boxes: &[f32],
    scores: &[f32],
    classes: Option<&[i64]>,
    batches: Option<&[i64]>,
    options: NmsOptions,
) -> Vec<i64> {
    let n = scores.len();
    assert_eq!(boxes.len(), 4 * n);
    assert!(classes.is_none_or(|c| c.len() == n) && batches.is_none_or(|b| b.len() == n));
    let limit = options.max_output.unwrap_or(n);
    let mut groups: HashMap<(i64, i64), Kept> = HashMap::new();
    let mut result = Vec::new();
    for i in order(scores, options.score_threshold) {
        if result.len() == limit {
            break;
        }
        let candidate = Corners::new(&boxes[4 * i..4 * i + 4]);
        let group = (batches.map_or(0, |b| b[i]), classes.map_or(0, |c| c[i]));
        let kept = groups.entry(group).or_default();
        let threshold = options.iou_threshold;
        let overlaps = dispatch(
            isa,
            Overlaps {
                kept,
                candidate,
                threshold,
            },
        );
        if !overlaps {
            kept.push(candidate);
            result.push(i as i64);
        }
    }
    result
}

/// Candidates, the best first.
fn order(scores: &[f32], threshold: Option<f32>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len())
        .filter(|i| threshold.is_none_or(|t| scores[*i] > t))
        .collect();
    // NaN as below everything; the sort is stable.
    let rank = |i: usize| {
        if scores[i].is_nan() {
            f32::NEG_INFINITY
        } else {
            scores[i] + 0.0
        }
    };
    order.sort_by(|a, b| {
        let nan = scores[*a].is_nan().cmp(&scores[*b].is_nan());
        rank(*b).total_cmp(&rank(*a)).then(nan)
    });
    order
}

#[derive(Clone, Copy, Debug)]
struct Corners {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    area: f32,
}

impl Corners {
    fn new(corners: &[f32]) -> Corners {
        let (left, right) = (corners[0].min(corners[2]), corners[0].max(corners[2]));
        let (top, bottom) = (corners[1].min(corners[3]), corners[1].max(corners[3]));
        let area = (right - left) * (bottom - top);
        Corners {
            left,
            top,
            right,
            bottom,
            area,
        }
    }
}

/// The kept boxes of one group, coordinate by coordinate, in whole vectors:
/// the unused lanes hold boxes that overlap nothing.
#[derive(Debug, Default)]
struct Kept {
    count: usize,
    left: Vec<f32>,
    top: Vec<f32>,
    right: Vec<f32>,
    bottom: Vec<f32>,
    area: Vec<f32>,
}

impl Kept {
    fn push(&mut self, c: Corners) {
        let lists = [
            &mut self.left,
            &mut self.top,
            &mut self.right,
            &mut self.bottom,
            &mut self.area,
        ];
        let values = [c.left, c.top, c.right, c.bottom, c.area];
        for (list, value) in lists.into_iter().zip(values) {
            if self.count == list.len() {
                // Every comparison with NaN is false.
                list.resize(self.count + crate::simd::MAX_LANES, f32::NAN);
            }
            list[self.count] = value;
        }
        self.count += 1;
    }
}

/// Whether a kept box overlaps the candidate by more than the threshold.
struct Overlaps<'a> {
    kept: &'a Kept,
    candidate: Corners,
    threshold: f32,
}

impl Kernel for Overlaps<'_> {
    type Out = bool;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> bool {
        let Overlaps {
            kept,
            candidate,
            threshold,
        } = self;
        let [left, top, right, bottom, area] = [
            candidate.left,
            candidate.top,
            candidate.right,
            candidate.bottom,
            candidate.area,
        ]
        .map(|v| s.splat(v));
        let (zero, limit) = (s.zero(), s.splat(threshold));
        let mut at = 0;
        while at < kept.count {
            let width = s.sub(
                s.min(right, s.load(&kept.right[at..])),
                s.max(left, s.load(&kept.left[at..])),
            );
            let height = s.sub(
                s.min(bottom, s.load(&kept.bottom[at..])),
                s.max(top, s.load(&kept.top[at..])),
            );
            let meets = s.and_m(s.gt(width, zero), s.gt(height, zero));
            if s.any(meets) {
                let common = s.mul(width, height);
                let union = s.sub(s.add(area, s.load(&kept.area[at..])), common);
                let over = s.gt(s.div(common, union), limit);
                if s.any(s.and_m(meets, over)) {
                    return true;
                }
            }
            at += S::LANES;
        }
        false
    }
}
