//! Some rows of an image copied with their surroundings, so that every pixel
//! of an output row finds its taps at the same distances.
//!
//! Along an axis that the window moves over by `stride`, pixels lie sorted by
//! their remainder (their phase): neighbours in the output are neighbours in
//! the copy.

use crate::cache::LINE;
use crate::matmul::tile::{L2, prefetch};
use std::ops::Range;

/// Rows that are asked for ahead: one alone is too short for the machine to
/// foresee it.
const AHEAD: usize = 3;

/// One axis of the copy.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub size: usize,
    pub pad: usize,
    pub stride: usize,
    pub dilation: usize,
    pub kernel: usize,
    /// Output positions.
    pub out: Range<usize>,
}

impl Axis {
    /// Remainders that some tap needs, rising.
    pub fn phases(&self) -> Vec<usize> {
        let mut phases: Vec<usize> = (0..self.kernel)
            .map(|tap| tap * self.dilation % self.stride)
            .collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    /// Positions of a phase.
    pub fn positions(&self) -> usize {
        self.out.len() + (self.kernel - 1) * self.dilation / self.stride
    }

    /// The phase (by its number among `phases`) and first position of a tap.
    pub fn place(&self, phases: &[usize], tap: usize) -> (usize, usize) {
        let at = tap * self.dilation;
        let phase = phases.iter().position(|p| *p == at % self.stride);
        (phase.unwrap_or(0), at / self.stride)
    }

    /// Positions of a phase that lie in the image, and the first one's index
    /// there.
    pub fn inside(&self, phase: usize) -> (Range<usize>, usize) {
        // Position i lies at first + i * stride.
        let first = (self.out.start * self.stride + phase) as isize - self.pad as isize;
        let range = crate::conv2d::shape::inside(self.positions(), self.stride, first, self.size);
        let start = first + (range.start * self.stride) as isize;
        (range, start.max(0) as usize)
    }
}

/// Where the taps of a block of channels lie in the copy.
pub(super) struct Band {
    axes: [Axis; 2],
    phases: [Vec<usize>; 2],
    /// Values of a pixel: a vector of channels, or one.
    unit: usize,
    /// Values from a row of outputs to the next.
    pub line: usize,
    /// Values of one block.
    pub block: usize,
}

impl Band {
    pub fn new(axes: [Axis; 2], unit: usize) -> Band {
        let phases = [axes[0].phases(), axes[1].phases()];
        let line = phases[1].len() * axes[1].positions() * unit;
        let block = phases[0].len() * axes[0].positions() * line;
        Band {
            axes,
            phases,
            unit,
            line,
            block,
        }
    }

    /// The places of the taps of `blocks` blocks, block by block.
    pub fn places(&self, blocks: usize) -> Vec<u32> {
        let [rows, columns] = &self.axes;
        let mut places = Vec::with_capacity(blocks * rows.kernel * columns.kernel);
        for block in 0..blocks {
            for tap_y in 0..rows.kernel {
                let (phase_y, y) = rows.place(&self.phases[0], tap_y);
                let row = phase_y * rows.positions() + y;
                for tap_x in 0..columns.kernel {
                    let (phase_x, x) = columns.place(&self.phases[1], tap_x);
                    let column = phase_x * columns.positions() + x;
                    let at = block * self.block + row * self.line + column * self.unit;
                    places.push(at as u32);
                }
            }
        }
        places
    }

    /// Copies one block of the image: rows of `columns.size` pixels.
    #[inline(always)]
    pub fn fill(&self, image: &[f32], copy: &mut [f32]) {
        let [rows, columns] = &self.axes;
        let row_len = columns.size * self.unit;
        // Row after row as the image lies.
        for position in 0..rows.positions() {
            for (i, phase_y) in self.phases[0].iter().enumerate() {
                let (inside, first) = rows.inside(*phase_y);
                let at = (i * rows.positions() + position) * self.line;
                let to = &mut copy[at..at + self.line];
                if !inside.contains(&position) {
                    to.fill(0.0);
                    continue;
                }
                let y = first + (position - inside.start) * rows.stride;
                let ahead = image.as_ptr().wrapping_add((y + AHEAD) * row_len);
                for at in (0..row_len).step_by(LINE) {
                    prefetch::<L2>(ahead.wrapping_add(at));
                }
                self.row(&image[y * row_len..(y + 1) * row_len], to);
            }
        }
    }

    #[inline(always)]
    fn row(&self, image: &[f32], to: &mut [f32]) {
        let columns = &self.axes[1];
        let unit = self.unit;
        let each = columns.positions() * unit;
        for (phase, to) in self.phases[1].iter().zip(to.chunks_exact_mut(each)) {
            let (inside, first) = columns.inside(*phase);
            to[..inside.start * unit].fill(0.0);
            to[inside.end * unit..].fill(0.0);
            let to = &mut to[inside.start * unit..inside.end * unit];
            let from = &image[(first * unit).min(image.len())..];
            every(columns.stride, unit, from, to);
        }
    }
}

/// Every so many of the pixels of `unit` values, of which `from` may hold more.
#[inline(always)]
pub(super) fn every(stride: usize, unit: usize, from: &[f32], to: &mut [f32]) {
    match (stride, unit) {
        (1, _) => to.copy_from_slice(&from[..to.len()]),
        (2, 1) => {
            let (pairs, rest) = from.as_chunks::<2>();
            for (to, pair) in to.iter_mut().zip(pairs) {
                *to = pair[0];
            }
            if to.len() > pairs.len() {
                to[pairs.len()] = rest[0];
            }
        }
        (stride, 8) => whole::<8>(stride, from, to),
        (stride, 16) => whole::<16>(stride, from, to),
        (stride, _) => {
            let from = from.chunks(unit * stride);
            for (to, from) in to.chunks_exact_mut(unit).zip(from) {
                to.copy_from_slice(&from[..unit]);
            }
        }
    }
}

/// As [`every`], of pixels of `UNIT` values.
#[inline(always)]
fn whole<const UNIT: usize>(stride: usize, from: &[f32], to: &mut [f32]) {
    let (to, from) = (to.as_chunks_mut::<UNIT>().0, from.as_chunks::<UNIT>().0);
    for (to, from) in to.iter_mut().zip(from.iter().step_by(stride)) {
        *to = *from;
    }
}
