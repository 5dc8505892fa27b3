//! From a checked file to a model that is known to run, or to one error that
//! lists everything it needs and is not here.

use super::item::Item;
use super::rehearse::{Constants, listed, rehearse};
use super::{Key, Model};
use crate::ir::{self, Attribute, Constant, Graph, Unsupported, ValueInfo};
use crate::ops;
use crate::trace::{Entry, Value, constant, is_unsupported};
use bytes::Bytes;
use lamina_core::{Device, Result};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
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
            mut unsupported,
            details,
            ..
        } = model;
        hoist_constants(&mut graph);
        for input in &graph.inputs {
            check_input(input, &mut unsupported);
        }
        let initializers = std::mem::take(&mut graph.initializers);
        let constants = available(initializers, device, &mut unsupported)?;
        detach(&mut graph);
        let mut rehearsed = rehearse(&graph, constants.clone(), device, false)?;
        if !unsupported.is_empty() || !rehearsed.missing.is_empty() {
            return Err(listed(unsupported, &rehearsed.missing));
        }
        for (info, entry) in graph.outputs.iter_mut().zip(&rehearsed.outputs) {
            info.dtype = entry.value.known_dtype().or(info.dtype);
        }
        graph.infos.clear();
        let model = Model {
            graph,
            device,
            strict,
            constants,
            eager: rehearsed.eager,
            structural: AtomicU64::new(rehearsed.structural),
            plans: Mutex::new(Vec::new()),
            details,
        };
        if let Some(placeholders) = rehearsed.placeholders.take()
            && !rehearsed.eager
            && rehearsed.structural == 0
        {
            // All sizes are known: so is the plan.
            let outputs = rehearsed.outputs.iter();
            let outputs = outputs.map(|e| Item::of(&e.value, device)).collect();
            let outputs = super::finish::<Vec<Item>>(outputs)?;
            let inputs: Vec<Item> = placeholders.into_iter().map(Item::from).collect();
            let key = Key::new(&inputs, Vec::new());
            model.compile(key, &inputs, &outputs)?;
        }
        Ok(model)
    }
}

/// Initializers as values; what is not available here is noted.
pub(super) fn available(
    initializers: HashMap<String, Constant>,
    device: Device,
    unsupported: &mut Vec<Unsupported>,
) -> Result<Constants> {
    let mut constants = HashMap::with_capacity(initializers.len());
    let noted: HashSet<String> = unsupported.iter().map(|u| u.what.clone()).collect();
    // Each gives its part of the file back before the next one is copied.
    for (name, found) in initializers {
        let what = format!("initializer '{name}'");
        let mut entry = Entry {
            value: Value::Later,
            from: 0,
        };
        if !noted.contains(&what) {
            match constant(&name, &found, device) {
                Ok(known) => entry = known,
                Err(error) if is_unsupported(&error) => {
                    let why = error.message.replace(&format!("{what}: "), "");
                    unsupported.push(Unsupported { what, why });
                }
                Err(error) => return Err(error),
            }
        }
        constants.insert(name, entry);
    }
    Ok(constants)
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
pub(super) fn hoist_constants(graph: &mut Graph) {
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

pub(super) fn check_input(input: &ValueInfo, unsupported: &mut Vec<Unsupported>) {
    let what = format!("input '{}'", input.name);
    if input.dtype.is_none() && !unsupported.iter().any(|u| u.what == what) {
        let why = "it has no element type".to_owned();
        unsupported.push(Unsupported { what, why });
    }
}
