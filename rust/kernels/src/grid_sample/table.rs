//! What a block of positions reads.

use super::Shape;
use super::axis::{Form, NONE};
use crate::number::Float;
use std::ops::Range;

/// Lists of the taps of one position after the other.
pub(super) struct Table<T> {
    count: usize,
    taps: usize,
    /// Elements of a plane that offsets lie in.
    plane: usize,
    /// Whether no tap is nowhere.
    whole: bool,
    offsets: Vec<usize>,
    weights: Vec<T>,
    /// Of each axis, the last one first, where they were asked for.
    slopes: Vec<Vec<T>>,
}

impl<T: Float> Table<T> {
    pub fn new(
        shape: &Shape,
        form: Form,
        grid: &[T],
        image: usize,
        range: Range<usize>,
        slopes: bool,
    ) -> Table<T> {
        let rank = shape.axes.len();
        let taps = form.taps().pow(rank as u32);
        let count = range.len();
        let mut table = Table {
            count,
            taps,
            plane: shape.plane(),
            whole: true,
            offsets: vec![0; taps * count],
            weights: vec![T::ZERO; taps * count],
            slopes: vec![vec![T::ZERO; taps * count]; if slopes { rank } else { 0 }],
        };
        let mut reads = Reads::default();
        for (p, position) in range.enumerate() {
            let start = (image * shape.positions + position) * rank;
            let coordinates = grid[start..start + rank].iter().rev();
            for (axis, (coordinate, &size)) in coordinates.zip(&shape.axes).enumerate() {
                reads.cross(form, axis, coordinate.to_f64(), size, slopes);
            }
            for tap in 0..taps {
                let at = p * taps + tap;
                table.whole &= reads.offsets[tap] != NONE;
                table.offsets[at] = reads.offsets[tap];
                table.weights[at] = T::from_f64(reads.weights[tap]);
                for (axis, slopes) in table.slopes.iter_mut().enumerate() {
                    slopes[at] = T::from_f64(reads.slopes[rank - 1 - axis][tap]);
                }
            }
        }
        table
    }

    /// Sums of what of plane `x` each position reads.
    pub fn read(&self, x: &[T], y: &mut [T]) {
        assert!(x.len() == self.plane && y.len() == self.count);
        match (self.taps, self.whole) {
            (4, true) => self.sums::<4, true>(x, y),
            (4, false) => self.sums::<4, false>(x, y),
            (8, true) => self.sums::<8, true>(x, y),
            (8, false) => self.sums::<8, false>(x, y),
            (16, true) => self.sums::<16, true>(x, y),
            (16, false) => self.sums::<16, false>(x, y),
            _ => {
                for (p, y) in y.iter_mut().enumerate() {
                    let taps = p * self.taps..(p + 1) * self.taps;
                    *y = taps
                        .filter(|&at| self.offsets[at] != NONE)
                        .map(|at| self.weights[at] * x[self.offsets[at]])
                        .sum();
                }
            }
        }
    }

    fn sums<const TAPS: usize, const WHOLE: bool>(&self, x: &[T], y: &mut [T]) {
        let (offsets, _) = self.offsets.as_chunks::<TAPS>();
        let (weights, _) = self.weights.as_chunks::<TAPS>();
        for ((y, offsets), weights) in y.iter_mut().zip(offsets).zip(weights) {
            let mut sum = T::ZERO;
            for (&offset, &weight) in offsets.iter().zip(weights) {
                if WHOLE || offset != NONE {
                    debug_assert!(offset < x.len());
                    // SAFETY: an offset that is not NONE is the row-major
                    // place of elements of each axis: inside of the plane.
                    sum += weight * unsafe { *x.get_unchecked(offset) };
                }
            }
            *y = sum;
        }
    }

    /// Adds what `g` of each position gives to what it reads.
    pub fn add(&self, g: &[T], dx: &mut [T]) {
        assert!(dx.len() == self.plane && g.len() == self.count);
        for (p, &g) in g.iter().enumerate() {
            for at in p * self.taps..(p + 1) * self.taps {
                if let Some(dx) = dx.get_mut(self.offsets[at]) {
                    *dx += self.weights[at] * g;
                }
            }
        }
    }

    /// Adds to each position's coordinates how its sum, times `g`, changes.
    pub fn slope(&self, x: &[T], g: &[T], dgrid: &mut [T]) {
        let rank = self.slopes.len();
        assert!(g.len() == self.count && dgrid.len() == self.count * rank);
        for (p, &g) in g.iter().enumerate() {
            for at in p * self.taps..(p + 1) * self.taps {
                if let Some(&x) = x.get(self.offsets[at]) {
                    for (axis, slopes) in self.slopes.iter().enumerate() {
                        dgrid[p * rank + axis] += slopes[at] * x * g;
                    }
                }
            }
        }
    }
}

/// What one position reads of the axes so far.
struct Reads {
    count: usize,
    offsets: [usize; MAX_TAPS],
    weights: [f64; MAX_TAPS],
    /// How the weights change by each axis.
    slopes: [[f64; MAX_TAPS]; MAX_AXES],
}

impl Default for Reads {
    fn default() -> Self {
        Reads {
            count: 0,
            offsets: [0; MAX_TAPS],
            weights: [0.0; MAX_TAPS],
            slopes: [[0.0; MAX_TAPS]; MAX_AXES],
        }
    }
}

impl Reads {
    /// Goes on with the next axis inwards: every read so far with every tap.
    fn cross(&mut self, form: Form, axis: usize, coordinate: f64, size: usize, slopes: bool) {
        if axis == 0 {
            self.count = 1;
            self.offsets[0] = 0;
            self.weights[0] = 1.0;
            self.slopes.iter_mut().for_each(|list| list[0] = 1.0);
        }
        let (taps, count) = (form.locate(coordinate, size), self.count);
        // The first tap last: it takes the place of what it is made of.
        for tap in (0..form.taps()).rev() {
            let (place, weight) = (taps.places[tap], taps.weights[tap]);
            for old in 0..count {
                let (new, offset) = (tap * count + old, self.offsets[old]);
                self.offsets[new] = if offset == NONE || place == NONE {
                    NONE
                } else {
                    offset * size + place
                };
                self.weights[new] = self.weights[old] * weight;
                if slopes {
                    for (by, list) in self.slopes.iter_mut().enumerate() {
                        list[new] = list[old] * if by == axis { taps.slopes[tap] } else { weight };
                    }
                }
            }
        }
        self.count = count * form.taps();
    }
}

impl<G: Float> Table<G> {
    /// The one element that each position reads.
    pub fn pick<T: Copy + Default>(&self, x: &[T], y: &mut [T]) {
        assert!(self.taps == 1 && y.len() == self.count);
        for (y, &offset) in y.iter_mut().zip(&self.offsets) {
            *y = x.get(offset).copied().unwrap_or_default();
        }
    }
}

/// Of a grid.
pub const MAX_AXES: usize = 3;
/// Four taps on each axis.
const MAX_TAPS: usize = 4 * 4 * 4;
