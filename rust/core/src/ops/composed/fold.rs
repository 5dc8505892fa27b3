//! Windows of images as columns, and back: im2col and col2im.

use super::conv::{bordered, images};
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::overlap_add::{OverlapAdd, overlap_add};
use crate::ops::padding::{Padding, Windows, each};
use crate::ops::views::{self, Frame};
use crate::{Error, Result, Tensor, params};

params! {
    /// An entry for each axis or one for all.
    pub struct Unfold {
        kernel_size: Vec<usize>,
        dilation: Vec<usize> = vec![1],
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        stride: Vec<usize> = vec![1],
    }
}

params! {
    /// Of the [`Unfold`] of images of `output_size`.
    pub struct Fold {
        output_size: Vec<usize>,
        kernel_size: Vec<usize>,
        dilation: Vec<usize> = vec![1],
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        stride: Vec<usize> = vec![1],
    }
}

/// (batch, channels, ..) to (batch, channels x taps, windows), windows and
/// taps in row-major order.
pub fn unfold(op: &str, form: &Unfold, x: &Tensor) -> Result<Tensor> {
    let Some(rank) = x.rank().checked_sub(2).filter(|&rank| rank > 0) else {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, wanted (batch, channels) and at least one axis",
            x.shape()
        )));
    };
    let forms: [&[usize]; 3] = [&form.kernel_size, &form.stride, &form.dilation];
    let windows = Windows::new(op, forms, &form.padding, false, rank)?;
    let out = windows.out_size(op, &x.shape()[2..])?;
    let pads = windows.pads(op, &x.shape()[2..])?;
    let mut y = x.clone();
    for (i, axis) in windows.axes.iter().enumerate() {
        y = bordered(&y, 2 * i + 2, pads[i].0 as i64, pads[i].1 as i64)?;
        let frame = Frame {
            dim: 2 * i as i64 + 2,
            size: axis.kernel,
            step: axis.stride,
            dilation: axis.dilation,
        };
        y = record_one(&OpRef::new(frame), &[y])?;
    }
    // (n, c, o1, k1, o2, k2, ..) to (n, c, k1, k2, .., o1, o2, ..)
    let taps_first = (0..rank)
        .map(|i| 2 * i + 3)
        .chain((0..rank).map(|i| 2 * i + 2));
    let order: Vec<usize> = [0, 1].into_iter().chain(taps_first).collect();
    let taps: usize = windows.axes.iter().map(|axis| axis.kernel).product();
    let columns = [x.shape()[1] * taps, out.iter().product()];
    images(&views::permute(&y, &order)?, x.shape()[0], &columns)
}

/// Back from [`unfold`]: what windows have in common is summed.
pub fn fold(op: &str, form: &Fold, x: &Tensor) -> Result<Tensor> {
    let rank = (form.output_size.len()).max(form.kernel_size.len()).max(1);
    let size = each(op, "output_size", &form.output_size, rank)?;
    let forms: [&[usize]; 3] = [&form.kernel_size, &form.stride, &form.dilation];
    let windows = Windows::new(op, forms, &form.padding, false, rank)?;
    let (out, pads) = (windows.out_size(op, &size)?, windows.pads(op, &size)?);
    let taps: usize = windows.axes.iter().map(|axis| axis.kernel).product();
    let count: usize = out.iter().product();
    let &[batch, rows, columns] = x.shape() else {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, wanted (batch, channels x taps, windows)",
            x.shape()
        )));
    };
    if !rows.is_multiple_of(taps) || columns != count {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, but images of {size:?} have {count} windows of {taps} taps; wanted (batch, channels x {taps}, {count})",
            x.shape()
        )));
    }
    let kernel = windows.axes.iter().map(|axis| axis.kernel);
    let apart: Vec<usize> = std::iter::once(rows / taps)
        .chain(kernel)
        .chain(out)
        .collect();
    let y = images(x, batch, &apart)?;
    // (n, c, k1, k2, .., o1, o2, ..) to (n, c, o1, k1, o2, k2, ..)
    let pairs = (0..rank).flat_map(|i| [2 + rank + i, 2 + i]);
    let order: Vec<usize> = [0, 1].into_iter().chain(pairs).collect();
    let mut y = views::permute(&y, &order)?;
    for (i, axis) in windows.axes.iter().enumerate() {
        let (before, after) = pads[i];
        let sum = OverlapAdd {
            dim: i as i64 + 2,
            length: Some(before + size[i] + after),
            step: axis.stride,
            dilation: axis.dilation,
        };
        y = bordered(
            &overlap_add(&y, sum)?,
            i + 2,
            -(before as i64),
            -(after as i64),
        )?;
    }
    Ok(y)
}
