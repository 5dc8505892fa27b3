//! The gradient of max pooling on images in the blocked layout: it goes to
//! the first maximum of each window, lane by lane.

use super::{Pool2dShape, plane};
use crate::isa::Isa;
use crate::number::Number;
use crate::pool::DisjointMut;
use crate::simd::{Kernel, Simd, dispatch};

/// `dx` of (planes, `in_h`, `in_w`, lanes), from x and dy; a plane is a block
/// of an image.
///
/// # Panics
/// Where a slice has another size.
pub fn max_pool2d_backward_blocked(
    isa: Isa,
    shape: &Pool2dShape,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    let lanes = isa.lanes();
    assert!(x.len() == shape.input_len() * lanes && dx.len() == x.len());
    assert!(dy.len() == shape.output_len() * lanes);
    let (size, out_size) = (shape.input_plane() * lanes, shape.output_plane() * lanes);
    let to = DisjointMut::new(dx);
    shape.each_plane(size + out_size * shape.kernel[1], |p| {
        let part = Plane {
            shape,
            x: &x[p * size..(p + 1) * size],
            dy: &dy[p * out_size..(p + 1) * out_size],
            // SAFETY: planes do not overlap.
            dx: unsafe { plane(&to, p, size) },
        };
        dispatch(isa, part);
    });
}

struct Plane<'a> {
    shape: &'a Pool2dShape,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.shape;
        self.dx.fill(0.0);
        let columns: Vec<_> = (0..shape.out_w).map(|x| shape.columns(x)).collect();
        for row in 0..shape.out_h {
            let rows = shape.rows(row);
            for (column, columns) in columns.iter().enumerate() {
                if rows.is_empty() || columns.is_empty() {
                    continue;
                }
                let place = |tap_y: usize, tap_x: usize| {
                    let pixel = shape.row(row, tap_y) * shape.in_w + shape.column(column, tap_x);
                    pixel * S::LANES
                };
                let (mut most, mut nan) = (s.splat(f32::LOWEST), s.lt(s.zero(), s.zero()));
                for tap_y in rows.clone() {
                    for tap_x in columns.clone() {
                        let x = s.load(&self.x[place(tap_y, tap_x)..]);
                        most = s.max(most, x);
                        nan = s.or_m(nan, s.is_nan(x));
                    }
                }
                let mut dy = s.load(&self.dy[(row * shape.out_w + column) * S::LANES..]);
                for tap_y in rows.clone() {
                    for tap_x in columns.clone() {
                        let at = place(tap_y, tap_x);
                        let x = s.load(&self.x[at..]);
                        let same = s.and_m(s.eq(x, most), s.not_m(nan));
                        let hit = s.or_m(same, s.is_nan(x));
                        let here = s.select(hit, dy, s.zero());
                        // What has found its maximum is gone.
                        dy = s.select(hit, s.zero(), dy);
                        let to = &mut self.dx[at..];
                        let sum = s.add(s.load(to), here);
                        s.store(to, sum);
                    }
                }
            }
        }
    }
}
