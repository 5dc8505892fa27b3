//! 2-d pooling, NCHW: the largest or the mean of each window.

mod average;
mod max;

pub use average::{AvgPool2d, AvgPool2dBackward, avg_pool2d};
pub use max::{MaxPool2d, MaxPool2dBackward, max_pool2d};

use super::padding::Window;
use super::reduce::{Axes, reduce_as_is};
use crate::{Error, Result, Tensor};
use lamina_kernels::pool2d::Pool2dShape;
use lamina_kernels::reduce::Reduction;

/// Checked sizes of a window over `x` (batch, channels, height, width).
fn sizes(op: &str, window: &Window, x: &[usize]) -> Result<Pool2dShape> {
    let &[batch, channels, in_h, in_w] = x else {
        return Err(Error::shape(format!(
            "{op}: wanted x (batch, channels, height, width), got {x:?}"
        )));
    };
    let [out_h, out_w] = window.out_size(op, [in_h, in_w])?;
    let pads = window.pads([in_h, in_w]);
    let reach = |axis: usize| window.dilation[axis] * (window.kernel[axis] - 1);
    if (0..2).any(|axis| pads[axis] > reach(axis) || pads[axis + 2] > reach(axis)) {
        return Err(Error::argument(format!(
            "{op}: padding {pads:?} is as large as the kernel {:?}: a window would lie in the padding alone; pad less",
            window.kernel
        )));
    }
    Ok(Pool2dShape {
        planes: batch * channels,
        in_h,
        in_w,
        out_h,
        out_w,
        kernel: window.kernel,
        stride: window.stride,
        dilation: window.dilation,
        pads,
    })
}

fn out_shape(x: &[usize], sizes: &Pool2dShape) -> Vec<usize> {
    vec![x[0], x[1], sizes.out_h, sizes.out_w]
}

fn gpu_form(sizes: &Pool2dShape) -> lamina_gpu::kernels::Pool2d {
    lamina_gpu::kernels::Pool2d {
        planes: sizes.planes,
        input: [sizes.in_h, sizes.in_w],
        output: [sizes.out_h, sizes.out_w],
        kernel: sizes.kernel,
        stride: sizes.stride,
        dilation: sizes.dilation,
        pads: sizes.pads,
    }
}

/// The mean or the largest of each channel, height and width kept as 1.
pub fn global_pool2d(op: &str, kind: Reduction, x: &Tensor) -> Result<Tensor> {
    if x.rank() < 3 {
        return Err(Error::shape(format!(
            "{op}: wanted x (batch, channels, spatial...), got {:?}",
            x.shape()
        )));
    }
    let dim = Some((2..x.rank() as i64).collect());
    reduce_as_is(kind, x, Axes { dim, keepdim: true })
}
