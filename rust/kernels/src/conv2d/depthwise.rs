//! Groups of one input channel, directly, from a copy of the plane with its
//! surroundings ([`Halo`]).

use super::backward_input::scatter;
use super::halo::{Dense, Fill, Halo, SLACK};
use super::phase::Phase;
use super::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::Tail;
use crate::pool::{DisjointMut, parallel_blocks};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};

/// Vectors of output computed at a time.
const VECTORS: usize = 4;
/// Output rows computed together.
const ROWS: usize = 4;
/// Taps of the weight's gradient summed at a time.
const TAPS: usize = 8;
/// Multiply-adds worth a task of its own.
const TASK: usize = 1 << 16;

/// out (grid) = or += the taps of the copy, weighted.
struct Plane<'a> {
    halo: &'a Halo,
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
        assert!(self.copy.len() >= self.halo.len() + SLACK && self.out.len() == grid_h * grid_w);
        assert_eq!(self.weight.len(), self.halo.places.len());
        if let Some(dense) = &self.halo.dense
            && grid_h >= ROWS
        {
            match dense.rows {
                3 => return self.rows_together::<S, 3>(s, dense),
                5 => return self.rows_together::<S, 5>(s, dense),
                _ => {}
            }
        }
        self.any_taps(s);
    }
}

impl Plane<'_> {
    /// Vectors one after the other, row by row; four at a time share the
    /// weights.
    #[inline(always)]
    fn any_taps<S: Simd>(self, s: S) {
        let [grid_h, grid_w] = self.halo.grid;
        let per_row = grid_w.div_ceil(S::LANES);
        let place = |i: usize| (i / per_row, i % per_row * S::LANES);
        let vectors = grid_h * per_row;
        for first in (0..vectors).step_by(VECTORS) {
            let places: [_; VECTORS] = std::array::from_fn(|i| place((first + i).min(vectors - 1)));
            let from = places.map(|(y, x)| y * self.halo.line + x);
            let mut acc = [s.zero(); VECTORS];
            for (w, place) in self.weight.iter().zip(&self.halo.places) {
                let w = s.splat(*w);
                for i in 0..VECTORS {
                    // SAFETY: a vector reads less than `SLACK` beyond the copy.
                    let x =
                        unsafe { s.load_ptr(self.copy.as_ptr().add(from[i] + *place as usize)) };
                    acc[i] = s.fma(w, x, acc[i]);
                }
            }
            // SAFETY: `out` is as large as the grid.
            unsafe {
                let to = self.out.as_mut_ptr();
                for ((y, x), acc) in places.into_iter().zip(acc).take(vectors - first) {
                    self.store(s, to.add(y * grid_w + x), grid_w - x, acc);
                }
            }
        }
    }

    /// Four rows at a time: a row of the copy serves each output row that a
    /// row of taps joins with it.
    #[inline(always)]
    fn rows_together<S: Simd, const TAPS: usize>(self, s: S, dense: &Dense) {
        let [grid_h, grid_w] = self.halo.grid;
        let width = dense.columns.len();
        let mut weight = [0.0; 64];
        if dense.order.len() > weight.len() {
            return self.any_taps(s);
        }
        for (to, tap) in weight.iter_mut().zip(&dense.order) {
            *to = self.weight[*tap];
        }
        let line = self.halo.line;
        for y in (0..grid_h).step_by(ROWS) {
            // The last rows may be computed twice; added only once.
            let top = y.min(grid_h - ROWS);
            for x in (0..grid_w).step_by(S::LANES) {
                // SAFETY: as in `any_taps`.
                unsafe {
                    let from = self.copy.as_ptr().add(top * line + x);
                    let mut acc = [s.zero(); ROWS];
                    for (i, column) in dense.columns.iter().enumerate() {
                        let from = from.add(*column as usize);
                        let mut w = [s.zero(); TAPS];
                        for (tap, w) in w.iter_mut().enumerate() {
                            *w = s.splat(weight[tap * width + i]);
                        }
                        for row in 0..ROWS + TAPS - 1 {
                            let x = s.load_ptr(from.add(row * line));
                            for (out, acc) in acc.iter_mut().enumerate() {
                                if row >= out && row - out < TAPS {
                                    *acc = s.fma(w[row - out], x, *acc);
                                }
                            }
                        }
                    }
                    for (row, acc) in acc.into_iter().enumerate().skip(y - top) {
                        let to = self.out.as_mut_ptr().add((top + row) * grid_w + x);
                        self.store(s, to, grid_w - x, acc);
                    }
                }
            }
        }
    }

    /// # Safety
    /// `to` can be written up to `n` values.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, s: S, to: *mut f32, n: usize, sum: S::F) {
        // SAFETY: the caller's.
        unsafe {
            if n >= S::LANES {
                let old = if self.add { s.load_ptr(to) } else { s.zero() };
                s.store_ptr(to, s.add(old, sum));
            } else {
                let old = if self.add {
                    s.load_ptr_part(to, n)
                } else {
                    s.zero()
                };
                s.store_ptr_part(to, n, s.add(old, sum));
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
    let halo = Halo::new([shape.in_h, shape.in_w], 0, grid, shape.stride, &taps);
    let (plane, kernel) = (shape.out_plane(), shape.kernel());
    let y = DisjointMut::new(y);
    parallel_blocks(
        shape.batch * shape.out_c,
        planes_at_once(plane * kernel),
        |_, planes| {
            let mut copy = Scratch::take(halo.len() + SLACK);
            let mut copied = None;
            for index in planes {
                let (image, out) = (index / shape.out_c, index % shape.out_c);
                let source = image * shape.in_c + out / shape.group_out();
                if copied != Some(source) {
                    let x = &x[source * shape.in_plane()..][..shape.in_plane()];
                    dispatch(
                        isa,
                        Fill {
                            halo: &halo,
                            plane: x,
                            copy: &mut copy,
                        },
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
                (!empty).then(|| Halo::new(out, 0, grid, [1, 1], &phase.taps)),
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
    halo: &Halo,
    index: usize,
    dy: &[f32],
    w: &[f32],
    to: &mut [f32],
) {
    let (kernel, plane, outs) = (shape.kernel(), shape.out_plane(), shape.group_out());
    let mut copy = Scratch::take(halo.len() + SLACK);
    let mut sum = Scratch::take(halo.grid[0] * halo.grid[1]);
    let mut weight = Scratch::take(phase.kernel.len());
    for i in 0..outs {
        let out = index % shape.in_c * outs + i;
        let source = index / shape.in_c * shape.out_c + out;
        dispatch(
            isa,
            Fill {
                halo,
                plane: &dy[source * plane..][..plane],
                copy: &mut copy,
            },
        );
        for (value, tap) in weight.iter_mut().zip(&phase.kernel) {
            *value = w[out * kernel + tap];
        }
        let (copy, weight) = (&copy, &weight);
        let out = if shape.stride == [1, 1] {
            &mut *to
        } else {
            &mut *sum
        };
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
    if shape.stride != [1, 1] {
        scatter(&sum, halo.grid[1], phase.first, shape, to);
    }
}

pub(super) fn backward_weight(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let (taps, grid) = (shape.taps(), [shape.out_h(), shape.out_w()]);
    let halo = Halo::new([shape.in_h, shape.in_w], 0, grid, shape.stride, &taps);
    let (plane, kernel) = (shape.out_plane(), shape.kernel());
    let work = shape.batch * plane * kernel;
    let dw = DisjointMut::new(dw);
    parallel_blocks(shape.out_c, planes_at_once(work), |_, channels| {
        let mut copy = Scratch::take(halo.len() + SLACK);
        for out in channels {
            // SAFETY: channels do not overlap.
            let sums = unsafe { dw.slice(out * kernel..(out + 1) * kernel) };
            sums.fill(0.0);
            for image in 0..shape.batch {
                let source = image * shape.in_c + out / shape.group_out();
                let x = &x[source * shape.in_plane()..][..shape.in_plane()];
                dispatch(
                    isa,
                    Fill {
                        halo: &halo,
                        plane: x,
                        copy: &mut copy,
                    },
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
    halo: &'a Halo,
    copy: &'a [f32],
    dy: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for TapSums<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [grid_h, grid_w] = self.halo.grid;
        assert!(self.copy.len() >= self.halo.len() + SLACK && self.dy.len() == grid_h * grid_w);
        for (sums, places) in self
            .sums
            .chunks_mut(TAPS)
            .zip(self.halo.places.chunks(TAPS))
        {
            let mut at = [places[0] as usize; TAPS];
            at.iter_mut()
                .zip(places)
                .for_each(|(at, place)| *at = *place as usize);
            let mut acc = [s.zero(); TAPS];
            for y in 0..grid_h {
                for x in (0..grid_w).step_by(S::LANES) {
                    let n = (grid_w - x).min(S::LANES);
                    let from = y * self.halo.line + x;
                    // SAFETY: both lie in their slices, as in `Plane`.
                    unsafe {
                        let from = self.copy.as_ptr().add(from);
                        let dy = self.dy.as_ptr().add(y * grid_w + x);
                        if n == S::LANES {
                            let dy = s.load_ptr(dy);
                            for i in 0..TAPS {
                                acc[i] = s.fma(dy, s.load_ptr(from.add(at[i])), acc[i]);
                            }
                        } else {
                            // Lanes beyond the row stay 0: what lies there may
                            // be NaN.
                            let dy = s.load_ptr_part(dy, n);
                            for i in 0..TAPS {
                                acc[i] = s.fma(dy, s.load_ptr_part(from.add(at[i]), n), acc[i]);
                            }
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
