//! What the kernels that move elements share: four elements to an invocation, and indices.

use super::{Arg, Kernel, Kernels};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    program::Access,
    storage::{Operand, Storage},
};

/// Invocations of a workgroup.
pub(crate) fn workgroup(caps: &Caps) -> [u32; 3] {
    [caps.max_invocations.min(256), 1, 1]
}

/// Ends a kernel whose template defines `element(index)` and includes `common/quads`: output 0 has
/// `size` elements, which `params.size` says too.
pub(crate) fn quads(kernel: Kernel, output: Storage, size: usize, caps: &Caps) -> Result<Kernels> {
    let lanes = ["lane0", "lane1", "lane2", "lane3"];
    let groups = (size as u64)
        .div_ceil(4)
        .div_ceil(u64::from(workgroup(caps)[0]));
    kernel
        .set("value", output.value())
        .set(
            "store",
            output.store_quad("output", "quad", lanes, "params.size"),
        )
        .bind("output", output.quad(), Access::ReadWrite, Arg::Output(0))
        .build(groups)
        .map(Kernels::from)
}

/// Binds input `number` as `indices` with the status word, for `common/fetch_index`.
pub(crate) fn indices(
    kernel: Kernel,
    name: &str,
    operand: &Operand,
    number: usize,
) -> Result<Kernel> {
    if !matches!(operand.storage, Storage::I32 | Storage::I64) {
        let reason = format!(
            "indices are {:?}, wanted 32- or 64-bit signed integers",
            operand.storage
        );
        return Err(GpuError::unsupported(name, reason));
    }
    contiguous(name, operand)?;
    let word = operand.storage.word();
    Ok(kernel
        .set("index", operand.storage.load("indices", "at"))
        .set("wide", operand.storage == Storage::I64)
        .bind("indices", word, Access::Read, Arg::Input(number))
        .bind("status", "atomic<u32>", Access::ReadWrite, Arg::Status))
}

/// Refuses what does not lie row-major and without gaps (wherever it starts).
pub(crate) fn contiguous(name: &str, operand: &Operand) -> Result<()> {
    operand.check(name)?;
    if operand.is_contiguous() {
        return Ok(());
    }
    Err(GpuError::unsupported(
        name,
        format!("{operand:?} is not contiguous"),
    ))
}

/// WGSL for sums of a storage whose elements are whole words: zero, and `sum + load(at)`.
pub(crate) fn sums(name: &str, storage: Storage) -> Result<(&'static str, &'static str)> {
    match storage {
        Storage::F32 => Ok(("0.0", "sum + load(at)")),
        Storage::I32 => Ok(("0i", "sum + load(at)")),
        Storage::U32 => Ok(("0u", "sum + load(at)")),
        Storage::I64 | Storage::U64 => Ok(("vec2<u32>(0u, 0u)", "lam_i64_add(sum, load(at))")),
        _ => Err(GpuError::unsupported(
            name,
            format!("it does not sum {storage:?}; cast it first"),
        )),
    }
}
