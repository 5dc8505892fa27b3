//! Windows that slide over planes of images: max and average pooling, and their gradients.

use super::{Arg, Kernel, Kernels};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

/// Sizes of a pooling of row-major f32 planes (batch x channels).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool2d {
    pub planes: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
}

params! {
    struct PoolParams {
        offset: u32,
        size: u32,
        height: i32,
        width: i32,
        out_height: u32,
        out_width: u32,
        kernel_y: i32,
        kernel_x: i32,
        stride_y: u32,
        stride_x: u32,
        dilation_y: i32,
        dilation_x: i32,
        pad_top: i32,
        pad_left: i32,
        pad_bottom: i32,
        pad_right: i32,
    }
}

impl Pool2d {
    fn inputs(&self) -> usize {
        self.planes * self.input[0] * self.input[1]
    }

    fn outputs(&self) -> usize {
        self.planes * self.output[0] * self.output[1]
    }

    /// Checks an operand of `size` elements, and that places fit 32 bits.
    fn check(&self, name: &str, operand: &Operand, size: usize) -> Result<()> {
        operand.check(name)?;
        let reach = |axis: usize| {
            let windows = self.output[axis] * self.stride[axis];
            let taps = self.kernel[axis] * self.dilation[axis];
            windows + taps + self.input[axis] + self.pads[axis] + self.pads[axis + 2]
        };
        let fits = operand.is_contiguous()
            && operand.size() == size
            && operand.storage == Storage::F32
            && reach(0).max(reach(1)) < 1 << 30
            && self.input[0] * self.input[1] < 1 << 31;
        if !fits {
            let reason = format!("{operand:?} with {self:?}");
            return Err(GpuError::unsupported(name, reason));
        }
        Ok(())
    }

    /// A kernel with an invocation for each of `size` results, which reads `operand`.
    fn kernel(
        &self,
        template: &'static str,
        operand: &Operand,
        size: usize,
        caps: &Caps,
    ) -> Kernel {
        let params = PoolParams {
            offset: operand.offset as u32,
            size: size as u32,
            height: self.input[0] as i32,
            width: self.input[1] as i32,
            out_height: self.output[0] as u32,
            out_width: self.output[1] as u32,
            kernel_y: self.kernel[0] as i32,
            kernel_x: self.kernel[1] as i32,
            stride_y: self.stride[0] as u32,
            stride_x: self.stride[1] as u32,
            dilation_y: self.dilation[0] as i32,
            dilation_x: self.dilation[1] as i32,
            pad_top: self.pads[0] as i32,
            pad_left: self.pads[1] as i32,
            pad_bottom: self.pads[2] as i32,
            pad_right: self.pads[3] as i32,
        };
        Kernel::new(template, [invocations(caps), 1, 1]).params(Params::of(&params.fields()))
    }
}

fn invocations(caps: &Caps) -> u32 {
    caps.max_invocations.min(256)
}

fn groups(size: usize, caps: &Caps) -> u64 {
    (size as u64).div_ceil(u64::from(invocations(caps)))
}

/// Output 0 is the largest of each window; output 1, if wanted, its place in the input's plane as
/// i64: the first of equals, -1 for a window in the padding alone.
pub fn max_pool2d(x: &Operand, pool: &Pool2d, places: bool, caps: &Caps) -> Result<Kernels> {
    const KERNEL: &str = "max_pool2d";
    pool.check(KERNEL, x, pool.inputs())?;
    let size = pool.outputs();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let mut kernel = pool
        .kernel(KERNEL, x, size, caps)
        .set("values", true)
        .set("places", if places { "i64" } else { "" })
        .bind("source", "f32", Access::Read, Arg::Input(0))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0));
    if places {
        kernel = kernel.bind("places", "u32", Access::ReadWrite, Arg::Output(1));
    }
    kernel.build(groups(size, caps)).map(Kernels::from)
}

/// The gradient by the input, from the input and the output's gradient.
pub fn max_pool2d_backward(
    x: &Operand,
    gradient: &Operand,
    pool: &Pool2d,
    caps: &Caps,
) -> Result<Kernels> {
    const KERNEL: &str = "max_pool2d_backward";
    pool.check(KERNEL, x, pool.inputs())?;
    pool.check(KERNEL, gradient, pool.outputs())?;
    let (size, outputs) = (pool.inputs(), pool.outputs());
    if size == 0 {
        return Ok(Kernels::default());
    }
    let mut kernels = Kernels {
        dispatches: Vec::new(),
        scratch: vec![4 * outputs.max(1) as u64],
    };
    if outputs > 0 {
        let places = pool
            .kernel("max_pool2d", x, outputs, caps)
            .set("values", false)
            .set("places", "i32")
            .bind("source", "f32", Access::Read, Arg::Input(0))
            .bind("places", "i32", Access::ReadWrite, Arg::Scratch(0))
            .build(groups(outputs, caps))?;
        kernels.dispatches.push(places);
    }
    let sums = pool
        .kernel(KERNEL, gradient, size, caps)
        .bind("places", "i32", Access::Read, Arg::Scratch(0))
        .bind("gradient", "f32", Access::Read, Arg::Input(1))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups(size, caps))?;
    kernels.dispatches.push(sums);
    Ok(kernels)
}

/// The mean of each window over its elements inside the image, or with `include_pad` inside the
/// padded image.
pub fn avg_pool2d(x: &Operand, pool: &Pool2d, include_pad: bool, caps: &Caps) -> Result<Kernels> {
    const KERNEL: &str = "avg_pool2d";
    pool.check(KERNEL, x, pool.inputs())?;
    let size = pool.outputs();
    if size == 0 {
        return Ok(Kernels::default());
    }
    pool.kernel(KERNEL, x, size, caps)
        .set("include_pad", include_pad)
        .bind("source", "f32", Access::Read, Arg::Input(0))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups(size, caps))
        .map(Kernels::from)
}

/// The gradient by the input, from the output's gradient.
pub fn avg_pool2d_backward(
    gradient: &Operand,
    pool: &Pool2d,
    include_pad: bool,
    caps: &Caps,
) -> Result<Kernels> {
    const KERNEL: &str = "avg_pool2d_backward";
    pool.check(KERNEL, gradient, pool.outputs())?;
    let size = pool.inputs();
    if size == 0 {
        return Ok(Kernels::default());
    }
    pool.kernel(KERNEL, gradient, size, caps)
        .set("include_pad", include_pad)
        .bind("gradient", "f32", Access::Read, Arg::Input(0))
        .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups(size, caps))
        .map(Kernels::from)
}
