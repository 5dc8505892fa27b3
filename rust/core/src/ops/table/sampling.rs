//! Images read at places and in regions; determinants.

use super::{Builder, sample};
use crate::node::record_op;
use crate::op::OpRef;
use crate::ops::composed::grid_sample::{AffineGrid, affine_grid};
use crate::ops::grid_sample::{GridSample, grid_sample};
use crate::ops::{det, inputs, roi};
use crate::{DType, Error, Result, Tensor};

pub(super) fn entries(b: &mut Builder) {
    let image: &[usize] = &[1, 2, 4, 4];
    b.composed(
        "grid_sample",
        sample(&[image, &[1, 3, 3, 2]]).typed(1, DType::F32),
        |name, xs, attrs| {
            let [x, grid] = inputs(name, xs)?;
            let form = GridSample::from_attrs(name, attrs)?;
            Ok(vec![grid_sample(&x, &grid, &form)?])
        },
    );
    b.composed(
        "affine_grid",
        sample(&[&[1, 2, 3]]).with("size", vec![1i64, 1, 3, 3]),
        |name, xs, attrs| {
            let [theta] = inputs(name, xs)?;
            let form = AffineGrid::from_attrs(name, attrs)?;
            Ok(vec![affine_grid(name, &theta, &form)?])
        },
    );
    // Boxes begin with an image's number, or stand beside the numbers.
    let boxes = || {
        let sample = sample(&[image, &[3, 5]]).typed(1, DType::F32);
        sample.with("output_size", vec![2i64, 2])
    };
    b.composed("roi_align", boxes(), |name, xs, attrs| {
        let form = roi::align::RoiAlign::from_attrs(name, attrs)?;
        let (x, corners, batch) = regions(name, xs)?;
        record_op(&OpRef::new(form), &[x, corners, batch])
    });
    b.composed("roi_pool", boxes(), |name, xs, attrs| {
        let form = roi::pool::RoiPool::from_attrs(name, attrs)?;
        let (x, corners, batch) = regions(name, xs)?;
        let mut made = record_op(&OpRef::new(form), &[x, corners, batch])?;
        made.truncate(1);
        Ok(made)
    });
    b.op("det", sample(&[&[2, 3, 3]]), det::Det::from_attrs);
}

/// Images, the corners of boxes, and the number of each box' image: of boxes
/// (count, 5), or given apart.
fn regions(name: &str, xs: &[Tensor]) -> Result<(Tensor, Tensor, Tensor)> {
    match xs {
        [x, boxes] => {
            let (corners, batch) = roi::apart(name, x, boxes)?;
            Ok((x.clone(), corners, batch))
        }
        [x, corners, batch] => Ok((x.clone(), roi::corners_for(x, corners)?, batch.clone())),
        _ => Err(Error::argument(format!(
            "{name}: takes input and boxes, and perhaps the images' numbers, got {} tensors",
            xs.len()
        ))),
    }
}
