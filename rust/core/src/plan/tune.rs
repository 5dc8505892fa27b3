//! Convolutions of a loaded model whose fastest way their sizes do not tell:
//! by the clock.  Runs before weights are packed, which depends on the way.

use super::graph::{Graph, Origin, Work};
use crate::Result;
use crate::op::OpRef;
use crate::ops::conv2d::blocked::Conv2dBlocked;
use crate::tune::fastest;
use lamina_kernels::conv2d::blocked::trial::Weights;

pub fn tune(graph: &mut Graph) -> Result<()> {
    let (mut places, mut shapes) = (Vec::new(), Vec::new());
    for (at, node) in graph.nodes.iter().enumerate() {
        let Some(conv) = node.op::<Conv2dBlocked>() else {
            continue;
        };
        let [x, w] = [node.inputs[0], node.inputs[1]];
        if matches!(
            graph.values[w].origin,
            Origin::Constant(_) | Origin::Scaled { .. }
        ) {
            places.push(at);
            shapes.push(conv.sizes(&graph.meta(x).shape, &graph.meta(w).shape)?);
        }
    }
    let constants = graph
        .values
        .iter()
        .filter(|v| matches!(v.origin, Origin::Constant(_)));
    let bytes = constants.map(|v| v.meta.bytes()).sum();
    let weights = Weights::of_network(bytes);
    for (at, way) in places.into_iter().zip(fastest(&shapes, weights)?) {
        let node = &mut graph.nodes[at];
        if let (Some(way), Some(conv)) = (way, node.op::<Conv2dBlocked>()) {
            node.work = Work::Op(OpRef::new(conv.measured(way)));
        }
    }
    Ok(())
}
