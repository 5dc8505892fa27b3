//! Tensors one after the other along an axis: a dispatch for each.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::Operand,
};

const KERNEL: &str = "concat";

params! {
    struct ConcatParams {
        rows: u32,
        width: u32,
        out_width: u32,
        start: u32,
        offset: u32,
    }
}

/// Contiguous inputs of one storage, equal in shape but for `axis`.
pub fn concat(inputs: &[Operand], axis: usize, caps: &Caps) -> Result<Kernels> {
    let refuse = |reason: String| Err(GpuError::unsupported(KERNEL, reason));
    let Some(first) = inputs.first().filter(|x| axis < x.shape.len()) else {
        return refuse(format!("axis {axis} of {inputs:?}"));
    };
    for input in inputs {
        contiguous(KERNEL, input)?;
        let same = (input.shape.iter().zip(&first.shape).enumerate())
            .all(|(i, (a, b))| i == axis || a == b);
        if input.storage != first.storage || input.shape.len() != first.shape.len() || !same {
            return refuse(format!("{input:?} beside {first:?}"));
        }
    }
    let size = first.storage.bytes();
    let rows: usize = first.shape[..axis].iter().product();
    let inner: usize = first.shape[axis + 1..].iter().product();
    let widths: Vec<usize> = inputs
        .iter()
        .map(|x| x.shape[axis] * inner * size)
        .collect();
    let out_width: usize = widths.iter().sum();
    if rows * out_width > u32::MAX as usize {
        return refuse(format!("{} bytes are too many", rows * out_width));
    }
    let offsets = inputs.iter().map(|x| x.offset * size);
    let unit = if widths.iter().copied().chain(offsets).all(|n| n % 4 == 0) {
        4
    } else {
        1
    };
    let mut kernels = Kernels::default();
    let mut start = 0;
    for (number, (input, &width)) in inputs.iter().zip(&widths).enumerate() {
        if rows * width == 0 {
            continue;
        }
        let params = ConcatParams {
            rows: rows as u32,
            width: (width / unit) as u32,
            out_width: (out_width / unit) as u32,
            start: (start / unit) as u32,
            offset: (input.offset * size / unit) as u32,
        };
        start += width;
        let words = if unit == 4 {
            rows * width / 4
        } else {
            (rows * out_width).div_ceil(4)
        };
        let groups = (words as u64).div_ceil(u64::from(workgroup(caps)[0]));
        let call = Kernel::new(KERNEL, workgroup(caps))
            .params(Params::of(&params.fields()))
            .set("bytes", unit == 1)
            .bind("input", "u32", Access::Read, Arg::Input(number))
            .bind("output", "u32", Access::ReadWrite, Arg::Output(0))
            .build(groups)?;
        kernels.dispatches.push(call);
    }
    Ok(kernels)
}
