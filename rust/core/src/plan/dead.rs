//! Dead code: drops nodes none of whose results reach an output.

use super::graph::Graph;

pub fn dead(graph: &mut Graph) {
    let mut live = graph.is_output();
    let mut keep = vec![false; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        if node.outputs.iter().any(|&o| live[o]) {
            keep[at] = true;
            for &input in &node.inputs {
                live[input] = true;
            }
        }
    }
    let mut at = 0;
    graph.nodes.retain(|_| {
        at += 1;
        keep[at - 1]
    });
}
