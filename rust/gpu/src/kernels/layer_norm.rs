//! Layer normalisation and its forms, and their gradient by x.

use super::{Arg, Kernels, lanes::Lanes};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "layer_norm";

/// What a row is normalised by, and where its scales stand.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormForm {
    pub eps: f64,
    /// Otherwise the mean is taken for 0 and the variance is the mean square.
    pub centred: bool,
    /// Rows `groups` apart share the scales, which hold a part for each group; each value is
    /// that of as many neighbours as make up the row.
    pub groups: usize,
}

params! {
    struct LayerNormParams {
        rows: u32,
        count: u32,
        groups: u32,
        channels: u32,
        inner: u32,
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
        groups: u32,
        channels: u32,
        inner: u32,
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

/// Of `scales` values for rows of `count`: how many a row has, and how many neighbours share one.
fn dealt(scales: usize, groups: usize, count: usize) -> Result<[u32; 2]> {
    let channels = scales / groups.max(1);
    if channels == 0 || channels * groups != scales || !count.is_multiple_of(channels) {
        let reason = format!("{scales} scales for rows of {count} in {groups} groups");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    Ok([channels as u32, (count / channels) as u32])
}

/// From `x`, `weight` and `bias`: y, and of each row the mean and `1 / sqrt(var + eps)`.  All are
/// row-major f32; `x` is seen as `(rows, count)`.  `weight` and `bias` are dealt out as `form` says.
pub fn layer_norm(
    [x, weight, bias]: [&Operand; 3],
    [rows, count]: [usize; 2],
    form: LayerNormForm,
    caps: &Caps,
) -> Result<Kernels> {
    let scales = weight.size();
    check(&[(x, rows * count), (weight, scales), (bias, scales)])?;
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let [channels, inner] = dealt(scales, form.groups, count)?;
    let lanes = Lanes::new(rows, count, true, caps).whole(count);
    let params = LayerNormParams {
        rows: rows as u32,
        count: count as u32,
        groups: form.groups as u32,
        channels,
        inner,
        eps: form.eps as f32,
        source_offset: x.offset as u32,
        weight_offset: weight.offset as u32,
        bias_offset: bias.offset as u32,
    };
    lanes
        .kernel(KERNEL, "vec4<f32>", 16)
        .set("centred", form.centred)
        .set("grouped", scales != count)
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
    form: LayerNormForm,
    caps: &Caps,
) -> Result<Kernels> {
    let (all, scales) = (rows * count, weight.size());
    check(&[
        (gradient, all),
        (x, all),
        (weight, scales),
        (mean, rows),
        (inverse, rows),
    ])?;
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let [channels, inner] = dealt(scales, form.groups, count)?;
    let lanes = Lanes::new(rows, count, true, caps).whole(count);
    let params = BackwardParams {
        rows: rows as u32,
        count: count as u32,
        groups: form.groups as u32,
        channels,
        inner,
        gradient_offset: gradient.offset as u32,
        source_offset: x.offset as u32,
        weight_offset: weight.offset as u32,
        mean_offset: mean.offset as u32,
        inverse_offset: inverse.offset as u32,
    };
    let mut kernel = lanes
        .kernel("layer_norm_backward", "vec2<f32>", 8)
        .set("centred", form.centred)
        .set("grouped", scales != count)
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
