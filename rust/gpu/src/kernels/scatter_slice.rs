//! One value everywhere, but for the region of a slice, which holds the input: the gradient of a
//! slice, and padding.

use super::{
    Arg, Kernel, Kernels,
    quads::{quads, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "scatter_slice";

params! {
    struct ScatterSliceParams {
        size: u32,
        offset: u32,
        fill_low: u32,
        fill_high: u32,
        dims: Vec<u32>,
        /// The region's smallest index on each axis, its step and its length.
        lows: Vec<u32>,
        steps: Vec<u32>,
        counts: Vec<u32>,
        strides: Vec<u32>,
    }
}

/// One axis of the output and the part of it that is the input's.
#[derive(Clone, Debug)]
struct Axis {
    dim: usize,
    low: usize,
    step: usize,
    count: usize,
    stride: isize,
}

/// `shape` elements of the bits `fill`; those at `starts[i] + k * steps[i]` on each axis are the
/// input's, any strides.
pub fn scatter_slice(
    input: &Operand,
    shape: &[usize],
    starts: &[usize],
    steps: &[isize],
    fill: u64,
    caps: &Caps,
) -> Result<Kernels> {
    if input.size() > 0 {
        input.check(KERNEL)?;
    }
    let storage = input.storage.bits();
    Operand::contiguous(storage, shape).check(KERNEL)?;
    let (mut axes, offset) = axes(input, shape, starts, steps)?;
    let size: usize = shape.iter().product();
    if size == 0 {
        return Ok(Kernels::default());
    }
    merge(&mut axes);
    let list = |of: fn(&Axis) -> usize| axes.iter().map(|a| of(a) as u32).collect::<Vec<_>>();
    let params = ScatterSliceParams {
        size: size as u32,
        offset: offset as u32,
        fill_low: fill as u32,
        fill_high: (fill >> 32) as u32,
        dims: list(|a| a.dim),
        lows: list(|a| a.low),
        steps: list(|a| a.step),
        counts: list(|a| a.count),
        strides: list(|a| a.stride as usize),
    };
    let fill = match storage.bytes() {
        8 => "vec2<u32>(params.fill_low, params.fill_high)",
        _ => "params.fill_low",
    };
    let kernel = Kernel::new(KERNEL, workgroup(caps))
        .params(Params::of(&params.fields()))
        .set("rank", axes.len())
        .set("stepped", axes.iter().any(|a| a.step != 1))
        .set("fill", fill)
        .set("load", storage.load("input", "at"))
        .bind("input", storage.word(), Access::Read, Arg::Input(0));
    quads(kernel, storage, size, caps)
}

/// The axes with rising steps, and where the input's element at the region's lowest index lies.
fn axes(
    input: &Operand,
    shape: &[usize],
    starts: &[usize],
    steps: &[isize],
) -> Result<(Vec<Axis>, isize)> {
    let mut offset = input.offset as isize;
    let mut axes = Vec::with_capacity(shape.len() + 1);
    let rank = shape.len();
    let given = [
        input.shape.len(),
        input.strides.len(),
        starts.len(),
        steps.len(),
    ];
    let mut fits = given == [rank; 4];
    for i in 0..if fits { rank } else { 0 } {
        let (count, reach) = (
            input.shape[i],
            input.shape[i].saturating_sub(1) as isize * steps[i],
        );
        let end = starts[i] as isize + reach;
        fits &= steps[i] != 0
            && (count == 0 || (starts[i] < shape[i] && (0..shape[i] as isize).contains(&end)));
        let down = steps[i] < 0;
        if down {
            offset += count.saturating_sub(1) as isize * input.strides[i];
        }
        axes.push(Axis {
            dim: shape[i],
            low: if down { end.max(0) as usize } else { starts[i] },
            step: steps[i].unsigned_abs(),
            count,
            stride: if down {
                -input.strides[i]
            } else {
                input.strides[i]
            },
        });
    }
    if !fits {
        let reason =
            format!("{input:?} is no slice of {shape:?} from {starts:?} in steps of {steps:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    if axes.is_empty() {
        axes.push(Axis {
            dim: 1,
            low: 0,
            step: 1,
            count: 1,
            stride: 0,
        });
    }
    Ok((axes, offset))
}

/// Merges each axis that the input covers whole into the one before it.
fn merge(axes: &mut Vec<Axis>) {
    for i in (1..axes.len()).rev() {
        let (outer, inner) = (axes[i - 1].clone(), axes[i].clone());
        let whole = inner.low == 0 && inner.step == 1 && inner.count == inner.dim;
        let n = inner.dim;
        if whole && outer.step == 1 && outer.stride == inner.stride * n as isize {
            axes[i - 1] = Axis {
                dim: outer.dim * n,
                low: outer.low * n,
                step: 1,
                count: outer.count * n,
                stride: inner.stride,
            };
            axes.remove(i);
        }
    }
}

impl Storage {
    /// The storage of the same width whose values are plain bits.
    #[must_use]
    pub const fn bits(self) -> Storage {
        match self {
            Storage::F32 | Storage::I32 | Storage::U32 => Storage::U32,
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => Storage::U16,
            Storage::I8 | Storage::U8 | Storage::Bool => Storage::U8,
            Storage::I64 | Storage::U64 => Storage::U64,
        }
    }
}
