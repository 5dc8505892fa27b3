//! Random values from counters: uniform in [0, 1), or normal.

use super::{Arg, Kernel, Kernels};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "philox";

params! {
    struct PhiloxParams {
        size: u32,
        /// Of the state in its buffer.
        offset: u32,
    }
}

/// Fills `output` (f32) from `state`: seed low, seed high, counter low, counter high; element i
/// is word i % 4 of block counter + i / 4.
pub fn philox(state: &Operand, output: &Operand, normal: bool, caps: &Caps) -> Result<Kernels> {
    if output.storage != Storage::F32 || state.storage != Storage::U32 {
        let reason = format!(
            "it draws f32 from a u32 state, not {:?} from {:?}",
            output.storage, state.storage
        );
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let size = output.size();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let params = PhiloxParams {
        size: size as u32,
        offset: state.offset as u32,
    };
    let workgroup = caps.max_invocations.min(256);
    let blocks = (size as u64).div_ceil(4);
    Kernel::new(KERNEL, [workgroup, 1, 1])
        .bind("state", "u32", Access::Read, Arg::Input(0))
        .bind("output", "vec4<f32>", Access::ReadWrite, Arg::Output(0))
        .set("normal", normal)
        .params(Params::of(&params.fields()))
        .build(blocks.div_ceil(u64::from(workgroup)))
        .map(Kernels::from)
}
