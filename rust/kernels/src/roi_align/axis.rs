//! Where the samples of a region's bins lie along one axis.

use crate::number::Float;

/// A sample between two neighbouring elements; where it lies outside of the
/// image, of no weight.
#[derive(Clone, Copy, Debug)]
pub struct Sample<T> {
    pub places: [usize; 2],
    pub weights: [T; 2],
}

/// The samples of each bin that lie in the image.
#[derive(Clone, Debug)]
pub struct Samples<T> {
    bins: Vec<Vec<Sample<T>>>,
    /// Samples of a bin, those outside included.
    count: f64,
}

/// How a region is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut<T> {
    pub start: T,
    pub end: T,
    pub bins: usize,
    /// Samples of a bin; 0: one for each element it spans.
    pub sampling: usize,
    /// At least one element long.
    pub at_least_one: bool,
}

impl<T: Float> Samples<T> {
    /// Of an axis of `size` elements.  A region that is not finite has none.
    pub fn new(cut: Cut<T>, size: usize) -> Samples<T> {
        let mut length = cut.end - cut.start;
        if cut.at_least_one && (length.is_nan() || length < T::ONE) {
            length = T::ONE;
        }
        let step = length / T::from_f64(cut.bins as f64);
        let count = match cut.sampling {
            0 => step.to_f64().ceil().max(0.0),
            n => n as f64,
        };
        let finite = cut.start.to_f64().is_finite() && cut.end.to_f64().is_finite();
        let bins = (0..cut.bins).map(|bin| {
            if !finite || !step.to_f64().is_finite() {
                return Vec::new();
            }
            let first = cut.start + T::from_f64(bin as f64) * step;
            let at = |i: usize| first + T::from_f64(i as f64 + 0.5) * step / T::from_f64(count);
            let inside = reach(first.to_f64(), step.to_f64(), count, size);
            inside.filter_map(|i| between(at(i), size)).collect()
        });
        Samples {
            bins: bins.collect(),
            count,
        }
    }

    /// A bin's share of each of its samples.
    pub fn share(&self) -> T {
        T::from_f64(1.0 / self.count.max(1.0))
    }

    /// How many bins.
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    pub fn of(&self, bin: usize) -> &[Sample<T>] {
        &self.bins[bin]
    }

    /// Whether all samples of a bin lie in the image.
    pub fn is_whole(&self, bin: usize) -> bool {
        self.bins[bin].len() as f64 >= self.count
    }

    /// Each bin's elements and their weights, an element once.
    pub fn weights(&self) -> Vec<Vec<(usize, T)>> {
        let share = self.share();
        let merge = |samples: &Vec<Sample<T>>| {
            let mut list: Vec<(usize, T)> = Vec::with_capacity(samples.len() + 1);
            for sample in samples {
                for (&place, &weight) in sample.places.iter().zip(&sample.weights) {
                    // Neighbouring samples share elements.
                    let recent = list.iter_mut().rev().take(2);
                    match recent.into_iter().find(|entry| entry.0 == place) {
                        Some(entry) => entry.1 += weight * share,
                        None => list.push((place, weight * share)),
                    }
                }
            }
            list
        };
        self.bins.iter().map(merge).collect()
    }
}

/// The samples of a bin that may lie in the image: few, however large it is.
fn reach(first: f64, step: f64, count: f64, size: usize) -> std::ops::Range<usize> {
    let (apart, size) = (step / count, size as f64);
    let ends = [(-1.0 - first) / apart, (size - first) / apart];
    let low = (ends[0].min(ends[1]).floor() - 1.0).clamp(0.0, count);
    let high = (ends[0].max(ends[1]).ceil() + 1.0).clamp(0.0, count);
    if low.is_nan() || high.is_nan() {
        return 0..0;
    }
    low as usize..high as usize
}

/// A sample at `at`, up to one element outside of the image.
fn between<T: Float>(at: T, size: usize) -> Option<Sample<T>> {
    let last = size.checked_sub(1)?;
    if at < T::from_f64(-1.0) || at > T::from_f64(size as f64) || at.is_nan() {
        return None;
    }
    let at = if at < T::ZERO { T::ZERO } else { at };
    let low = at.to_f64() as usize;
    if low >= last {
        return Some(Sample {
            places: [last, last],
            weights: [T::ONE, T::ZERO],
        });
    }
    let high = at - T::from_f64(low as f64);
    Some(Sample {
        places: [low, low + 1],
        weights: [T::ONE - high, high],
    })
}
