//! Views: ops whose result is another look at their input's storage.

// `back` is part of what `view_op!` asks of each view, used or not.
#![allow(clippy::unused_self, clippy::unnecessary_wraps)]

mod blocked;
mod record;

pub use record::{
    detach, expand, narrow, permute, reshape, reshape_to, swap_last, transpose_last, unsqueeze,
};

use crate::call::{CpuCall, GpuCall};
use crate::layout::{checked_len, contiguous_strides, resolve_axes, resolve_axis};
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, ViewRule, Vjp, arity,
    view_is_not_run,
};
use crate::{Attrs, Error, Layout, Result, Tensor, params};

const NO_READS: Gradient = Gradient::Vjp {
    inputs: &[],
    outputs: &[],
};

/// Implements [`Op`] for a parameter struct that is a [`ViewRule`] with
/// `shape(&self, input) -> Result<Shape>` and `gradient(&self, g, input)`;
/// `twin` makes the same view of an image in blocks, from the image's shape.
macro_rules! view_op {
    ($ty:ident, $name:literal) => {
        view_op!($ty, $name, |_, _| None);
    };
    ($ty:ident, $name:literal, $twin:expr) => {
        impl Op for $ty {
            fn name(&self) -> &str {
                $name
            }
            fn params(&self) -> Attrs {
                self.to_attrs()
            }
            fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
                let [x] = arity(self, inputs)?;
                Ok(vec![Meta::new(x.dtype, self.shape(&x.shape)?)])
            }
            fn gradient(&self) -> Gradient {
                NO_READS
            }
            fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
                Ok(vec![Some(self.back(&vjp.grad(0)?, vjp.inputs[0].shape())?)])
            }
            fn class(&self) -> Class<'_> {
                Class::View(self)
            }
            fn strides(&self, _index: usize) -> Strides {
                Strides::Any
            }
            fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
                let twin: fn(&$ty, &[usize]) -> Option<$ty> = $twin;
                let op = twin(self, &inputs[0].shape)?;
                Some(Blocked::keeping(OpRef::new(op), 0..1))
            }
            fn cpu(&self, _call: &mut CpuCall<'_>) -> Result<()> {
                Err(view_is_not_run(self))
            }
            fn gpu(&self, _call: &GpuCall<'_>) -> Result<Lowered> {
                Err(view_is_not_run(self))
            }
            fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
                0
            }
        }
    };
}

mod frame;

pub use frame::Frame;
pub(super) use frame::frames;

params! {
    /// A new shape for the same elements; one -1 is inferred, 0 keeps the
    /// input's axis where `allow_zero` is false (ONNX's rule).
    pub struct Reshape { shape: Vec<i64>, copy_zero: bool = false }
}

impl Reshape {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let len = checked_len(input)?;
        let bad =
            |why: String| Error::shape(format!("reshape: {input:?} to {:?}: {why}", self.shape));
        let mut shape = Vec::with_capacity(self.shape.len());
        let mut hole = None;
        for (axis, &n) in self.shape.iter().enumerate() {
            shape.push(match n {
                -1 if hole.is_none() => {
                    hole = Some(axis);
                    1
                }
                -1 => return Err(bad("only one axis can be -1".into())),
                0 if self.copy_zero => *input.get(axis).ok_or_else(|| {
                    bad(format!(
                        "axis {axis} is 0 (keep), the input has no such axis"
                    ))
                })?,
                n if n < 0 => return Err(bad(format!("axis {axis} is negative"))),
                n => n as usize,
            });
        }
        let known = checked_len(&shape).map_err(|e| e.within("reshape"))?;
        if let Some(axis) = hole {
            let rest: usize = shape
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != axis)
                .map(|(_, n)| n)
                .product();
            if rest == 0 || len % rest != 0 {
                return Err(bad(format!("{len} elements do not divide by {rest}")));
            }
            shape[axis] = len / rest;
        } else if known != len {
            return Err(bad(format!(
                "{len} elements do not fill a shape of {known}"
            )));
        }
        Ok(shape)
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        reshape_to(g, input)
    }
}

impl ViewRule for Reshape {
    fn view(&self, input: &Layout) -> Option<Layout> {
        input.reshape(&self.shape(&input.shape).ok()?)
    }
}
view_op!(Reshape, "reshape");

params! {
    /// Axes `start_dim` to `end_dim` as one.
    pub struct Flatten { start_dim: i64 = 0, end_dim: i64 = -1 }
}

impl Flatten {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input.is_empty() {
            return Ok(vec![1]);
        }
        let start = resolve_axis("flatten", self.start_dim, input.len())?;
        let end = resolve_axis("flatten", self.end_dim, input.len())?;
        if start > end {
            return Err(Error::argument(format!(
                "flatten: start_dim {start} lies behind end_dim {end}"
            )));
        }
        let mut shape = input[..start].to_vec();
        shape.push(input[start..=end].iter().product());
        shape.extend(&input[end + 1..]);
        Ok(shape)
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        reshape_to(g, input)
    }
}

impl ViewRule for Flatten {
    fn view(&self, input: &Layout) -> Option<Layout> {
        input.reshape(&self.shape(&input.shape).ok()?)
    }
}
view_op!(Flatten, "flatten");

params! {
    /// Axes in a new order; reversed when `dims` is None.
    pub struct Permute { dims: Option<Vec<i64>> = None }
}

impl Permute {
    fn order(&self, rank: usize) -> Result<Vec<usize>> {
        let Some(dims) = &self.dims else {
            return Ok((0..rank).rev().collect());
        };
        let order = dims
            .iter()
            .map(|&d| resolve_axis("permute", d, rank))
            .collect::<Result<Vec<_>>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted != (0..rank).collect::<Vec<_>>() {
            return Err(Error::argument(format!(
                "permute: dims={dims:?} is no order of {rank} axes; name each once"
            )));
        }
        Ok(order)
    }

    /// Whether it swaps the last two of `rank` axes and nothing else.
    pub fn swaps_last(&self, rank: usize) -> bool {
        let mut order: Vec<usize> = (0..rank).collect();
        if rank < 2 {
            return false;
        }
        order.swap(rank - 1, rank - 2);
        self.order(rank).is_ok_and(|own| own == order)
    }

    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(self
            .order(input.len())?
            .into_iter()
            .map(|i| input[i])
            .collect())
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        let order = self.order(input.len())?;
        let mut inverse = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            inverse[from] = to;
        }
        permute(g, &inverse)
    }
}

impl ViewRule for Permute {
    fn view(&self, input: &Layout) -> Option<Layout> {
        Some(input.permute(&self.order(input.shape.len()).ok()?))
    }
}
view_op!(Permute, "permute");

params! {
    /// Broadcast to `shape`; -1 keeps an axis, and with `both` either side
    /// may be the one that grows (ONNX's rule).
    pub struct Expand { shape: Vec<i64>, both: bool = false }
}

impl Expand {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let bad = |why: &str| Error::shape(format!("expand: {input:?} to {:?}: {why}", self.shape));
        let mut wanted = Vec::with_capacity(self.shape.len());
        let lead = self.shape.len().checked_sub(input.len());
        if lead.is_none() && !self.both {
            return Err(bad("the new shape has fewer axes"));
        }
        for (axis, &n) in self.shape.iter().enumerate() {
            wanted.push(match n {
                -1 => lead
                    .and_then(|lead| axis.checked_sub(lead))
                    .map(|i| input[i])
                    .ok_or_else(|| bad("-1 stands for an axis that the input does not have"))?,
                n if n < 0 => return Err(bad("a negative size")),
                n => n as usize,
            });
        }
        let shape = crate::layout::broadcast("expand", input, &wanted)?;
        if !self.both && shape != wanted {
            return Err(bad("an axis may only grow from 1"));
        }
        Ok(shape)
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        super::reduce::sum_to(g, input)
    }
}

impl ViewRule for Expand {
    fn view(&self, input: &Layout) -> Option<Layout> {
        Some(input.expand(&self.shape(&input.shape).ok()?))
    }
}
view_op!(Expand, "expand", Expand::of_blocks);

params! {
    /// Elements `starts` to `ends` in steps, along `axes` (all when None).
    /// Bounds count from the end when negative and are clamped, as in Python.
    pub struct Slice {
        starts: Vec<i64>,
        ends: Vec<i64>,
        axes: Option<Vec<i64>> = None,
        steps: Option<Vec<i64>> = None,
    }
}

/// One axis of a slice, resolved.
struct Cut {
    axis: usize,
    start: usize,
    step: isize,
    len: usize,
}

impl Slice {
    fn cuts(&self, input: &[usize]) -> Result<Vec<Cut>> {
        let count = self.starts.len();
        let axes = self
            .axes
            .clone()
            .unwrap_or_else(|| (0..count as i64).collect());
        let steps = self.steps.clone().unwrap_or_else(|| vec![1; count]);
        if self.ends.len() != count || axes.len() != count || steps.len() != count {
            return Err(Error::argument(format!(
                "slice: {count} starts, {} ends, {} axes, {} steps; wanted as many of each",
                self.ends.len(),
                axes.len(),
                steps.len()
            )));
        }
        let mut cuts = Vec::with_capacity(count);
        for i in 0..count {
            let axis = resolve_axis("slice", axes[i], input.len())?;
            if cuts.iter().any(|cut: &Cut| cut.axis == axis) {
                return Err(Error::argument(format!(
                    "slice: axis {axis} is given twice"
                )));
            }
            let (n, step) = (input[axis] as i64, steps[i]);
            if step == 0 {
                return Err(Error::argument("slice: a step is 0; it must move"));
            }
            let wrap = |x: i64| if x < 0 { x.saturating_add(n) } else { x };
            let (lo, hi) = if step > 0 { (0, n) } else { (-1, n - 1) };
            let start = wrap(self.starts[i]).clamp(lo, hi);
            let end = wrap(self.ends[i]).clamp(lo, hi);
            let span = if step > 0 { end - start } else { start - end };
            let len = if span <= 0 {
                0
            } else {
                (span as u64).div_ceil(step.unsigned_abs()) as usize
            };
            cuts.push(Cut {
                axis,
                start: start.max(0) as usize,
                step: step as isize,
                len,
            });
        }
        Ok(cuts)
    }

    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let mut shape = input.to_vec();
        for cut in self.cuts(input)? {
            shape[cut.axis] = cut.len;
        }
        Ok(shape)
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        super::scatter_slice::scatter_slice(g, self, input)
    }
}

impl ViewRule for Slice {
    fn view(&self, input: &Layout) -> Option<Layout> {
        let mut layout = input.clone();
        for cut in self.cuts(&input.shape).ok()? {
            layout = layout.slice(cut.axis, cut.start, cut.step, cut.len);
        }
        Some(layout)
    }
}
view_op!(Slice, "slice", Slice::of_blocks);

params! {
    /// Drops axes of size 1: all of them, or those named.
    pub struct Squeeze { dim: Option<Vec<i64>> = None }
}

impl Squeeze {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let Some(axes) = &self.dim else {
            return Ok(input.iter().copied().filter(|&n| n != 1).collect());
        };
        let axes = resolve_axes("squeeze", Some(axes), input.len())?;
        if let Some(&axis) = axes.iter().find(|&&a| input[a] != 1) {
            return Err(Error::shape(format!(
                "squeeze: axis {axis} has {} elements, wanted 1",
                input[axis]
            )));
        }
        Ok(input
            .iter()
            .enumerate()
            .filter(|(i, _)| !axes.contains(i))
            .map(|(_, &n)| n)
            .collect())
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        reshape_to(g, input)
    }
}

impl ViewRule for Squeeze {
    fn view(&self, input: &Layout) -> Option<Layout> {
        input.reshape(&self.shape(&input.shape).ok()?)
    }
}
view_op!(Squeeze, "squeeze");

params! {
    /// Puts axes of size 1 at the places `dim` of the result.
    pub struct Unsqueeze { dim: Vec<i64> }
}

impl Unsqueeze {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let rank = input.len() + self.dim.len();
        let axes = resolve_axes("unsqueeze", Some(&self.dim), rank)?;
        let mut rest = input.iter();
        Ok((0..rank)
            .map(|i| {
                if axes.contains(&i) {
                    1
                } else {
                    rest.next().copied().unwrap_or(1)
                }
            })
            .collect())
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        reshape_to(g, input)
    }
}

impl ViewRule for Unsqueeze {
    fn view(&self, input: &Layout) -> Option<Layout> {
        input.reshape(&self.shape(&input.shape).ok()?)
    }
}
view_op!(Unsqueeze, "unsqueeze");

params! {
    /// The same value, without the gradient history.
    pub struct Detach {}
}

impl Detach {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn back(&self, g: &Tensor, _input: &[usize]) -> Result<Tensor> {
        Tensor::zeros_like(g)
    }
}

impl ViewRule for Detach {
    fn view(&self, input: &Layout) -> Option<Layout> {
        Some(input.clone())
    }
}
view_op!(Detach, "detach");

/// Where the cut of a slice lies in its input: offset and strides of the
/// region, in elements of a contiguous `input`.
pub(super) fn region(slice: &Slice, input: &[usize]) -> Result<Layout> {
    let mut layout = Layout {
        shape: input.to_vec(),
        strides: contiguous_strides(input),
        offset: 0,
    };
    for cut in slice.cuts(input)? {
        layout = layout.slice(cut.axis, cut.start, cut.step, cut.len);
    }
    Ok(layout)
}

/// First index and step of a slice on every axis.
pub(super) fn cut_of(slice: &Slice, input: &[usize]) -> Result<(Vec<usize>, Vec<isize>)> {
    let (mut starts, mut steps) = (vec![0; input.len()], vec![1; input.len()]);
    for cut in slice.cuts(input)? {
        starts[cut.axis] = cut.start;
        steps[cut.axis] = cut.step;
    }
    Ok((starts, steps))
}

pub use super::copy::{contiguous, copy_op};
