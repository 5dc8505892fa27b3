//! Reductions over any axes of a view.

use super::{Arg, ElementCode, Kernel, KernelDispatch, Kernels, elementwise, lanes::Lanes};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage, collapse},
};

const KERNEL: &str = "reduce";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Integers wrap.
    Sum,
    /// Of floats; of none it is NaN.
    Mean,
    Prod,
    /// NaN where any element is; of bools: any.
    Max,
    /// NaN where any element is; of bools: all.
    Min,
}

params! {
    struct ReduceParams {
        offset: u32,
        size: u32,
        count: u32,
        tiles: u32,
        parts: u32,
        chunk: u32,
        divisor: f32,
        /// Low and high word.
        identity: Vec<u32>,
        kept: Vec<u32>,
        kept_strides: Vec<u32>,
        reduced: Vec<u32>,
        reduced_strides: Vec<u32>,
    }
}

/// The elements that are combined, by result.
struct Source<'a> {
    operand: &'a Operand,
    arg: Arg,
    kept: (Vec<usize>, Vec<isize>),
    reduced: (Vec<usize>, Vec<isize>),
}

impl<'a> Source<'a> {
    fn new(operand: &'a Operand, arg: Arg, axes: &[usize]) -> Self {
        let side = |reduced: bool| {
            let picked = (0..operand.shape.len()).filter(|axis| axes.contains(axis) == reduced);
            let (shape, strides): (Vec<_>, Vec<_>) = picked
                .map(|axis| (operand.shape[axis], operand.strides[axis]))
                .unzip();
            let (shape, mut strides) = collapse(&shape, &[strides]);
            (shape, strides.remove(0))
        };
        Source {
            operand,
            arg,
            kept: side(false),
            reduced: side(true),
        }
    }

    fn size(&self) -> usize {
        self.kept.0.iter().product()
    }

    fn count(&self) -> usize {
        self.reduced.0.iter().product()
    }

    /// How to share the work: neighbours read neighbours where there are any.
    fn lanes(&self, caps: &Caps) -> Lanes {
        let last = |strides: &[isize]| strides.last().map_or(0, |s| s.unsigned_abs());
        let along = self.size() == 1 || last(&self.reduced.1) <= last(&self.kept.1);
        Lanes::new(self.size(), self.count(), along, caps)
    }
}

/// Reduces `input`, of any strides, over `axes`; the result is a whole row-major buffer of its
/// other axes, in the same storage.
pub fn reduce(kind: Reduction, input: &Operand, axes: &[usize], caps: &Caps) -> Result<Kernels> {
    input.check(KERNEL)?;
    let floats = input.storage.value() == "f32";
    let sums = matches!(kind, Reduction::Sum | Reduction::Prod);
    if (kind == Reduction::Mean && !floats) || (sums && input.storage == Storage::Bool) {
        let reason = format!("{kind:?} of {:?}; cast it first", input.storage);
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let source = Source::new(input, Arg::Input(0), axes);
    let size = source.size();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let count = source.count();
    let lanes = source.lanes(caps);
    let state = state_of(input.storage);
    let narrow = input.storage.bytes() < 4;
    let mut kernels = Kernels::default();
    let mut end = Arg::Output(0);
    if narrow {
        end = Arg::Scratch(0);
        kernels.scratch.push((4 * size) as u64);
    }
    if lanes.parts == 1 {
        kernels
            .dispatches
            .push(pass(kind, &source, &lanes, count, true, end)?);
    } else {
        let parts = Arg::Scratch(kernels.scratch.len());
        kernels
            .scratch
            .push((lanes.parts * size * state.bytes()) as u64);
        let first = pass(kind, &source, &lanes, count, false, parts)?;
        let partial = Operand::contiguous(state, &[lanes.parts, size]);
        let second = Source::new(&partial, parts, &[0]);
        let lanes = second.lanes(caps).whole(lanes.parts);
        let last = pass(kind, &second, &lanes, count, true, end)?;
        kernels.dispatches.extend([first, last]);
    }
    if narrow {
        let pack = packing(input.storage, state, size, caps)?;
        kernels.dispatches.extend(pack.dispatches);
    }
    Ok(kernels)
}

/// What elements are combined as.
fn state_of(storage: Storage) -> Storage {
    match storage {
        Storage::F32 | Storage::F16 | Storage::BF16 => Storage::F32,
        Storage::I32 | Storage::I16 | Storage::I8 => Storage::I32,
        Storage::U32 | Storage::U16 | Storage::U8 | Storage::Bool => Storage::U32,
        Storage::I64 | Storage::U64 => storage,
    }
}

/// Results of four bytes as elements of `storage`, which share words.
fn packing(storage: Storage, state: Storage, size: usize, caps: &Caps) -> Result<Kernels> {
    let code = match storage {
        Storage::Bool => "out0 = in0 != 0u;",
        _ => "out0 = in0;",
    };
    let (from, to) = (
        Operand::contiguous(state, &[size]),
        Operand::contiguous(storage, &[size]),
    );
    let kernels = elementwise(&[from], &[to], &ElementCode::new(code), &[], caps)?;
    Ok(kernels.rewired(|arg| match arg {
        Arg::Input(_) => Arg::Scratch(0),
        other => other,
    }))
}

/// One dispatch: from elements, or from parts, to parts or results.  `count` is the number of
/// elements behind each result.
fn pass(
    kind: Reduction,
    source: &Source<'_>,
    lanes: &Lanes,
    count: usize,
    last: bool,
    result: Arg,
) -> Result<KernelDispatch> {
    let state = state_of(source.operand.storage);
    let mean = kind == Reduction::Mean && last && count > 0;
    let words = |list: &[usize]| list.iter().map(|&n| n as u32).collect::<Vec<_>>();
    // Strides may be negative: 32-bit arithmetic wraps to the right place.
    let steps = |list: &[isize]| list.iter().map(|&s| s as u32).collect::<Vec<_>>();
    let params = ReduceParams {
        offset: source.operand.offset as u32,
        size: source.size() as u32,
        count: source.count() as u32,
        tiles: lanes.tiles() as u32,
        parts: lanes.parts as u32,
        chunk: lanes.chunk as u32,
        divisor: count as f32,
        identity: identity(kind, state, count).to_vec(),
        kept: words(&source.kept.0),
        kept_strides: steps(&source.kept.1),
        reduced: words(&source.reduced.0),
        reduced_strides: steps(&source.reduced.1),
    };
    let load = source.operand.storage.load("source", "at");
    let load = match source.operand.storage {
        Storage::Bool => format!("select(0u, 1u, {load})"),
        _ => load,
    };
    let word = "params.identity[0][0]";
    let identity = match state {
        Storage::F32 => format!("bitcast<f32>({word})"),
        Storage::I32 => format!("bitcast<i32>({word})"),
        Storage::U32 => word.to_owned(),
        _ => "params.identity[0].xy".to_owned(),
    };
    let kernel: Kernel = lanes.kernel(KERNEL, state.value(), state.bytes());
    kernel
        .params(Params::of(&params.fields()))
        .set("combine", combine(kind, state))
        .set("identity", identity)
        .set("load", load)
        .set("mean", mean)
        .set("kept_rank", source.kept.0.len())
        .set("reduced_rank", source.reduced.0.len())
        .bind(
            "source",
            source.operand.storage.word(),
            Access::Read,
            source.arg,
        )
        .bind("result", state.word(), Access::ReadWrite, result)
        .build(lanes.workgroups())
}

/// WGSL: `a` and `b` in one.
fn combine(kind: Reduction, state: Storage) -> &'static str {
    let wide = state.bytes() == 8;
    match (kind, state) {
        (Reduction::Sum | Reduction::Mean, _) if wide => "lam_i64_add(a, b)",
        (Reduction::Sum | Reduction::Mean, _) => "a + b",
        (Reduction::Prod, _) if wide => "lam_i64_mul(a, b)",
        (Reduction::Prod, _) => "a * b",
        (Reduction::Max, Storage::F32) => "lam_max(a, b)",
        (Reduction::Min, Storage::F32) => "lam_min(a, b)",
        (Reduction::Max, Storage::I64) => "select(a, b, lam_i64_lt(a, b))",
        (Reduction::Min, Storage::I64) => "select(a, b, lam_i64_lt(b, a))",
        (Reduction::Max, Storage::U64) => "select(a, b, lam_u64_lt(a, b))",
        (Reduction::Min, Storage::U64) => "select(a, b, lam_u64_lt(b, a))",
        (Reduction::Max, _) => "max(a, b)",
        (Reduction::Min, _) => "min(a, b)",
    }
}

/// The bits of what changes nothing; a mean of nothing is NaN.
fn identity(kind: Reduction, state: Storage, count: usize) -> [u32; 2] {
    const HIGH: u32 = 1 << 31;
    match (kind, state) {
        (Reduction::Mean, _) if count == 0 => [f32::NAN.to_bits(), 0],
        (Reduction::Sum | Reduction::Mean, _) => [0, 0],
        (Reduction::Prod, Storage::F32) => [1.0_f32.to_bits(), 0],
        (Reduction::Prod, _) => [1, 0],
        (Reduction::Max, Storage::F32) => [f32::NEG_INFINITY.to_bits(), 0],
        (Reduction::Min, Storage::F32) => [f32::INFINITY.to_bits(), 0],
        (Reduction::Max, Storage::I32) => [HIGH, 0],
        (Reduction::Min, Storage::I32) => [!HIGH, 0],
        (Reduction::Max, Storage::I64) => [0, HIGH],
        (Reduction::Min, Storage::I64) => [u32::MAX, !HIGH],
        (Reduction::Max, _) => [0, 0],
        (Reduction::Min, _) => [u32::MAX, u32::MAX],
    }
}
