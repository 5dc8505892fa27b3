//! Donation: which results are written over the storage of the value that
//! they replace.

use super::graph::{Graph, Id, Node, Origin, Work};
use super::layout::Placed;
use crate::Layout;
use std::collections::HashMap;

/// Result to donor, where every read of the donor comes before the write.
pub struct Donated {
    pub donor_of: HashMap<Id, Id>,
}

impl Donated {
    /// For each output of `node`, the position of the input it overwrites.
    pub fn over(&self, placed: &[Placed], node: &Node) -> Vec<Option<usize>> {
        node.outputs
            .iter()
            .map(|output| {
                let donor = self.donor_of.get(output)?;
                node.inputs.iter().position(|&id| placed[id].root == *donor)
            })
            .collect()
    }
}

pub fn donate(graph: &Graph, placed: &[Placed]) -> Donated {
    let mut last_read: HashMap<Id, usize> = HashMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        for &id in &node.inputs {
            last_read.insert(placed[id].root, at);
        }
    }
    let makers = graph.makers();
    let mut donor_of = HashMap::new();
    for output in &graph.outputs {
        let Some(donor) = output.donor else { continue };
        let root = placed[output.value].root;
        // A view that is also wanted would show the new elements.
        let seen = graph.outputs.iter().any(|o| placed[o.value].root == donor);
        let Some(maker) = makers[root] else { continue };
        let fits = root == output.value
            && !seen
            && !donor_of.contains_key(&root)
            && matches!(graph.values[donor].origin, Origin::Input(_))
            && placed[donor].layout == Layout::contiguous(&graph.meta(donor).shape)
            && graph.meta(donor) == graph.meta(root)
            && graph.values[donor].device == graph.nodes[maker].device
            && before(graph, placed, maker, donor, last_read.get(&donor).copied());
        if fits {
            donor_of.insert(root, donor);
        }
    }
    Donated { donor_of }
}

/// Whether `maker` may write over `donor`: all its readers come before, or
/// `maker` is an elementwise program that reads it once, as it lies.
fn before(graph: &Graph, placed: &[Placed], maker: usize, donor: Id, last: Option<usize>) -> bool {
    let node = &graph.nodes[maker];
    match last {
        None => true,
        Some(last) if last < maker => true,
        Some(last) if last == maker => {
            let mut reads = node.inputs.iter().filter(|&&id| placed[id].root == donor);
            let (first, second) = (reads.next(), reads.next());
            matches!(node.work, Work::Chain(_))
                && second.is_none()
                && first.is_some_and(|&id| {
                    placed[id].layout == Layout::contiguous(&graph.meta(donor).shape)
                })
                && graph.meta(donor).shape == graph.meta(node.outputs[0]).shape
        }
        Some(_) => false,
    }
}
