//! Convolution of any number type, in plain loops over what defines it.

use super::shape::{Conv2dShape, inside};
use crate::matmul::Scalar;
use crate::pool::parallel_chunks_mut;

/// One tap of one pair of channels: output row `y` reads input row `y *
/// stride + tap`.
struct Walk {
    stride: [usize; 2],
    size: [usize; 2],
    out: [usize; 2],
}

impl Walk {
    fn new(shape: &Conv2dShape) -> Walk {
        Walk {
            stride: shape.stride,
            size: [shape.in_h, shape.in_w],
            out: [shape.out_h(), shape.out_w()],
        }
    }

    /// Calls `f(output element, input element)` for all that the tap joins.
    fn pairs(&self, tap: [isize; 2], mut f: impl FnMut(usize, usize)) {
        let [rows, cols] =
            [0, 1].map(|i| inside(self.out[i], self.stride[i], tap[i], self.size[i]));
        for y in rows {
            let from = ((y * self.stride[0]) as isize + tap[0]) as usize * self.size[1];
            for x in cols.clone() {
                let at = ((x * self.stride[1]) as isize + tap[1]) as usize;
                f(y * self.out[1] + x, from + at);
            }
        }
    }
}

/// [`super::forward`] for any number type.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn forward_generic<T: Scalar>(shape: &Conv2dShape, x: &[T], w: &[T], y: &mut [T]) {
    shape.check(x.len(), w.len(), y.len());
    let (walk, taps) = (Walk::new(shape), shape.taps());
    let (ins, outs, kernel) = (shape.group_in(), shape.group_out(), shape.kernel());
    let plane = shape.in_plane();
    parallel_chunks_mut(y, shape.out_plane(), |index, y| {
        let (image, out) = (index / shape.out_c, index % shape.out_c);
        y.fill(T::ZERO);
        for c in 0..ins {
            let channel = image * shape.in_c + out / outs * ins + c;
            let x = &x[channel * plane..][..plane];
            let w = &w[(out * ins + c) * kernel..][..kernel];
            for (w, tap) in w.iter().zip(&taps) {
                walk.pairs(*tap, |o, i| y[o] = y[o].add_product(*w, x[i]));
            }
        }
    });
}

/// [`super::backward_input`] for any number type.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_input_generic<T: Scalar>(shape: &Conv2dShape, dy: &[T], w: &[T], dx: &mut [T]) {
    shape.check(dx.len(), w.len(), dy.len());
    let (walk, taps) = (Walk::new(shape), shape.taps());
    let (ins, outs, kernel) = (shape.group_in(), shape.group_out(), shape.kernel());
    let plane = shape.out_plane();
    parallel_chunks_mut(dx, shape.in_plane(), |index, dx| {
        let (image, channel) = (index / shape.in_c, index % shape.in_c);
        dx.fill(T::ZERO);
        for o in 0..outs {
            let out = channel / ins * outs + o;
            let dy = &dy[(image * shape.out_c + out) * plane..][..plane];
            let w = &w[(out * ins + channel % ins) * kernel..][..kernel];
            for (w, tap) in w.iter().zip(&taps) {
                walk.pairs(*tap, |o, i| dx[i] = dx[i].add_product(*w, dy[o]));
            }
        }
    });
}

/// [`super::backward_weight`] for any number type.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_weight_generic<T: Scalar>(shape: &Conv2dShape, x: &[T], dy: &[T], dw: &mut [T]) {
    shape.check(x.len(), dw.len(), dy.len());
    let (walk, taps) = (Walk::new(shape), shape.taps());
    let (ins, outs) = (shape.group_in(), shape.group_out());
    let (in_plane, out_plane) = (shape.in_plane(), shape.out_plane());
    parallel_chunks_mut(dw, shape.kernel(), |index, dw| {
        let (out, c) = (index / ins, index % ins);
        dw.fill(T::ZERO);
        for image in 0..shape.batch {
            let channel = image * shape.in_c + out / outs * ins + c;
            let x = &x[channel * in_plane..][..in_plane];
            let dy = &dy[(image * shape.out_c + out) * out_plane..][..out_plane];
            for (dw, tap) in dw.iter_mut().zip(&taps) {
                walk.pairs(*tap, |o, i| *dw = dw.add_product(dy[o], x[i]));
            }
        }
    });
}
