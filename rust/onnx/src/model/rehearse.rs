//! A trace on placeholders: what a model needs that is not here, which inputs
//! decide shapes, and, for a report, what becomes of each node.

use super::report::{NodeReport, Verdict};
use crate::ir::{Attribute, Dim, Graph, Kind, Node, Unsupported, ValueInfo};
use crate::ops;
use crate::trace::{Entry, Sources, Stop, Traced, Tracer, Value, Watch, is_unsupported, source};
use lamina_core::{Device, Error, Result, Tensor};
use std::collections::{HashMap, HashSet};

/// Constants by name, as [`Tracer::run`] takes them.
pub(super) type Constants = HashMap<String, Entry>;

/// What a rehearsal found.
pub(super) struct Rehearsed {
    pub(super) missing: Missing,
    pub(super) structural: Sources,
    pub(super) eager: bool,
    pub(super) outputs: Vec<Entry>,
    /// The inputs, where the file knows all of their sizes.
    pub(super) placeholders: Option<Vec<Tensor>>,
    pub(super) nodes: Vec<NodeReport>,
}

/// Traces `graph`; with `judge` what the file itself has wrong is reported of
/// its node, too, instead of raised.
pub(super) fn rehearse(
    graph: &Graph,
    constants: Constants,
    device: Device,
    judge: bool,
) -> Result<Rehearsed> {
    let inputs = &graph.inputs;
    let known = inputs.iter().all(is_known);
    let placeholders: Vec<Option<Tensor>> = inputs
        .iter()
        .map(|info| placeholder(info, device))
        .collect();
    let entries = placeholders.iter().enumerate().map(|(i, given)| Entry {
        value: given.clone().map_or(Value::Later, Value::Tensor),
        from: source(i),
    });
    let mut rehearsal = Rehearsal {
        device,
        known,
        infos: &graph.infos,
        missing: Missing::default(),
        structural: 0,
        eager: false,
        judged: judge.then(Judged::default),
    };
    let traced =
        Tracer::new(device, false, &mut rehearsal).run(graph, constants, entries.collect());
    let outputs = match traced {
        Ok(outputs) => outputs,
        Err(Stop::Error(error)) => return Err(error),
        Err(_) => return Err(Error::internal("a rehearsal stopped for want of values")),
    };
    let Rehearsal {
        missing,
        structural,
        eager,
        judged,
        ..
    } = rehearsal;
    Ok(Rehearsed {
        missing,
        structural,
        eager,
        outputs,
        placeholders: placeholders
            .into_iter()
            .collect::<Option<_>>()
            .filter(|_| known),
        nodes: judged.unwrap_or_default().nodes,
    })
}

fn is_known(info: &ValueInfo) -> bool {
    let fixed = |dims: &Vec<Dim>| dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
    info.kind == Kind::Tensor && info.shape.as_ref().is_some_and(fixed)
}

/// Stands in for a value.  A size that is left open is tried as 1 on the
/// first axis (the batch), as 64 elsewhere.
fn placeholder(info: &ValueInfo, device: Device) -> Option<Tensor> {
    let sizes = info.shape.as_ref()?.iter().enumerate();
    let shape: Vec<usize> = sizes
        .map(|(axis, dim)| match dim {
            Dim::Fixed(n) => *n,
            Dim::Named(_) | Dim::Unknown if axis == 0 => 1,
            Dim::Named(_) | Dim::Unknown => 64,
        })
        .collect();
    crate::sizes::checked_len(&shape).ok()?;
    let dtype = info.dtype.filter(|_| info.kind == Kind::Tensor)?;
    Some(Tensor::placeholder(dtype, &shape, device))
}

/// An operator that is not supported: the first node, how many.
struct Found {
    first: String,
    count: usize,
}

/// By operator and why, in the order of the file.
#[derive(Default)]
pub(super) struct Missing {
    found: HashMap<(String, String), Found>,
    order: Vec<(String, String)>,
}

impl Missing {
    fn note(&mut self, node: &Node, why: String) {
        let key = (node.operator(), why);
        if let Some(known) = self.found.get_mut(&key) {
            known.count += 1;
            return;
        }
        self.order.push(key.clone());
        let first = node.label();
        self.found.insert(key, Found { first, count: 1 });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
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

/// One error of all that is missing.
pub(super) fn listed(unsupported: Vec<Unsupported>, missing: &Missing) -> Error {
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

/// Each node's report, once, though a body may be traced many times.
#[derive(Default)]
struct Judged {
    nodes: Vec<NodeReport>,
    seen: HashSet<usize>,
}

struct Rehearsal<'g> {
    device: Device,
    /// All sizes are the file's own: an error is the file's fault.
    known: bool,
    infos: &'g HashMap<String, ValueInfo>,
    missing: Missing,
    structural: Sources,
    eager: bool,
    judged: Option<Judged>,
}

impl Rehearsal<'_> {
    fn judge(&mut self, node: &Node, verdict: Verdict, why: &str) {
        if let Some(judged) = &mut self.judged
            && judged.seen.insert(std::ptr::from_ref(node).addr())
        {
            judged.nodes.push(NodeReport::new(node, verdict, why));
        }
    }

    fn missing(&mut self, node: &Node, why: String) {
        self.judge(node, Verdict::Missing, &why);
        self.missing.note(node, why);
    }

    /// Nodes of branches and bodies that were not traced: known by name only.
    fn untraced(&mut self, node: &Node) {
        for attribute in node.attributes.values() {
            let Attribute::Graph(graph) = attribute else {
                continue;
            };
            for inner in &graph.nodes {
                if ops::find(inner).is_none() {
                    self.missing(inner, ops::why_missing(inner));
                } else {
                    let why = format!("whether it runs is decided by {}", node.label());
                    self.judge(inner, Verdict::AtRun, &why);
                }
                self.untraced(inner);
            }
        }
    }

    /// What the file says a node's results are, so that those after it can be
    /// looked at.
    fn declared(&self, node: &Node) -> Vec<Value> {
        let outputs = node.outputs.iter().map(|name| {
            let info = self.infos.get(name);
            let tensor = info.and_then(|info| placeholder(info, self.device));
            tensor.map_or(Value::Later, Value::Tensor)
        });
        outputs.collect()
    }
}

impl Watch for Rehearsal<'_> {
    fn traced(&mut self, node: &Node, inputs: &[Option<Entry>], outputs: &[Value]) -> Traced<()> {
        if self.judged.is_none() {
            return Ok(());
        }
        let mut results = Vec::new();
        for value in outputs {
            tensors(value, &mut results);
        }
        if results.is_empty() {
            let later = outputs.iter().any(|value| matches!(value, Value::Later));
            let verdict = if later {
                Verdict::AtRun
            } else {
                Verdict::Constant
            };
            self.judge(node, verdict, "");
            return Ok(());
        }
        let graph = node
            .attributes
            .values()
            .any(|a| matches!(a, Attribute::Graph(_)));
        if graph {
            // Its nodes were judged; it is none itself.
            self.judge(node, Verdict::Runs, "");
            return Ok(());
        }
        let mut given = Vec::new();
        for entry in inputs.iter().flatten() {
            tensors(&entry.value, &mut given);
        }
        match lamina_core::missing_on(self.device, &given, &results)? {
            None => self.judge(node, Verdict::Runs, ""),
            Some(why) => self.judge(node, Verdict::FallsBack, &why),
        }
        Ok(())
    }

    fn failed(&mut self, node: &Node, stop: Stop) -> Traced<Vec<Value>> {
        match stop {
            Stop::Later => {
                self.eager |= ops::find(node).is_some_and(|e| e.eager);
                self.judge(
                    node,
                    Verdict::AtRun,
                    "it depends on what is known only at a run",
                );
                self.untraced(node);
            }
            Stop::Needs(sources) => {
                self.structural |= sources;
                self.judge(
                    node,
                    Verdict::AtRun,
                    "its shape depends on the values of an input",
                );
                self.untraced(node);
            }
            Stop::Error(error) if is_unsupported(&error) => {
                self.missing(node, error.message);
                self.untraced(node);
                return Ok(self.declared(node));
            }
            Stop::Error(error) if self.known && self.missing.is_empty() => {
                if self.judged.is_none() {
                    return Err(Stop::Error(error.within(&format!("node {}", node.label()))));
                }
                self.judge(node, Verdict::Wrong, &error.message);
            }
            // With a trial size, a shape that does not fit says nothing.
            Stop::Error(error) => {
                let why = format!("not with the sizes tried: {}", error.message);
                self.judge(node, Verdict::AtRun, &why);
                self.untraced(node);
            }
        }
        Ok(vec![Value::Later; node.outputs.len()])
    }
}

/// The tensors of a value.
fn tensors(value: &Value, into: &mut Vec<Tensor>) {
    match value {
        Value::Tensor(tensor) => into.push(tensor.clone()),
        Value::List(values) => {
            for value in values.iter() {
                tensors(value, into);
            }
        }
        Value::Host(_) | Value::Nothing | Value::Later => {}
    }
}
