//! What begins a product's tail, if that is a scale, a bias, a residual or an
//! activation, becomes part of the product: it does that in registers.  For
//! matrix products on a CPU; convolutions get theirs in `blocked`.

use super::graph::{Graph, Node, Tail, Work};
use super::leading::{leading, leading_activation, without_first};
use crate::op::{Meta, OpRef};
use crate::ops::matmul::{Matmul, MatmulEpilogue};
use crate::{DType, Device};
use lamina_kernels::{Activation, Func};
use std::sync::Arc;

pub fn finish(graph: &mut Graph) {
    for at in 0..graph.nodes.len() {
        if let Some(node) = finished(graph, &graph.nodes[at]) {
            graph.nodes[at] = node;
        }
    }
}

fn finished(graph: &Graph, node: &Node) -> Option<Node> {
    let Work::Op(op) = &node.work else {
        return None;
    };
    let any: &dyn std::any::Any = &*op.op;
    let product = any.is::<Matmul>() && node.device == Device::Cpu;
    let tail = node.tail.as_ref().filter(|_| product)?;
    let result = graph.meta(node.outputs[0]);
    if result.dtype != DType::F32 {
        return None;
    }
    let mut own = node.inputs[..tail.first].to_vec();
    let mut rest = node.inputs[tail.first..].to_vec();
    let mut chain = (*tail.chain).clone();
    // The program's first step, if it is this one with an operand that fits.
    let mut take = |func: Func, fits: &dyn Fn(&Meta) -> bool| {
        let operand = leading(&chain, func).filter(|o| fits(graph.meta(rest[o - 1])));
        if let Some(operand) = operand {
            own.push(rest.remove(operand - 1));
            chain = without_first(&chain, Some(operand));
        }
        operand.is_some()
    };
    let cols = *result.shape.last()?;
    let row = |meta: &Meta| meta.len() == cols && meta.shape.last() == Some(&cols);
    let scale = take(Func::Mul, &|meta| meta.len() == 1);
    let bias = take(Func::Add, &row);
    let residual = take(Func::Add, &|meta| meta.shape == result.shape);
    let activation = leading_activation(&chain);
    if activation.is_some() {
        chain = without_first(&chain, None);
    }
    if own.len() == tail.first && activation.is_none() {
        return None;
    }
    let op = MatmulEpilogue {
        scale,
        bias,
        residual,
        activation: activation.unwrap_or(Activation::NONE),
    };
    let first = own.len();
    own.extend(rest);
    Some(Node {
        work: Work::Op(OpRef::new(op)),
        inputs: own,
        outputs: node.outputs.clone(),
        tail: (!chain.instrs.is_empty()).then(|| Tail {
            chain: Arc::new(chain),
            first,
        }),
        device: node.device,
        site: node.site.clone(),
    })
}
