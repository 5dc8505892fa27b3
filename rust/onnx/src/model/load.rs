//! From a checked file to a model that is known to run, or to one error that
//! lists everything it needs and is not here.

use super::{Model, output_tensor};
use crate::ir::{self, Attribute, Constant, Dim, Graph, Node, Unsupported, ValueInfo};
use crate::ops;
use crate::trace::{
    Entry, Sources, Stop, Traced, Tracer, Value, Watch, constant, is_unsupported, source,
};
use bytes::Bytes;
use lamina_core::{DType, Device, Error, Result, Tensor};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

impl Model {
    /// Loads the model at `path`.
    pub fn load(path: &Path, device: Device, strict: bool) -> Result<Model> {
        let model = crate::read_model(path)?;
        Model::new(model, device, strict).map_err(|e| e.within(&path.display().to_string()))
    }

    /// Loads a model from the bytes of its file.
    pub fn from_bytes(
        bytes: impl Into<bytes::Bytes>,
        device: Device,
        strict: bool,
    ) -> Result<Model> {
        Model::new(crate::read_bytes(bytes)?, device, strict)
    }

    pub fn new(model: ir::Model, device: Device, strict: bool) -> Result<Model> {
        let ir::Model {
            mut graph,
            metadata,
            mut unsupported,
            ..
        } = model;
        hoist_constants(&mut graph);
        for input in &graph.inputs {
            check_input(input, device, &mut unsupported);
        }
        let mut missing = Missing::default();
        survey(&graph, &mut missing);
        if !unsupported.is_empty() {
            // What such a value reads cannot be traced: only what is missing by name is known.
            return Err(listed(unsupported, &missing));
        }
        // Each gives its part of the file back before the next one is copied.
        let initializers = std::mem::take(&mut graph.initializers).into_iter();
        let constants = initializers
            .map(|(name, found)| constant(&name, &found, device).map(|entry| (name, entry)))
            .collect::<Result<_>>()?;
        detach(&mut graph);
        let mut loaded = Model {
            graph,
            device,
            strict,
            constants,
            eager: false,
            structural: AtomicU64::new(0),
            plans: Mutex::new(Vec::new()),
            metadata,
        };
        loaded.rehearse()?;
        Ok(loaded)
    }

    /// Traces once on placeholders: finds what is not supported, which inputs
    /// decide shapes, and, where all sizes are known, the plan.
    fn rehearse(&mut self) -> Result<()> {
        let known = self.graph.inputs.iter().all(|i| {
            i.shape
                .as_ref()
                .is_some_and(|s| s.iter().all(|d| matches!(d, Dim::Fixed(_))))
        });
        let placeholders: Option<Vec<Tensor>> = self
            .graph
            .inputs
            .iter()
            .map(|i| placeholder(i, self.device))
            .collect();
        let entries = self.graph.inputs.iter().enumerate().map(|(i, _)| Entry {
            value: placeholders
                .as_ref()
                .map_or(Value::Later, |p| Value::Tensor(p[i].clone())),
            from: source(i),
        });
        let mut watch = Rehearsal {
            known,
            missing: Missing::default(),
            structural: 0,
            eager: false,
        };
        let traced = {
            let mut tracer = Tracer::new(self.device, false, &mut watch);
            tracer.run(&self.graph, self.constants.clone(), entries.collect())
        };
        let outputs = match traced {
            Ok(outputs) => outputs,
            Err(Stop::Error(error)) => return Err(error),
            Err(_) => return Err(Error::internal("a rehearsal stopped for want of values")),
        };
        if !watch.missing.order.is_empty() {
            return Err(listed(Vec::new(), &watch.missing));
        }
        self.eager = watch.eager;
        self.structural = AtomicU64::new(watch.structural);
        for (info, entry) in self.graph.outputs.iter_mut().zip(&outputs) {
            info.dtype = entry.value.known_dtype().or(info.dtype);
        }
        let (true, false, 0, Some(placeholders)) =
            (known, watch.eager, watch.structural, placeholders)
        else {
            return Ok(());
        };
        let tensors = outputs
            .iter()
            .map(|e| output_tensor(&e.value, self.device))
            .collect::<Traced<Vec<_>>>();
        let tensors = super::finish(tensors)?;
        let key = super::Key {
            shapes: placeholders.iter().map(|t| t.shape().to_vec()).collect(),
            values: Vec::new(),
        };
        self.compile(key, &placeholders, &tensors).map(|_| ())
    }
}

/// Copies what nodes hold of the file's bytes: one part would keep them all.
fn detach(graph: &mut Graph) {
    let own = |constant: &mut Constant| constant.bytes = Bytes::copy_from_slice(&constant.bytes);
    graph.initializers.values_mut().for_each(own);
    let attributes = graph.nodes.iter_mut().map(|node| &mut node.attributes);
    for attribute in attributes.flat_map(|all| all.values_mut()) {
        match attribute {
            Attribute::Tensor(constant) => own(constant),
            Attribute::Graph(inner) => detach(Arc::make_mut(inner)),
            _ => {}
        }
    }
}

/// Constant nodes are initializers in another place.
fn hoist_constants(graph: &mut Graph) {
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let value = (node.op_type == "Constant" && node.domain.is_empty())
            .then(|| ops::constant_value(&node))
            .flatten();
        match (value, &node.outputs[..]) {
            (Some(constant), [output]) => {
                graph.initializers.insert(output.clone(), constant);
            }
            _ => kept.push(node),
        }
    }
    graph.nodes = kept;
}

fn check_input(input: &ValueInfo, device: Device, unsupported: &mut Vec<Unsupported>) {
    let what = format!("input '{}'", input.name);
    let why = match input.dtype {
        _ if unsupported.iter().any(|u| u.what == what) => return,
        None => "it has no element type".to_owned(),
        Some(DType::F64) if device != Device::Cpu => format!("float64 does not exist on {device}"),
        Some(_) => return,
    };
    unsupported.push(Unsupported { what, why });
}

/// Operators that no table entry takes, in branches too.
fn survey(graph: &Graph, missing: &mut Missing) {
    for node in &graph.nodes {
        if ops::find(node).is_none() {
            missing.note(node, ops::why_missing(node));
        }
        for attribute in node.attributes.values() {
            if let Attribute::Graph(inner) = attribute {
                survey(inner, missing);
            }
        }
    }
}

/// Stands in for an input at load.  A size that is left open is tried as 1
/// on the first axis (the batch), as 64 elsewhere.
fn placeholder(info: &ValueInfo, device: Device) -> Option<Tensor> {
    let shape = info
        .shape
        .as_ref()?
        .iter()
        .enumerate()
        .map(|(axis, dim)| match dim {
            Dim::Fixed(n) => *n,
            Dim::Named(_) | Dim::Unknown => {
                if axis == 0 {
                    1
                } else {
                    64
                }
            }
        });
    Some(Tensor::placeholder(
        info.dtype?,
        &shape.collect::<Vec<_>>(),
        device,
    ))
}

/// An operator that is not supported: the first node, how many.
struct Found {
    first: String,
    count: usize,
}

/// By operator and why, in the order of the file.
#[derive(Default)]
struct Missing {
    found: HashMap<(String, String), Found>,
    order: Vec<(String, String)>,
}

impl Missing {
    fn note(&mut self, node: &Node, why: String) {
        let op = if node.domain.is_empty() {
            node.op_type.clone()
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        let key = (op, why);
        if let Some(known) = self.found.get_mut(&key) {
            known.count += 1;
            return;
        }
        self.order.push(key.clone());
        let first = node.label();
        self.found.insert(key, Found { first, count: 1 });
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let known = |key: &(String, String)| Some((key.clone(), self.found.get(key)?));
        self.order
            .iter()
            .filter_map(known)
            .map(|((op, why), f)| match f.count {
                1 => format!("{op}: {why} (node {})", f.first),
                n => format!("{op}: {why} ({n} nodes, the first is {})", f.first),
            })
    }
}

/// Lines of a message that are worth reading.
const MOST_LINES: usize = 200;

fn listed(unsupported: Vec<Unsupported>, missing: &Missing) -> Error {
    let all = unsupported.len() + missing.order.len();
    let mut lines: Vec<String> = unsupported
        .into_iter()
        .map(|u| format!("{}: {}", u.what, u.why))
        .chain(missing.lines())
        .take(MOST_LINES)
        .collect();
    if all > lines.len() {
        lines.push(format!("and {} more", all - lines.len()));
    }
    Error::unsupported(format!(
        "the model needs what is not available here:\n  {}",
        lines.join("\n  ")
    ))
}

struct Rehearsal {
    /// All sizes are the file's own: an error is the file's fault.
    known: bool,
    missing: Missing,
    structural: Sources,
    eager: bool,
}

impl Watch for Rehearsal {
    fn failed(&mut self, node: &Node, stop: Stop) -> Traced<()> {
        match stop {
            Stop::Later => self.eager |= ops::find(node).is_some_and(|e| e.eager),
            Stop::Needs(sources) => self.structural |= sources,
            Stop::Error(error) if is_unsupported(&error) => {
                self.missing.note(node, error.message);
            }
            Stop::Error(error) if self.known => {
                let text = format!("node {}: {}", node.label(), error.message);
                return Err(Stop::Error(Error {
                    message: text,
                    ..error
                }));
            }
            // With a trial size, a shape that does not fit says nothing.
            Stop::Error(_) => {}
        }
        Ok(())
    }
}
