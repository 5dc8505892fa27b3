//! Softmax and its logarithm.

use super::{Arg, Kernels, lanes::Lanes};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "softmax";

params! {
    struct SoftmaxParams {
        offset: u32,
        size: u32,
        count: u32,
        inner: u32,
    }
}

/// Along the middle of `(outer, axis, inner)`, as which the row-major f32 `x` is seen.
pub fn softmax(x: &Operand, dims: [usize; 3], log: bool, caps: &Caps) -> Result<Kernels> {
    x.check(KERNEL)?;
    let [outer, count, inner] = dims;
    let fits = x.is_contiguous() && x.size() == outer * count * inner;
    if !fits || x.storage != Storage::F32 {
        let reason = format!("{x:?} as {dims:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    if x.size() == 0 {
        return Ok(Kernels::default());
    }
    let lanes = Lanes::new(outer * inner, count, inner == 1, caps).whole(count);
    let params = SoftmaxParams {
        offset: x.offset as u32,
        size: (outer * inner) as u32,
        count: count as u32,
        inner: inner as u32,
    };
    lanes
        .kernel(KERNEL, "vec2<f32>", 8)
        .params(Params::of(&params.fields()))
        .set("log", log)
        .bind("source", "f32", Access::Read, Arg::Input(0))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .build(lanes.workgroups())
        .map(Kernels::from)
}
