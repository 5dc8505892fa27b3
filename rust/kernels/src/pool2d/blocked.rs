//! Pooling of images in the blocked layout ([`crate::blocked`]): a vector is
//! a pixel's channels, so a window is a few vectors for any stride.

use super::average::{counts, weight};
use super::{Pool2dShape, plane};
use crate::isa::Isa;
use crate::number::Number;
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};

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
        match self.counts {
            None => self.windows(
                s,
                f32::LOWEST,
                // NaN wins.
                |acc, x| s.select(s.is_nan(acc), acc, s.max(acc, x)),
                |_, _, acc| acc,
            ),
            Some(counts) => self.windows(
                s,
                0.0,
                |acc, x| s.add(acc, x),
                |row, column, acc| s.mul(acc, s.splat(weight(counts[0][row], counts[1][column]))),
            ),
        }
    }
}

impl Plane<'_> {
    #[inline(always)]
    fn windows<S: Simd>(
        self,
        s: S,
        start: f32,
        join: impl Fn(S::F, S::F) -> S::F,
        end: impl Fn(usize, usize, S::F) -> S::F,
    ) {
        let shape = self.shape;
        let line = shape.in_w * S::LANES;
        let columns: Vec<_> = (0..shape.out_w).map(|x| shape.columns(x)).collect();
        let step = shape.dilation[1] * S::LANES;
        let rows = self.y.chunks_exact_mut((shape.out_w * S::LANES).max(1));
        for (out_y, y) in rows.enumerate() {
            let taps = shape.rows(out_y);
            for (out_x, (y, columns)) in y.chunks_exact_mut(S::LANES).zip(&columns).enumerate() {
                let mut acc = s.splat(start);
                if !columns.is_empty() {
                    let first = shape.column(out_x, columns.start) * S::LANES;
                    for tap in taps.clone() {
                        let row = &self.x[shape.row(out_y, tap) * line + first..];
                        for column in 0..columns.len() {
                            acc = join(acc, s.load(&row[column * step..]));
                        }
                    }
                }
                s.store(y, end(out_y, out_x, acc));
            }
        }
    }
}
