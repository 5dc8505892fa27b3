//! Pooling of images (batch, channels, height, width): what the largest and
//! the average have in common.

pub mod avg;
pub mod blocked;
pub mod max;

use super::padding::{Padding, Window};
use super::reduce;
use crate::{Error, Result, Tensor};
use lamina_gpu::kernels::Pool2d as GpuPool2d;
use lamina_kernels::pool2d::Pool2dShape;
use lamina_kernels::reduce::Reduction;

/// Checked sizes of a pooling: of the planes, and of the image's axes.
pub(super) struct Sizes {
    pub shape: Pool2dShape,
    pub input: [usize; 4],
    pub output: [usize; 4],
}

impl Sizes {
    pub fn of(op: &str, window: &Window, x: &[usize]) -> Result<Self> {
        let &[batch, channels, in_h, in_w] = x else {
            return Err(Error::shape(format!(
                "{op}: x has shape {x:?}, wanted (batch, channels, height, width)"
            )));
        };
        let [out_h, out_w] = window.out_size(op, [in_h, in_w])?;
        Ok(Sizes {
            shape: Pool2dShape {
                planes: batch * channels,
                in_h,
                in_w,
                out_h,
                out_w,
                kernel: window.kernel,
                stride: window.steps([in_h, in_w]),
                dilation: window.dilation,
                pads: window.pads([in_h, in_w]),
            },
            input: [batch, channels, in_h, in_w],
            output: [batch, channels, out_h, out_w],
        })
    }

    pub fn gpu(&self) -> GpuPool2d {
        let shape = &self.shape;
        GpuPool2d {
            planes: shape.planes,
            input: [shape.in_h, shape.in_w],
            output: [shape.out_h, shape.out_w],
            kernel: shape.kernel,
            stride: shape.stride,
            dilation: shape.dilation,
            pads: shape.pads,
        }
    }

    /// An operation for each tap.
    pub fn flops(&self) -> u64 {
        let [kernel_h, kernel_w] = self.shape.kernel;
        (self.output.iter().product::<usize>() * kernel_h * kernel_w) as u64
    }

    /// That a gradient has the output's shape.
    pub fn check_gradient(&self, op: &str, dy: &[usize]) -> Result<()> {
        if dy == self.output {
            return Ok(());
        }
        Err(Error::shape(format!(
            "{op}: pooling {:?} gives {:?}, the gradient has {dy:?}",
            self.input, self.output
        )))
    }

    /// The padding in numbers, for the gradients.
    pub fn padding(&self) -> Padding {
        Padding::Explicit(self.shape.pads)
    }
}

/// Mean or largest of each channel, (batch, channels, 1, 1).
pub fn global(op: &str, kind: Reduction, x: &Tensor) -> Result<Tensor> {
    if x.rank() != 4 {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, wanted (batch, channels, height, width)",
            x.shape()
        )));
    }
    let axes = reduce::Axes {
        dim: Some(vec![2, 3]),
        keepdim: true,
    };
    reduce::reduce(kind, x, axes)
}
