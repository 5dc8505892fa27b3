//! Running sums and products along an axis.

use super::{
    Arg, Kernel, Kernels,
    gather::around,
    quads::{contiguous, sums, workgroup},
    sort::LineParams,
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::Params,
    program::Access,
    storage::{Operand, Storage},
};

const NAME: &str = "cumulative";

/// Running sums along an axis; `exclusive` leaves out the element itself, `reverse` runs from the
/// end.
pub fn cumsum(
    x: &Operand,
    axis: usize,
    exclusive: bool,
    reverse: bool,
    caps: &Caps,
) -> Result<Kernels> {
    let (zero, _) = sums(NAME, x.storage)?;
    let plus = match x.storage.bytes() {
        8 => "lam_i64_add(sum, x)",
        _ => "sum + x",
    };
    running(x, axis, (exclusive, reverse), (zero, plus), caps)
}

/// As [`cumsum`], of products.
pub fn cumprod(
    x: &Operand,
    axis: usize,
    exclusive: bool,
    reverse: bool,
    caps: &Caps,
) -> Result<Kernels> {
    let form = match x.storage {
        Storage::F32 => ("1.0", "sum * x"),
        Storage::I32 => ("1i", "sum * x"),
        Storage::U32 => ("1u", "sum * x"),
        Storage::I64 | Storage::U64 => ("vec2<u32>(1u, 0u)", "lam_i64_mul(sum, x)"),
        other => {
            let reason = format!("it does not multiply {other:?}; cast it first");
            return Err(GpuError::unsupported(NAME, reason));
        }
    };
    running(x, axis, (exclusive, reverse), form, caps)
}

/// `start`, and `join` of `sum` and `x`, as WGSL.
fn running(
    x: &Operand,
    axis: usize,
    (exclusive, reverse): (bool, bool),
    (start, join): (&'static str, &'static str),
    caps: &Caps,
) -> Result<Kernels> {
    contiguous(NAME, x)?;
    let sizes @ [outer, length, inner] = around(NAME, &x.shape, axis)?;
    let lines = outer * inner;
    if lines * length == 0 {
        return Ok(Kernels::default());
    }
    let value = x.storage.value();
    let shared = length > 64 && lines < 16_384;
    let [width, ..] = workgroup(caps);
    let mut kernel = Kernel::new(NAME, workgroup(caps))
        .params(Params::of(&LineParams::new(x, sizes, length).fields()))
        .set("shared", shared)
        .set("exclusive", exclusive)
        .set("reverse", reverse)
        .set("zero", start)
        .set("plus", join)
        .set("value", value)
        .bind("input", value, Access::Read, Arg::Input(0))
        .bind("output", value, Access::ReadWrite, Arg::Output(0));
    if shared {
        kernel = kernel.shared(width as usize * x.storage.bytes());
    }
    let groups = if shared {
        lines as u64
    } else {
        (lines as u64).div_ceil(u64::from(width))
    };
    kernel.build(groups).map(Kernels::from)
}
