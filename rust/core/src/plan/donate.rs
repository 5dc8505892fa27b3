//! Donation: which results are written over the storage of the value that
//! they replace.  The nodes that write them move to the end, so that a run
//! which fails has most likely written over nothing yet.

use super::graph::{Graph, Id, Node, Origin, Work};
use super::layout::Placed;
use crate::Layout;
use std::collections::{HashMap, HashSet};

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

pub fn donate(graph: &mut Graph, placed: &[Placed]) -> Donated {
    write_last(graph, placed);
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

/// Moves what makes a value with a donor, and what depends on that, behind
/// everything else; otherwise the order stays.
fn write_last(graph: &mut Graph, placed: &[Placed]) {
    let made: HashSet<Id> = graph
        .outputs
        .iter()
        .filter(|output| output.donor.is_some())
        .map(|output| placed[output.value].root)
        .collect();
    if made.is_empty() {
        return;
    }
    let mut late: HashSet<Id> = HashSet::new();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for node in std::mem::take(&mut graph.nodes) {
        let waits = node
            .inputs
            .iter()
            .any(|&id| late.contains(&placed[id].root));
        if waits || node.outputs.iter().any(|id| made.contains(id)) {
            late.extend(&node.outputs);
            last.push(node);
        } else {
            first.push(node);
        }
    }
    first.append(&mut last);
    graph.nodes = first;
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
