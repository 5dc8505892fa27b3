//! What max pooling took, back in its place.

use crate::ops::composed::conv::{check_images, images};
use crate::ops::gather::scatter;
use crate::ops::padding::each;
use crate::ops::views;
use crate::{Error, Result, Tensor, params};

params! {
    /// Of the pooling whose inverse it is; `output_size` is the size of that
    /// one's image, the smallest that there is if None.
    pub struct MaxUnpool {
        kernel_size: Vec<usize>,
        stride: Option<Vec<usize>> = None,
        padding: Vec<usize> = vec![0],
        output_size: Option<Vec<usize>> = None,
    }
}

/// Zeros with each element of `x` at its place `index` in the image (without
/// batch and channel).  Of several for one place the last stays.
pub fn max_unpool(
    op: &str,
    rank: usize,
    form: &MaxUnpool,
    x: &Tensor,
    index: &Tensor,
) -> Result<Tensor> {
    check_images(op, rank, x)?;
    if index.shape() != x.shape() {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, indices {:?}; wanted the same",
            x.shape(),
            index.shape()
        )));
    }
    let kernel = each(op, "kernel_size", &form.kernel_size, rank)?;
    let stride = form.stride.as_ref().unwrap_or(&form.kernel_size);
    let stride = each(op, "stride", stride, rank)?;
    let padding = match form.padding.len() {
        n if n == 2 * rank => form.padding.clone(),
        _ => each(op, "padding", &form.padding, rank)?.repeat(2),
    };
    let size = match &form.output_size {
        Some(size) => each(op, "output_size", size, rank)?,
        None => {
            let size = |i: usize| {
                let reach = (x.shape()[i + 2].max(1) - 1)
                    .checked_mul(stride[i])
                    .and_then(|n| n.checked_add(kernel[i]));
                let pads = padding[i].checked_add(padding[rank + i]);
                reach.zip(pads).and_then(|(n, pads)| n.checked_sub(pads))
            };
            let sizes: Option<Vec<usize>> = (0..rank).map(size).collect();
            sizes.ok_or_else(|| {
                Error::argument(format!(
                    "{op}: kernel_size={kernel:?}, stride={stride:?} and padding={padding:?} leave no image"
                ))
            })?
        }
    };
    crate::layout::checked_len(&[&x.shape()[..2], &size].concat())?;
    let (batch, channels) = (x.shape()[0], x.shape()[1]);
    let count = x.shape()[2..].iter().product();
    let pixels = size.iter().product();
    let flat = |t: &Tensor| images(t, batch, &[channels, count]);
    let zeros = Tensor::full(&[batch, channels, pixels], 0.0, x.dtype(), x.device())?;
    let y = scatter(&zeros, &flat(index)?, &flat(x)?, 2)?;
    views::reshape_to(&y, &[&[batch, channels], &size[..]].concat())
}
