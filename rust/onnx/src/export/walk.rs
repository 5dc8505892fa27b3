//! One or two recordings of a function, walked together.

use super::Recording;
use lamina_core::{Attr, Attrs, Error, OpRef, Result, Tensor};
use std::collections::{BTreeMap, HashSet};

/// A recorded node, with what its twin at the second size says; or a whole op
/// in place of its last node.
pub(super) struct Step {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) params: Attrs,
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
    pub(super) twin: Option<Twin>,
}

#[derive(Clone)]
pub(super) struct Twin {
    pub(super) params: Attrs,
    pub(super) inputs: Vec<Tensor>,
}

impl Step {
    /// Where the node comes from, for messages.
    pub(super) fn place(&self) -> String {
        let shapes: Vec<String> = self
            .inputs
            .iter()
            .map(|t| format!("{:?}", t.shape()))
            .collect();
        let line = self.outputs.first().and_then(Tensor::recorded_at);
        let line = line.map_or_else(String::new, |line| format!(" at {line}"));
        format!(" (recorded on inputs of shape {}{line})", shapes.join(", "))
    }

    /// A parameter at both sizes.
    pub(super) fn both(&self, name: &str) -> (Attr, Option<Attr>) {
        let get = |params: &Attrs| params.get(name).cloned().unwrap_or(Attr::None);
        (
            get(&self.params),
            self.twin.as_ref().map(|t| get(&t.params)),
        )
    }

    pub(super) fn stable(&self, name: &str) -> Result<Attr> {
        match self.both(name) {
            (first, Some(second)) if first != second => Err(self.baked(name, &first, &second)),
            (first, _) => Ok(first),
        }
    }

    pub(super) fn baked(&self, name: &str, first: &Attr, second: &Attr) -> Error {
        Error::unsupported(format!(
            "onnx.save: {}: {name}={first} would bake a dynamic size (at a second size it is {second}){}; write it so that it holds for every size, as with -1 or flatten",
            self.name,
            self.place()
        ))
    }
}

type Pair = (Tensor, Option<Tensor>);

/// All nodes between the inputs and the outputs, in recorded order.
pub(super) fn steps(
    first: &Recording<'_>,
    second: Option<&Recording<'_>>,
    state: &[(String, Tensor)],
) -> Result<Vec<Step>> {
    let stops: HashSet<u64> = first
        .inputs
        .iter()
        .chain(state)
        .map(|(_, t)| t.id())
        .collect();
    let second_inputs: Vec<u64> =
        second.map_or_else(Vec::new, |s| s.inputs.iter().map(|(_, t)| t.id()).collect());
    let mut found: BTreeMap<u64, Step> = BTreeMap::new();
    let mut pending: Vec<Pair> = first
        .outputs
        .iter()
        .enumerate()
        .map(|(i, (_, t))| (t.clone(), second.map(|s| s.outputs[i].1.clone())))
        .collect();
    while let Some((tensor, twin)) = pending.pop() {
        let recorded = if stops.contains(&tensor.id()) {
            None
        } else {
            tensor.recorded_by().zip(tensor.node_id())
        };
        let Some(((op, inputs, output), id)) = recorded else {
            if let Some(twin) = &twin {
                let input = first.inputs.iter().position(|(_, t)| t.id() == tensor.id());
                let other = second_inputs.iter().position(|&i| i == twin.id());
                if input != other {
                    return Err(Error::unsupported(
                        "onnx.save: the function uses other inputs at a second size",
                    ));
                }
                if input.is_none() {
                    same_constant(&tensor, twin, &stops)?;
                }
            }
            continue;
        };
        if found.contains_key(&id) {
            continue;
        }
        let twin = twin.map(|t| pair(&op, output, &inputs, &t)).transpose()?;
        for (i, input) in inputs.iter().enumerate() {
            pending.push((input.clone(), twin.as_ref().map(|t| t.inputs[i].clone())));
        }
        let outputs = tensor.siblings().unwrap_or_default();
        found.insert(
            id,
            Step {
                id,
                params: op.op.params(),
                name: op.op.name().to_owned(),
                inputs,
                outputs,
                twin,
            },
        );
    }
    Ok(found.into_values().collect())
}

/// The node behind a tensor, and which of its outputs that is.
pub(super) fn source(tensor: &Tensor) -> Option<(u64, usize)> {
    (tensor.node_id()).zip(tensor.recorded_by().map(|(_, _, output)| output))
}

/// Which outputs of which nodes somebody reads.
pub(super) fn used(steps: &[Step], outputs: &[(String, Tensor)]) -> HashSet<(u64, usize)> {
    let results = outputs.iter().map(|(_, t)| t);
    (steps.iter().flat_map(|s| &s.inputs).chain(results))
        .filter_map(source)
        .collect()
}

/// The node behind `other` must be the same op at the same place.
fn pair(op: &OpRef, output: usize, inputs: &[Tensor], other: &Tensor) -> Result<Twin> {
    let differs = |got: &str| {
        Error::unsupported(format!(
            "onnx.save: the function records '{}' at the first size and {got} at a second: what it does depends on a dynamic size",
            op.op.name()
        ))
    };
    let Some((twin, twin_inputs, twin_output)) = other.recorded_by() else {
        return Err(differs("a constant"));
    };
    if twin.op.name() != op.op.name() || twin_output != output || twin_inputs.len() != inputs.len()
    {
        return Err(differs(&format!("'{}'", twin.op.name())));
    }
    Ok(Twin {
        params: twin.op.params(),
        inputs: twin_inputs,
    })
}

/// Constants made inside the function must not depend on a size.
fn same_constant(first: &Tensor, second: &Tensor, stops: &HashSet<u64>) -> Result<()> {
    if first.id() == second.id() || stops.contains(&first.id()) {
        return Ok(());
    }
    let differs = |what: &str| {
        Error::unsupported(format!(
            "onnx.save: a constant made inside the function {what}: it would bake a dynamic size"
        ))
    };
    if first.shape() != second.shape() || first.dtype() != second.dtype() {
        return Err(differs(&format!(
            "has shape {:?} at the first size and {:?} at a second",
            first.shape(),
            second.shape()
        )));
    }
    let bytes = |t: &Tensor| -> Result<Vec<u8>> {
        let value = t.host_value()?;
        let (start, size) = (
            value.layout.offset * value.dtype.size(),
            t.len() * value.dtype.size(),
        );
        Ok(value.host_bytes().unwrap_or_default()[start..start + size].to_vec())
    };
    if bytes(first)? == bytes(second)? {
        Ok(())
    } else {
        Err(differs("has other values at a second size"))
    }
}
