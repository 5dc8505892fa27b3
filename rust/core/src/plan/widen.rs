//! f16 and bf16 are storage: kernels that compute read and write f32, so
//! casts are put around them.  A pair of casts in a row that only rounds
//! between two kernels is left out: intermediate values keep f32's precision,
//! and what stands between two kernels (activations, concat, views) stays wide
//! with them.
//!
//! A matrix product on a CPU takes a constant f16 matrix on its right as it
//! is and widens it as it reads it: such weights stay half as large.

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::op::Meta;
use crate::ops::matmul::Matmul;
use crate::{Class, DType, Device};
use lamina_kernels::{Func, Isa};
use std::any::Any;
use std::collections::{HashMap, HashSet};

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

pub fn widen(graph: &mut Graph) {
    let nodes = std::mem::take(&mut graph.nodes);
    // The f32 twin of a half value, where there is one.
    let mut wide: HashMap<Id, Id> = HashMap::new();
    // Constants, and views of constants.
    let mut constant: HashSet<Id> = (0..graph.values.len())
        .filter(|&id| graph.constant(id).is_some())
        .collect();
    for mut node in nodes {
        if matches!(node.class(), Class::View(_)) && constant.contains(&node.inputs[0]) {
            constant.extend(&node.outputs);
        }
        let computes = matches!(node.class(), Class::Product | Class::Compute);
        let touches = node
            .inputs
            .iter()
            .chain(&node.outputs)
            .any(|&id| is_half(graph.meta(id).dtype));
        if !((computes && touches) || stays_wide(graph, &node, &wide)) {
            graph.nodes.push(node);
            continue;
        }
        for slot in 0..node.inputs.len() {
            let id = node.inputs[slot];
            let as_it_is = slot == 1 && constant.contains(&id) && widens(graph, &node);
            if is_half(graph.meta(id).dtype) && !as_it_is {
                let twin = match wide.get(&id) {
                    Some(&twin) => twin,
                    None => cast(graph, id, DType::F32, &node),
                };
                wide.insert(id, twin);
                node.inputs[slot] = twin;
            }
        }
        let mut narrow = Vec::new();
        for slot in 0..node.outputs.len() {
            let id = node.outputs[slot];
            if is_half(graph.meta(id).dtype) {
                let meta = Meta::new(DType::F32, graph.meta(id).shape.clone());
                let twin = graph.add_value(meta, node.device, Origin::Node);
                node.outputs[slot] = twin;
                wide.insert(id, twin);
                narrow.push((twin, id));
            }
        }
        let device = node.device;
        let site = node.site.clone();
        graph.nodes.push(node);
        for (twin, id) in narrow {
            let to = graph.meta(id).dtype;
            graph.nodes.push(Node {
                work: Work::Op(crate::ops::elementwise::cast_op(to)),
                inputs: vec![twin],
                outputs: vec![id],
                tail: None,
                device,
                site: site.clone(),
            });
        }
    }
    super::dead::dead(graph);
}

/// Whether a node's kernel widens its right operand, were that constant.
fn widens(graph: &Graph, node: &Node) -> bool {
    let Work::Op(op) = &node.work else {
        return false;
    };
    let any: &dyn Any = &*op.op;
    let right = graph.meta(node.inputs[1]);
    // One column is a dot product, whose kernel reads f32.
    any.is::<Matmul>()
        && node.device == Device::Cpu
        && Isa::current().widens_halves()
        && right.dtype == DType::F16
        && matches!(right.shape[..], [rows, cols] if rows > 0 && cols > 1)
}

/// Whether a node that would take halves as they are goes on with the f32
/// that some input of it has anyway.  A cast rounds because it was asked to;
/// what compares, compares the values that can be seen.
fn stays_wide(graph: &Graph, node: &Node, wide: &HashMap<Id, Id>) -> bool {
    let passes = match node.class() {
        Class::Elementwise(func) => !matches!(func, Func::Cast { .. }),
        Class::View(_) | Class::Move => true,
        _ => false,
    };
    passes
        && node.inputs.iter().any(|id| wide.contains_key(id))
        && node.outputs.iter().all(|&id| is_half(graph.meta(id).dtype))
}

fn cast(graph: &mut Graph, id: Id, to: DType, like: &Node) -> Id {
    let meta = Meta::new(to, graph.meta(id).shape.clone());
    let output = graph.add_value(meta, like.device, Origin::Node);
    graph.nodes.push(Node {
        work: Work::Op(crate::ops::elementwise::cast_op(to)),
        inputs: vec![id],
        outputs: vec![output],
        tail: None,
        device: like.device,
        site: like.site.clone(),
    });
    output
}
