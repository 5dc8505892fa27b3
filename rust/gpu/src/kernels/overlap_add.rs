//! Frames along an axis, summed where they overlap.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, quads, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "overlap_add";

/// Element `tap` of frame `frame` lies at `frame * step + tap * dilation` of `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frames {
    pub step: usize,
    pub dilation: usize,
    pub length: usize,
}

params! {
    struct OverlapAddParams {
        size: u32,
        offset: u32,
        inner: u32,
        axis: u32,
        count: u32,
        taps: u32,
        step: u32,
        dilation: u32,
    }
}

/// From `x` (.., count, taps, ..), the frames on `axis`, to (.., length, ..).
pub fn overlap_add(x: &Operand, axis: usize, frames: &Frames, caps: &Caps) -> Result<Kernels> {
    contiguous(KERNEL, x)?;
    let (Some(&[count, taps]), Storage::F32) = (x.shape.get(axis..axis + 2), x.storage) else {
        let reason = format!("frames on axis {axis} of {x:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    };
    let outer: usize = x.shape[..axis].iter().product();
    let inner: usize = x.shape[axis + 2..].iter().product();
    let size = outer * frames.length * inner;
    if size == 0 {
        return Ok(Kernels::default());
    }
    let output = Operand::contiguous(Storage::F32, &[outer, frames.length, inner]);
    output.check(KERNEL)?;
    let reach = count.saturating_mul(frames.step) + taps.saturating_mul(frames.dilation);
    if frames.step == 0 || reach >= 1 << 31 {
        let reason = format!("frames {frames:?} of {x:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let params = OverlapAddParams {
        size: size as u32,
        offset: x.offset as u32,
        inner: inner as u32,
        axis: frames.length as u32,
        count: count as u32,
        taps: taps as u32,
        step: frames.step as u32,
        dilation: frames.dilation as u32,
    };
    let kernel = Kernel::new(KERNEL, workgroup(caps))
        .params(Params::of(&params.fields()))
        .bind("input", "f32", Access::Read, Arg::Input(0));
    quads(kernel, Storage::F32, size, caps)
}
