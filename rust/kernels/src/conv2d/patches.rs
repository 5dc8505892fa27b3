//! The image as a matrix: row (channel, tap), column output element.
//!
//! Element ((c, t), (n, y, x)) is `x[n, c, y * step + tap_y, x * step +
//! tap_x]`, 0 outside the image.  [`Patches`] packs panels of it as a right
//! operand, [`Transposed`] of its transpose.

use super::halo::every_second;
use super::shape::inside;
use crate::isa::Isa;
use crate::matmul::block::{Panels, Right};
use crate::matmul::pack::transpose;
use crate::matmul::tile::{panel_width, tile_cols};
use crate::scratch::Scratch;
use crate::simd::Simd;
use std::ops::Range;

/// The images of one group and the elements taken from them.
pub(super) struct Patches<'a> {
    /// From the group's first channel of the first image on.
    pub x: &'a [f32],
    /// Step from image to image.
    pub image: usize,
    pub h: usize,
    pub w: usize,
    pub taps: &'a [[isize; 2]],
    /// Output rows and columns.
    pub grid: [usize; 2],
    pub step: [usize; 2],
}

/// Neighbours in a row of the grid.
#[derive(Clone, Copy)]
struct Run {
    image: usize,
    y: usize,
    x: usize,
    len: usize,
}

/// Values for `dst..dst + len` of a row, every `step` from `src` on (relative
/// to the channel in the first image).
#[derive(Clone, Copy)]
struct Segment {
    src: usize,
    dst: usize,
    len: usize,
}

impl Patches<'_> {
    /// The same matrix; a kernel of one tap that takes every element sees the
    /// image as one long row.
    pub fn flattened(self) -> Self {
        let every = self.step == [1, 1] && self.grid == [self.h, self.w];
        if self.taps == [[0, 0]] && every {
            let size = self.h * self.w;
            return Patches {
                h: 1,
                w: size,
                grid: [1, size],
                ..self
            };
        }
        self
    }

    fn runs(&self, elements: Range<usize>, runs: &mut Vec<Run>) {
        runs.clear();
        let [grid_h, grid_w] = self.grid;
        let mut at = elements.start;
        while at < elements.end {
            let x = at % grid_w;
            let len = (grid_w - x).min(elements.end - at);
            let row = at / grid_w;
            runs.push(Run {
                image: row / grid_h,
                y: row % grid_h,
                x,
                len,
            });
            at += len;
        }
    }

    /// What tap `tap` finds for the runs; whether that is all of them.
    #[inline(always)]
    fn segments(&self, runs: &[Run], tap: [isize; 2], segments: &mut Vec<Segment>) -> bool {
        segments.clear();
        let [step_y, step_x] = self.step;
        let columns = inside(self.grid[1], step_x, tap[1], self.w);
        let (mut dst, mut whole) = (0, true);
        for run in runs {
            let y = (run.y * step_y) as isize + tap[0];
            let from = run.x.max(columns.start);
            let to = (run.x + run.len).min(columns.end);
            let hit = (0..self.h as isize).contains(&y) && from < to;
            if hit {
                let x = (from * step_x) as isize + tap[1];
                let src = run.image * self.image + y as usize * self.w + x as usize;
                segments.push(Segment {
                    src,
                    dst: dst + from - run.x,
                    len: to - from,
                });
            }
            whole &= hit && to - from == run.len;
            dst += run.len;
        }
        whole
    }

    /// One row: the segments from channel `channel`, zeros elsewhere.
    ///
    /// # Safety
    /// `dst` has room for `width` values, whole vectors, and the segments.
    #[inline(always)]
    unsafe fn row<S: Simd>(
        &self,
        s: S,
        channel: usize,
        segments: &[Segment],
        whole: bool,
        width: usize,
        dst: *mut f32,
    ) {
        // SAFETY: segments lie in the image, checked when the job was made.
        unsafe {
            if !whole {
                for at in (0..width).step_by(S::LANES) {
                    s.store_ptr(dst.add(at), s.zero());
                }
            }
            let from = self.x.as_ptr().add(channel * self.h * self.w);
            for segment in segments {
                let (src, dst) = (from.add(segment.src), dst.add(segment.dst));
                match self.step[1] {
                    1 => copy(s, src, segment.len, dst),
                    2 => every_second(s, src, dst, segment.len),
                    step => {
                        for i in 0..segment.len {
                            *dst.add(i) = *src.add(i * step);
                        }
                    }
                }
            }
        }
    }
}

/// # Safety
/// Both can be accessed so.
#[inline(always)]
unsafe fn copy<S: Simd>(s: S, src: *const f32, n: usize, dst: *mut f32) {
    let mut at = 0;
    // SAFETY: the caller's.
    unsafe {
        while at + S::LANES <= n {
            s.store_ptr(dst.add(at), s.load_ptr(src.add(at)));
            at += S::LANES;
        }
        if at < n {
            s.store_ptr_part(dst.add(at), n - at, s.load_ptr_part(src.add(at), n - at));
        }
    }
}

impl Right for Patches<'_> {
    fn scratch(&self, isa: Isa, cols: usize, k: usize) -> usize {
        panel_width(isa, cols) * k
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        k: Range<usize>,
        cols: Range<usize>,
        scratch: &mut [f32],
    ) -> Panels<'_> {
        let step = tile_cols(S::ISA);
        let taps = self.taps.len();
        let (mut runs, mut segments) = (Vec::new(), Vec::new());
        for (panel, start) in cols.clone().step_by(step).enumerate() {
            let part = start..cols.end.min(start + step);
            let width = panel_width(S::ISA, part.len());
            let dst = scratch[panel * step * k.len()..][..width * k.len()].as_mut_ptr();
            // Zeros up to a whole vector; all rows have the same.
            let padded = width > part.len();
            self.runs(part, &mut runs);
            for (t, tap) in self.taps.iter().enumerate() {
                let whole = self.segments(&runs, *tap, &mut segments) && !padded;
                // Channels c with c * taps + t in k.
                let first = (k.start + taps - 1 - t) / taps;
                let end = (k.end + taps - 1 - t) / taps;
                for channel in first..end {
                    let row = channel * taps + t - k.start;
                    // SAFETY: a row of the panel, which was sliced above.
                    unsafe {
                        let dst = dst.add(row * width);
                        self.row(s, channel, &segments, whole, width, dst);
                    }
                }
            }
        }
        Panels {
            start: scratch.as_ptr(),
            step: step * k.len(),
            rows: None,
        }
    }
}

/// The transpose: row output element (of all images), column (channel, tap).
pub(super) struct Transposed<'a>(pub Patches<'a>);

impl Right for Transposed<'_> {
    fn scratch(&self, isa: Isa, cols: usize, k: usize) -> usize {
        panel_width(isa, cols) * k
    }

    #[inline(always)]
    unsafe fn panels<S: Simd>(
        &self,
        s: S,
        k: Range<usize>,
        cols: Range<usize>,
        scratch: &mut [f32],
    ) -> Panels<'_> {
        let step = tile_cols(S::ISA);
        let taps = self.0.taps.len();
        let len = k.len();
        let line = len.next_multiple_of(S::LANES);
        let (mut runs, mut segments) = (Vec::new(), Vec::new());
        self.0.runs(k, &mut runs);
        let mut rows = Scratch::take(step * line);
        for (panel, start) in cols.clone().step_by(step).enumerate() {
            let part = start..cols.end.min(start + step);
            let width = panel_width(S::ISA, part.len());
            let dst = &mut scratch[panel * step * len..][..width * len];
            if width > part.len() {
                dst.fill(0.0);
            }
            // SAFETY: `rows` has `step` lines, `dst` `len` rows of `width`.
            unsafe {
                for (i, col) in part.clone().enumerate() {
                    let whole = self
                        .0
                        .segments(&runs, self.0.taps[col % taps], &mut segments);
                    let row = rows.as_mut_ptr().add(i * line);
                    self.0.row(s, col / taps, &segments, whole, line, row);
                }
                transpose(
                    rows.as_ptr(),
                    line,
                    dst.as_mut_ptr(),
                    width,
                    part.len(),
                    len,
                );
            }
        }
        Panels {
            start: scratch.as_ptr(),
            step: step * len,
            rows: None,
        }
    }
}
