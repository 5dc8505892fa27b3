//! Convolutions over any number of axes, by those over two.
//!
//! One axis is two, of which the first has a single element.  Of more than two
//! the first is folded away: for each of its outputs the taps that it sees
//! stand side by side as channels, so that all of them are one sum,
//!
//! y\[n, o, d, ..\] = conv(x\[n, (c, k), d s + k t - p, ..\], w\[o, (c, k), ..\]),
//!
//! with the outputs d as so many more images of the batch.  The weight is a
//! view.  The transpose goes the same way back, and sums frames that overlap.

mod transpose;

pub use transpose::{ConvTranspose, conv_transpose};

use crate::layout::Shape;
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::conv2d::{Conv2d, check_channels};
use crate::ops::pad::{Pad, pad};
use crate::ops::padding::{Axis, Padding, Windows};
use crate::ops::views::{self, Frame, Squeeze};
use crate::{Error, Result, Tensor, params};

params! {
    /// How the kernel moves over the image, an entry for each axis or one for all.
    pub struct Conv {
        stride: Vec<usize> = vec![1],
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        dilation: Vec<usize> = vec![1],
        groups: usize = 1,
    }
}

/// Of `rank` axes; with a bias per output channel if given.
pub fn conv(
    op: &str,
    rank: usize,
    form: &Conv,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    check_images(op, rank, x)?;
    if w.rank() != rank + 2 {
        return Err(Error::shape(format!(
            "{op}: weight has shape {:?}, wanted (out, in / groups) and {rank} axes",
            w.shape()
        )));
    }
    check_channels(op, form.groups, x.shape(), w.shape())?;
    let forms: [&[usize]; 3] = [&w.shape()[2..], &form.stride, &form.dilation];
    let windows = Windows::new(op, forms, &form.padding, false, rank)?;
    windows.out_size(op, &x.shape()[2..])?;
    over_axes(op, &windows, form.groups, [x, w], bias)
}

/// That `x` is a batch of images of `rank` axes.
pub fn check_images(op: &str, rank: usize, x: &Tensor) -> Result<()> {
    if x.rank() == rank + 2 {
        return Ok(());
    }
    let axes = match rank {
        1 => "length",
        2 => "height, width",
        _ => "depth, height, width",
    };
    Err(Error::shape(format!(
        "{op}: x has shape {:?}, wanted (batch, channels, {axes})",
        x.shape()
    )))
}

fn over_axes(
    op: &str,
    windows: &Windows,
    groups: usize,
    [x, w]: [&Tensor; 2],
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let rank = windows.axes.len();
    if rank <= 2 {
        let window = match rank {
            1 => windows.over(op, [None, Some(0)])?,
            _ => windows.over(op, [Some(0), Some(1)])?,
        };
        let form = Conv2d {
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups,
        };
        let y = crate::ops::conv2d::conv2d(&form, &lift(x, rank)?, &lift(w, rank)?, bias)?;
        return lower(&y, rank);
    }
    let pads = windows.pads(op, &x.shape()[2..])?;
    let idle = |i: &usize| windows.axes[*i] == Axis::POINT && pads[*i] == (0, 0);
    if let Some(first) = (0..rank - 1).find(|i| idle(i) && idle(&(i + 1))) {
        let [x_one, w_one] = [x, w].map(|t| merged(t, first + 2));
        let windows = windows.without(first + 1);
        let y = over_axes(op, &windows, groups, [&x_one?, &w_one?], bias)?;
        return parted(&y, first + 2, [x.shape()[first + 2], x.shape()[first + 3]]);
    }
    let axis = windows.axes[0];
    let x = bordered(x, 2, pads[0].0 as i64, pads[0].1 as i64)?;
    let frame = Frame {
        dim: 2,
        size: axis.kernel,
        step: axis.stride,
        dilation: axis.dilation,
    };
    // (n, c, d, k, ..) to (n d, c k, ..)
    let x = record_one(&OpRef::new(frame), &[x])?;
    let x = views::permute(&x, &exchanged(x.rank()))?;
    let [batch, depth, channels, taps] = first_four(&x)?;
    let x = images(
        &x,
        batch * depth,
        &[&[channels * taps], &x.shape()[4..]].concat(),
    )?;
    let w = side_by_side(w)?;
    let y = over_axes(op, &windows.without(0), groups, [&x, &w], bias)?;
    let y = images(&y, batch, &[&[depth], &y.shape()[1..]].concat())?;
    views::permute(&y, &exchanged(y.rank()))
}

/// (batch, channels, length) as images of height 1.
pub fn lift(x: &Tensor, rank: usize) -> Result<Tensor> {
    if rank == 1 {
        views::unsqueeze(x, &[2])
    } else {
        Ok(x.clone())
    }
}

/// Back from [`lift`].
pub fn lower(y: &Tensor, rank: usize) -> Result<Tensor> {
    if rank != 1 {
        return Ok(y.clone());
    }
    let dim = Some(vec![2]);
    record_one(&OpRef::new(Squeeze { dim }), std::slice::from_ref(y))
}

/// Zeros in front of and behind an axis; negative numbers cut.
pub fn bordered(x: &Tensor, axis: usize, before: i64, after: i64) -> Result<Tensor> {
    let mut pads = vec![0; 2 * x.rank()];
    (pads[axis], pads[x.rank() + axis]) = (before, after);
    let form = Pad {
        pads,
        mode: "constant".to_owned(),
        value: 0.0,
    };
    pad(x, &form)
}

/// `batch` images of this shape; the batch is left open, so that an exported
/// model may have another.
pub fn images(x: &Tensor, batch: usize, shape: &[usize]) -> Result<Tensor> {
    let open = !x.is_empty();
    let first = if open { -1 } else { batch as i64 };
    let rest = shape.iter().map(|&n| n as i64);
    views::reshape(x, &std::iter::once(first).chain(rest).collect::<Vec<_>>())
}

/// Axes 1 and 2 exchanged.
fn exchanged(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(1, 2);
    order
}

fn first_four(x: &Tensor) -> Result<[usize; 4]> {
    match *x.shape() {
        [a, b, c, d, ..] => Ok([a, b, c, d]),
        _ => Err(Error::internal("conv: an image without axes")),
    }
}

/// A weight's taps along its first axis as so many more channels.
fn side_by_side(w: &Tensor) -> Result<Tensor> {
    merged(w, 1)
}

/// `axis` and the one behind it as one.
fn merged(x: &Tensor, axis: usize) -> Result<Tensor> {
    let mut shape: Shape = x.shape().to_vec();
    let inner = shape.remove(axis + 1);
    shape[axis] *= inner;
    images(x, shape[0], &shape[1..])
}

/// `axis` as two, of these lengths.
fn parted(x: &Tensor, axis: usize, lengths: [usize; 2]) -> Result<Tensor> {
    let mut shape = x.shape().to_vec();
    shape.splice(axis..=axis, lengths);
    images(x, shape[0], &shape[1..])
}
