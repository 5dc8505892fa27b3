//! Tracing: a checked graph and values for its inputs to recorded nodes.
//!
//! Shapes are concrete here, so arithmetic on them folds away.  Where the
//! *values* of a graph input decide a shape (the target of a Reshape that is
//! itself an input), tracing stops and says which inputs those are; the model
//! then traces again with their values as constants.

mod build;
mod call;
mod value;

pub(crate) use call::{Call, read_back};
pub(crate) use value::{Value, upload};

use crate::ir::{Attribute, Constant, Graph, Node};
use crate::ops;
use lamina_core::{Device, Error, ErrorKind, Tensor};
use std::collections::HashMap;

/// Graph inputs by number, a bit each; the last bit stands for all further.
pub(crate) type Sources = u64;

pub(crate) fn source(input: usize) -> Sources {
    1 << input.min(63)
}

/// Why a node gave no result.
pub(crate) enum Stop {
    /// A value is needed that exists only at a run.
    Later,
    /// The values of these graph inputs decide a shape.
    Needs(Sources),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

pub(crate) type Traced<T> = std::result::Result<T, Stop>;

/// What a name stands for and which graph inputs its value comes from.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) from: Sources,
}

/// What happens as nodes are traced.
pub(crate) trait Watch {
    /// A node was traced.
    fn traced(&mut self, node: &Node, inputs: &[Option<Entry>], outputs: &[Value]) -> Traced<()>;

    /// One cannot be.  Ok: go on with these for its outputs; Err: stop.
    fn failed(&mut self, node: &Node, stop: Stop) -> Traced<Vec<Value>>;
}

/// The first failure ends the trace: at a run.
pub(crate) struct Strict;

impl Watch for Strict {
    fn traced(&mut self, _: &Node, _: &[Option<Entry>], _: &[Value]) -> Traced<()> {
        Ok(())
    }

    fn failed(&mut self, node: &Node, stop: Stop) -> Traced<Vec<Value>> {
        Err(match stop {
            Stop::Error(e) => Stop::Error(e.within(&format!("node {}", node.label()))),
            other => other,
        })
    }
}

pub(crate) struct Tracer<'a> {
    pub(crate) device: Device,
    /// Values are there to be looked at: ops whose result's shape depends on
    /// data may run.
    pub(crate) concrete: bool,
    watch: &'a mut dyn Watch,
    /// The graph and those around it; names resolve from the innermost.
    scopes: Vec<HashMap<String, Entry>>,
}

impl<'a> Tracer<'a> {
    pub(crate) fn new(device: Device, concrete: bool, watch: &'a mut dyn Watch) -> Self {
        Tracer {
            device,
            concrete,
            watch,
            scopes: Vec::new(),
        }
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    /// Replaces what `name` stands for by the same value, computed.
    fn refine(&mut self, name: &str, value: &Value) {
        if let Some(entry) = self
            .scopes
            .iter_mut()
            .rev()
            .find_map(|scope| scope.get_mut(name))
        {
            entry.value = value.clone();
        }
    }

    /// Traces `graph`: `constants` for its initializers, `inputs` in order.
    pub(crate) fn run(
        &mut self,
        graph: &Graph,
        mut scope: HashMap<String, Entry>,
        inputs: Vec<Entry>,
    ) -> Traced<Vec<Entry>> {
        scope.extend(graph.inputs.iter().map(|i| i.name.clone()).zip(inputs));
        self.scopes.push(scope);
        let result = self.run_nodes(graph);
        self.scopes.pop();
        result
    }

    fn run_nodes(&mut self, graph: &Graph) -> Traced<Vec<Entry>> {
        for node in &graph.nodes {
            let mut from = 0;
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for name in &node.inputs {
                let entry = self.find(name).cloned();
                from |= entry.as_ref().map_or(0, |e| e.from);
                inputs.push(entry);
            }
            let values = match self.node(node, inputs) {
                Ok((values, inner)) => {
                    from |= inner;
                    values
                }
                Err(stop) => self.watch.failed(node, stop)?,
            };
            let scope = self
                .scopes
                .last_mut()
                .ok_or_else(|| Error::internal("a node is traced outside of a graph"))?;
            for (name, value) in node
                .outputs
                .iter()
                .zip(values)
                .filter(|(name, _)| !name.is_empty())
            {
                scope.insert(name.clone(), Entry { value, from });
            }
        }
        graph
            .outputs
            .iter()
            .map(|o| {
                self.find(&o.name).cloned().ok_or_else(|| {
                    Error::internal(format!("output '{}' was not traced", o.name)).into()
                })
            })
            .collect()
    }

    fn node(&mut self, node: &Node, inputs: Vec<Option<Entry>>) -> Traced<(Vec<Value>, Sources)> {
        let Some(entry) = ops::find(node) else {
            return Err(Error::unsupported(ops::why_missing(node)).into());
        };
        let mut call = Call::new(self, node, inputs);
        let values = (entry.handler)(&mut call)?;
        let inner = call.inner_sources;
        let wanted = node
            .outputs
            .iter()
            .rposition(|o| !o.is_empty())
            .map_or(0, |last| last + 1);
        if values.len() < wanted {
            let why = format!(
                "output {} ('{}') is not computed here",
                values.len(),
                node.outputs[values.len()]
            );
            return Err(Error::unsupported(why).into());
        }
        let inputs = call.into_inputs();
        self.watch.traced(node, &inputs, &values)?;
        Ok((values, inner))
    }

    /// A node's graph (a branch, a body) on `inputs`, in the scope around it.
    pub(crate) fn subgraph(
        &mut self,
        graph: &Graph,
        inputs: Vec<Entry>,
    ) -> Traced<(Vec<Value>, Sources)> {
        let device = self.device;
        let scope = constants(graph, device)?;
        let outputs = self.run(graph, scope, inputs)?;
        let from = outputs.iter().fold(0, |all, e| all | e.from);
        Ok((outputs.into_iter().map(|e| e.value).collect(), from))
    }
}

/// The initializers of a graph as values.
pub(crate) fn constants(
    graph: &Graph,
    device: Device,
) -> lamina_core::Result<HashMap<String, Entry>> {
    let initializers = graph.initializers.iter();
    initializers
        .map(|(name, found)| Ok((name.clone(), constant(name, found, device)?)))
        .collect()
}

/// One of them.
pub(crate) fn constant(
    name: &str,
    constant: &Constant,
    device: Device,
) -> lamina_core::Result<Entry> {
    let value = Value::constant(constant, device)
        .map_err(|e| e.within(&format!("initializer '{name}'")))?;
    Ok(Entry { value, from: 0 })
}

/// Whether an error says "not available here" rather than "wrong".
pub(crate) fn is_unsupported(error: &Error) -> bool {
    error.kind == ErrorKind::Unsupported
}

/// An attribute that must be a graph.
pub(crate) fn graph_of<'n>(node: &'n Node, name: &str) -> Traced<&'n Graph> {
    match node.attributes.get(name) {
        Some(Attribute::Graph(graph)) => Ok(graph),
        _ => Err(Error::model(format!("attribute '{name}' must be a graph")).into()),
    }
}

/// A value as a tensor on `device`.
pub(crate) fn to_tensor(value: &Value, device: Device) -> Traced<Tensor> {
    match value {
        Value::Tensor(t) => Ok(t.clone()),
        Value::Host(cell) => Ok(cell.tensor(device)?),
        other => Err(other.no_tensor()),
    }
}
