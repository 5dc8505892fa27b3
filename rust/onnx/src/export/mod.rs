//! Recorded nodes to an ONNX graph.
//!
//! Nodes keep what was asked, so most parameters hold for every size.  To
//! find those that do not, a function with dynamic axes is recorded twice, at
//! two sizes, and both recordings are walked side by side: whatever differs
//! between them was computed from a size and would be baked into the file.

mod composed;
mod elementwise;
mod emit;
mod names;
mod network;
mod sampling;
mod shape;
mod spectrum;
mod symbols;
#[cfg(test)]
mod tests;
mod walk;

use crate::ir::{Attribute, Constant, Details, Graph, Model, Node};
use crate::write::Edition;
use emit::Emit;
use lamina_core::{Error, Result, Tensor};
use std::collections::{BTreeMap, HashMap, HashSet};
use symbols::Symbols;
use walk::Step;

pub use names::counterparts;

/// A function's inputs and results at one size, by name.
#[derive(Clone, Copy)]
pub struct Recording<'a> {
    pub inputs: &'a [(String, Tensor)],
    pub outputs: &'a [(String, Tensor)],
}

/// What is written.
pub struct Export<'a> {
    pub first: Recording<'a>,
    /// The same function at a second size; wanted where axes are dynamic.
    pub second: Option<Recording<'a>>,
    /// Parameters and buffers under the names their initializers shall have.
    pub state: &'a [(String, Tensor)],
    /// Input, axis, and the name that stands for its size.
    pub dynamic: &'a [(String, usize, String)],
}

/// The model of a recorded function.
pub fn export(export: &Export<'_>) -> Result<Model> {
    let Export {
        first,
        second,
        state,
        dynamic,
    } = export;
    check(export)?;
    let steps = walk::steps(first, second.as_ref(), state)?;
    let steps = composed::compose(steps, first, state);
    let edition = Edition::with(steps.iter().map(|s| match s.name.as_str() {
        "grid_sample" if s.inputs[0].rank() != 4 => "grid_sample3d",
        name => name,
    }));
    let symbols = Symbols::new(first, second.as_ref(), dynamic);
    let mut builder = Builder::new(edition, first.inputs, state);
    builder.used = walk::used(&steps, first.outputs);
    for step in &steps {
        builder.step(step)?;
    }
    let mut outputs = Vec::with_capacity(first.outputs.len());
    for (i, (name, tensor)) in first.outputs.iter().enumerate() {
        let value = builder.name_of(tensor)?;
        builder.node("Identity", &[&value], &[name], &[]);
        let again = second.map(|s| s.outputs[i].1.shape().to_vec());
        outputs.push(symbols.info(name, tensor, again.as_deref()));
    }
    let inputs = first
        .inputs
        .iter()
        .map(|(name, tensor)| symbols.input(name, tensor))
        .collect();
    let graph = Graph {
        name: "lamina".into(),
        nodes: builder.nodes,
        initializers: builder.initializers,
        inputs,
        outputs,
        ..Graph::default()
    };
    let details = Details {
        ir_version: edition.ir_version,
        producer: "lamina".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opsets: BTreeMap::from([(String::new(), edition.opset)]),
        ..Details::default()
    };
    let model = Model {
        details,
        graph,
        ..Model::default()
    };
    Ok(without_aliases(model))
}

fn check(export: &Export<'_>) -> Result<()> {
    let Export {
        first,
        second,
        dynamic,
        ..
    } = export;
    for (name, axis, symbol) in *dynamic {
        let Some((_, tensor)) = first.inputs.iter().find(|(n, _)| n == name) else {
            return Err(Error::argument(format!(
                "onnx.save: dynamic names '{name}', which is no input"
            )));
        };
        if *axis >= tensor.rank() {
            return Err(Error::argument(format!(
                "onnx.save: dynamic axis {axis} of '{name}' ({symbol}) does not exist: it has {} axes",
                tensor.rank()
            )));
        }
    }
    match second {
        None if !dynamic.is_empty() => Err(Error::internal(
            "onnx.save: dynamic axes need a second recording",
        )),
        Some(second)
            if second.inputs.len() != first.inputs.len()
                || second.outputs.len() != first.outputs.len() =>
        {
            Err(Error::unsupported(
                "onnx.save: the function has another number of results at a second size",
            ))
        }
        _ => Ok(()),
    }
}

/// Results that only rename a value take its place.
fn without_aliases(mut model: Model) -> Model {
    let graph = &mut model.graph;
    let made: HashMap<String, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(i, n)| n.outputs.iter().map(move |o| (o.clone(), i)))
        .collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|o| o.name.clone()).collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    graph.nodes.retain(|node| {
        let alias = node.op_type == "Identity" && outputs.contains(&node.outputs[0]);
        let free = made.contains_key(&node.inputs[0])
            && !outputs.contains(&node.inputs[0])
            && !renamed.contains_key(&node.inputs[0]);
        if alias && free {
            renamed.insert(node.inputs[0].clone(), node.outputs[0].clone());
        }
        !(alias && free)
    });
    for name in graph
        .nodes
        .iter_mut()
        .flat_map(|n| n.inputs.iter_mut().chain(&mut n.outputs))
    {
        if let Some(new) = renamed.get(name) {
            name.clone_from(new);
        }
    }
    model
}

/// The graph under construction.
struct Builder {
    edition: Edition,
    nodes: Vec<Node>,
    initializers: HashMap<String, Constant>,
    /// By tensor id, and by node id and output.
    leaves: HashMap<u64, String>,
    made: HashMap<(u64, usize), String>,
    /// Outputs of nodes that somebody reads.
    used: HashSet<(u64, usize)>,
    state: HashMap<u64, String>,
    taken: HashSet<String>,
    serial: usize,
}

impl Builder {
    fn new(edition: Edition, inputs: &[(String, Tensor)], state: &[(String, Tensor)]) -> Self {
        Builder {
            edition,
            nodes: Vec::new(),
            initializers: HashMap::new(),
            leaves: inputs
                .iter()
                .map(|(name, t)| (t.id(), name.clone()))
                .collect(),
            made: HashMap::new(),
            used: HashSet::new(),
            state: state
                .iter()
                .map(|(name, t)| (t.id(), name.clone()))
                .collect(),
            taken: inputs
                .iter()
                .chain(state)
                .map(|(name, _)| name.clone())
                .collect(),
            serial: 0,
        }
    }

    fn fresh(&mut self, stem: &str) -> String {
        loop {
            self.serial += 1;
            let name = format!("{stem}_{}", self.serial);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// What a tensor is called; a constant becomes an initializer.
    fn name_of(&mut self, tensor: &Tensor) -> Result<String> {
        if let Some(name) = self.leaves.get(&tensor.id()) {
            return Ok(name.clone());
        }
        if let Some(name) = walk::source(tensor)
            .and_then(|at| self.made.get(&at))
            .filter(|_| !self.state.contains_key(&tensor.id()))
        {
            return Ok(name.clone());
        }
        let name = match self.state.get(&tensor.id()) {
            Some(name) => name.clone(),
            None => self.fresh("constant"),
        };
        let value = tensor.host_value()?;
        let size = value.dtype.size();
        let start = value.layout.offset * size;
        let bytes = value.host_bytes().unwrap_or_default();
        let bytes = bytes[start..start + tensor.len() * size].to_vec();
        let constant = Constant {
            dtype: tensor.dtype(),
            shape: tensor.shape().to_vec(),
            bytes: bytes.into(),
        };
        self.initializers.insert(name.clone(), constant);
        self.leaves.insert(tensor.id(), name.clone());
        Ok(name)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let name = step.name.as_str();
        let mut inputs = Vec::with_capacity(step.inputs.len());
        for tensor in &step.inputs {
            inputs.push(self.name_of(tensor)?);
        }
        // Only names: the value is the input's.
        if matches!(name, "copy" | "detach" | "to") {
            self.made.insert((step.id, 0), inputs.swap_remove(0));
            return Ok(());
        }
        let outputs: Vec<String> = step.outputs.iter().map(|_| self.fresh(name)).collect();
        let mut emit = Emit {
            builder: self,
            step,
            inputs: &inputs,
            outputs: &outputs,
        };
        emit.op()?;
        for (i, output) in outputs.into_iter().enumerate() {
            self.made.insert((step.id, i), output);
        }
        Ok(())
    }

    fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        self.nodes.push(Node {
            op_type: op.to_owned(),
            version: self.edition.opset,
            inputs: inputs.iter().map(|&s| s.to_owned()).collect(),
            outputs: outputs.iter().map(|&s| s.to_owned()).collect(),
            attributes: attributes
                .iter()
                .map(|(n, v)| ((*n).to_owned(), v.clone()))
                .collect(),
            ..Node::default()
        });
    }
}
