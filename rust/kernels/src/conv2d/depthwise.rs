//! Groups of one input channel, directly.
//!
//! A plane is copied once with its surroundings of zeros, columns sorted by
//! their remainder by the stride; then every tap of a row of output elements
//! is a plain contiguous load, whatever stride, dilation and padding.

use super::backward_input::scatter;
use super::shape::{Conv2dShape, inside};
use super::weight::Phase;
use crate::isa::Isa;
use crate::matmul::Tail;
use crate::pool::{DisjointMut, parallel_blocks};
use crate::scratch::Scratch;
use crate::simd::{Kernel, MAX_LANES, Simd, dispatch};

/// Vectors of output computed at a time.
const VECTORS: usize = 4;
/// Taps of the weight's gradient summed at a time.
const TAPS: usize = 8;
/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 16;

/// A plane with the zeros around it that the taps reach.
struct Halo<'a> {
    h: usize,
    w: usize,
    grid: [usize; 2],
    step: [usize; 2],
    taps: &'a [[isize; 2]],
    /// The first row and column that a tap reads.
    low: [isize; 2],
    /// Rows kept, and the length of a row's part of one remainder.
    rows: usize,
    line: usize,
    /// Where each tap finds the output's element (0, 0).
    places: Vec<usize>,
}

impl<'a> Halo<'a> {
    fn new(
        [h, w]: [usize; 2],
        grid: [usize; 2],
        step: [usize; 2],
        taps: &'a [[isize; 2]],
    ) -> Halo<'a> {
        let low = [0, 1].map(|axis| taps.iter().map(|t| t[axis]).min().unwrap_or(0));
        let high = [0, 1].map(|axis| taps.iter().map(|t| t[axis]).max().unwrap_or(0));
        let reach = [0, 1].map(|axis| (high[axis] - low[axis]) as usize);
        let rows = (grid[0] - 1) * step[0] + reach[0] + 1;
        let line = grid[1] + reach[1] / step[1];
        let place = |tap: &[isize; 2]| {
            let [y, x] = [0, 1].map(|axis| (tap[axis] - low[axis]) as usize);
            (y * step[1] + x % step[1]) * line + x / step[1]
        };
        let places = taps.iter().map(place).collect();
        Halo {
            h,
            w,
            grid,
            step,
            taps,
            low,
            rows,
            line,
            places,
        }
    }

    /// Room for the copy, with what vectors read beyond the last row.
    fn len(&self) -> usize {
        self.rows * self.step[1] * self.line + MAX_LANES
    }

    /// Step from output row to output row in the copy.
    fn row_step(&self) -> usize {
        self.step[0] * self.step[1] * self.line
    }

    fn fill(&self, plane: &[f32], copy: &mut [f32]) {
        let step = self.step[1];
        for (row, lines) in copy
            .chunks_exact_mut(step * self.line)
            .take(self.rows)
            .enumerate()
        {
            let y = row as isize + self.low[0];
            if !(0..self.h as isize).contains(&y) {
                lines.fill(0.0);
                continue;
            }
            let from = &plane[y as usize * self.w..][..self.w];
            for (remainder, line) in lines.chunks_exact_mut(self.line).enumerate() {
                let offset = remainder as isize + self.low[1];
                let valid = inside(self.line, step, offset, self.w);
                line[..valid.start].fill(0.0);
                line[valid.end..].fill(0.0);
                if valid.is_empty() {
                    continue;
                }
                let first = ((valid.start * step) as isize + offset) as usize;
                let line = &mut line[valid];
                if step == 1 {
                    line.copy_from_slice(&from[first..first + line.len()]);
                } else {
                    let from = from[first..].iter().step_by(step);
                    line.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
        let end = self.rows * step * self.line;
        copy[end..end + MAX_LANES].fill(0.0);
    }
}

/// out (grid) = or += the taps of the copy, weighted.
struct Plane<'a> {
    halo: &'a Halo<'a>,
    copy: &'a [f32],
    weight: &'a [f32],
    out: &'a mut [f32],
    add: bool,
}

impl Kernel for Plane<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [grid_h, grid_w] = self.halo.grid;
        assert!(self.copy.len() >= self.halo.len() && self.out.len() == grid_h * grid_w);
        assert_eq!(self.weight.len(), self.halo.taps.len());
        // Vectors in order, row by row; four at a time share the weights.
        let per_row = grid_w.div_ceil(S::LANES);
        let place = |i: usize| (i / per_row, i % per_row * S::LANES);
        let vectors = grid_h * per_row;
        for first in (0..vectors).step_by(VECTORS) {
            let places: [_; VECTORS] = std::array::from_fn(|i| place((first + i).min(vectors - 1)));
            // SAFETY: a vector read lies in the copy: rows end `MAX_LANES`
            // before it does.  Writes end with the row.
            unsafe {
                let from =
                    places.map(|(y, x)| self.copy.as_ptr().add(y * self.halo.row_step() + x));
                let mut acc = [s.zero(); VECTORS];
                for (w, place) in self.weight.iter().zip(&self.halo.places) {
                    let w = s.splat(*w);
                    for i in 0..VECTORS {
                        acc[i] = s.fma(w, s.load_ptr(from[i].add(*place)), acc[i]);
                    }
                }
                for ((y, x), acc) in places.into_iter().zip(acc).take(vectors - first) {
                    let n = (grid_w - x).min(S::LANES);
                    let to = self.out.as_mut_ptr().add(y * grid_w + x);
                    let old = if self.add {
                        s.load_ptr_part(to, n)
                    } else {
                        s.zero()
                    };
                    s.store_ptr_part(to, n, s.add(old, acc));
                }
            }
        }
    }
}

/// Planes per task.
fn planes_at_once(work: usize) -> usize {
    (TASK / work.max(1)).max(1)
}

pub(super) fn forward(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    tail: Option<Tail<'_>>,
) {
    let (taps, grid) = (shape.taps(), [shape.out_h(), shape.out_w()]);
    let halo = Halo::new([shape.in_h, shape.in_w], grid, shape.stride, &taps);
    let (plane, kernel) = (shape.out_plane(), shape.kernel());
    let y = DisjointMut::new(y);
    parallel_blocks(
        shape.batch * shape.out_c,
        planes_at_once(plane * kernel),
        |_, planes| {
            let mut copy = Scratch::take(halo.len());
            let mut copied = None;
            for index in planes {
                let (image, out) = (index / shape.out_c, index % shape.out_c);
                let source = image * shape.in_c + out / shape.group_out();
                if copied != Some(source) {
                    halo.fill(
                        &x[source * shape.in_plane()..][..shape.in_plane()],
                        &mut copy,
                    );
                    copied = Some(source);
                }
                let start = index * plane;
                // SAFETY: planes do not overlap.
                let piece = unsafe { y.slice(start..start + plane) };
                let weight = &w[out * kernel..][..kernel];
                dispatch(
                    isa,
                    Plane {
                        halo: &halo,
                        copy: &copy,
                        weight,
                        out: piece,
                        add: false,
                    },
                );
                if let Some(tail) = tail {
                    tail(start, piece);
                }
            }
        },
    );
}

pub(super) fn backward_input(
    isa: Isa,
    shape: &Conv2dShape,
    phases: &[Phase],
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    tail: Option<Tail<'_>>,
) {
    let (kernel, plane) = (shape.kernel(), shape.in_plane());
    let out = [shape.out_h(), shape.out_w()];
    let halos: Vec<_> = phases
        .iter()
        .map(|phase| {
            let size = [shape.in_h, shape.in_w];
            let grid = [0, 1].map(|axis| {
                size[axis]
                    .saturating_sub(phase.first[axis])
                    .div_ceil(shape.stride[axis])
            });
            let empty = phase.taps.is_empty() || grid.contains(&0) || shape.output_len() == 0;
            (
                phase,
                (!empty).then(|| Halo::new(out, grid, [1, 1], &phase.taps)),
            )
        })
        .collect();
    let dx = DisjointMut::new(dx);
    let work = plane * kernel / phases.len().max(1);
    parallel_blocks(
        shape.batch * shape.in_c,
        planes_at_once(work),
        |_, planes| {
            for index in planes {
                let start = index * plane;
                // SAFETY: planes do not overlap.
                let to = unsafe { dx.slice(start..start + plane) };
                to.fill(0.0);
                for (phase, halo) in &halos {
                    if let Some(halo) = halo {
                        input_phase(isa, shape, phase, halo, index, dy, w, to);
                    }
                }
                if let Some(tail) = tail {
                    tail(start, to);
                }
            }
        },
    );
}

/// One phase of the gradient of input plane `index`, into its places.
fn input_phase(
    isa: Isa,
    shape: &Conv2dShape,
    phase: &Phase,
    halo: &Halo<'_>,
    index: usize,
    dy: &[f32],
    w: &[f32],
    to: &mut [f32],
) {
    let (kernel, plane, outs) = (shape.kernel(), shape.out_plane(), shape.group_out());
    let mut copy = Scratch::take(halo.len());
    let mut sum = Scratch::take(halo.grid[0] * halo.grid[1]);
    let mut weight = Scratch::take(phase.kernel.len());
    for i in 0..outs {
        let out = index % shape.in_c * outs + i;
        let source = index / shape.in_c * shape.out_c + out;
        halo.fill(&dy[source * plane..][..plane], &mut copy);
        for (value, tap) in weight.iter_mut().zip(&phase.kernel) {
            *value = w[out * kernel + tap];
        }
        let (copy, weight, out) = (&copy, &weight, &mut sum);
        dispatch(
            isa,
            Plane {
                halo,
                copy,
                weight,
                out,
                add: i > 0,
            },
        );
    }
    scatter(&sum, halo.grid[1], phase.first, shape, to);
}

pub(super) fn backward_weight(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let (taps, grid) = (shape.taps(), [shape.out_h(), shape.out_w()]);
    let halo = Halo::new([shape.in_h, shape.in_w], grid, shape.stride, &taps);
    let (plane, kernel) = (shape.out_plane(), shape.kernel());
    let work = shape.batch * plane * kernel;
    let dw = DisjointMut::new(dw);
    parallel_blocks(shape.out_c, planes_at_once(work), |_, channels| {
        let mut copy = Scratch::take(halo.len());
        for out in channels {
            // SAFETY: channels do not overlap.
            let sums = unsafe { dw.slice(out * kernel..(out + 1) * kernel) };
            sums.fill(0.0);
            for image in 0..shape.batch {
                let source = image * shape.in_c + out / shape.group_out();
                halo.fill(
                    &x[source * shape.in_plane()..][..shape.in_plane()],
                    &mut copy,
                );
                let dy = &dy[(image * shape.out_c + out) * plane..][..plane];
                dispatch(
                    isa,
                    TapSums {
                        halo: &halo,
                        copy: &copy,
                        dy,
                        sums,
                    },
                );
            }
        }
    });
}

/// sums[t] += the product of `dy` with what tap t finds.
struct TapSums<'a> {
    halo: &'a Halo<'a>,
    copy: &'a [f32],
    dy: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for TapSums<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [grid_h, grid_w] = self.halo.grid;
        assert!(self.copy.len() >= self.halo.len() && self.dy.len() == grid_h * grid_w);
        for (sums, places) in self
            .sums
            .chunks_mut(TAPS)
            .zip(self.halo.places.chunks(TAPS))
        {
            let mut at = [places[0]; TAPS];
            at[..places.len()].copy_from_slice(places);
            let mut acc = [s.zero(); TAPS];
            for y in 0..grid_h {
                for x in (0..grid_w).step_by(S::LANES) {
                    let n = (grid_w - x).min(S::LANES);
                    // SAFETY: both lie in their slices, as in `Plane`.  Lanes
                    // beyond the row stay 0: what lies there may be NaN.
                    unsafe {
                        let dy = s.load_ptr_part(self.dy.as_ptr().add(y * grid_w + x), n);
                        let from = self.copy.as_ptr().add(y * self.halo.row_step() + x);
                        for i in 0..TAPS {
                            acc[i] = s.fma(dy, s.load_ptr_part(from.add(at[i]), n), acc[i]);
                        }
                    }
                }
            }
            for (sum, acc) in sums.iter_mut().zip(acc) {
                *sum += s.sum(acc);
            }
        }
    }
}
