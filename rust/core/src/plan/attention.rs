//! A product, the softmax of its rows and the product of that become one op on
//! a CPU, which never writes the scores out.

use super::graph::{Graph, Id, Node, Origin, Work};
use super::leading::Beginning;
use crate::op::{Meta, OpRef};
use crate::ops::attention::{Attention, Scale};
use crate::ops::matmul::{Matmul, MatmulEpilogue};
use crate::ops::softmax::Softmax;
use crate::ops::views::Permute;
use crate::{DType, Device};
use lamina_kernels::{Activation, Func};

/// With fewer rows a head's keys and values are better read where they are.
const ROWS: usize = 8;

pub fn attention(graph: &mut Graph) {
    let (readers, makers, wanted) = (graph.readers(), graph.makers(), graph.is_output());
    let mut gone = vec![false; graph.nodes.len()];
    let mut made: Vec<Option<Found>> = graph.nodes.iter().map(|_| None).collect();
    for (at, slot) in made.iter_mut().enumerate() {
        let alone = |id: Id, reader: usize| !wanted[id] && readers[id] == [reader];
        let [weights, value] = graph.nodes[at].inputs[..] else {
            continue;
        };
        let Some(softmax) = makers[weights].filter(|_| alone(weights, at) && value != weights)
        else {
            continue;
        };
        let Some(&scores) = graph.nodes[softmax].inputs.first() else {
            continue;
        };
        let Some(product) = makers[scores].filter(|_| alone(scores, softmax)) else {
            continue;
        };
        *slot = found(graph, [product, softmax, at]);
        if slot.is_some() {
            gone[product] = true;
            gone[softmax] = true;
        }
    }
    let nodes = std::mem::take(&mut graph.nodes);
    for (at, node) in nodes.into_iter().enumerate() {
        match made[at].take() {
            _ if gone[at] => {}
            Some(found) => found.put(graph, node),
            None => graph.nodes.push(node),
        }
    }
}

struct Found {
    op: Attention,
    inputs: Vec<Id>,
}

impl Found {
    /// In the place of the last product.
    fn put(self, graph: &mut Graph, last: Node) {
        let result = graph.meta(last.outputs[0]).clone();
        let order = Attention::order(result.shape.len());
        let output = match &order {
            Some(order) => {
                let shape: Vec<usize> = order.iter().map(|&d| result.shape[d as usize]).collect();
                graph.add_value(Meta::new(DType::F32, shape), Device::Cpu, Origin::Node)
            }
            None => last.outputs[0],
        };
        graph.nodes.push(Node {
            work: Work::Op(OpRef::new(self.op)),
            inputs: self.inputs,
            outputs: vec![output],
            tail: None,
            device: Device::Cpu,
            site: last.site.clone(),
        });
        if order.is_some() {
            graph.nodes.push(Node {
                work: Work::Op(OpRef::new(Permute { dims: order })),
                inputs: vec![output],
                ..last
            });
        }
    }
}

fn found(graph: &Graph, [product, softmax, last]: [usize; 3]) -> Option<Found> {
    let [product, softmax, last] = [product, softmax, last].map(|at| &graph.nodes[at]);
    let plain = |node: &Node| node.device == Device::Cpu && node.tail.is_none();
    let result = graph.meta(last.outputs[0]);
    let rank = result.shape.len();
    let fits = last.op::<Matmul>().is_some()
        && plain(last)
        && plain(softmax)
        && softmax.op::<Softmax>()?.is_of_rows(rank)
        && product.device == Device::Cpu
        && result.dtype == DType::F32;
    if !fits {
        return None;
    }
    let mut inputs = vec![product.inputs[0], product.inputs[1], last.inputs[1]];
    let shapes = [0, 1, 2].map(|i| &graph.meta(inputs[i]).shape[..]);
    let lead = &result.shape[..rank - 2];
    let same = shapes
        .iter()
        .all(|s| s.len() == rank && s[..rank - 2] == *lead);
    // Half weights are widened by matrix products alone.
    let single = inputs.iter().all(|&id| graph.meta(id).dtype == DType::F32);
    if !same || !single || shapes[0][rank - 2] < ROWS || shapes.iter().any(|s| s.contains(&0)) {
        return None;
    }
    let (op, more) = scores(graph, product)?;
    inputs.extend(more);
    Some(Found { op, inputs })
}

/// What is done to a product's scores, if that is a scale and a mask at most,
/// and the operands of that.
fn scores(graph: &Graph, product: &Node) -> Option<(Attention, Vec<Id>)> {
    let mut own = product.inputs[2..].iter().copied();
    let (mut scale, mut mask) = ((Scale::One, None), None);
    if let Some(op) = product.op::<MatmulEpilogue>() {
        if op.bias && op.residual || op.activation != Activation::NONE {
            return None;
        }
        if op.scale {
            scale = (Scale::Times, own.next());
        }
        if op.bias || op.residual {
            mask = own.next();
        }
    } else {
        product.op::<Matmul>()?;
    }
    if let Some(mut tail) = Beginning::of(product) {
        if scale.1.is_none()
            && mask.is_none()
            && let Some(over) = tail.take(Func::Div, |id| graph.meta(id).len() == 1)
        {
            scale = (Scale::Over, Some(over));
        }
        mask = mask.or_else(|| tail.take(Func::Add, |_| true));
        if tail.rest(Vec::new()).1.is_some() {
            return None;
        }
    }
    // Masks are read as matrices.
    if mask.is_some_and(|id| graph.meta(id).shape.len() < 2) {
        return None;
    }
    let op = Attention {
        scale: scale.0,
        mask: mask.is_some(),
    };
    Some((op, scale.1.into_iter().chain(mask).collect()))
}
