//! What a stride makes of the gradient to the input.

use super::shape::Conv2dShape;

/// The input elements (y, x) with y % stride_y == first\[0\] and x % stride_x
/// == first\[1\]: their gradient is a stride-1 convolution of the output's with
/// some of the kernel.
pub(super) struct Phase {
    pub first: [usize; 2],
    /// Which of the kernel's taps meet the phase.
    pub kernel: Vec<usize>,
    /// Where these lie in the output, relative to (y / stride_y, x / stride_x).
    pub taps: Vec<[isize; 2]>,
}

impl Phase {
    pub fn all(shape: &Conv2dShape) -> Vec<Phase> {
        let [stride_y, stride_x] = shape.stride;
        let firsts = (0..stride_y).flat_map(|y| (0..stride_x).map(move |x| [y, x]));
        firsts.map(|first| Phase::new(shape, first)).collect()
    }

    fn new(shape: &Conv2dShape, first: [usize; 2]) -> Phase {
        // Output o meets input i by tap t where o * stride + t * dilation -
        // pad = i, so with i = first + stride * q: o = q + (first + pad - t *
        // dilation) / stride, if that divides.
        let place = |axis: usize, tap: usize| {
            let at =
                (first[axis] + shape.pads[axis]) as isize - (tap * shape.dilation[axis]) as isize;
            let stride = shape.stride[axis] as isize;
            (at.rem_euclid(stride) == 0).then(|| at.div_euclid(stride))
        };
        let mut phase = Phase {
            first,
            kernel: Vec::new(),
            taps: Vec::new(),
        };
        for y in 0..shape.kernel_h {
            for x in 0..shape.kernel_w {
                if let (Some(oy), Some(ox)) = (place(0, y), place(1, x)) {
                    phase.kernel.push(y * shape.kernel_w + x);
                    phase.taps.push([oy, ox]);
                }
            }
        }
        phase
    }
}
