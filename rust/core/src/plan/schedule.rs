//! Scheduling: nodes in their recorded order, cut into parts that run on one
//! device each.  A node without a kernel on its device runs on the CPU and
//! is listed as a fallback.

use super::donate::Donated;
use super::graph::{Graph, Id, Node, Work};
use super::layout::Placed;
use crate::call::{GpuCall, GpuTail, gpu_storage};
use crate::op::Lowered;
use crate::{DType, Device, Result};
use lamina_gpu::kernels::Kernels;
use lamina_gpu::{Caps, Operand};
use std::collections::HashMap;

/// Nodes (by position) that run on one device, one after the other.
pub struct Part {
    pub device: Device,
    pub nodes: Vec<usize>,
    /// For a GPU: each node's kernels.
    pub kernels: Vec<Kernels>,
}

/// Where host scalars lie in a GPU part's scalars buffer, in bytes.
pub const SCALAR_STEP: usize = 8;

/// Numbers the 0-d CPU values that GPU nodes read by value.
pub fn scalar_slots(graph: &Graph) -> HashMap<Id, usize> {
    let is_scalar = |id: Id| {
        let def = &graph.values[id];
        def.device == Device::Cpu && def.meta.shape.is_empty()
    };
    let mut slots = HashMap::new();
    for id in (0..graph.values.len()).filter(|&id| is_scalar(id)) {
        let next = slots.len();
        slots.insert(id, next);
    }
    slots
}

pub fn operand(
    graph: &Graph,
    placed: &Placed,
    id: Id,
    scalars: &HashMap<Id, usize>,
) -> Option<Operand> {
    let dtype = graph.meta(id).dtype;
    let base = scalars
        .get(&placed.root)
        .map_or(0, |slot| slot * SCALAR_STEP / dtype.size());
    Some(Operand {
        storage: gpu_storage(dtype)?,
        shape: placed.layout.shape.clone(),
        strides: placed.layout.strides.clone(),
        offset: placed.layout.offset + base,
        shares: None,
    })
}

/// Marks operands that lie in one buffer: views of one value, and all host
/// scalars.
fn share(operands: &mut [Operand], roots: &[Id], scalars: &HashMap<Id, usize>) {
    for i in 1..operands.len() {
        let same = |j: &usize| {
            roots[*j] == roots[i]
                || (scalars.contains_key(&roots[*j]) && scalars.contains_key(&roots[i]))
        };
        operands[i].shares = (0..i).find(same);
    }
}

/// The kernels of a node on its GPU, or why there are none.
fn lower(
    graph: &Graph,
    placed: &[Placed],
    node: &Node,
    scalars: &HashMap<Id, usize>,
    donated: &Donated,
    caps: &Caps,
) -> Result<std::result::Result<Kernels, String>> {
    let mut inputs = Vec::with_capacity(node.inputs.len());
    let mut outputs = Vec::with_capacity(node.outputs.len());
    let shape = &graph.meta(node.outputs[0]).shape;
    let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
    for (slot, &id) in node.inputs.iter().enumerate() {
        let mut place = placed[id].clone();
        if matches!(node.work, Work::Chain(_)) || slot >= own {
            place.layout = place.layout.expand(shape);
        }
        match operand(graph, &place, id, scalars) {
            Some(operand) => inputs.push(operand),
            None => {
                return Ok(Err(format!(
                    "{} does not exist on a GPU",
                    graph.meta(id).dtype
                )));
            }
        }
    }
    for &id in &node.outputs {
        match operand(graph, &placed[id], id, scalars) {
            Some(operand) => outputs.push(operand),
            None => {
                return Ok(Err(format!(
                    "{} does not exist on a GPU",
                    graph.meta(id).dtype
                )));
            }
        }
    }
    let dtypes: Vec<DType> = node.inputs.iter().map(|&id| graph.meta(id).dtype).collect();
    let out_dtypes: Vec<DType> = node
        .outputs
        .iter()
        .map(|&id| graph.meta(id).dtype)
        .collect();
    let over = donated.over(placed, node);
    let name = node.name();
    let roots: Vec<Id> = node.inputs.iter().map(|&id| placed[id].root).collect();
    let (own_inputs, tail_inputs) = inputs.split_at_mut(own);
    share(own_inputs, &roots[..own], scalars);
    share(tail_inputs, &roots[own..], scalars);
    let call = GpuCall {
        op: &name,
        inputs: own_inputs,
        dtypes: &dtypes,
        outputs: &outputs,
        out_dtypes: &out_dtypes,
        tail: node.tail.as_ref().map(|t| GpuTail {
            chain: &t.chain,
            inputs: tail_inputs,
        }),
        over: &over,
        caps,
    };
    let lowered = match &node.work {
        Work::Op(op) => op.op.gpu(&call),
        Work::Chain(chain) => crate::ops::elementwise::lower_chain(chain, &call),
    };
    Ok(match lowered {
        Ok(Lowered::Kernels(kernels)) => Ok(kernels),
        Ok(Lowered::Unsupported(why)) => Err(why),
        Err(error) if error.kind == crate::ErrorKind::Unsupported => Err(error.message),
        Err(error) => return Err(error),
    })
}

pub fn schedule(
    graph: &mut Graph,
    placed: &[Placed],
    scalars: &HashMap<Id, usize>,
    donated: &Donated,
    caps: Option<&Caps>,
) -> Result<(Vec<Part>, Vec<String>)> {
    let mut parts: Vec<Part> = Vec::new();
    let mut fallbacks = Vec::new();
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        let mut kernels = None;
        let mut device = node.device;
        if device != Device::Cpu {
            let gpu = device.gpu()?;
            let caps = caps.unwrap_or(gpu.caps());
            match lower(graph, placed, node, scalars, donated, caps)? {
                Ok(lowered) => kernels = Some(lowered),
                Err(why) => {
                    fallbacks.push(format!("{} runs on the CPU: {why}", node.name()));
                    device = Device::Cpu;
                }
            }
        }
        graph.nodes[at].device = device;
        match parts.last_mut() {
            Some(part) if part.device == device => {
                part.nodes.push(at);
                part.kernels.extend(kernels);
            }
            _ => parts.push(Part {
                device,
                nodes: vec![at],
                kernels: kernels.into_iter().collect(),
            }),
        }
    }
    Ok((parts, fallbacks))
}

/// Why some node of a graph has no kernel on a GPU of these capabilities;
/// None: all have.
pub fn missing(graph: &Graph, placed: &[Placed], caps: &Caps) -> Result<Option<String>> {
    let (scalars, donated) = (
        HashMap::new(),
        Donated {
            donor_of: HashMap::new(),
        },
    );
    for node in &graph.nodes {
        if let Err(why) = lower(graph, placed, node, &scalars, &donated, caps)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}
