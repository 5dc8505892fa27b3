//! The gradient of 2-D convolution by its input: the same gathering, from the other side.

use super::{
    Epilogue, Kernels,
    conv2d::{Conv2d, Sizes, axes, gather},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    storage::{Operand, Storage},
};

const KERNEL: &str = "conv2d_backward_input";

/// The gradient by the input, `[N, C, H, W]`, from the output's `[N, O, OH, OW]` (any strides).
pub fn conv2d_backward_input(
    gradient: &Operand,
    weight: &Operand,
    input: [usize; 2],
    conv: &Conv2d,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Result<Kernels> {
    let ([images, out_channels, out_h, out_w], [weights, inner, kh, kw]) =
        (axes(KERNEL, gradient)?, axes(KERNEL, weight)?);
    conv.check(KERNEL, weight, inner * conv.groups, weights, inner)?;
    let expected = conv.output(KERNEL, input, [kh, kw])?;
    if weights != out_channels || expected != [out_h, out_w] {
        let shapes = (&gradient.shape, &weight.shape);
        let reason = format!("gradient and weight {shapes:?} for an input of {input:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let sizes = Sizes {
        images,
        m: inner,
        terms: out_channels / conv.groups,
        kernel: [kh, kw],
        source: [out_h, out_w],
        out: input,
    };
    gather(
        KERNEL, true, gradient, weight, conv, &sizes, output, epilogue, caps,
    )
}
