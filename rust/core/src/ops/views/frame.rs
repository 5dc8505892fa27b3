//! Overlapping frames along an axis, without a copy.

use super::{NO_READS, narrow};
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, ViewRule, Vjp, arity,
    view_is_not_run,
};
use crate::ops::overlap_add;
use crate::ops::padding::Axis;
use crate::{Attrs, Layout, Result, Tensor, params};

params! {
    /// Axis `dim` as frames of `size` elements, `dilation` apart, that start
    /// every `step` elements: an axis of frames, then one of their elements.
    pub struct Frame { dim: i64, size: usize, step: usize = 1, dilation: usize = 1 }
}

impl Frame {
    /// The axis, and how many frames there are.
    fn count(&self, input: &[usize]) -> Result<(usize, usize)> {
        let axis = resolve_axis("frame", self.dim, input.len())?;
        let frame = Axis {
            kernel: self.size,
            stride: self.step,
            dilation: self.dilation,
        };
        Ok((axis, frame.out("frame", axis, input[axis], (0, 0), false)?))
    }

    fn shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let (axis, count) = self.count(input)?;
        let mut shape = input.to_vec();
        shape.splice(axis..=axis, [count, self.size]);
        Ok(shape)
    }

    fn back(&self, g: &Tensor, input: &[usize]) -> Result<Tensor> {
        let (axis, _) = self.count(input)?;
        let form = overlap_add::OverlapAdd {
            dim: axis as i64,
            length: Some(input[axis]),
            step: self.step,
            dilation: self.dilation,
        };
        overlap_add::overlap_add(g, form)
    }
}

impl ViewRule for Frame {
    fn view(&self, input: &Layout) -> Option<Layout> {
        let (axis, count) = self.count(&input.shape).ok()?;
        let mut layout = input.clone();
        let stride = input.strides[axis];
        let apart = |n: usize| stride.checked_mul(isize::try_from(n).ok()?);
        layout.shape.splice(axis..=axis, [count, self.size]);
        // One frame, or one element of each, has no neighbour to be apart from.
        let steps = [(count, self.step), (self.size, self.dilation)];
        let steps = steps.map(|(n, step)| if n == 1 { Some(0) } else { apart(step) });
        layout.strides.splice(axis..=axis, [steps[0]?, steps[1]?]);
        Some(layout)
    }
}
view_op!(Frame, "frame");

/// The first `count` frames.
pub(in crate::ops) fn frames(x: &Tensor, form: Frame, count: usize) -> Result<Tensor> {
    let axis = resolve_axis("frame", form.dim, x.rank())?;
    let all = record_one(&OpRef::new(form), std::slice::from_ref(x))?;
    if all.shape()[axis] == count {
        return Ok(all);
    }
    narrow(&all, axis, 0, count)
}
