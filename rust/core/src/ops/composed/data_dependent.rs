//! Ops whose result's shape depends on the data: their inputs are computed at
//! the call, on the CPU, and the result goes back to the inputs' device.

use crate::layout::resolve_axis;
use crate::ops::elementwise::cast;
use crate::ops::{gather, views};
use crate::{DType, Device, Error, Result, Tensor, params};
use lamina_kernels::Isa;
use lamina_kernels::nms::{NmsOptions, nms as kernel};

pub(super) fn indices(values: &[i64], shape: &[usize], device: Device) -> Result<Tensor> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::from_bytes(DType::I64, shape, &bytes, device)
}

/// int64 (count, axes): the indices of all elements that are not 0, in
/// row-major order.
pub fn nonzero(x: &Tensor) -> Result<Tensor> {
    let hits = cast(x, DType::Bool)?.to_vec::<u8>()?;
    let rank = x.rank();
    let mut found = Vec::new();
    let mut count = 0;
    for (at, _) in hits.iter().enumerate().filter(|(_, hit)| **hit != 0) {
        let (mut rest, first) = (at, found.len());
        found.resize(first + rank, 0);
        for (axis, &n) in x.shape().iter().enumerate().rev() {
            found[first + axis] = (rest % n) as i64;
            rest /= n;
        }
        count += 1;
    }
    indices(&found, &[count, rank], x.device())
}

params! {
    /// None for the flattened tensor.
    pub struct Compress { dim: Option<i64> = None }
}

/// The slices of an axis for which the condition (count,) holds; x beyond its end is left out.
pub fn compress(name: &str, x: &Tensor, condition: &Tensor, form: &Compress) -> Result<Tensor> {
    let (x, axis) = match form.dim {
        Some(dim) => (x.clone(), resolve_axis(name, dim, x.rank())?),
        None => (views::reshape_to(x, &[x.len()])?, 0),
    };
    let length = x.shape()[axis];
    if condition.rank() != 1 || condition.len() > length {
        return Err(Error::shape(format!(
            "{name}: condition has shape {:?}, wanted one axis of at most {length}",
            condition.shape()
        )));
    }
    let hits = cast(condition, DType::Bool)?.to_vec::<u8>()?;
    let kept: Vec<i64> = (0..)
        .zip(&hits)
        .filter(|(_, hit)| **hit != 0)
        .map(|(i, _)| i)
        .collect();
    gather::take(&x, &indices(&kept, &[kept.len()], x.device())?, axis as i64)
}

params! {
    /// Greedy non-maximum suppression; see [`nms`].
    pub struct Nms {
        iou_threshold: f64 = 0.5,
        score_threshold: Option<f64> = None,
        max_output: Option<i64> = None,
    }
}

/// int64 (kept,): boxes (count, 4) in falling order of scores (count,), less
/// those that overlap a better one of the same class and picture (further
/// inputs (count,), if given) by more than `iou_threshold`.
pub fn nms(xs: &[Tensor], form: &Nms) -> Result<Tensor> {
    let [boxes, scores, groups @ ..] = xs else {
        return Err(Error::argument(format!(
            "nms: takes boxes and scores, got {} tensor(s)",
            xs.len()
        )));
    };
    check(boxes, scores, groups, form)?;
    let options = NmsOptions {
        iou_threshold: form.iou_threshold as f32,
        score_threshold: form.score_threshold.map(|t| t as f32),
        max_output: form.max_output.map(|n| n as usize),
    };
    let groups = groups
        .iter()
        .map(|g| cast(g, DType::I64)?.to_vec::<i64>())
        .collect::<Result<Vec<_>>>()?;
    let of = |i: usize| groups.get(i).map(Vec::as_slice);
    let corners = cast(boxes, DType::F32)?.to_vec::<f32>()?;
    let ranks = cast(scores, DType::F32)?.to_vec::<f32>()?;
    let kept = kernel(Isa::current(), &corners, &ranks, of(0), of(1), options);
    indices(&kept, &[kept.len()], boxes.device())
}

fn check(boxes: &Tensor, scores: &Tensor, groups: &[Tensor], form: &Nms) -> Result<()> {
    let &[count, 4] = boxes.shape() else {
        return Err(Error::shape(format!(
            "nms: boxes has shape {:?}, wanted (count, 4)",
            boxes.shape()
        )));
    };
    if groups.len() > 2 {
        return Err(Error::argument(format!(
            "nms: takes boxes, scores, classes and pictures, got {} tensors",
            groups.len() + 2
        )));
    }
    let names = ["scores", "classes", "batch"];
    for (name, x) in names.iter().zip(std::iter::once(scores).chain(groups)) {
        if x.shape() != [count] {
            return Err(Error::shape(format!(
                "nms: {name} has shape {:?}, wanted [{count}], one for each box",
                x.shape()
            )));
        }
    }
    if !(0.0..=1.0).contains(&form.iou_threshold) {
        return Err(Error::argument(format!(
            "nms: iou_threshold={} is not in [0, 1]",
            form.iou_threshold
        )));
    }
    match form.max_output {
        Some(n) if n < 0 => Err(Error::argument(format!("nms: max_output={n} is negative"))),
        _ => Ok(()),
    }
}
