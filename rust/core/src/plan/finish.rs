//! What begins a product's tail, if that is a scale, a bias, a residual or an
//! activation, becomes part of the product: it does that in registers.  For
//! matrix products on a CPU; convolutions get theirs in `blocked`.

use super::graph::{Graph, Node, Work};
use super::leading::Beginning;
use crate::op::{Meta, OpRef};
use crate::ops::matmul::{Matmul, MatmulEpilogue};
use crate::{DType, Device};
use lamina_kernels::{Activation, Func};

pub fn finish(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        if let Some(node) = finished(graph, &graph.nodes[at]) {
            graph.nodes[at] = node;
        }
    }
}

fn finished(graph: &Graph, node: &Node) -> Option<Node> {
    node.op::<Matmul>()?;
    let result = graph.meta(node.outputs[0]);
    if node.device != Device::Cpu || result.dtype != DType::F32 {
        return None;
    }
    let mut tail = Beginning::of(node)?;
    let cols = *result.shape.last()?;
    let row = |meta: &Meta| meta.len() == cols && meta.shape.last() == Some(&cols);
    let scale = tail.take(Func::Mul, |id| graph.meta(id).len() == 1);
    let bias = tail.take(Func::Add, |id| row(graph.meta(id)));
    let residual = tail.take(Func::Add, |id| graph.meta(id).shape == result.shape);
    let activation = tail.take_activation();
    let taken = [scale, bias, residual];
    if taken == [None; 3] && activation.is_none() {
        return None;
    }
    let op = MatmulEpilogue {
        scale: scale.is_some(),
        bias: bias.is_some(),
        residual: residual.is_some(),
        activation: activation.unwrap_or(Activation::NONE),
    };
    let operands = node.inputs[..2].iter().copied();
    let (inputs, tail) = tail.rest(operands.chain(taken.into_iter().flatten()).collect());
    Some(Node {
        work: Work::Op(OpRef::new(op)),
        inputs,
        outputs: node.outputs.clone(),
        tail,
        device: node.device,
        site: node.site.clone(),
    })
}
