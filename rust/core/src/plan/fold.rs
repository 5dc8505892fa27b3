//! Constant folding: what depends on constants alone is computed once, when
//! planning.  Views of constants cost nothing.

use super::graph::{Graph, Id, InputDef, Node, Origin, OutputDef, ValueDef, Work};
use crate::{Class, Result, Value};
use std::collections::{HashMap, HashSet};

pub fn fold(graph: &mut Graph) -> Result<()> {
    if !graph
        .values
        .iter()
        .any(|v| matches!(v.origin, Origin::Constant(_)))
    {
        return Ok(());
    }
    let mut constant: Vec<bool> = graph
        .values
        .iter()
        .map(|v| matches!(v.origin, Origin::Constant(_)))
        .collect();
    let mut folded: Vec<Node> = Vec::new();
    for node in std::mem::take(&mut graph.nodes) {
        let known =
            node.inputs.iter().all(|&id| constant[id]) && !matches!(node.class(), Class::Opaque);
        if known {
            node.outputs.iter().for_each(|&id| constant[id] = true);
            folded.push(node);
        } else {
            graph.nodes.push(node);
        }
    }
    if folded.is_empty() {
        return Ok(());
    }
    let read = graph.nodes.iter().flat_map(|n| n.inputs.iter().copied());
    let mut wanted: Vec<Id> = read.chain(graph.outputs.iter().map(|o| o.value)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let made: HashSet<Id> = folded
        .iter()
        .flat_map(|n| n.outputs.iter().copied())
        .collect();
    wanted.retain(|id| made.contains(id));
    let values = run(graph, folded, &wanted)?;
    for (id, value) in wanted.into_iter().zip(values) {
        // Where a step ran on the CPU, its result goes back once and for all.
        let value = value.to_device(graph.values[id].device)?;
        graph.values[id].origin = Origin::Constant(value);
    }
    Ok(())
}

/// Computes `wanted` from constants by a plan of its own.
fn run(graph: &Graph, nodes: Vec<Node>, wanted: &[Id]) -> Result<Vec<Value>> {
    let mut part = Graph::default();
    let mut inputs = Vec::new();
    let mut ids: HashMap<Id, Id> = HashMap::new();
    for mut node in nodes {
        let device = node.device;
        for id in node.inputs.iter_mut().chain(&mut node.outputs) {
            let old = *id;
            *id = *ids.entry(old).or_insert_with(|| {
                let def = &graph.values[old];
                let origin = match &def.origin {
                    Origin::Constant(value) => {
                        inputs.push(value.clone());
                        Origin::Input(InputDef {
                            index: inputs.len() - 1,
                            strides: value.layout.strides.clone(),
                        })
                    }
                    _ => Origin::Node,
                };
                part.values.push(ValueDef {
                    meta: def.meta.clone(),
                    device: def.device,
                    origin,
                });
                part.values.len() - 1
            });
        }
        debug_assert!(matches!(node.work, Work::Op(_)));
        part.nodes.push(Node { device, ..node });
    }
    part.outputs = wanted
        .iter()
        .map(|id| OutputDef {
            value: ids[id],
            donor: None,
        })
        .collect();
    let plan = super::Plan::build(part, inputs.len())?;
    Ok(plan.run(&inputs)?)
}
