//! Regions of images at one size: what `roi_align` and `roi_pool` share.

pub mod align;
pub mod pool;

use super::elementwise as e;
use super::views;
use crate::call::CpuCall;
use crate::op::{FLOATS, Meta, want_dtype};
use crate::{DType, Error, Result, Tensor};
use lamina_kernels::Func;
use lamina_kernels::roi_align::Images;

/// Bins along an axis, at most.
const MOST_BINS: usize = 1 << 14;

/// Images, boxes (count, 4) and images' numbers (count) as the kernels take
/// them; (count, channels, rows, columns) if they fit.
fn check(name: &str, output: [usize; 2], inputs: [&Meta; 3]) -> Result<Vec<usize>> {
    let [x, boxes, batch] = inputs;
    want_dtype(name, "input", x.dtype, FLOATS)?;
    let wide = if x.dtype == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    want_dtype(name, "boxes", boxes.dtype, &[wide])?;
    if !matches!(batch.dtype, DType::I32 | DType::I64) {
        return Err(Error::dtype(format!(
            "{name}: the images' numbers have dtype {}, wanted int64 or int32",
            batch.dtype
        )));
    }
    let &[images, channels, height, width] = &x.shape[..] else {
        return Err(Error::shape(format!(
            "{name}: input has shape {:?}, wanted (batch, channels, height, width)",
            x.shape
        )));
    };
    let &[count] = &batch.shape[..] else {
        return Err(Error::shape(format!(
            "{name}: the images' numbers have shape {:?}, wanted (boxes)",
            batch.shape
        )));
    };
    if boxes.shape[..] != [count, 4] {
        return Err(Error::shape(format!(
            "{name}: boxes have shape {:?}, wanted ({count}, 4): one for each of the {count} images' numbers",
            boxes.shape
        )));
    }
    if height * width == 0 || height.saturating_mul(width) > i32::MAX as usize {
        return Err(Error::shape(format!(
            "{name}: input has shape {:?}; its images must have from 1 to 2^31 - 1 elements",
            x.shape
        )));
    }
    if images == 0 && count > 0 {
        return Err(Error::index(format!(
            "{name}: input has shape {:?}: there is no image for {count} boxes",
            x.shape
        )));
    }
    if !output.iter().all(|n| (1..=MOST_BINS).contains(n)) {
        return Err(Error::argument(format!(
            "{name}: output_size={output:?}, wanted numbers from 1 to {MOST_BINS}"
        )));
    }
    Ok(vec![count, channels, output[0], output[1]])
}

fn images_of(x: &[usize]) -> Images {
    Images {
        batch: x[0],
        channels: x[1],
        size: [x[2], x[3]],
    }
}

/// The images' numbers, input `index` of a call; an error for one out of
/// range, which does not count from the end.
fn numbers(call: &CpuCall<'_>, index: usize, images: usize) -> Result<Vec<usize>> {
    let wide: Vec<i64> = match call.dtype(index) {
        DType::I32 => call
            .slice::<i32>(index)?
            .iter()
            .map(|&i| i.into())
            .collect(),
        _ => call.slice::<i64>(index)?.to_vec(),
    };
    let place = |&image: &i64| {
        let found = usize::try_from(image).ok().filter(|&image| image < images);
        found.ok_or_else(|| {
            Error::index(format!(
                "{}: a box is of image {image}, but there are {images}; wanted 0 to {}",
                call.op,
                images as i64 - 1
            ))
        })
    };
    wide.iter().map(place).collect()
}

/// Boxes (count, 5), which begin with an image's number, taken apart: corners,
/// and int32 numbers.  A number that is NaN is out of range.
pub fn apart(name: &str, x: &Tensor, boxes: &Tensor) -> Result<(Tensor, Tensor)> {
    let boxes = &corners_for(x, boxes)?;
    let &[count, 5] = boxes.shape() else {
        return Err(Error::shape(format!(
            "{name}: boxes have shape {:?}, wanted (boxes, 5): an image's number and x1, y1, x2, y2",
            boxes.shape()
        )));
    };
    let first = views::reshape_to(&views::narrow(boxes, 1, 0, 1)?, &[count])?;
    let known = e::compare(Func::Eq, &first, &first)?;
    let first = e::select(&known, &first, &e::number_like(&first, -1.0))?;
    let corners = views::narrow(boxes, 1, 1, 5)?;
    Ok((corners, e::cast(&first, DType::I32)?))
}

/// Corners in the dtype that the kernels want beside `x`.  They have no
/// gradient.
pub fn corners_for(x: &Tensor, corners: &Tensor) -> Result<Tensor> {
    let wide = if x.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    e::cast(&corners.detach()?, wide)
}
