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
    let order = order(scores, options.score_threshold);
    let grid = Grid::new(&order, boxes);
    let mut groups: HashMap<(i64, i64), Kept> = HashMap::new();
    let mut result = Vec::new();
    for i in order {
        if result.len() == limit {
            break;
        }
        let candidate = Corners::new(&boxes[4 * i..4 * i + 4]);
        let group = (batches.map_or(0, |b| b[i]), classes.map_or(0, |c| c[i]));
        let kept = groups.entry(group).or_default();
        if !kept.overlaps(isa, grid.as_ref(), candidate, options.iou_threshold) {
            kept.push(grid.as_ref(), candidate);
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

/// Cells about as large as the average box: only boxes that share a cell can
/// overlap.
#[derive(Clone, Copy, Debug)]
struct Grid {
    left: f32,
    top: f32,
    /// Cells per unit of length.
    x_scale: f32,
    y_scale: f32,
}

/// Cells along one side.
const SIDE: usize = 64;
/// Boxes over more cells than this are kept apart.
const MANY_CELLS: usize = 16;
/// For fewer boxes there is one list.
const SMALL: usize = 256;

/// The cells of a box, first and last of each axis.
#[derive(Clone, Copy, Debug)]
struct Cells {
    x: [usize; 2],
    y: [usize; 2],
}

impl Cells {
    fn each(self) -> impl Iterator<Item = usize> {
        (self.y[0]..=self.y[1])
            .flat_map(move |y| (self.x[0]..=self.x[1]).map(move |x| y * SIDE + x))
    }
}

impl Grid {
    fn new(order: &[usize], boxes: &[f32]) -> Option<Grid> {
        if order.len() < SMALL {
            return None;
        }
        let all = || order.iter().map(|i| Corners::new(&boxes[4 * i..4 * i + 4]));
        let count = order.len() as f32;
        let low = |f: fn(Corners) -> f32| all().map(f).fold(f32::INFINITY, f32::min);
        let high = |f: fn(Corners) -> f32| all().map(f).fold(f32::NEG_INFINITY, f32::max);
        let (left, top) = (low(|c| c.left), low(|c| c.top));
        let scale = |size: f32, extent: f32| {
            // At most SIDE cells; sizes that are not finite make one cell.
            let scale = (count / size).min((SIDE - 1) as f32 / extent);
            if scale.is_finite() { scale } else { 0.0 }
        };
        let width: f32 = all().map(|c| c.right - c.left).sum();
        let height: f32 = all().map(|c| c.bottom - c.top).sum();
        Some(Grid {
            left,
            top,
            x_scale: scale(width, high(|c| c.right) - left),
            y_scale: scale(height, high(|c| c.bottom) - top),
        })
    }

    /// None for a box over many cells.
    fn cells(&self, c: Corners) -> Option<Cells> {
        // Rises with the coordinate, so that boxes that meet share a cell.
        let cell = |v: f32, from: f32, scale: f32| (((v - from) * scale) as usize).min(SIDE - 1);
        let x = [c.left, c.right].map(|v| cell(v, self.left, self.x_scale));
        let y = [c.top, c.bottom].map(|v| cell(v, self.top, self.y_scale));
        let finite = (c.right - c.left).is_finite() && (c.bottom - c.top).is_finite();
        let count = (x[1] + 1).saturating_sub(x[0]) * (y[1] + 1).saturating_sub(y[0]);
        (finite && count <= MANY_CELLS).then_some(Cells { x, y })
    }
}

/// The kept boxes of one group.
#[derive(Debug, Default)]
struct Kept {
    all: Boxes,
    /// Those over many cells.
    large: Boxes,
    cells: HashMap<usize, Boxes>,
}

impl Kept {
    fn overlaps(&self, isa: Isa, grid: Option<&Grid>, candidate: Corners, threshold: f32) -> bool {
        let test = |kept: &Boxes| {
            let overlaps = Overlaps {
                kept,
                candidate,
                threshold,
            };
            kept.count > 0 && dispatch(isa, overlaps)
        };
        match grid.and_then(|g| g.cells(candidate)) {
            None => test(&self.all),
            Some(cells) => {
                let near = |cell| self.cells.get(&cell).is_some_and(test);
                test(&self.large) || cells.each().any(near)
            }
        }
    }

    fn push(&mut self, grid: Option<&Grid>, c: Corners) {
        self.all.push(c);
        let Some(grid) = grid else { return };
        match grid.cells(c) {
            None => self.large.push(c),
            Some(cells) => {
                for cell in cells.each() {
                    self.cells.entry(cell).or_default().push(c);
                }
            }
        }
    }
}

/// Boxes coordinate by coordinate, in whole vectors: the unused lanes hold
/// boxes that overlap nothing.
#[derive(Debug, Default)]
struct Boxes {
    count: usize,
    left: Vec<f32>,
    top: Vec<f32>,
    right: Vec<f32>,
    bottom: Vec<f32>,
    area: Vec<f32>,
}

impl Boxes {
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
    kept: &'a Boxes,
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
