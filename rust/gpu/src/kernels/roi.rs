//! Regions of images at one size, and the gradients.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, indices, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

params! {
    struct RoiParams {
        size: u32,
        boxes: u32,
        batch: u32,
        channels: u32,
        height: u32,
        width: u32,
        rows: u32,
        columns: u32,
        offset: u32,
        box_offset: u32,
        index_offset: u32,
        place_offset: u32,
        sampling: u32,
        scale: f32,
        shift: f32,
    }
}

/// How regions of images (batch, channels, height, width) are cut.
#[derive(Clone, Copy, Debug)]
pub struct Roi {
    pub images: [usize; 4],
    /// Rows and columns of bins.
    pub output: [usize; 2],
    /// From a box's coordinates to elements.
    pub scale: f32,
    /// Samples of a bin along an axis, 0: as many as it has elements.
    pub sampling: u32,
    /// What is taken off coordinates; 0: regions are at least one element long.
    pub shift: f32,
}

impl Roi {
    /// A kernel with an invocation for each of `size` results, which reads
    /// input 0 (`x`), boxes (input 1) and the images' numbers (input 2).
    fn kernel(
        &self,
        name: &'static str,
        [x, boxes, batch]: [&Operand; 3],
        size: usize,
        places: usize,
        caps: &Caps,
    ) -> Result<Kernel> {
        for operand in [x, boxes] {
            contiguous(name, operand)?;
            if operand.storage != Storage::F32 {
                return Err(GpuError::unsupported(name, format!("{operand:?}")));
            }
        }
        let count = batch.size();
        let [images, channels, height, width] = self.images;
        let sound = boxes.shape == [count, 4]
            && images > 0
            && [height, width].iter().all(|&n| n > 0 && n < 1 << 24)
            && self.output.iter().all(|&n| n > 0 && n < 1 << 15);
        if !sound {
            let reason = format!("boxes {:?} of {count} images, {self:?}", boxes.shape);
            return Err(GpuError::unsupported(name, reason));
        }
        Operand::contiguous(Storage::F32, &self.images).check(name)?;
        Operand::contiguous(Storage::F32, &[size]).check(name)?;
        let params = RoiParams {
            size: size as u32,
            boxes: count as u32,
            batch: images as u32,
            channels: channels as u32,
            height: height as u32,
            width: width as u32,
            rows: self.output[0] as u32,
            columns: self.output[1] as u32,
            offset: x.offset as u32,
            box_offset: boxes.offset as u32,
            index_offset: batch.offset as u32,
            place_offset: places as u32,
            sampling: self.sampling,
            scale: self.scale,
            shift: self.shift,
        };
        let kernel = Kernel::new(name, workgroup(caps))
            .params(Params::of(&params.fields()))
            .bind("input", "f32", Access::Read, Arg::Input(0))
            .bind("boxes", "f32", Access::Read, Arg::Input(1));
        indices(kernel, name, batch, 2)
    }

    /// Results of all boxes.
    fn outputs(&self, batch: &Operand) -> usize {
        batch.size() * self.images[1] * self.output[0] * self.output[1]
    }
}

fn build(kernel: Kernel, size: usize, caps: &Caps) -> Result<Kernels> {
    let groups = (size as u64).div_ceil(u64::from(workgroup(caps)[0]));
    kernel
        .bind("output", "f32", Access::ReadWrite, Arg::Output(0))
        .build(groups)
        .map(Kernels::from)
}

/// The mean of each bin's samples, or with `max` the largest of the weighted
/// elements around them.
pub fn roi_align(operands: [&Operand; 3], roi: Roi, max: bool, caps: &Caps) -> Result<Kernels> {
    let size = roi.outputs(operands[2]);
    if size == 0 {
        return Ok(Kernels::default());
    }
    let kernel = roi.kernel("roi_align", operands, size, 0, caps)?;
    build(kernel.set("max", max), size, caps)
}

/// The gradient of the means by the images, from the output's `operands[0]`.
pub fn roi_align_backward(operands: [&Operand; 3], roi: Roi, caps: &Caps) -> Result<Kernels> {
    let size = roi.images.iter().product();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let kernel = roi.kernel("roi_align_backward", operands, size, 0, caps)?;
    build(kernel, size, caps)
}

/// Output 0 is the largest element of each bin, output 1 its place in the
/// plane as i32, -1 for a bin without elements.
pub fn roi_pool(operands: [&Operand; 3], roi: Roi, caps: &Caps) -> Result<Kernels> {
    let size = roi.outputs(operands[2]);
    if size == 0 {
        return Ok(Kernels::default());
    }
    let kernel = roi.kernel("roi_pool", operands, size, 0, caps)?;
    let places = kernel.bind("places", "i32", Access::ReadWrite, Arg::Output(1));
    build(places, size, caps)
}

/// The gradient of [`roi_pool`] by the images, from the output's gradient,
/// the boxes, the images' numbers and the places.
pub fn roi_pool_backward(
    operands: [&Operand; 3],
    places: &Operand,
    roi: Roi,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "roi_pool_backward";
    let size = roi.images.iter().product();
    if size == 0 {
        return Ok(Kernels::default());
    }
    contiguous(NAME, places)?;
    let kernel = roi.kernel(NAME, operands, size, places.offset, caps)?;
    build(
        kernel.bind("places", "i32", Access::Read, Arg::Input(3)),
        size,
        caps,
    )
}
