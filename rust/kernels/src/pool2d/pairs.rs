//! Max pooling of 2 x 2 windows side by side, the usual one: four values
//! and no window to look up.

use super::Pool2dShape;
use super::max::larger;
use crate::number::{Float, Number};
use crate::simd::{Kernel, Simd};

/// Whether all windows are whole pairs of rows and columns.
pub(super) fn fits(shape: &Pool2dShape) -> bool {
    shape.kernel == [2, 2]
        && shape.stride == [2, 2]
        && shape.pads[..2] == [0, 0]
        && shape.dilation == [1, 1]
        && 2 * shape.out_h <= shape.in_h
        && 2 * shape.out_w <= shape.in_w
        && shape.out_w > 0
}

/// Pairs of the two rows of each row of windows.
fn rows<'a, T>(
    x: &'a [T],
    shape: &Pool2dShape,
) -> impl Iterator<Item = (&'a [[T; 2]], &'a [[T; 2]])> {
    let width = shape.out_w;
    let in_w = shape.in_w;
    x.chunks_exact(2 * in_w).map(move |rows| {
        let (top, bottom) = rows.split_at(in_w);
        let pairs = |row: &'a [T]| &row.as_chunks::<2>().0[..width];
        (pairs(top), pairs(bottom))
    })
}

pub(super) struct Forward<'a, T> {
    pub shape: &'a Pool2dShape,
    pub x: &'a [T],
    pub y: &'a mut [T],
}

impl<T: Number> Kernel for Forward<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let windows = rows(self.x, self.shape);
        for (y, (top, bottom)) in self.y.chunks_exact_mut(self.shape.out_w).zip(windows) {
            for (y, (top, bottom)) in y.iter_mut().zip(top.iter().zip(bottom)) {
                *y = larger(larger(top[0], top[1]), larger(bottom[0], bottom[1]));
            }
        }
    }
}

pub(super) struct Backward<'a, T> {
    pub shape: &'a Pool2dShape,
    pub x: &'a [T],
    pub dy: &'a [T],
    /// Zeros.
    pub dx: &'a mut [T],
}

impl<T: Float> Kernel for Backward<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (width, in_w) = (self.shape.out_w, self.shape.in_w);
        let windows = rows(self.x, self.shape).zip(self.dy.chunks_exact(width));
        for (dx, ((top, bottom), dy)) in self.dx.chunks_exact_mut(2 * in_w).zip(windows) {
            let (dx_top, dx_bottom) = dx.split_at_mut(in_w);
            let dx_top = dx_top.as_chunks_mut::<2>().0;
            let dx_bottom = dx_bottom.as_chunks_mut::<2>().0;
            let places = dx_top.iter_mut().zip(dx_bottom);
            let values = top.iter().zip(bottom).zip(dy);
            for ((dx_top, dx_bottom), ((top, bottom), dy)) in places.zip(values) {
                let most = larger(larger(top[0], top[1]), larger(bottom[0], bottom[1]));
                // Without a branch: NaN is the maximum wherever there is one.
                let hit = |x: T| (x == most) | x.is_nan();
                let pick = |found: bool| if found { *dy } else { T::ZERO };
                let first = hit(top[0]);
                let second = first | hit(top[1]);
                let third = second | hit(bottom[0]);
                *dx_top = [pick(first), pick(!first & second)];
                *dx_bottom = [pick(!second & third), pick(!third)];
            }
        }
    }
}
