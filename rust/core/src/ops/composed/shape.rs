//! Moves put together from views.

use crate::layout::{resolve_axes, resolve_axis};
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::views::{self, Slice};
use crate::{Error, Result, Tensor};

/// The whole tensor `repeats[i]` times along each axis; new axes in front
/// where there are more repeats than axes.
pub fn tile(x: &Tensor, repeats: &[i64]) -> Result<Tensor> {
    if let Some(bad) = repeats.iter().find(|&&r| r < 0) {
        return Err(Error::argument(format!(
            "tile: repeats={repeats:?} holds {bad}; wanted 0 or more"
        )));
    }
    let rank = x.rank().max(repeats.len());
    let size = |i: usize| (i + x.rank()).checked_sub(rank).map_or(1, |j| x.shape()[j]);
    let times = |i: usize| {
        (i + repeats.len())
            .checked_sub(rank)
            .map_or(1, |j| repeats[j] as usize)
    };
    // (a, b) -> (1, a, 1, b) -> (m, a, n, b) -> (ma, nb)
    let apart: Vec<usize> = (0..rank).flat_map(|i| [1, size(i)]).collect();
    let grown: Vec<usize> = (0..rank).flat_map(|i| [times(i), size(i)]).collect();
    let whole: Vec<usize> = (0..rank)
        .map(|i| times(i).saturating_mul(size(i)))
        .collect();
    views::reshape_to(
        &views::expand(&views::reshape_to(x, &apart)?, &grown)?,
        &whole,
    )
}

/// Axes in reverse; all of them for None.
pub fn flip(x: &Tensor, dims: Option<&[i64]>) -> Result<Tensor> {
    let axes = resolve_axes("flip", dims, x.rank())?;
    let slice = Slice {
        starts: vec![-1; axes.len()],
        ends: vec![i64::MIN; axes.len()],
        steps: Some(vec![-1; axes.len()]),
        axes: Some(axes.iter().map(|&a| a as i64).collect()),
    };
    record_one(&OpRef::new(slice), std::slice::from_ref(x))
}

/// Element `index` of an axis, which goes.
pub fn select(x: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    let axis = resolve_axis("select", dim, x.rank())?;
    let length = x.shape()[axis] as i64;
    if !(-length..length).contains(&index) {
        return Err(Error::index(format!(
            "select: index {index} is out of range for axis {axis}, which has {length}"
        )));
    }
    let start = index.rem_euclid(length) as usize;
    let mut shape = x.shape().to_vec();
    shape.remove(axis);
    views::reshape_to(&views::narrow(x, axis, start, start + 1)?, &shape)
}
