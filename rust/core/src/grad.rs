//! Gradients: walks recorded nodes backwards and records their gradients,
//! graph to graph, each op's rule beside its forward.

use crate::hash::{IdMap, IdSet};
use crate::node::Node;
use crate::op::Vjp;
use crate::ops;
use crate::{Error, Result, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Nodes reachable from `roots` through tensors that require gradients, by
/// id: recorded order is topological order.
fn tape(roots: &[Tensor]) -> BTreeMap<u64, Arc<Node>> {
    let mut nodes = BTreeMap::new();
    let mut pending: Vec<Tensor> = roots.to_vec();
    while let Some(tensor) = pending.pop() {
        if !tensor.requires_grad() || tensor.grad_slot().is_some() {
            continue;
        }
        let Some(source) = tensor.source() else {
            continue;
        };
        if nodes.insert(source.node.id, source.node.clone()).is_none() {
            pending.extend(source.node.inputs.iter().cloned());
        }
    }
    nodes
}

fn add_into(sums: &mut IdMap<Tensor>, id: u64, grad: Tensor) -> Result<()> {
    let sum = match sums.remove(&id) {
        Some(sum) => ops::elementwise::add(&sum, &grad)?,
        None => grad,
    };
    sums.insert(id, sum);
    Ok(())
}

/// Which tensors lie on a path from `wanted` (all leaves when None).
fn useful(nodes: &BTreeMap<u64, Arc<Node>>, wanted: Option<&IdSet>) -> IdSet {
    let mut on_path = IdSet::default();
    for node in nodes.values() {
        let reaches = node.inputs.iter().any(|t| match wanted {
            Some(ids) => {
                ids.contains(&t.id()) || t.node_id().is_some_and(|id| on_path.contains(&id))
            }
            None => t.requires_grad(),
        });
        if reaches {
            on_path.insert(node.id);
        }
    }
    on_path
}

/// Sums of gradients by tensor id, for every tensor of the tape.
fn sweep(outputs: &[Tensor], seeds: Vec<Tensor>, wanted: Option<&IdSet>) -> Result<IdMap<Tensor>> {
    let nodes = tape(outputs);
    let on_path = useful(&nodes, wanted);
    let mut sums: IdMap<Tensor> = IdMap::default();
    for (output, seed) in outputs.iter().zip(seeds) {
        add_into(&mut sums, output.id(), seed)?;
    }
    for (id, node) in nodes.iter().rev() {
        if !on_path.contains(id) {
            continue;
        }
        let outputs: Vec<Tensor> = (0..node.metas.len())
            .map(|i| Node::output(node, i))
            .collect();
        let grads: Vec<Option<Tensor>> =
            outputs.iter().map(|t| sums.get(&t.id()).cloned()).collect();
        if grads.iter().all(Option::is_none) {
            continue;
        }
        let needs: Vec<bool> = node.inputs.iter().map(Tensor::requires_grad).collect();
        let vjp = Vjp {
            inputs: &node.inputs,
            outputs: &outputs,
            grads: &grads,
            needs: &needs,
        };
        let results = node.op.op.vjp(&vjp)?;
        if results.len() != node.inputs.len() {
            return Err(Error::internal(format!(
                "{}: its gradient rule gave {} results for {} inputs",
                node.op.op.name(),
                results.len(),
                node.inputs.len()
            )));
        }
        node.mark_differentiated();
        for (input, grad) in node.inputs.iter().zip(results) {
            let (true, Some(grad)) = (input.requires_grad(), grad) else {
                continue;
            };
            if grad.shape() != input.shape() || grad.dtype() != input.dtype() {
                return Err(Error::internal(format!(
                    "{}: its gradient rule gave {grad:?} for an input {input:?}",
                    node.op.op.name()
                )));
            }
            add_into(&mut sums, input.id(), grad)?;
        }
    }
    Ok(sums)
}

fn seed_of(output: &Tensor, given: Option<&Tensor>, what: &str) -> Result<Tensor> {
    if !output.requires_grad() {
        return Err(Error::argument(format!(
            "{what}: the output does not depend on a tensor that requires gradients; set requires_grad=True on a leaf, or leave no_grad"
        )));
    }
    match given {
        Some(seed) if seed.shape() == output.shape() => {
            if seed.dtype() == output.dtype() {
                Ok(seed.clone())
            } else {
                ops::elementwise::cast(seed, output.dtype())
            }
        }
        Some(seed) => Err(Error::shape(format!(
            "{what}: the gradient has shape {:?}, the output {:?}; they must be equal",
            seed.shape(),
            output.shape()
        ))),
        None if output.len() == 1 => Tensor::full_like(output, 1.0),
        None => Err(Error::shape(format!(
            "{what}: an output of shape {:?} needs a gradient of that shape; only a single element has one by itself (sum or mean it first)",
            output.shape()
        ))),
    }
}

/// Adds the gradient of `output` to every leaf that requires one.
pub fn backward(output: &Tensor, gradient: Option<&Tensor>) -> Result<()> {
    let seed = seed_of(output, gradient, "backward")?;
    let recording = crate::node::set_grad_enabled(false);
    let result = backward_into_slots(output, seed);
    crate::node::set_grad_enabled(recording);
    result
}

fn backward_into_slots(output: &Tensor, seed: Tensor) -> Result<()> {
    let nodes = tape(std::slice::from_ref(output));
    let mut leaves: IdMap<Tensor> = IdMap::default();
    for tensor in nodes.values().flat_map(|n| &n.inputs).chain([output]) {
        if tensor.requires_grad() && tensor.grad_slot().is_some() {
            leaves.insert(tensor.id(), tensor.clone());
        }
    }
    drop(nodes);
    let mut sums = sweep(std::slice::from_ref(output), vec![seed], None)?;
    let mut found: Vec<(u64, Tensor)> = leaves.into_iter().collect();
    found.sort_unstable_by_key(|(id, _)| *id);
    for (id, leaf) in found {
        let (Some(grad), Some(slot)) = (sums.remove(&id), leaf.grad_slot()) else {
            continue;
        };
        let grad = match slot.get() {
            Some(before) => ops::elementwise::add(&before, &grad)?,
            None => grad,
        };
        slot.set(Some(grad));
    }
    Ok(())
}

/// Gradients of the sum of `outputs` (weighted by `seeds`) for `inputs`;
/// None where an output does not depend on an input.  Differentiable again
/// with `create_graph`.
pub fn grad(
    outputs: &[Tensor],
    inputs: &[Tensor],
    seeds: Option<&[Tensor]>,
    create_graph: bool,
) -> Result<Vec<Option<Tensor>>> {
    let seeds = outputs
        .iter()
        .enumerate()
        .map(|(i, output)| seed_of(output, seeds.and_then(|s| s.get(i)), "grad"))
        .collect::<Result<Vec<_>>>()?;
    if let Some(at) = inputs.iter().position(|t| !t.requires_grad()) {
        return Err(Error::argument(format!(
            "grad: input {at} does not require gradients; set requires_grad=True before it is used"
        )));
    }
    let wanted: IdSet = inputs.iter().map(Tensor::id).collect();
    let recording = crate::node::set_grad_enabled(create_graph);
    let sums = sweep(outputs, seeds, Some(&wanted));
    crate::node::set_grad_enabled(recording);
    let sums = sums?;
    Ok(inputs.iter().map(|t| sums.get(&t.id()).cloned()).collect())
}
