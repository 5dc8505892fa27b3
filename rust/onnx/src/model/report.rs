//! What a model would do here, told without loading it: which nodes run
//! where, and what is missing.

use super::load::{available, check_input, hoist_constants};
use super::rehearse::{Rehearsed, rehearse};
use crate::host::MAX_ELEMENTS;
use crate::ir::{self, Attribute, Constant, Details, Graph, Node, Unsupported, ValueInfo};
use bytes::Bytes;
use lamina_core::{Device, Result};
use std::sync::Arc;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Runs,
    /// There is no kernel on the device: it runs on the CPU.
    FallsBack,
    /// Computed when the model is loaded.
    Constant,
    /// Supported; what it makes is known only at a run.
    AtRun,
    /// The operator, or its use here, is not supported.
    Missing,
    /// The file contradicts itself.
    Wrong,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Runs => "runs",
            Verdict::FallsBack => "falls back",
            Verdict::Constant => "constant",
            Verdict::AtRun => "at run",
            Verdict::Missing => "missing",
            Verdict::Wrong => "wrong",
        }
    }
}

pub struct NodeReport {
    /// As in the file, else its first output.
    pub name: String,
    pub operator: String,
    /// The operator set that says what it means.
    pub version: i64,
    pub verdict: Verdict,
    /// Empty where there is nothing to explain.
    pub why: String,
}

impl NodeReport {
    pub(super) fn new(node: &Node, verdict: Verdict, why: &str) -> Self {
        let name = if node.name.is_empty() {
            node.outputs.first().cloned().unwrap_or_default()
        } else {
            node.name.clone()
        };
        NodeReport {
            name,
            operator: node.operator(),
            version: node.version,
            verdict,
            why: why.to_owned(),
        }
    }
}

pub struct Report {
    pub device: Device,
    pub details: Details,
    pub inputs: Vec<ValueInfo>,
    pub outputs: Vec<ValueInfo>,
    /// What is missing beside operators: element types, operator sets.
    pub missing: Vec<Unsupported>,
    /// In the order of running; those of branches and bodies, too.
    pub nodes: Vec<NodeReport>,
    /// Shapes inside depend on data: planned part by part as it runs.
    pub eager: bool,
}

/// Looks at a model as far as that goes without its weights and without a
/// run.
pub fn report(model: ir::Model, device: Device) -> Result<Report> {
    let ir::Model {
        mut graph,
        mut unsupported,
        details,
    } = model;
    hoist_constants(&mut graph);
    leave_out_weights(&mut graph);
    for input in &graph.inputs {
        check_input(input, &mut unsupported);
    }
    let initializers = std::mem::take(&mut graph.initializers);
    let constants = available(initializers, device, &mut unsupported)?;
    let Rehearsed {
        eager,
        outputs,
        nodes,
        ..
    } = rehearse(&graph, constants, device, true)?;
    for (info, entry) in graph.outputs.iter_mut().zip(&outputs) {
        info.dtype = entry.value.known_dtype().or(info.dtype);
    }
    Ok(Report {
        device,
        details,
        inputs: graph.inputs,
        outputs: graph.outputs,
        missing: unsupported,
        nodes,
        eager,
    })
}

/// What is too large to decide a shape is not looked at.
fn leave_out_weights(graph: &mut Graph) {
    let leave = |constant: &mut Constant| {
        if constant.shape.iter().product::<usize>() > MAX_ELEMENTS {
            constant.bytes = Bytes::new();
        }
    };
    graph.initializers.values_mut().for_each(leave);
    let attributes = graph.nodes.iter_mut().map(|node| &mut node.attributes);
    for attribute in attributes.flat_map(|all| all.values_mut()) {
        match attribute {
            Attribute::Tensor(constant) => leave(constant),
            Attribute::Graph(inner) => leave_out_weights(Arc::make_mut(inner)),
            _ => {}
        }
    }
}
