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

use crate::layout::Shape;
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::conv2d::{Conv2d, Conv2dBackwardInput, add_channel_bias, check_channels};
use crate::ops::overlap_add::{OverlapAdd, overlap_add};
use crate::ops::pad::{Pad, pad};
use crate::ops::padding::{Axis, Padding, Windows, each};
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

params! {
    /// Of the convolution whose transpose it is.  What `padding` says is cut
    /// off (added, where negative); with the words for `same` the output is
    /// `stride` times as large, or `output_size`.
    pub struct ConvTranspose {
        stride: Vec<usize> = vec![1],
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        output_padding: Vec<usize> = vec![0],
        dilation: Vec<usize> = vec![1],
        groups: usize = 1,
        output_size: Option<Vec<usize>> = None,
    }
}

/// One axis of a transposed convolution: of the `full` elements that windows
/// at all of the input's reach, those from `begin` on are the output.
#[derive(Clone, Copy, Debug)]
struct Place {
    axis: Axis,
    input: usize,
    full: usize,
    begin: i64,
    out: usize,
}

impl Place {
    /// Of an axis of 1 that there is not.
    const POINT: Place = Place {
        axis: Axis::POINT,
        input: 1,
        full: 1,
        begin: 0,
        out: 1,
    };

    fn is_idle(&self) -> bool {
        self.axis == Axis::POINT && self.begin == 0 && self.out == self.input
    }

    fn end(&self) -> i64 {
        self.begin + self.out as i64
    }
}

/// PyTorch's transposed convolution: weight (in, out / groups, ..), output
/// (input - 1) stride - padding + dilation (kernel - 1) + 1 + output_padding.
pub fn conv_transpose(
    op: &str,
    rank: usize,
    form: &ConvTranspose,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    check_images(op, rank, x)?;
    if w.rank() != rank + 2 {
        return Err(Error::shape(format!(
            "{op}: weight has shape {:?}, wanted (in, out / groups) and {rank} axes",
            w.shape()
        )));
    }
    let (in_c, weight_in) = (x.shape()[1], w.shape()[0]);
    if in_c != weight_in {
        return Err(Error::shape(format!(
            "{op}: x has {in_c} channels, weight takes {weight_in}"
        )));
    }
    if form.groups == 0 || !in_c.is_multiple_of(form.groups) {
        return Err(Error::argument(format!(
            "{op}: groups={} must divide the {in_c} input channels",
            form.groups
        )));
    }
    let places = places(op, form, &x.shape()[2..], &w.shape()[2..])?;
    let y = transposed(&places, form.groups, x, w)?;
    add_channel_bias(op, &y, bias)
}

fn places(op: &str, form: &ConvTranspose, x: &[usize], w: &[usize]) -> Result<Vec<Place>> {
    let rank = x.len();
    let windows = Windows::new(
        op,
        [w, &form.stride, &form.dilation],
        &form.padding,
        false,
        rank,
    )?;
    let more = each(op, "output_padding", &form.output_padding, rank)?;
    let axes = windows.axes.iter().zip(&more);
    if axes
        .clone()
        .any(|(axis, &more)| more >= axis.stride.max(axis.dilation))
    {
        return Err(Error::argument(format!(
            "{op}: output_padding={more:?} must be smaller than the stride or dilation"
        )));
    }
    let goal = match &form.output_size {
        Some(size) => Some(each(op, "output_size", size, rank)?),
        None => None,
    };
    let mut places = Vec::with_capacity(rank);
    for (i, (&axis, &more)) in axes.enumerate() {
        if x[i] == 0 {
            return Err(Error::shape(format!("{op}: axis {} of x is empty", i + 2)));
        }
        let full = axis.spread(op, x[i])?;
        let goal = goal.as_ref().map(|goal| goal[i] as i64);
        let (begin, out) = match &windows.padding {
            Padding::Explicit(sides) => {
                let least = full as i64 - sides[i] - sides[rank + i];
                let most = least + axis.stride.max(axis.dilation) as i64 - 1;
                if goal.is_some_and(|goal| !(least..=most).contains(&goal)) {
                    return Err(Error::argument(format!(
                        "{op}: output_size={} on axis {}, wanted {least} to {most}",
                        goal.unwrap_or_default(),
                        i + 2
                    )));
                }
                (sides[i], goal.unwrap_or(least + more as i64))
            }
            word => {
                let goal = goal.unwrap_or((x[i] * axis.stride) as i64);
                let total = (full + more) as i64 - goal;
                let half = total.div_euclid(2);
                let lower = *word == Padding::SameLower;
                (if lower { total - half } else { half }, goal)
            }
        };
        let seen = begin <= full as i64 && begin + out > 0;
        let out = usize::try_from(out).ok().filter(|&out| out > 0 && seen);
        places.push(Place {
            axis,
            input: x[i],
            full,
            begin,
            out: out.ok_or_else(|| {
                Error::shape(format!(
                    "{op}: padding {:?} leaves nothing of axis {}",
                    form.padding,
                    i + 2
                ))
            })?,
        });
    }
    Ok(places)
}

fn transposed(places: &[Place], groups: usize, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    match *places {
        [only] => {
            let y = transposed_2d([Place::POINT, only], groups, &lift(x, 1)?, &lift(w, 1)?)?;
            return lower(&y, 1);
        }
        [vertical, horizontal] => return transposed_2d([vertical, horizontal], groups, x, w),
        _ => {}
    }
    if let Some(first) = places
        .array_windows()
        .position(|[a, b]| a.is_idle() && b.is_idle())
    {
        let mut fewer = places.to_vec();
        fewer.remove(first);
        let joint = places[first].input * places[first + 1].input;
        (fewer[first].input, fewer[first].full, fewer[first].out) = (joint, joint, joint);
        let y = transposed(
            &fewer,
            groups,
            &merged(x, first + 2)?,
            &merged(w, first + 2)?,
        )?;
        return parted(&y, first + 2, [places[first].out, places[first + 1].out]);
    }
    let place = places[0];
    // (n, c, d, ..) to (n d, c, ..)
    let x = views::permute(x, &exchanged(x.rank()))?;
    let (batch, depth) = (x.shape()[0], x.shape()[1]);
    let x = images(&x, batch * depth, &x.shape()[2..])?;
    let taps = place.axis.kernel;
    let y = transposed(&places[1..], groups, &x, &side_by_side(w)?)?;
    // (n d, o k, ..) to (n, o, d, k, ..)
    let channels = y.shape()[1] / taps;
    let y = images(
        &y,
        batch,
        &[&[depth, channels, taps], &y.shape()[2..]].concat(),
    )?;
    let y = views::permute(&y, &exchanged(y.rank()))?;
    let length = place.full.max(usize::try_from(place.end()).unwrap_or(0));
    let form = OverlapAdd {
        dim: 2,
        length: Some(length),
        step: place.axis.stride,
        dilation: place.axis.dilation,
    };
    let y = overlap_add(&y, form)?;
    bordered(&y, 2, -place.begin, place.end() - length as i64)
}

/// The gradient of a convolution to an input as large as that can be, with
/// zeros around where more is wanted.
fn transposed_2d(places: [Place; 2], groups: usize, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    // The result lies between `low` and `high` of what the windows reach; the
    // convolution itself overlooks what is less than a stride.
    let low = places.map(|p| p.begin.max(0));
    let high = places.map(|p| p.end().min((p.full + p.axis.stride - 1) as i64));
    let behind = |i: usize| (places[i].full as i64 - high[i]).max(0);
    let op = Conv2dBackwardInput {
        size: [0, 1].map(|i| (high[i] - low[i]).max(0) as usize),
        stride: places.map(|p| p.axis.stride),
        padding: Padding::Explicit([low[0], low[1], behind(0), behind(1)].map(|n| n as usize)),
        dilation: places.map(|p| p.axis.dilation),
        groups,
    };
    let mut y = record_one(&OpRef::new(op), &[x.clone(), w.clone()])?;
    for (i, place) in places.iter().enumerate() {
        y = bordered(&y, i + 2, low[i] - place.begin, place.end() - high[i])?;
    }
    Ok(y)
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
