//! Pooling of images in the blocked layout ([`crate::blocked`]): a vector is
//! a pixel's channels, so a window is a few vectors for any stride.

use super::average::{counts, weight};
use super::{Pool2dShape, plane};
use crate::isa::Isa;
use crate::number::Number;
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Max,
    Average { count_include_pad: bool },
}

/// `y` of (planes, `out_h`, `out_w`, lanes); a plane is a block of an image.
///
/// # Panics
/// Where a slice has another size.
pub fn pool2d_blocked(isa: Isa, shape: &Pool2dShape, pooling: Pooling, x: &[f32], y: &mut [f32]) {
    let lanes = isa.lanes();
    assert!(x.len() == shape.input_len() * lanes && y.len() == shape.output_len() * lanes);
    let (size, out_size) = (shape.input_plane() * lanes, shape.output_plane() * lanes);
    let counts = match pooling {
        Pooling::Max => None,
        Pooling::Average { count_include_pad } => Some(counts(shape, count_include_pad)),
    };
    let to = DisjointMut::new(y);
    shape.each_plane(size + out_size * shape.kernel[1], |p| {
        let part = Plane {
            shape,
            counts: counts.as_ref(),
            x: &x[p * size..(p + 1) * size],
            // SAFETY: planes do not overlap.
            y: unsafe { plane(&to, p, out_size) },
        };
        dispatch(isa, part);
    });
}

struct Plane<'a> {
    shape: &'a Pool2dShape,
    /// Of averages: counted taps of rows and of columns.
    counts: Option<&'a [Vec<usize>; 2]>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.shape;
        let line = shape.in_w * S::LANES;
        let columns: Vec<_> = (0..shape.out_w).map(|x| shape.columns(x)).collect();
        let whole = |taps: &Range<usize>| taps.len() == shape.kernel[1];
        let begin = columns.iter().position(whole).unwrap_or(0);
        let inside = columns[begin..]
            .iter()
            .take_while(|taps| whole(taps))
            .count();
        let rows = self.y.chunks_exact_mut((shape.out_w * S::LANES).max(1));
        for (row, y) in rows.enumerate() {
            let taps = shape.rows(row);
            let lines = if taps.is_empty() {
                0..0
            } else {
                let first = shape.row(row, taps.start);
                first * line..(first + (taps.len() - 1) * shape.dilation[0]) * line + 1
            };
            s.call(Row {
                shape,
                x: self.x,
                lines,
                columns: &columns,
                inside: begin..begin + inside,
                counts: self.counts.map(|[rows, columns]| (rows[row], &columns[..])),
                y,
            });
        }
    }
}

/// Columns computed together.
const TOGETHER: usize = 4;

/// One row of results.
struct Row<'a> {
    shape: &'a Pool2dShape,
    x: &'a [f32],
    /// From the first to the last row of taps in x, every so many dilations.
    lines: Range<usize>,
    /// The taps of each column.
    columns: &'a [Range<usize>],
    /// Columns that have all taps.
    inside: Range<usize>,
    counts: Option<(usize, &'a [usize])>,
    y: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Range { start, end } = self.inside;
        for column in (0..start).chain(end..self.columns.len()) {
            self.windows::<S, 1>(s, column);
        }
        let mut column = start;
        while column + TOGETHER <= end {
            self.windows::<S, TOGETHER>(s, column);
            column += TOGETHER;
        }
        while column < end {
            self.windows::<S, 1>(s, column);
            column += 1;
        }
    }
}

impl Row<'_> {
    /// `N` columns from `column` on, which have the same taps.
    #[inline(always)]
    fn windows<S: Simd, const N: usize>(&mut self, s: S, column: usize) {
        let shape = self.shape;
        let taps = &self.columns[column];
        let start = if self.counts.is_some() {
            s.zero()
        } else {
            s.splat(f32::LOWEST)
        };
        let mut acc = [start; N];
        let mut nan = [s.ne(start, start); N];
        if !taps.is_empty() && !self.lines.is_empty() {
            let first = shape.column(column, taps.start) * S::LANES;
            let step = shape.dilation[1] * S::LANES;
            let stride = shape.stride[1] * S::LANES;
            let last = first + (taps.len() - 1) * step + (N - 1) * stride + S::LANES;
            assert!(self.lines.end - 1 + last <= self.x.len());
            let down = shape.dilation[0] * shape.in_w * S::LANES;
            for line in self.lines.clone().step_by(down.max(1)) {
                for tap in 0..taps.len() {
                    for n in 0..N {
                        let at = line + first + tap * step + n * stride;
                        // SAFETY: at most where the assertion says.
                        let x = unsafe { s.load_ptr(self.x.as_ptr().add(at)) };
                        if self.counts.is_some() {
                            acc[n] = s.add(acc[n], x);
                        } else {
                            acc[n] = s.max(acc[n], x);
                            nan[n] = s.or_m(nan[n], s.is_nan(x));
                        }
                    }
                }
            }
        }
        for n in 0..N {
            let value = match self.counts {
                Some((row, columns)) => s.mul(acc[n], s.splat(weight(row, columns[column + n]))),
                // NaN wins.
                None => s.select(nan[n], s.splat(f32::NAN), acc[n]),
            };
            s.store(&mut self.y[(column + n) * S::LANES..], value);
        }
    }
}
