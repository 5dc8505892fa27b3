//! The input's gradient, which is also the transposed convolution.

use super::depthwise;
use super::patches::Patches;
use super::phase::Phase;
use super::product::{Product, most_cols, tasks_wanted};
use super::shape::Conv2dShape;
use super::weight::{ConvWeight, for_backward_input};
use crate::isa::Isa;
use crate::matmul::Tail;
use crate::matmul::block::{Block, PackedLeft, row_panel, row_panels};
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::dispatch;
use std::ops::Range;

/// dx[n, c, i, j] = sum over the o, a, b and output elements that read it of
/// w[o, c, a, b] dy[n, o, ...].
///
/// `shape` is the forward convolution's; a transposed convolution passes the
/// shape whose forward it undoes, its input as `dy` and its output as `dx`.
/// `tail` is called with final pieces of dx.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_input(
    isa: Isa,
    shape: &Conv2dShape,
    dy: &[f32],
    w: ConvWeight<'_>,
    dx: &mut [f32],
    tail: Option<Tail<'_>>,
) {
    shape.check(dx.len(), w.len(), dy.len());
    if dx.is_empty() {
        return;
    }
    let mut scratch = None;
    let weight = for_backward_input(isa, shape, w, &mut scratch);
    let phases = Phase::all(shape);
    if shape.is_depthwise() {
        depthwise::backward_input(isa, shape, &phases, dy, weight, dx, tail);
    } else if let [phase] = &phases[..] {
        let product = Product {
            isa,
            batch: shape.batch,
            groups: shape.groups,
            m: shape.group_in(),
            channels: shape.group_out(),
            x: dy,
            h: shape.out_h(),
            w: shape.out_w(),
            taps: &phase.taps,
            grid: [shape.in_h, shape.in_w],
            step: [1, 1],
            weight,
        };
        product.run(dx, tail);
    } else {
        Strided {
            isa,
            shape,
            phases: &phases,
            dy,
            weight,
        }
        .run(dx, tail);
    }
}

/// With a stride: every phase of it is a product of its own; a task computes
/// all phases of a band of rows and scatters them into the input's places.
struct Strided<'a> {
    isa: Isa,
    shape: &'a Conv2dShape,
    phases: &'a [Phase],
    dy: &'a [f32],
    weight: &'a [f32],
}

impl Strided<'_> {
    fn run(&self, dx: &mut [f32], tail: Option<Tail<'_>>) {
        let shape = self.shape;
        let m = shape.group_in();
        let taps = self.phases.iter().map(|p| p.taps.len()).max().unwrap_or(0);
        let units = shape.batch * shape.groups;
        let work = shape.input_len() * shape.group_out() * shape.kernel() / self.phases.len();
        let want = tasks_wanted(work, units);
        // Rows and columns of the largest phase.
        let grid_h = shape.in_h.div_ceil(shape.stride[0]);
        let grid_w = shape.in_w.div_ceil(shape.stride[1]);
        let most = most_cols(self.isa, shape.group_out() * taps);
        let bands = (grid_h * grid_w).div_ceil(most).max(want).min(grid_h);
        let all = row_panels(self.isa, m);
        let blocks = want.div_ceil(bands).min(all);
        let dx = DisjointMut::new(dx);
        parallel_for(units * bands * blocks, &|task| {
            let (block, rest) = (task % blocks, task / blocks);
            let (band, unit) = (rest % bands, rest / bands);
            let tiles = all * block / blocks..all * (block + 1) / blocks;
            let band = grid_h * band / bands..grid_h * (band + 1) / bands;
            self.band(unit, tiles, band, &dx, tail);
        });
    }

    /// Rows `band` of every phase, for channels `tiles` of image and group
    /// `unit`.
    fn band(
        &self,
        unit: usize,
        tiles: Range<usize>,
        band: Range<usize>,
        dx: &DisjointMut<'_, f32>,
        tail: Option<Tail<'_>>,
    ) {
        let shape = self.shape;
        let (m, outs) = (shape.group_in(), shape.group_out());
        let all = row_panels(self.isa, m);
        let channels = row_panel(all, m, tiles.start).start..row_panel(all, m, tiles.end - 1).end;
        let lines = band.start * shape.stride[0]..shape.in_h.min(band.end * shape.stride[0]);
        let first = unit * m * shape.in_plane();
        let target = |channel: usize| {
            let at = first + channel * shape.in_plane();
            at + lines.start * shape.in_w..at + lines.end * shape.in_w
        };
        let group = unit % shape.groups;
        let mut weight = &self.weight[group * m * outs * shape.kernel()..];
        for phase in self.phases {
            let k = outs * phase.taps.len();
            let (this, rest) = weight.split_at(m * k);
            weight = rest;
            let grid = [0, 1].map(|axis| {
                let size = [shape.in_h, shape.in_w][axis];
                size.saturating_sub(phase.first[axis])
                    .div_ceil(shape.stride[axis])
            });
            let cols = band.start * grid[1]..band.end.min(grid[0]) * grid[1];
            if cols.is_empty() {
                continue;
            }
            let patches = Patches {
                x: &self.dy[unit * outs * shape.out_plane()..],
                image: 0,
                h: shape.out_h(),
                w: shape.out_w(),
                taps: &phase.taps,
                grid,
                step: [1, 1],
            };
            let width = cols.len();
            let mut values = Scratch::take(channels.len() * width);
            // Where (0, 0) would be: only the block's own part is touched.
            let c = values
                .as_mut_ptr()
                .wrapping_sub(channels.start * width + cols.start);
            let block = Block {
                left: &PackedLeft(this),
                right: &patches,
                m,
                k,
                tiles: tiles.clone(),
                all,
                cols,
                c,
                c_row: width,
                left_stays: true,
                epilogue: None,
            };
            dispatch(self.isa, block);
            for (channel, values) in channels.clone().zip(values.chunks_exact(width)) {
                // SAFETY: tasks write different bands or channels.
                let to = unsafe { dx.slice(target(channel)) };
                scatter(values, grid[1], phase.first, shape, to);
            }
        }
        if let Some(tail) = tail {
            for channel in channels {
                let range = target(channel);
                // SAFETY: as above.
                tail(range.start, unsafe { dx.slice(range) });
            }
        }
    }
}

/// A phase's values into their places in a band of a channel.
pub(super) fn scatter(
    values: &[f32],
    grid_w: usize,
    first: [usize; 2],
    shape: &Conv2dShape,
    to: &mut [f32],
) {
    let [stride_y, stride_x] = shape.stride;
    for (row, values) in values.chunks_exact(grid_w).enumerate() {
        let line = &mut to[(first[0] + row * stride_y) * shape.in_w..][..shape.in_w];
        for (value, place) in values
            .iter()
            .zip(line[first[1]..].iter_mut().step_by(stride_x))
        {
            *place = *value;
        }
    }
}
