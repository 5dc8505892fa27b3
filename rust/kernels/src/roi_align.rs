//! Regions of images at one size: each bin the mean or the largest of samples
//! between elements, and the gradient of the mean.
//!
//! A sample's weights are a product of those along both axes, so a bin's mean
//! is a sum of rows, and then of columns.

mod axis;
#[cfg(test)]
mod tests;

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks, threads_here};
use axis::{Cut, Samples};

/// Fewer elements than this are made by the calling thread alone.
const MIN_CHUNK: usize = 1 << 13;
/// Channels that a task takes of a region.
const CHANNELS: usize = 64;

#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Rows and columns of bins.
    pub output: [usize; 2],
    /// From a box's coordinates to elements.
    pub scale: f64,
    /// Samples of a bin along an axis; 0: as many as it has elements, rounded
    /// up.
    pub sampling: usize,
    /// Whether coordinates are of corners, half an element before centres.
    pub aligned: bool,
    /// The largest of the weighted elements, and not the mean.
    pub max: bool,
}

/// Images (batch, channels, height, width).
#[derive(Clone, Copy, Debug)]
pub struct Images {
    pub batch: usize,
    pub channels: usize,
    pub size: [usize; 2],
}

impl Images {
    pub(crate) fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }
}

impl Form {
    fn bins(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// The samples of a box (x1, y1, x2, y2) along rows and columns.
    fn samples<T: Float>(&self, images: &Images, corners: &[T]) -> [Samples<T>; 2] {
        let (scale, offset) = (
            T::from_f64(self.scale),
            if self.aligned { 0.5 } else { 0.0 },
        );
        [0, 1].map(|axis| {
            let ends = [1 - axis, 3 - axis].map(|at| corners[at] * scale - T::from_f64(offset));
            let cut = Cut {
                start: ends[0],
                end: ends[1],
                bins: self.output[axis],
                sampling: self.sampling,
                at_least_one: !self.aligned,
            };
            Samples::new(cut, images.size[axis])
        })
    }
}

/// A region's mean in each bin as two sums.
struct Sums<T> {
    /// Of each row of bins.
    rows: Vec<Vec<(usize, T)>>,
    /// Of each column of bins, numbers of `touched` columns.
    columns: Vec<Vec<(usize, T)>>,
    /// The columns that any bin reads, in order.
    touched: Vec<usize>,
}

impl<T: Float> Sums<T> {
    fn new([rows, columns]: &[Samples<T>; 2]) -> Sums<T> {
        let mut columns = columns.weights();
        let mut touched: Vec<usize> = columns.iter().flatten().map(|entry| entry.0).collect();
        touched.sort_unstable();
        touched.dedup();
        for entry in columns.iter_mut().flatten() {
            entry.0 = touched.partition_point(|&column| column < entry.0);
        }
        Sums {
            rows: rows.weights(),
            columns,
            touched,
        }
    }

    /// The touched columns, if they are neighbours.
    fn stretch(&self) -> Option<std::ops::Range<usize>> {
        let (&first, &last) = (self.touched.first()?, self.touched.last()?);
        (last - first + 1 == self.touched.len()).then_some(first..last + 1)
    }

    fn read(&self, x: &[T], width: usize, y: &mut [T], line: &mut Vec<T>) {
        for (row, y) in self.rows.iter().zip(y.chunks_exact_mut(self.columns.len())) {
            line.clear();
            line.resize(self.touched.len(), T::ZERO);
            for &(h, weight) in row {
                let x = &x[h * width..(h + 1) * width];
                match self.stretch() {
                    Some(range) => {
                        let pairs = line.iter_mut().zip(&x[range]);
                        pairs.for_each(|(sum, &x)| *sum += weight * x);
                    }
                    None => {
                        let pairs = line.iter_mut().zip(&self.touched);
                        pairs.for_each(|(sum, &column)| *sum += weight * x[column]);
                    }
                }
            }
            for (column, y) in self.columns.iter().zip(y) {
                *y = column.iter().map(|&(w, weight)| weight * line[w]).sum();
            }
        }
    }

    fn add(&self, g: &[T], dx: &mut [T], width: usize, line: &mut Vec<T>) {
        for (row, g) in self.rows.iter().zip(g.chunks_exact(self.columns.len())) {
            line.clear();
            line.resize(self.touched.len(), T::ZERO);
            for (column, &g) in self.columns.iter().zip(g) {
                for &(w, weight) in column {
                    line[w] += weight * g;
                }
            }
            for &(h, weight) in row {
                let dx = &mut dx[h * width..(h + 1) * width];
                for (&sum, &column) in line.iter().zip(&self.touched) {
                    dx[column] += weight * sum;
                }
            }
        }
    }
}

/// `y` (boxes, channels, rows, columns) of `boxes` (boxes, 4) in images
/// `batch`, each less than `images.batch`.
pub fn roi_align<T: Float>(
    images: &Images,
    form: &Form,
    x: &[T],
    boxes: &[T],
    batch: &[usize],
    y: &mut [T],
) {
    let (plane, bins) = (images.plane(), form.bins());
    assert!(x.len() == images.batch * images.channels * plane && boxes.len() == 4 * batch.len());
    assert!(y.len() == batch.len() * images.channels * bins);
    assert!(batch.iter().all(|&image| image < images.batch));
    if y.is_empty() {
        return;
    }
    let groups = images.channels.div_ceil(CHANNELS);
    let work = 4 * bins * CHANNELS.min(images.channels);
    let out = DisjointMut::new(y);
    parallel_chunks(batch.len() * groups, MIN_CHUNK.div_ceil(work), |range| {
        let mut line = Vec::new();
        for task in range {
            let (region, first) = (task / groups, task % groups * CHANNELS);
            let samples = form.samples(images, &boxes[4 * region..4 * region + 4]);
            let sums = (!form.max).then(|| Sums::new(&samples));
            for c in first..images.channels.min(first + CHANNELS) {
                let from = (batch[region] * images.channels + c) * plane;
                let to = (region * images.channels + c) * bins;
                let x = &x[from..from + plane];
                // SAFETY: tasks write regions and channels of their own.
                let y = unsafe { out.slice(to..to + bins) };
                match &sums {
                    Some(sums) => sums.read(x, images.size[1], y, &mut line),
                    None => largest(&samples, x, images.size[1], y),
                }
            }
        }
    });
}

/// The largest of all weighted elements that a bin's samples lie between; 0
/// of those outside.
fn largest<T: Float>([rows, columns]: &[Samples<T>; 2], x: &[T], width: usize, y: &mut [T]) {
    let larger = |a: T, b: T| if b > a || b.is_nan() { b } else { a };
    let bins = y.len() / rows.bins();
    for (bin, y) in y.iter_mut().enumerate() {
        let (row, column) = (bin / bins, bin % bins);
        let whole = rows.is_whole(row) && columns.is_whole(column);
        let mut best = None;
        for down in rows.of(row) {
            for across in columns.of(column) {
                for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let weight = down.weights[i] * across.weights[j];
                    let value = weight * x[down.places[i] * width + across.places[j]];
                    best = Some(best.map_or(value, |best| larger(best, value)));
                }
            }
        }
        let found = best.unwrap_or(T::ZERO);
        *y = if whole { found } else { larger(found, T::ZERO) };
    }
}

/// The gradient of the means by `x`, whole: regions in order.
pub fn roi_align_backward<T: Float>(
    images: &Images,
    form: &Form,
    g: &[T],
    boxes: &[T],
    batch: &[usize],
    dx: &mut [T],
) {
    let (plane, bins) = (images.plane(), form.bins());
    assert!(dx.len() == images.batch * images.channels * plane && boxes.len() == 4 * batch.len());
    assert!(g.len() == batch.len() * images.channels * bins && !form.max);
    assert!(batch.iter().all(|&image| image < images.batch));
    dx.fill(T::ZERO);
    if g.is_empty() {
        return;
    }
    let size = images.channels.div_ceil(threads_here());
    let work = 4 * bins * batch.len() * size;
    let out = DisjointMut::new(dx);
    let tasks = images.channels.div_ceil(size);
    parallel_chunks(tasks, MIN_CHUNK.div_ceil(work), |range| {
        let mut line = Vec::new();
        for task in range {
            for (region, &image) in batch.iter().enumerate() {
                let samples = form.samples(images, &boxes[4 * region..4 * region + 4]);
                let sums = Sums::new(&samples);
                for c in task * size..images.channels.min((task + 1) * size) {
                    let from = (region * images.channels + c) * bins;
                    let to = (image * images.channels + c) * plane;
                    // SAFETY: tasks write channels of their own.
                    let dx = unsafe { out.slice(to..to + plane) };
                    sums.add(&g[from..from + bins], dx, images.size[1], &mut line);
                }
            }
        }
    });
}
