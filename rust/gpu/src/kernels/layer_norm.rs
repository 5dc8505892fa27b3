//! Layer normalisation, and its gradient by x.

use super::{Arg, Kernels, lanes::Lanes};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "layer_norm";

params! {
    struct LayerNormParams {
        rows: u32,
        count: u32,
        eps: f32,
        source_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
    }
}

params! {
    struct BackwardParams {
        rows: u32,
        count: u32,
        gradient_offset: u32,
        source_offset: u32,
        weight_offset: u32,
        mean_offset: u32,
        inverse_offset: u32,
    }
}

/// Checks row-major f32 operands of so many elements.
fn check(operands: &[(&Operand, usize)]) -> Result<()> {
    for (operand, size) in operands {
        operand.check(KERNEL)?;
        let fits = operand.is_contiguous() && operand.size() == *size;
        if !fits || operand.storage != Storage::F32 {
            let reason = format!("{operand:?}, where {size} f32 in a row are wanted");
            return Err(GpuError::unsupported(KERNEL, reason));
        }
    }
    Ok(())
}

/// From `x`, `weight` and `bias`: y, and of each row the mean and `1 / sqrt(var + eps)`.  All are
/// row-major f32; `x` is seen as `(rows, count)`.
pub fn layer_norm(
    [x, weight, bias]: [&Operand; 3],
    [rows, count]: [usize; 2],
    eps: f64,
    caps: &Caps,
) -> Result<Kernels> {
    check(&[(x, rows * count), (weight, count), (bias, count)])?;
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let lanes = Lanes::new(rows, count, true, caps).whole(count);
    let params = LayerNormParams {
        rows: rows as u32,
        count: count as u32,
        eps: eps as f32,
        source_offset: x.offset as u32,
        weight_offset: weight.offset as u32,
        bias_offset: bias.offset as u32,
    };
    lanes
        .kernel(KERNEL, "vec4<f32>", 16)
        .params(Params::of(&params.fields()))
        .bind("source", "f32", Access::Read, Arg::Input(0))
        .bind("weight", "f32", Access::Read, Arg::Input(1))
        .bind("bias", "f32", Access::Read, Arg::Input(2))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .bind("mean", "f32", Access::ReadWrite, Arg::Output(1))
        .bind("inverse", "f32", Access::ReadWrite, Arg::Output(2))
        .build(lanes.workgroups())
        .map(Kernels::from)
}

/// The gradient by x, from dy, x, weight, and each row's mean and `1 / sqrt(var + eps)`.
pub fn layer_norm_backward(
    [gradient, x, weight, mean, inverse]: [&Operand; 5],
    [rows, count]: [usize; 2],
    caps: &Caps,
) -> Result<Kernels> {
    let all = rows * count;
    check(&[
        (gradient, all),
        (x, all),
        (weight, count),
        (mean, rows),
        (inverse, rows),
    ])?;
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let lanes = Lanes::new(rows, count, true, caps).whole(count);
    let params = BackwardParams {
        rows: rows as u32,
        count: count as u32,
        gradient_offset: gradient.offset as u32,
        source_offset: x.offset as u32,
        weight_offset: weight.offset as u32,
        mean_offset: mean.offset as u32,
        inverse_offset: inverse.offset as u32,
    };
    let mut kernel = lanes
        .kernel("layer_norm_backward", "vec2<f32>", 8)
        .params(Params::of(&params.fields()));
    for (i, name) in ["gradient", "source", "weight", "mean", "inverse"]
        .into_iter()
        .enumerate()
    {
        kernel = kernel.bind(name, "f32", Access::Read, Arg::Input(i));
    }
    kernel
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .build(lanes.workgroups())
        .map(Kernels::from)
}
