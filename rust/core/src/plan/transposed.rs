//! A matrix product that is seen only with its last two axes swapped is made
//! that way: (A B)ᵀ = Bᵀ Aᵀ.
//!
//! The gradient of a linear layer's weight is recorded so.  What reads it, an
//! optimizer's update above all, then goes along its rows.

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::op::Meta;
use crate::ops::matmul::Matmul;
use crate::ops::views::{Permute, swap_last};

pub fn transposed(graph: &mut Graph) {
    let (readers, wanted) = (graph.readers(), graph.is_output());
    let nodes = std::mem::take(&mut graph.nodes);
    // For each product to be made the other way, the node that swaps it.
    let swaps: Vec<Option<usize>> = nodes
        .iter()
        .map(|node| {
            let product = node.outputs[0];
            let [reader] = readers[product][..] else {
                return None;
            };
            // A weight of halves is widened on the right side only.
            let alike = |&id: &Id| graph.meta(id).dtype == graph.meta(product).dtype;
            let found = node.op::<Matmul>().is_some()
                && node.inputs.iter().all(alike)
                && !wanted[product]
                && nodes[reader]
                    .op::<Permute>()
                    .is_some_and(|p| p.swaps_last(graph.meta(product).shape.len()));
            found.then_some(reader)
        })
        .collect();
    let seen: Vec<Option<Id>> = (swaps.iter())
        .map(|swap| swap.map(|at| nodes[at].outputs[0]))
        .collect();
    let mut gone = vec![false; nodes.len()];
    swaps.iter().flatten().for_each(|&at| gone[at] = true);
    for (at, mut node) in nodes.into_iter().enumerate() {
        if gone[at] {
            continue;
        }
        if let Some(seen) = seen[at] {
            let inputs = std::mem::take(&mut node.inputs);
            let swapped = inputs.iter().rev().map(|&id| swapped(graph, id, &node));
            node.inputs = swapped.collect();
            node.outputs = vec![seen];
        }
        graph.nodes.push(node);
    }
}

/// `id` with its last two axes swapped, for the product `like`.
fn swapped(graph: &mut Graph, id: Id, like: &Node) -> Id {
    let Meta { dtype, mut shape } = graph.meta(id).clone();
    let rank = shape.len();
    shape.swap(rank - 1, rank - 2);
    let view = graph.add_value(Meta { dtype, shape }, like.device, Origin::Node);
    graph.nodes.push(Node {
        work: Work::Op(swap_last(rank)),
        inputs: vec![id],
        outputs: vec![view],
        tail: None,
        device: like.device,
        site: like.site.clone(),
    });
    view
}
