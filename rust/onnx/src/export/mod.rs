//! Recorded nodes to an ONNX graph.
//!
//! Nodes keep what was asked, so most parameters hold for every size.  To
//! find those that do not, a function with dynamic axes is recorded twice, at
//! two sizes, and both recordings are walked side by side: whatever differs
//! between them was computed from a size and would be baked into the file.

mod elementwise;
mod names;
mod network;
mod shape;
#[cfg(test)]
mod tests;
mod walk;

use crate::ir::{Attribute, Constant, Dim, Graph, Model, Node, ValueInfo};
use crate::write::{IR_VERSION, OPSET};
use lamina_core::{Attr, DType, Error, Result, Tensor};
use std::collections::{BTreeMap, HashMap, HashSet};
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
    let symbols = Symbols::new(first, second.as_ref(), dynamic);
    let mut builder = Builder::new(first.inputs, state);
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
        captures: Vec::new(),
    };
    let model = Model {
        ir_version: IR_VERSION,
        producer: "lamina".into(),
        opsets: BTreeMap::from([(String::new(), OPSET)]),
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

/// The names of dynamic sizes, found again by their two values.
struct Symbols<'a> {
    /// Axis, both sizes, name.
    known: Vec<(usize, [usize; 2], &'a str)>,
    dynamic: &'a [(String, usize, String)],
}

impl<'a> Symbols<'a> {
    fn new(
        first: &Recording<'_>,
        second: Option<&Recording<'_>>,
        dynamic: &'a [(String, usize, String)],
    ) -> Self {
        let size = |r: &Recording<'_>, name: &str, axis: usize| {
            r.inputs
                .iter()
                .find(|(n, _)| n == name)
                .and_then(|(_, t)| t.shape().get(axis).copied())
        };
        let known = dynamic
            .iter()
            .filter_map(|(name, axis, symbol)| {
                Some((
                    *axis,
                    [size(first, name, *axis)?, size(second?, name, *axis)?],
                    symbol.as_str(),
                ))
            })
            .collect();
        Symbols { known, dynamic }
    }

    fn input(&self, name: &str, tensor: &Tensor) -> ValueInfo {
        let symbol = |axis: usize| {
            self.dynamic
                .iter()
                .find(|(n, a, _)| n == name && *a == axis)
                .map(|(_, _, s)| Dim::Named(s.clone()))
        };
        let shape = tensor
            .shape()
            .iter()
            .enumerate()
            .map(|(axis, &n)| symbol(axis).unwrap_or(Dim::Fixed(n)));
        ValueInfo {
            name: name.to_owned(),
            dtype: Some(tensor.dtype()),
            shape: Some(shape.collect()),
        }
    }

    fn info(&self, name: &str, tensor: &Tensor, again: Option<&[usize]>) -> ValueInfo {
        let dim = |axis: usize, a: usize| {
            let b = again.and_then(|s| s.get(axis).copied()).unwrap_or(a);
            if a == b {
                return Dim::Fixed(a);
            }
            let same = |(_, sizes, _): &&(usize, [usize; 2], &str)| *sizes == [a, b];
            let mut found = self.known.iter().filter(same);
            let by_axis = found.clone().find(|(at, ..)| *at == axis);
            by_axis
                .or_else(|| found.next())
                .map_or(Dim::Unknown, |(_, _, symbol)| {
                    Dim::Named((*symbol).to_owned())
                })
        };
        let shape = tensor
            .shape()
            .iter()
            .enumerate()
            .map(|(axis, &a)| dim(axis, a))
            .collect();
        ValueInfo {
            name: name.to_owned(),
            dtype: Some(tensor.dtype()),
            shape: Some(shape),
        }
    }
}

/// The graph under construction.
pub(crate) struct Builder {
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
    fn new(inputs: &[(String, Tensor)], state: &[(String, Tensor)]) -> Self {
        Builder {
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
        let source = tensor
            .node_id()
            .zip(tensor.recorded_by().map(|(_, _, output)| output));
        if let Some(name) = source
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
        let name = step.op.op.name();
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
            version: OPSET,
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

/// One recorded node on its way to ONNX.
pub(crate) struct Emit<'a> {
    builder: &'a mut Builder,
    step: &'a Step,
    inputs: &'a [String],
    outputs: &'a [String],
}

impl Emit<'_> {
    fn op(&mut self) -> Result<()> {
        let name = self.step.op.op.name().to_owned();
        if elementwise::emit(self, &name)?
            || network::emit(self, &name)?
            || shape::emit(self, &name)?
        {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "onnx.save: '{name}' has no ONNX counterpart{}",
            self.step.place()
        )))
    }

    fn dtype(&self, input: usize) -> DType {
        self.step.inputs[input].dtype()
    }

    /// Whether somebody reads output `index`.
    fn wants(&self, index: usize) -> bool {
        self.builder.used.contains(&(self.step.id, index))
    }

    fn rank(&self, input: usize) -> usize {
        self.step.inputs[input].rank()
    }

    /// A parameter, the same at both sizes.
    fn attr(&self, name: &str) -> Result<Attr> {
        self.step.stable(name)
    }

    fn int(&self, name: &str) -> Result<i64> {
        match self.attr(name)? {
            Attr::Int(v) => Ok(v),
            Attr::Bool(v) => Ok(i64::from(v)),
            other => Err(self.odd(name, &other)),
        }
    }

    fn float(&self, name: &str) -> Result<f64> {
        match self.attr(name)? {
            Attr::Float(v) => Ok(v),
            Attr::Int(v) => Ok(v as f64),
            other => Err(self.odd(name, &other)),
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    fn text(&self, name: &str) -> Result<String> {
        match self.attr(name)? {
            Attr::Str(v) => Ok(v),
            other => Err(self.odd(name, &other)),
        }
    }

    fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attr(name)? {
            Attr::None => Ok(None),
            Attr::Ints(v) => Ok(Some(v)),
            Attr::Int(v) => Ok(Some(vec![v])),
            other => Err(self.odd(name, &other)),
        }
    }

    fn odd(&self, name: &str, got: &Attr) -> Error {
        Error::internal(format!(
            "onnx.save: {}: {name}={got} is not of the kind expected",
            self.step.op.op.name()
        ))
    }

    /// A node from values to a new one.
    fn make(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = self.builder.fresh(op);
        self.builder.node(op, inputs, &[&name], attributes);
        name
    }

    /// The node's first output.
    fn finish(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) {
        let output = self.outputs[0].clone();
        self.builder.node(op, inputs, &[&output], attributes);
    }

    /// `op` on the node's own inputs.
    fn direct(&mut self, op: &str, attributes: &[(&str, Attribute)]) {
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        self.finish(op, &inputs, attributes);
    }

    /// A vector of int64 as an initializer.
    fn numbers(&mut self, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(Constant {
            dtype: DType::I64,
            shape: vec![values.len()],
            bytes: bytes.into(),
        })
    }

    /// A 0-d initializer of `dtype`.
    fn scalar(&mut self, dtype: DType, number: f64) -> String {
        let host = crate::host::Host::scalar(dtype, number);
        self.initializer(Constant {
            dtype,
            shape: Vec::new(),
            bytes: host.to_bytes(),
        })
    }

    fn initializer(&mut self, constant: Constant) -> String {
        let name = self.builder.fresh("constant");
        self.builder.initializers.insert(name.clone(), constant);
        name
    }
}
