//! Layout: decides how each value lies in memory.  Today the plain layout:
//! results are row-major, views are strides on their input's storage, and a
//! kernel that cannot take strides gets a contiguous copy.

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::op::Strides;
use crate::{Class, Layout, Result};
use std::collections::HashMap;

/// Where each value lies: in the storage of `root`.
#[derive(Clone, Debug)]
pub struct Placed {
    pub root: Id,
    pub layout: Layout,
}

pub fn layout(graph: &mut Graph) -> Result<Vec<Placed>> {
    let mut placed: Vec<Placed> = (0..graph.values.len())
        .map(|id| Placed {
            root: id,
            layout: graph
                .given_layout(id)
                .unwrap_or_else(|| Layout::contiguous(&graph.meta(id).shape)),
        })
        .collect();
    let mut copies: HashMap<Id, Id> = HashMap::new();
    for mut node in std::mem::take(&mut graph.nodes) {
        if let (Work::Op(op), Class::View(rule)) = (&node.work, node.class()) {
            let (input, output) = (node.inputs[0], node.outputs[0]);
            let seen = rule.view(&placed[input].layout);
            let (root, layout) = match seen {
                Some(layout) => (placed[input].root, layout),
                None => {
                    let copy = copy_of(graph, input, &node, &mut copies, &mut placed);
                    let layout = rule.view(&placed[copy].layout).ok_or_else(|| {
                        crate::Error::internal(format!(
                            "{}: no view of a contiguous input",
                            op.op.name()
                        ))
                    })?;
                    (placed[copy].root, layout)
                }
            };
            placed[output] = Placed { root, layout };
            continue;
        }
        if let Work::Op(op) = &node.work {
            let op = op.clone();
            let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
            for slot in 0..own {
                let input = node.inputs[slot];
                let layout = &placed[input].layout;
                let fits = match op.op.strides(slot) {
                    Strides::Any => true,
                    Strides::Forward => layout.strides.iter().all(|&s| s >= 0),
                    Strides::Contiguous => layout.is_contiguous(),
                };
                if !fits {
                    node.inputs[slot] = copy_of(graph, input, &node, &mut copies, &mut placed);
                }
            }
        }
        graph.nodes.push(node);
    }
    Ok(placed)
}

fn copy_of(
    graph: &mut Graph,
    id: Id,
    like: &Node,
    copies: &mut HashMap<Id, Id>,
    placed: &mut Vec<Placed>,
) -> Id {
    if let Some(&copy) = copies.get(&id) {
        return copy;
    }
    let meta = graph.meta(id).clone();
    placed.push(Placed {
        root: graph.values.len(),
        layout: Layout::contiguous(&meta.shape),
    });
    let copy = graph.add_value(meta, like.device, Origin::Node);
    graph.nodes.push(Node {
        work: Work::Op(crate::ops::views::copy_op()),
        inputs: vec![id],
        outputs: vec![copy],
        tail: None,
        device: like.device,
        site: like.site.clone(),
    });
    copies.insert(id, copy);
    copy
}
