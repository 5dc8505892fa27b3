//! Batch normalisation in training, and its gradient.

use super::{Arg, ElementCode, KernelDispatch, Kernels, elementwise, lanes::Lanes};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "batch_norm";

params! {
    struct FoldParams {
        channels: u32,
        inner: u32,
        count: u32,
        tiles: u32,
        parts: u32,
        chunk: u32,
        eps: f32,
        source_offset: u32,
        gradient_offset: u32,
        mean_offset: u32,
        variance_offset: u32,
    }
}

params! {
    struct FinishParams {
        channels: u32,
        count: u32,
        parts: u32,
        eps: f32,
        weight_offset: u32,
        variance_offset: u32,
    }
}

/// Scratch: the sums of each part, then the factors of each channel.
const PARTS: Arg = Arg::Scratch(0);
const FACTORS: Arg = Arg::Scratch(1);

/// One call's sizes: `(batch, channels, inner)`, and how each channel is shared.
struct Plan {
    channels: usize,
    inner: usize,
    count: usize,
    lanes: Lanes,
}

impl Plan {
    /// Checks row-major f32 operands: `images` of all elements, `rows` of one for each channel.
    fn new(
        images: &[&Operand],
        rows: &[&Operand],
        [batch, channels, inner]: [usize; 3],
        caps: &Caps,
    ) -> Result<Self> {
        let all = images.iter().map(|o| (o, batch * channels * inner));
        for (operand, size) in all.chain(rows.iter().map(|o| (o, channels))) {
            operand.check(KERNEL)?;
            let fits = operand.is_contiguous() && operand.size() == size;
            if !fits || operand.storage != Storage::F32 {
                let reason = format!("{operand:?} as {batch} x {channels} x {inner}");
                return Err(GpuError::unsupported(KERNEL, reason));
            }
        }
        let count = batch * inner;
        // Along a channel where its elements are neighbours, else across channels.
        let along = inner >= 16 || inner >= channels;
        Ok(Plan {
            channels,
            inner,
            count,
            lanes: Lanes::new(channels, count, along, caps),
        })
    }

    fn fold(
        &self,
        eps: f64,
        x: (&Operand, Arg),
        backward: Option<[(&Operand, Arg); 3]>,
    ) -> Result<KernelDispatch> {
        let offset = |i: usize| backward.map_or(0, |operands| operands[i].0.offset as u32);
        let params = FoldParams {
            channels: self.channels as u32,
            inner: self.inner as u32,
            count: self.count as u32,
            tiles: self.lanes.tiles() as u32,
            parts: self.lanes.parts as u32,
            chunk: self.lanes.chunk as u32,
            eps: eps as f32,
            source_offset: x.0.offset as u32,
            gradient_offset: offset(0),
            mean_offset: offset(1),
            variance_offset: offset(2),
        };
        let mut kernel = (self.lanes)
            .kernel(KERNEL, "vec4<f32>", 16)
            .params(Params::of(&params.fields()))
            .set("backward", backward.is_some())
            .bind("source", "f32", Access::Read, x.1);
        for ((_, arg), name) in (backward.iter().flatten()).zip(["gradient", "mean", "variance"]) {
            kernel = kernel.bind(name, "f32", Access::Read, *arg);
        }
        kernel
            .bind("parts", "vec4<f32>", Access::ReadWrite, PARTS)
            .build(self.lanes.workgroups())
    }

    /// The last bindings by name: those read, then those written.
    fn finish(
        &self,
        eps: f64,
        backward: bool,
        read: &[(&'static str, &Operand, Arg)],
        written: &[(&'static str, Arg)],
        caps: &Caps,
    ) -> Result<KernelDispatch> {
        let offset = |wanted: &str| {
            let found = read.iter().find(|(name, ..)| *name == wanted);
            found.map_or(0, |(_, operand, _)| operand.offset as u32)
        };
        let params = FinishParams {
            channels: self.channels as u32,
            count: self.count as u32,
            parts: self.lanes.parts as u32,
            eps: eps as f32,
            weight_offset: offset("weight"),
            variance_offset: offset("variance"),
        };
        let workgroup = caps.max_invocations.min(64);
        let mut kernel = super::Kernel::new("batch_norm_finish", [workgroup, 1, 1])
            .params(Params::of(&params.fields()))
            .set("backward", backward)
            .bind("parts", "vec4<f32>", Access::Read, PARTS);
        for (name, _, arg) in read {
            kernel = kernel.bind(*name, "f32", Access::Read, *arg);
        }
        for (name, arg) in written {
            kernel = kernel.bind(*name, "f32", Access::ReadWrite, *arg);
        }
        kernel
            .bind("factors", "f32", Access::ReadWrite, FACTORS)
            .build((self.channels as u64).div_ceil(u64::from(workgroup)))
    }

    fn scratch(&self, factors: usize) -> Vec<u64> {
        let parts = 16 * self.lanes.parts * self.channels;
        vec![parts as u64, (4 * factors * self.channels) as u64]
    }

    /// A row of one value for each channel, as the images are broadcast against it.
    fn row(&self, offset: usize, shares: Option<usize>) -> Operand {
        Operand {
            shares,
            ..Operand::view(Storage::F32, &[self.channels, 1], &[1, 0], offset)
        }
    }

    fn images(&self, x: &Operand) -> Operand {
        let shape = [self.count / self.inner.max(1), self.channels, self.inner];
        let strides = [self.channels * self.inner, self.inner, 1].map(|s| s as isize);
        Operand::view(x.storage, &shape, &strides, x.offset)
    }
}

/// The elementwise end, its inputs bound to `args`.
fn map(inputs: &[Operand], args: &[Arg], code: &str, caps: &Caps) -> Result<Kernels> {
    let shape = &inputs[0].shape;
    let output = Operand::contiguous(Storage::F32, shape);
    let kernels = elementwise(inputs, &[output], &ElementCode::new(code), &[], caps)?;
    Ok(kernels.rewired(|arg| match arg {
        Arg::Input(i) => args[i],
        other => other,
    }))
}

/// From `x`, `weight` and `bias`: y, and the mean and biased variance of each channel.  All are
/// row-major f32; `x` is seen as `dims`, `(batch, channels, inner)`.
pub fn batch_norm(
    x: &Operand,
    weight: &Operand,
    bias: &Operand,
    dims: [usize; 3],
    eps: f64,
    caps: &Caps,
) -> Result<Kernels> {
    let plan = Plan::new(&[x], &[weight, bias], dims, caps)?;
    if x.size() == 0 {
        return Err(GpuError::unsupported(KERNEL, "no elements".to_owned()));
    }
    let fold = plan.fold(eps, (x, Arg::Input(0)), None)?;
    let read = [("weight", weight, Arg::Input(1))];
    let written = [("mean", Arg::Output(1)), ("variance", Arg::Output(2))];
    let finish = plan.finish(eps, false, &read, &written, caps)?;
    let inputs = [
        plan.images(x),
        plan.row(0, None),
        plan.row(0, None),
        plan.row(bias.offset, None),
    ];
    let args = [Arg::Input(0), Arg::Output(1), FACTORS, Arg::Input(2)];
    let map = map(&inputs, &args, "out0 = (in0 - in1) * in2 + in3;", caps)?;
    let mut dispatches = vec![fold, finish];
    dispatches.extend(map.dispatches);
    Ok(Kernels {
        dispatches,
        scratch: plan.scratch(1),
    })
}

/// The gradients by x, weight and bias, from dy, x, weight, and the mean and biased variance:
///
/// dx = weight / sqrt(var + eps) (dy - mean(dy) - h mean(dy h)), dweight = sum dy h, dbias = sum dy
pub fn batch_norm_backward(
    [gradient, x, weight, mean, variance]: [&Operand; 5],
    dims: [usize; 3],
    eps: f64,
    caps: &Caps,
) -> Result<Kernels> {
    let plan = Plan::new(&[gradient, x], &[weight, mean, variance], dims, caps)?;
    if x.size() == 0 {
        return Err(GpuError::unsupported(KERNEL, "no elements".to_owned()));
    }
    let known = [
        (gradient, Arg::Input(0)),
        (mean, Arg::Input(3)),
        (variance, Arg::Input(4)),
    ];
    let fold = plan.fold(eps, (x, Arg::Input(1)), Some(known))?;
    let read = [
        ("weight", weight, Arg::Input(2)),
        ("variance", variance, Arg::Input(4)),
    ];
    let written = [
        ("weight_gradient", Arg::Output(1)),
        ("bias_gradient", Arg::Output(2)),
    ];
    let finish = plan.finish(eps, true, &read, &written, caps)?;
    let inputs = [
        plan.images(gradient),
        plan.images(x),
        plan.row(mean.offset, None),
        plan.row(0, None),
        plan.row(plan.channels, Some(3)),
        plan.row(2 * plan.channels, Some(3)),
    ];
    let args = [
        Arg::Input(0),
        Arg::Input(1),
        Arg::Input(3),
        FACTORS,
        FACTORS,
        FACTORS,
    ];
    let code = "out0 = in3 * (in0 - in4 - (in1 - in2) * in5);";
    let map = map(&inputs, &args, code, caps)?;
    let mut dispatches = vec![fold, finish];
    dispatches.extend(map.dispatches);
    Ok(Kernels {
        dispatches,
        scratch: plan.scratch(3),
    })
}
