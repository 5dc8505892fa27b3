//! A convolution with constant weights that is scaled and shifted channel by
//! channel (batch norm at inference) is one with other weights and a bias:
//!
//! (w * x + a) s + b = (s w) * x + (s a + b)

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::memory::PackKey;
use crate::op::Meta;
use crate::{Class, DType, Device, Result, Storage, Value};
use lamina_kernels::Func;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

pub fn affine(graph: &mut Graph) -> Result<()> {
    let (readers, wanted) = (graph.readers(), graph.is_output());
    let mut gone = vec![false; graph.nodes.len()];
    for at in 0..graph.nodes.len() {
        let Some(found) = scaled(graph, at, &readers, &wanted) else {
            continue;
        };
        let conv = &graph.nodes[at];
        let (w, y) = (conv.inputs[1], conv.outputs[0]);
        let Some(weight) = scaled_weight(graph, w, &found.scale)? else {
            continue;
        };
        let meta = graph.meta(w).clone();
        graph.nodes[at].inputs[1] = graph.add_value(meta, Device::Cpu, Origin::Constant(weight));
        let shift = shift(graph, &found.shift)?;
        let (last, others) = found.nodes.split_last().unwrap_or((&at, &[]));
        for &node in others {
            gone[node] = true;
        }
        let like = &graph.nodes[*last];
        graph.nodes[*last] = Node {
            work: Work::Op(crate::ops::elementwise::op(Func::Add)),
            inputs: vec![y, shift],
            outputs: like.outputs.clone(),
            tail: None,
            device: like.device,
            site: like.site.clone(),
        };
    }
    let mut at = 0;
    graph.nodes.retain(|_| {
        at += 1;
        !gone[at - 1]
    });
    Ok(())
}

/// What follows a convolution: y becomes scale y + shift.
struct Scaled {
    nodes: Vec<usize>,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// The longest chain of such functions behind the convolution at `at`, if one
/// of them scales.
fn scaled(graph: &Graph, at: usize, readers: &[Vec<usize>], wanted: &[bool]) -> Option<Scaled> {
    let conv = &graph.nodes[at];
    let is_conv = matches!(&conv.work, Work::Op(op) if op.op.name() == "conv2d");
    let y = *conv.outputs.first()?;
    let meta = graph.meta(y);
    if !is_conv || conv.device != Device::Cpu || meta.dtype != DType::F32 {
        return None;
    }
    graph.constant(conv.inputs[1])?;
    let channels = meta.shape[1];
    let mut found = Scaled {
        nodes: Vec::new(),
        scale: vec![1.0; channels],
        shift: vec![0.0; channels],
    };
    let mut scales = false;
    let mut value = y;
    while !wanted[value]
        && let [reader] = readers[value][..]
        && let Some((func, factor)) = step(graph, &graph.nodes[reader], value, &meta.shape)
    {
        for (c, k) in factor.iter().map(|k| f64::from(*k)).enumerate() {
            match func {
                Func::Add => found.shift[c] += k,
                Func::Sub => found.shift[c] -= k,
                _ => {
                    let k = if func == Func::Div { 1.0 / k } else { k };
                    found.scale[c] *= k;
                    found.shift[c] *= k;
                }
            }
        }
        scales |= matches!(func, Func::Mul | Func::Div);
        found.nodes.push(reader);
        value = graph.nodes[reader].outputs[0];
    }
    let finite = found
        .scale
        .iter()
        .chain(&found.shift)
        .all(|v| v.is_finite());
    (scales && finite).then_some(found)
}

/// What a node does to `value`, and the constant by which.
fn step(graph: &Graph, node: &Node, value: Id, shape: &[usize]) -> Option<(Func, Vec<f32>)> {
    let Class::Elementwise(func) = node.class() else {
        return None;
    };
    let [a, b] = node.inputs[..] else { return None };
    let other = match func {
        Func::Add | Func::Mul if b == value && a != value => a,
        Func::Add | Func::Sub | Func::Mul | Func::Div if a == value && b != value => b,
        _ => return None,
    };
    let same = graph.meta(node.outputs[0]).shape == shape && node.device == Device::Cpu;
    let factor = graph.per_channel(other, shape[1]).filter(|_| same)?;
    Some((func, factor))
}

/// The weight with each output channel scaled: kept with the weight's
/// storage, so that every plan of a model has the same one, and packs it once.
fn scaled_weight(graph: &Graph, w: Id, scale: &[f64]) -> Result<Option<Value>> {
    let Some(weight) = graph.constant(w) else {
        return Ok(None);
    };
    let Storage::Cpu(buffer) = &weight.storage else {
        return Ok(None);
    };
    let layout = &weight.layout;
    if !layout.is_contiguous() {
        return Ok(None);
    }
    let mut hasher = DefaultHasher::new();
    for scale in scale {
        scale.to_bits().hash(&mut hasher);
    }
    let sizes = layout.shape.iter().map(|n| *n as isize);
    let key = PackKey {
        format: "conv2d.scaled",
        offset: layout.offset,
        sizes: sizes.chain([hasher.finish() as isize]).collect(),
    };
    let bytes = &buffer.bytes()[layout.offset * 4..][..layout.len() * 4];
    let each = layout.len() / scale.len().max(1) * 4;
    let made: Arc<Result<Value>> = buffer.packed(key, || {
        let mut scaled = Vec::with_capacity(bytes.len());
        for (row, scale) in bytes.chunks_exact(each.max(4)).zip(scale) {
            for value in row.as_chunks::<4>().0 {
                let value = f64::from(f32::from_le_bytes(*value)) * scale;
                scaled.extend((value as f32).to_le_bytes());
            }
        }
        Value::from_bytes(DType::F32, &layout.shape, &scaled)
    });
    (*made).clone().map(Some)
}

/// The constant (channels, 1, 1).
fn shift(graph: &mut Graph, shift: &[f64]) -> Result<Id> {
    let bytes: Vec<u8> = shift
        .iter()
        .flat_map(|v| (*v as f32).to_le_bytes())
        .collect();
    let shape = [shift.len(), 1, 1];
    let value = Value::from_bytes(DType::F32, &shape, &bytes)?;
    let meta = Meta::new(DType::F32, shape);
    Ok(graph.add_value(meta, Device::Cpu, Origin::Constant(value)))
}
