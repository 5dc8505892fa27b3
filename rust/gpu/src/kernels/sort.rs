//! Orders along an axis: the extreme's place, sorting, the largest k.

use super::{
    Arg, Kernel, KernelDispatch, Kernels,
    gather::{around, gather},
    quads::contiguous,
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

/// Pairs that fit the portable workgroup memory.
const BLOCK: usize = 2048;

params! {
    pub(super) struct LineParams {
        lines: u32,
        axis: u32,
        inner: u32,
        offset: u32,
        count: u32,
        blocks: u32,
        span: u32,
    }
}

params! {
    struct StepParams {
        pairs: u32,
        length: u32,
        span: u32,
        stride: u32,
    }
}

impl LineParams {
    pub(super) fn new(x: &Operand, [outer, axis, inner]: [usize; 3], count: usize) -> Self {
        LineParams {
            lines: (outer * inner) as u32,
            axis: axis as u32,
            inner: inner as u32,
            offset: x.offset as u32,
            count: count as u32,
            blocks: 1,
            span: 0,
        }
    }
}

/// WGSL: the unsigned key of a value `x`.
fn order(name: &str, storage: Storage) -> Result<String> {
    match storage {
        Storage::I64 | Storage::U64 => {
            let reason = format!("it does not order {storage:?}");
            Err(GpuError::unsupported(name, reason))
        }
        _ => Ok(format!("lam_order_{}(x)", storage.value())),
    }
}

/// int64 places of the largest (or smallest) elements along an axis that is not empty.
pub fn argmax(x: &Operand, axis: usize, smallest: bool, caps: &Caps) -> Result<Kernels> {
    const NAME: &str = "argmax";
    contiguous(NAME, x)?;
    let sizes @ [outer, length, inner] = around(NAME, &x.shape, axis)?;
    let lines = outer * inner;
    if lines == 0 {
        return Ok(Kernels::default());
    }
    if length == 0 {
        return Err(GpuError::unsupported(NAME, "the axis is empty".to_owned()));
    }
    let lanes = if length >= 32 && (inner == 1 || lines < 4096) {
        64_u32
    } else {
        1
    };
    let nan = if x.storage.value() == "f32" {
        "lam_is_nan(x)"
    } else {
        "false"
    };
    let kernel = Kernel::new(NAME, [64, 1, 1])
        .params(Params::of(&LineParams::new(x, sizes, 1).fields()))
        .set("lanes", lanes)
        .set("smallest", smallest)
        .set("order", order(NAME, x.storage)?)
        .set("nan", nan)
        .set("load", x.storage.load("input", "at"))
        .bind("input", x.storage.word(), Access::Read, Arg::Input(0))
        .bind("output", "vec2<u32>", Access::ReadWrite, Arg::Output(0));
    let kernel = if lanes > 1 {
        kernel.shared(64 * 8)
    } else {
        kernel
    };
    debug_assert!(caps.max_invocations >= 64);
    let groups = (lines as u64 * u64::from(lanes)).div_ceil(64);
    kernel.build(groups).map(Kernels::from)
}

/// The first `k` of the elements along an axis in rising or falling order: output 0 are the
/// values, output 1 their int64 places.
pub fn sort(x: &Operand, axis: usize, k: usize, descending: bool, caps: &Caps) -> Result<Kernels> {
    const NAME: &str = "sort";
    contiguous(NAME, x)?;
    let sizes @ [outer, length, inner] = around(NAME, &x.shape, axis)?;
    let lines = outer * inner;
    if k > length {
        let reason = format!("the first {k} of an axis of {length}");
        return Err(GpuError::unsupported(NAME, reason));
    }
    if lines * k == 0 {
        return Ok(Kernels::default());
    }
    let mut kernels = places(x, sizes, k, descending)?;
    // The values lie where the places say.
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let index = Operand::contiguous(Storage::I64, &shape);
    for mut call in gather(x, &index, axis, caps)?.dispatches {
        for arg in call.args.iter_mut().filter(|a| **a == Arg::Input(1)) {
            *arg = Arg::Output(1);
        }
        kernels.dispatches.push(call);
    }
    Ok(kernels)
}

fn places(x: &Operand, sizes: [usize; 3], k: usize, descending: bool) -> Result<Kernels> {
    let [outer, length, inner] = sizes;
    let lines = outer * inner;
    let padded = length.next_power_of_two();
    let block = padded.clamp(64, BLOCK);
    let mut params = LineParams::new(x, sizes, k);
    if padded <= BLOCK {
        let first = block_sort(x, &params, block, descending, [true, true])?;
        return Ok(Kernels::from(first));
    }
    let pairs = lines as u64 * padded as u64;
    if pairs * 8 > u64::from(u32::MAX) {
        let reason = format!("{lines} lines of {length} elements are too many at once");
        return Err(GpuError::unsupported("sort", reason));
    }
    params.blocks = (padded / block) as u32;
    let first = block_sort(x, &params, block, descending, [true, false])?;
    let mut dispatches = vec![first];
    let mut span = 2 * block;
    while span <= padded {
        let mut stride = span / 2;
        while stride >= block {
            let step = StepParams {
                pairs: (pairs / 2) as u32,
                length: padded as u32,
                span: span as u32,
                stride: stride as u32,
            };
            let call = Kernel::new("sort_step", [256, 1, 1])
                .params(Params::of(&step.fields()))
                .bind("scratch", "vec2<u32>", Access::ReadWrite, Arg::Scratch(0))
                .build((pairs / 2).div_ceil(256))?;
            dispatches.push(call);
            stride /= 2;
        }
        params.span = span as u32;
        let ends = [false, span == padded];
        dispatches.push(block_sort(x, &params, block, descending, ends)?);
        span *= 2;
    }
    Ok(Kernels {
        dispatches,
        scratch: vec![8 * pairs],
    })
}

fn block_sort(
    x: &Operand,
    params: &LineParams,
    block: usize,
    descending: bool,
    [from_input, to_output]: [bool; 2],
) -> Result<KernelDispatch> {
    let mut kernel = Kernel::new("sort", [(block / 2).min(256) as u32, 1, 1])
        .params(Params::of(&params.fields()))
        .set("block", block)
        .set("from_input", from_input)
        .set("to_output", to_output)
        .set("descending", descending)
        .set("order", order("sort", x.storage)?)
        .set("load", x.storage.load("input", "at"))
        .shared(block * 8);
    if from_input {
        kernel = kernel.bind("input", x.storage.word(), Access::Read, Arg::Input(0));
    }
    if !(from_input && to_output) {
        let access = if to_output {
            Access::Read
        } else {
            Access::ReadWrite
        };
        kernel = kernel.bind("scratch", "vec2<u32>", access, Arg::Scratch(0));
    }
    if to_output {
        kernel = kernel.bind("output", "vec2<u32>", Access::ReadWrite, Arg::Output(1));
    }
    kernel.build(u64::from(params.lines) * u64::from(params.blocks))
}
