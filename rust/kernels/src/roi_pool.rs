//! The largest element in each bin of regions of images, and the gradient.

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks, threads_here};
use crate::roi_align::Images;
use std::ops::Range;

/// Fewer elements than this are read by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;
/// Coordinates beyond this are cut to it: they lie outside of every image.
const FAR: f64 = 1e8;

/// The elements of bin `bin` of `bins` along an axis of `size`, for a region
/// from `start` to `end` (rounded, both included), at least one element long.
/// None of a region that is not finite.
pub fn bin(ends: [f64; 2], bins: usize, bin: usize, size: usize) -> Range<usize> {
    if !ends.iter().all(|end| end.is_finite()) {
        return 0..0;
    }
    let [start, end] = ends.map(|end| end.round().clamp(-FAR, FAR) as i64);
    let length = (end - start + 1).max(1);
    let (bins, bin) = (bins as i64, bin as i64);
    let place = |at: i64| (start + at).clamp(0, size as i64) as usize;
    let low = bin * length / bins;
    let high = ((bin + 1) * length + bins - 1) / bins;
    place(low)..place(high)
}

/// `y` (boxes, channels, rows, columns) of `boxes` (boxes, 4: x1, y1, x2, y2)
/// in images `batch`, and the places in the plane of each; -1 and 0 for a bin
/// without elements.  NaN wins.
pub fn roi_pool<T: Float>(
    images: &Images,
    output: [usize; 2],
    scale: f64,
    x: &[T],
    boxes: &[T],
    batch: &[usize],
    y: &mut [T],
    places: &mut [i32],
) {
    let (plane, bins) = (images.plane(), output[0] * output[1]);
    assert!(x.len() == images.batch * images.channels * plane && boxes.len() == 4 * batch.len());
    assert!(y.len() == batch.len() * images.channels * bins && places.len() == y.len());
    assert!(batch.iter().all(|&image| image < images.batch));
    let (to, to_places) = (DisjointMut::new(y), DisjointMut::new(places));
    let min_tasks = MIN_CHUNK.div_ceil((bins * images.channels).max(1));
    parallel_chunks(batch.len(), min_tasks, |range| {
        for region in range {
            let corners = &boxes[4 * region..4 * region + 4];
            let scale = T::from_f64(scale);
            let ends = [[1, 3], [0, 2]].map(|axis| axis.map(|i| (corners[i] * scale).to_f64()));
            let ranges = [0, 1].map(|axis| -> Vec<Range<usize>> {
                (0..output[axis])
                    .map(|i| bin(ends[axis], output[axis], i, images.size[axis]))
                    .collect()
            });
            for c in 0..images.channels {
                let from = (batch[region] * images.channels + c) * plane;
                let x = &x[from..from + plane];
                let start = (region * images.channels + c) * bins;
                // SAFETY: tasks write regions of their own.
                let (y, places) = unsafe {
                    let range = start..start + bins;
                    (to.slice(range.clone()), to_places.slice(range))
                };
                let all = ranges[0]
                    .iter()
                    .flat_map(|r| ranges[1].iter().map(move |c| (r, c)));
                for ((rows, columns), (y, place)) in all.zip(y.iter_mut().zip(places)) {
                    let found = largest(x, images.size[1], rows, columns);
                    *y = found.map_or(T::ZERO, |i| x[i]);
                    *place = found.map_or(-1, |i| i as i32);
                }
            }
        }
    });
}

/// The place of the first largest element.
fn largest<T: Float>(
    x: &[T],
    width: usize,
    rows: &Range<usize>,
    columns: &Range<usize>,
) -> Option<usize> {
    let mut best: Option<usize> = None;
    for row in rows.clone() {
        for at in row * width + columns.start..row * width + columns.end {
            let wins = |b: usize| x[at] > x[b] || (x[at].is_nan() && !x[b].is_nan());
            if best.is_none_or(wins) {
                best = Some(at);
            }
        }
    }
    best
}

/// The gradient of [`roi_pool`] by `x`, whole: regions in order.
pub fn roi_pool_backward<T: Float>(
    images: &Images,
    bins: usize,
    g: &[T],
    places: &[i32],
    batch: &[usize],
    dx: &mut [T],
) {
    let plane = images.plane();
    assert!(dx.len() == images.batch * images.channels * plane && places.len() == g.len());
    assert!(g.len() == batch.len() * images.channels * bins);
    assert!(batch.iter().all(|&image| image < images.batch));
    dx.fill(T::ZERO);
    if g.is_empty() {
        return;
    }
    let size = images.channels.div_ceil(threads_here());
    let min_tasks = MIN_CHUNK.div_ceil(bins * batch.len() * size);
    let out = DisjointMut::new(dx);
    parallel_chunks(images.channels.div_ceil(size), min_tasks, |range| {
        for task in range {
            for (region, &image) in batch.iter().enumerate() {
                for c in task * size..images.channels.min((task + 1) * size) {
                    let from = (region * images.channels + c) * bins;
                    let to = (image * images.channels + c) * plane;
                    // SAFETY: tasks write channels of their own.
                    let dx = unsafe { out.slice(to..to + plane) };
                    let pairs = g[from..from + bins].iter().zip(&places[from..from + bins]);
                    for (&g, &place) in pairs {
                        if let Some(dx) = usize::try_from(place).ok().and_then(|i| dx.get_mut(i)) {
                            *dx += g;
                        }
                    }
                }
            }
        }
    });
}
