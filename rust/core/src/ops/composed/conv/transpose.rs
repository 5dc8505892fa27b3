//! Transposed convolutions over any number of axes.

use super::{bordered, check_images, exchanged, images, lift, lower, merged, parted, side_by_side};
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::conv2d::{Conv2dBackwardInput, add_channel_bias};
use crate::ops::overlap_add::{OverlapAdd, overlap_add};
use crate::ops::padding::{Axis, Padding, Windows, each};
use crate::ops::views;
use crate::{Error, Result, Tensor, params};

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
