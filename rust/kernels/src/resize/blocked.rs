//! Resampling of images in the blocked layout ([`crate::blocked`]): a pixel is
//! a vector of channels, weighed as a whole.

use super::{MIN_CHUNK, Taps, plane_sizes};
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Resamples planes (rows, columns, lanes); a plane is a block of an image.
/// With [`Taps::turned`] this is the gradient.
///
/// # Panics
/// Where a slice has another size.
pub fn resize2d_blocked(isa: Isa, x: &[f32], planes: usize, taps: [&Taps; 2], out: &mut [f32]) {
    let lanes = isa.lanes();
    let (from, to) = plane_sizes(taps);
    assert!(x.len() == planes * from * lanes && out.len() == planes * to * lanes);
    let line = taps[1].input() * lanes;
    let [rows, columns] = [Steps::new(taps[0], line), Steps::new(taps[1], lanes)];
    let row = taps[1].output() * lanes;
    let out = DisjointMut::new(out);
    let min_rows = MIN_CHUNK.div_ceil(row.max(1));
    parallel_chunks(planes * taps[0].output(), min_rows, |range| {
        dispatch(
            isa,
            Rows {
                x,
                plane: from * lanes,
                taps: [&rows, &columns],
                // SAFETY: the parts do not overlap.
                y: unsafe { out.slice(range.start * row..range.end * row) },
                row,
                range,
            },
        );
    });
}

/// Taps as distances and weights.
struct Steps {
    starts: Vec<usize>,
    all: Vec<(usize, f32)>,
    picks: bool,
}

impl Steps {
    fn new(taps: &Taps, step: usize) -> Steps {
        let mut steps = Steps {
            starts: vec![0],
            all: Vec::new(),
            picks: taps.picks(),
        };
        for o in 0..taps.output() {
            let (places, weights) = taps.of(o);
            let each = places.iter().zip(weights);
            steps
                .all
                .extend(each.map(|(place, weight)| (place * step, *weight as f32)));
            steps.starts.push(steps.all.len());
        }
        steps
    }

    fn of(&self, o: usize) -> &[(usize, f32)] {
        &self.all[self.starts[o]..self.starts[o + 1]]
    }
}

/// Output rows, counted through all planes.
struct Rows<'a> {
    x: &'a [f32],
    plane: usize,
    taps: [&'a Steps; 2],
    y: &'a mut [f32],
    row: usize,
    range: Range<usize>,
}

impl Kernel for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [rows, columns] = self.taps;
        let height = rows.starts.len() - 1;
        let picks = rows.picks && columns.picks;
        for (row, y) in self.range.zip(self.y.chunks_exact_mut(self.row.max(1))) {
            let x = &self.x[row / height * self.plane..][..self.plane];
            let down = rows.of(row % height);
            for (column, y) in y.chunks_exact_mut(S::LANES).enumerate() {
                let across = columns.of(column);
                if picks {
                    s.store(y, s.load(&x[down[0].0 + across[0].0..]));
                    continue;
                }
                let mut sum = s.zero();
                for (line, weight) in down {
                    let mut part = s.zero();
                    for (pixel, weight) in across {
                        let x = s.load(&x[line + pixel..]);
                        part = s.fma(s.splat(*weight), x, part);
                    }
                    sum = s.fma(s.splat(*weight), part, sum);
                }
                s.store(y, sum);
            }
        }
    }
}
