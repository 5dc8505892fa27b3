//! A convolution with constant weights that is scaled and shifted channel by
//! channel (batch norm at inference) is one with other weights and a bias:
//!
//! (w * x + a) s + b = (s w) * x + (s a + b)

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::memory::PackKey;
use crate::op::Meta;
use crate::ops::conv2d::scale::Scale;
use crate::{Class, DType, Device, Error, Result, Storage, Value};
use lamina_kernels::Func;
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
        let origin = Origin::Scaled {
            weight: w,
            scale: Scale::new(found.scale),
        };
        let meta = graph.meta(w).clone();
        graph.nodes[at].inputs[1] = graph.add_value(meta, Device::Cpu, origin);
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
    let weight = graph.constant(conv.inputs[1])?;
    weight
        .host_bytes()
        .filter(|_| weight.layout.is_contiguous())?;
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

/// Makes the scaled weights that a node still reads.
pub fn scale_weights(graph: &mut Graph) -> Result<()> {
    for (id, readers) in graph.readers().into_iter().enumerate() {
        if let Origin::Scaled { weight, scale } = &graph.values[id].origin
            && !readers.is_empty()
        {
            let value = scaled_weight(graph, *weight, scale)?;
            graph.values[id].origin = Origin::Constant(value);
        }
    }
    Ok(())
}

/// Kept with the weight's storage, so that every plan of a model has the same
/// one, and packs it once.
fn scaled_weight(graph: &Graph, weight: Id, scale: &Scale) -> Result<Value> {
    let weight = graph.constant(weight);
    let Some((weight, Storage::Cpu(buffer))) = weight.map(|w| (w, &w.storage)) else {
        return Err(Error::internal("a scaled weight is no constant"));
    };
    let layout = &weight.layout;
    let sizes = layout.shape.iter().map(|n| *n as isize);
    let key = PackKey {
        format: "conv2d.scaled",
        offset: layout.offset,
        sizes: sizes.chain([scale.key as isize]).collect(),
    };
    let bytes = &buffer.bytes()[layout.offset * 4..][..layout.len() * 4];
    let made: Arc<Result<Value>> = buffer.packed(key, || {
        let values = bytes.as_chunks::<4>().0.iter();
        let values: Vec<f32> = values.map(|b| f32::from_le_bytes(*b)).collect();
        let scaled = scale.apply(&values);
        let bytes: Vec<u8> = scaled.iter().flat_map(|v| v.to_le_bytes()).collect();
        Value::from_bytes(DType::F32, &layout.shape, &bytes)
    });
    (*made).clone()
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
