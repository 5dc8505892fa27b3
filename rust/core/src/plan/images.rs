//! Image by image: a stretch of a CPU part whose steps treat the images of a
//! batch alike runs from its first step to its last for a few images before the
//! next ones begin.  What a step writes is then still in the cache when the
//! next one reads it, and threads have an image each instead of a share of
//! every step.

use super::donate::Donated;
use super::graph::{Graph, Id, Node, Work};
use super::layout::Placed;
use crate::Device;
use crate::ops::attention::Attention;
use crate::ops::concat::Concat;
use crate::ops::conv2d::blocked::Conv2dBlocked;
use crate::ops::conv2d::inverted_residual::InvertedResidual;
use crate::ops::copy::Copy;
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::matmul::MatmulEpilogue;
use crate::ops::pool2d::blocked::Pool2dBlocked;
use crate::ops::reduce::Reduce;
use crate::ops::reorder::Reorder;
use crate::ops::resize::blocked::ResizeBlocked;
use crate::ops::softmax::Softmax;
use lamina_kernels::cache;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// What reading a byte of a weight again, for the next images, costs of what
/// a byte of an image saves that is written and read within the cache.
/// Measured: kernels fetch weights ahead, and an image is written besides.
const AGAIN: f64 = 0.25;

/// Steps of a part that run for some images of a batch at a time.
pub(super) struct Stretch {
    pub steps: Range<usize>,
    pub images: usize,
    /// Images that fit in the cache together, step by step.
    pub together: usize,
}

/// How a node treats a batch.
struct Batch {
    images: usize,
    /// Inputs that are needed whole for every image.
    whole: Vec<Id>,
    /// Inputs of which an image needs its own part.
    parts: Vec<Id>,
    /// Bytes of the batch's images, read and written.
    moved: usize,
    /// Bytes of what is needed whole.
    fixed: usize,
}

impl Batch {
    /// None where the node does not treat images one by one.
    fn of(graph: &Graph, placed: &[Placed], node: &Node) -> Option<Batch> {
        let output = graph.meta(node.outputs[0]);
        let images = *output.shape.first().filter(|&&n| n > 1)?;
        let alike = |id: &Id| graph.meta(*id).shape.first() == Some(&images);
        if node.device != Device::Cpu || !node.outputs.iter().all(alike) {
            return None;
        }
        let own = own_inputs(node);
        let named = parts(graph, node)?;
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        for (slot, &id) in node.inputs.iter().enumerate() {
            let shape = &graph.meta(id).shape;
            // A chain's inputs and a tail's are broadcast.
            let part = if slot < own {
                named.contains(&slot)
            } else {
                shape.len() == output.shape.len() && shape[0] == images
            };
            if part && shape.first() != Some(&images) {
                return None;
            }
            if part { &mut parts } else { &mut whole }.push(id);
        }
        let bytes = |ids: &[Id]| -> usize {
            let each = ids
                .iter()
                .map(|&id| (placed[id].root, graph.meta(id).bytes()));
            each.collect::<HashMap<_, _>>().values().sum()
        };
        Some(Batch {
            images,
            moved: bytes(&parts) + bytes(&node.outputs),
            fixed: bytes(&whole),
            whole,
            parts,
        })
    }

    /// Bytes of memory traffic saved by going image by image.
    fn saved(&self) -> f64 {
        let (l2, again) = (cache::l2(), (self.images - 1) as f64 * AGAIN);
        let saved = if self.moved > l2 { self.moved } else { 0 };
        let lost = if self.fixed > l2 / 4 { self.fixed } else { 0 };
        saved as f64 - lost as f64 * again
    }
}

/// How many of a node's inputs its kernel reads itself; the others are
/// broadcast to the result's shape.
fn own_inputs(node: &Node) -> usize {
    match &node.work {
        Work::Op(_) => node.tail.as_ref().map_or(node.inputs.len(), |t| t.first),
        Work::Chain(_) => 0,
    }
}

/// The inputs, of a node's own, of which image `n` of the result needs image
/// `n` alone, and the others whole; None where that is not so.
pub(super) fn parts(graph: &Graph, node: &Node) -> Option<Vec<usize>> {
    let own = own_inputs(node);
    if matches!(node.work, Work::Chain(_)) {
        return Some(Vec::new());
    }
    let shape = |slot: usize| &graph.meta(node.inputs[slot]).shape;
    let rank = graph.meta(*node.inputs.first()?).shape.len();
    let with = |slot: usize, more: Option<usize>| Some(std::iter::once(slot).chain(more).collect());
    if let Some(op) = node.op::<Conv2dBlocked>() {
        return with(0, op.residual_at());
    }
    if let Some(op) = node.op::<InvertedResidual>() {
        return with(0, op.residual_at());
    }
    if let Some(op) = node.op::<MatmulEpilogue>() {
        let batched = rank > 2 && shape(1).len() == 2;
        return if batched {
            with(0, op.residual_at())
        } else {
            None
        };
    }
    if let Some(op) = node.op::<Attention>() {
        let mask = op
            .mask_at()
            .filter(|&at| shape(at).len() == rank && shape(at)[0] > 1);
        return (rank > 2).then(|| (0..3).chain(mask).collect());
    }
    let every = node.op::<Pool2dBlocked>().is_some()
        || node
            .op::<Concat>()
            .is_some_and(|op| op.axis(rank) != Some(0));
    if every {
        return Some((0..own).collect());
    }
    let first = node.op::<Reorder>().is_some()
        || node.op::<ResizeBlocked>().is_some()
        || node.op::<Copy>().is_some()
        || node.op::<LayerNorm>().is_some_and(|op| op.axes() < rank)
        || node.op::<GroupNorm>().is_some()
        || node.op::<Reduce>().is_some_and(|op| op.keeps_first(rank))
        || node
            .op::<Softmax>()
            .is_some_and(|op| op.axis(rank) != Some(0));
    first.then(|| vec![0])
}

/// The stretches of a part of these nodes, in order.
pub(super) fn stretches(
    graph: &Graph,
    placed: &[Placed],
    donated: &Donated,
    nodes: &[usize],
) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut run: Vec<Batch> = Vec::new();
    let mut made: HashSet<Id> = HashSet::new();
    for (step, &at) in nodes.iter().enumerate() {
        let node = &graph.nodes[at];
        let gives = |id: &Id| donated.donor_of.contains_key(id);
        let batch = Batch::of(graph, placed, node).filter(|_| !node.outputs.iter().any(gives));
        let goes_on = batch.as_ref().is_some_and(|batch| {
            let same = run.first().is_none_or(|first| first.images == batch.images);
            let whole = |id: &Id| !made.contains(&placed[*id].root);
            let part = |id: &Id| whole(id) || image_of_root(graph, &placed[*id], batch.images);
            same && batch.whole.iter().all(whole) && batch.parts.iter().all(part)
        });
        if !goes_on {
            worthwhile(&mut found, step - run.len(), &run);
            run.clear();
            made.clear();
        }
        if let Some(batch) = batch {
            run.push(batch);
            made.extend(&node.outputs);
        }
    }
    worthwhile(&mut found, nodes.len() - run.len(), &run);
    found
}

/// Whether image `n` of a view lies within image `n` of its root.
fn image_of_root(graph: &Graph, view: &Placed, images: usize) -> bool {
    let root = graph.meta(view.root);
    let Some(image) = root.len().checked_div(images).filter(|&n| n > 0) else {
        return false;
    };
    let (mut low, mut high) = (view.layout.offset as isize, view.layout.offset as isize);
    for (&n, &stride) in view.layout.shape.iter().zip(&view.layout.strides).skip(1) {
        let reach = stride * n.saturating_sub(1) as isize;
        low += reach.min(0);
        high += reach.max(0);
    }
    root.shape[0] == images
        && view.layout.strides[0] == image as isize
        && low >= 0
        && high < image as isize
}

/// Adds those stretches of a run of steps, the first of them `start`, that save
/// the most.
fn worthwhile(found: &mut Vec<Stretch>, start: usize, run: &[Batch]) {
    let mut from = 0;
    while from < run.len() {
        // The best end for a stretch from here, until more is lost than saved.
        let (mut sum, mut best, mut end) = (0.0, 0.0, from);
        let mut at = from;
        while at < run.len() && sum >= 0.0 {
            sum += run[at].saved();
            at += 1;
            if sum > best {
                (best, end) = (sum, at);
            }
        }
        if end > from + 1 {
            let images = run[from].images;
            let steps = &run[from..end];
            let largest = steps.iter().map(|b| b.moved / images).max().unwrap_or(0);
            found.push(Stretch {
                steps: start + from..start + end,
                images,
                together: (cache::l2() / 2 / largest.max(1)).clamp(1, images),
            });
        }
        from = end.max(from + 1);
    }
}
