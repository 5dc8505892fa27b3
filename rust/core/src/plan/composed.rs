//! Compositions that are one op: GELU and layer norm spelt out node by node,
//! as the exporters of other libraries write them.  A composition of which
//! anything else is read, by a gradient above all, stays as it is.

mod gelu;
mod layer_norm;
mod polynomial;

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::op::{Meta, OpRef};
use crate::{Class, DType};
pub(super) use gelu::is_number_of_gelu;
use lamina_kernels::Func;
use std::collections::BTreeSet;

pub fn composed(graph: &mut Graph) {
    let around = Around {
        readers: graph.readers(),
        makers: graph.makers(),
        wanted: graph.is_output(),
        graph,
    };
    let found: Vec<Found> = (0..around.graph.nodes.len())
        .filter_map(|at| gelu::gelu(&around, at).or_else(|| layer_norm::layer_norm(&around, at)))
        .filter(|found| around.nothing_else_is_read(found))
        .collect();
    for found in &found {
        replace(graph, found);
    }
    if !found.is_empty() {
        super::dead::dead(graph);
    }
}

/// An op that does what `nodes` do; the last of them gives its first result.
struct Found {
    op: OpRef,
    inputs: Vec<Id>,
    nodes: BTreeSet<usize>,
    /// Results that nobody reads here.
    others: Vec<Meta>,
}

fn replace(graph: &mut Graph, found: &Found) {
    let Some(&last) = found.nodes.last() else {
        return;
    };
    let device = graph.nodes[last].device;
    let others: Vec<Id> = (found.others.iter().cloned())
        .map(|meta| graph.add_value(meta, device, Origin::Node))
        .collect();
    let node = &mut graph.nodes[last];
    node.work = Work::Op(found.op.clone());
    node.inputs.clone_from(&found.inputs);
    node.outputs.extend(others);
}

/// A graph with what the matchers ask of it.
struct Around<'a> {
    graph: &'a Graph,
    readers: Vec<Vec<usize>>,
    makers: Vec<Option<usize>>,
    wanted: Vec<bool>,
}

impl Around<'_> {
    fn node(&self, at: usize) -> &Node {
        &self.graph.nodes[at]
    }

    /// The function of the node at `at`.
    fn func(&self, at: usize) -> Option<Func> {
        match self.node(at).class() {
            Class::Elementwise(func) => Some(func),
            _ => None,
        }
    }

    /// A constant of one float.
    fn number(&self, id: Id) -> Option<f64> {
        let value = self.graph.constant(id)?;
        let size = match value.dtype {
            DType::F32 => 4,
            DType::F64 => 8,
            _ => return None,
        };
        let bytes = value.host_bytes().filter(|_| value.layout.len() == 1)?;
        let bytes = bytes.get(value.layout.offset * size..)?;
        Some(crate::scalar::read(value.dtype, bytes))
    }

    /// The other operand of a node that reads `id` once.
    fn other(&self, at: usize, id: Id) -> Option<Id> {
        match self.node(at).inputs[..] {
            [a, b] if a == id && b != id => Some(b),
            [a, b] if b == id && a != id => Some(a),
            _ => None,
        }
    }

    /// The only node that reads a value, if the value is no result.
    fn reader(&self, id: Id) -> Option<usize> {
        match self.readers[id][..] {
            [reader] if !self.wanted[id] => Some(reader),
            _ => None,
        }
    }

    fn nothing_else_is_read(&self, found: &Found) -> bool {
        let Some(&last) = found.nodes.last() else {
            return false;
        };
        found.nodes.iter().all(|&at| {
            let node = self.node(at);
            let hidden = |&id: &Id| {
                let mut readers = self.readers[id].iter();
                !self.wanted[id] && readers.all(|reader| found.nodes.contains(reader))
            };
            node.device == self.node(last).device && (at == last || node.outputs.iter().all(hidden))
        })
    }
}
