//! The functions that record views.

use super::{Detach, Expand, Permute, Reshape, Slice, Unsqueeze};
use crate::node::record_one;
use crate::op::OpRef;
use crate::{Result, Tensor};

pub fn detach(x: &Tensor) -> Result<Tensor> {
    let recording = crate::node::set_grad_enabled(false);
    let result = record_one(&OpRef::new(Detach {}), std::slice::from_ref(x));
    crate::node::set_grad_enabled(recording);
    result
}

pub fn reshape(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    record_one(
        &OpRef::new(Reshape {
            shape: shape.to_vec(),
            copy_zero: false,
        }),
        std::slice::from_ref(x),
    )
}

pub fn reshape_to(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    reshape(x, &shape.iter().map(|&n| n as i64).collect::<Vec<_>>())
}

pub fn permute(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    if order.iter().enumerate().all(|(i, &o)| i == o) {
        return Ok(x.clone());
    }
    let dims = Some(order.iter().map(|&i| i as i64).collect());
    record_one(&OpRef::new(Permute { dims }), std::slice::from_ref(x))
}

/// The last two axes swapped.
pub fn transpose_last(x: &Tensor) -> Result<Tensor> {
    record_one(&swap_last(x.rank()), std::slice::from_ref(x))
}

/// The op that swaps the last two of `rank` axes.
pub fn swap_last(rank: usize) -> OpRef {
    let mut dims: Vec<i64> = (0..rank as i64).collect();
    dims.swap(rank - 1, rank - 2);
    OpRef::new(Permute { dims: Some(dims) })
}

pub fn expand(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    let shape = shape.iter().map(|&n| n as i64).collect();
    record_one(
        &OpRef::new(Expand { shape, both: false }),
        std::slice::from_ref(x),
    )
}

pub fn unsqueeze(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
    record_one(
        &OpRef::new(Unsqueeze { dim: axes.to_vec() }),
        std::slice::from_ref(x),
    )
}

/// Elements `start` to `end` along `axis`.
pub fn narrow(x: &Tensor, axis: usize, start: usize, end: usize) -> Result<Tensor> {
    let op = Slice {
        starts: vec![start as i64],
        ends: vec![end as i64],
        axes: Some(vec![axis as i64]),
        steps: None,
    };
    record_one(&OpRef::new(op), std::slice::from_ref(x))
}
