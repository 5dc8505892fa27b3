//! MobileNetV2's block, wherever three convolutions in blocks make one: its
//! wide image is then never written out.

use super::graph::{Graph, Node, Work};
use crate::ops::conv2d::blocked::Conv2dBlocked;
use crate::ops::conv2d::inverted_residual::twin;
use lamina_kernels::conv2d::blocked::Algorithm;

pub fn inverted_residual(graph: &mut Graph) {
    let (readers, makers, wanted) = (graph.readers(), graph.makers(), graph.is_output());
    let mut gone = vec![false; graph.nodes.len()];
    for at in 0..graph.nodes.len() {
        if conv(&graph.nodes[at]).is_none_or(|c| c.algorithm != Algorithm::Depthwise) {
            continue;
        }
        let alone = |node: usize| {
            let y = graph.nodes[node].outputs[0];
            (!wanted[y] && readers[y].len() == 1).then(|| readers[y][0])
        };
        let Some(project) = alone(at) else { continue };
        let x = graph.nodes[at].inputs[0];
        let before = makers[x].filter(|&m| !gone[m] && alone(m) == Some(at));
        let stages: Vec<usize> = before.into_iter().chain([at, project]).collect();
        // With the widening convolution if it is one, else without.
        let found = [&stages[..], &stages[stages.len() - 2..]]
            .into_iter()
            .find_map(|stages| Some((stages.to_vec(), fused(graph, stages)?)));
        if let Some((stages, node)) = found {
            for stage in stages {
                gone[stage] = true;
            }
            gone[project] = false;
            graph.nodes[project] = node;
        }
    }
    let mut at = 0;
    graph.nodes.retain(|_| {
        at += 1;
        !gone[at - 1]
    });
}

/// A convolution in blocks without a tail.
fn conv(node: &Node) -> Option<&Conv2dBlocked> {
    node.op().filter(|_| node.tail.is_none())
}

/// One node in the place of those at `stages`, each of which reads the one
/// before.
fn fused(graph: &Graph, stages: &[usize]) -> Option<Node> {
    let nodes: Vec<&Node> = stages.iter().map(|&at| &graph.nodes[at]).collect();
    let convs: Vec<&Conv2dBlocked> = nodes.iter().map(|n| conv(n)).collect::<Option<_>>()?;
    let chained = nodes.windows(2).all(|pair| {
        let y = pair[0].outputs[0];
        pair[1].inputs.iter().position(|&id| id == y) == Some(0)
            && !pair[1].inputs[1..].contains(&y)
    });
    let shape = |id: usize| graph.meta(id).shape.as_slice();
    let weights: Vec<&[usize]> = nodes.iter().map(|n| shape(n.inputs[1])).collect();
    let depthwise = nodes[nodes.len() - 2];
    let op = twin(&convs, shape(depthwise.inputs[0]), &weights).filter(|_| chained)?;
    let last = nodes[nodes.len() - 1];
    let mut inputs = vec![nodes[0].inputs[0]];
    for node in &nodes {
        inputs.extend(&node.inputs[1..]);
    }
    Some(Node {
        work: Work::Op(op),
        inputs,
        outputs: last.outputs.clone(),
        tail: None,
        device: last.device,
        site: last.site.clone(),
    })
}
