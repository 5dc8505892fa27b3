//! An order in which nodes can run.

use crate::ir::Node;
use lamina_core::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Everything a node reads: its inputs and what its subgraphs read around them.
fn reads(node: &Node) -> impl Iterator<Item = &str> {
    let captured = node.attributes.values().flat_map(|a| match a {
        crate::ir::Attribute::Graph(graph) => graph.captures.as_slice(),
        _ => &[],
    });
    node.inputs.iter().chain(captured).map(String::as_str)
}

/// Sorts nodes so that each stands after those it reads, keeping the file's
/// order where that is free; a cycle is refused.
pub(super) fn sort(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let maker: HashMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(i, n)| n.outputs.iter().map(move |o| (o.as_str(), i)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let mut readers = vec![Vec::new(); nodes.len()];
    let mut waits = vec![0usize; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for name in reads(node) {
            if let Some(&from) = maker.get(name) {
                readers[from].push(i);
                waits[i] += 1;
            }
        }
    }
    drop(maker);
    let mut ready: BinaryHeap<Reverse<usize>> = (0..nodes.len())
        .filter(|&i| waits[i] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &reader in &readers[i] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() < nodes.len() {
        let stuck = (0..nodes.len())
            .find(|&i| waits[i] > 0)
            .map_or_else(String::new, |i| nodes[i].label());
        return Err(Error::model(format!(
            "the graph has a cycle: node {stuck} reads, through others, what it makes"
        )));
    }
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| slots[i].take()).collect())
}
