//! From recorded tensors to the planner's graph and its key.

use super::graph::{Graph, Id, InputDef, Node, Origin, OutputDef, Work};
use crate::node::Node as Recorded;
use crate::{Error, Result, Storage, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What is to be computed: recorded nodes in order, what they read from
/// outside, and the results wanted.
pub(crate) struct Capture {
    pub(crate) nodes: Vec<Arc<Recorded>>,
    pub(crate) leaves: Vec<Tensor>,
    /// The first of the leaves, which stay inputs when constants are folded.
    stops: usize,
    pub(crate) targets: Vec<Tensor>,
    /// For each target, the leaf whose storage it may reuse.
    pub(crate) donors: Vec<Option<usize>>,
    /// By tensor id: the node that makes it and which output it is.
    made_by: HashMap<u64, (u64, usize)>,
    node_at: HashMap<u64, usize>,
    leaf_at: HashMap<u64, usize>,
}

enum Place {
    Leaf(usize),
    Output(usize, usize),
}

impl Capture {
    /// Walks from `targets` to computed values, or to `stops` (placeholders).
    pub(crate) fn new(targets: Vec<Tensor>, stops: &[Tensor]) -> Result<Capture> {
        let mut leaf_at: HashMap<u64, usize> =
            stops.iter().enumerate().map(|(i, t)| (t.id(), i)).collect();
        let mut leaves = stops.to_vec();
        let mut made_by = HashMap::new();
        let mut found: BTreeMap<u64, Arc<Recorded>> = BTreeMap::new();
        let mut pending: Vec<Tensor> = targets.iter().rev().cloned().collect();
        while let Some(tensor) = pending.pop() {
            if leaf_at.contains_key(&tensor.id()) || made_by.contains_key(&tensor.id()) {
                continue;
            }
            let state = tensor.0.state.lock();
            match (&state.value, &state.source, &state.lost) {
                (Some(_), _, _) => {
                    drop(state);
                    leaf_at.insert(tensor.id(), leaves.len());
                    leaves.push(tensor);
                }
                (None, Some(source), _) => {
                    let node = source.node.clone();
                    made_by.insert(tensor.id(), (node.id, source.output));
                    drop(state);
                    if let std::collections::btree_map::Entry::Vacant(slot) = found.entry(node.id) {
                        pending.extend(node.inputs.iter().cloned());
                        slot.insert(node);
                    }
                }
                (None, None, Some(why)) => return Err(Error::lost(why.clone())),
                (None, None, None) => {
                    return Err(Error::argument(
                        "a model input has no value: it can be run only through its model",
                    ));
                }
            }
        }
        let nodes: Vec<Arc<Recorded>> = found.into_values().collect();
        let node_at = nodes.iter().enumerate().map(|(i, n)| (n.id, i)).collect();
        let donors = vec![None; targets.len()];
        Ok(Capture {
            nodes,
            leaves,
            stops: stops.len(),
            targets,
            donors,
            made_by,
            node_at,
            leaf_at,
        })
    }

    pub(crate) fn leaf_index(&self, tensor: &Tensor) -> Option<usize> {
        self.leaf_at.get(&tensor.id()).copied()
    }

    pub(crate) fn contains(&self, node: &Recorded) -> bool {
        self.node_at.contains_key(&node.id)
    }

    fn place(&self, tensor: &Tensor) -> Result<Place> {
        if let Some(&leaf) = self.leaf_at.get(&tensor.id()) {
            return Ok(Place::Leaf(leaf));
        }
        let found = self
            .made_by
            .get(&tensor.id())
            .and_then(|(id, output)| Some((*self.node_at.get(id)?, *output)));
        let (node, output) =
            found.ok_or_else(|| Error::internal("a captured tensor is outside the graph"))?;
        Ok(Place::Output(node, output))
    }

    /// 128 bits of structure: ops and parameters, edges, what the leaves are,
    /// what is wanted and what may be donated.
    pub(crate) fn key(&self) -> Result<u128> {
        let mut low = DefaultHasher::new();
        let mut high = DefaultHasher::new();
        0x6c61_6d69_6e61_u64.hash(&mut high);
        let mut put = |x: u64| {
            low.write_u64(x);
            high.write_u64(x);
        };
        for leaf in &self.leaves {
            put(leaf.dtype() as u64);
            put(device_code(leaf.device()));
            match leaf.value_now() {
                Some(value) => {
                    put(u64::from(
                        matches!(value.storage, Storage::Inline(_)) || leaf.is_host_scalar(),
                    ));
                    put(value.layout.shape.len() as u64);
                    for (&n, &stride) in value.layout.shape.iter().zip(&value.layout.strides) {
                        put(n as u64);
                        put(stride as u64);
                    }
                }
                None => leaf.shape().iter().for_each(|&n| put(n as u64)),
            }
        }
        let mut put_place = |tensor: &Tensor| -> Result<()> {
            match self.place(tensor)? {
                Place::Leaf(i) => put((i as u64) << 1),
                Place::Output(node, output) => {
                    put(((node as u64) << 9) | ((output as u64) << 1) | 1);
                }
            }
            Ok(())
        };
        for node in &self.nodes {
            for input in &node.inputs {
                put_place(input)?;
            }
        }
        for target in &self.targets {
            put_place(target)?;
        }
        for node in &self.nodes {
            put(node.op.key);
            put(node.inputs.len() as u64);
            put(device_code(node.device));
        }
        for donor in &self.donors {
            put(donor.map_or(u64::MAX, |d| d as u64));
        }
        put(self.targets.len() as u64);
        Ok((u128::from(high.finish()) << 64) | u128::from(low.finish()))
    }

    /// The planner's graph.  With `fold`, leaves marked constant are part of
    /// it (a loaded model's weights); else every leaf is an input.
    pub(crate) fn graph(&self, fold: bool) -> Result<Graph> {
        let mut graph = Graph::default();
        let mut leaf_ids: Vec<Id> = Vec::with_capacity(self.leaves.len());
        for (index, leaf) in self.leaves.iter().enumerate() {
            let value = leaf.value_now();
            let origin = match value {
                Some(value) if fold && index >= self.stops => Origin::Constant(value),
                Some(value) if !fold => Origin::Input(InputDef {
                    index,
                    strides: value.layout.strides,
                }),
                _ => Origin::Input(InputDef {
                    index,
                    strides: crate::layout::contiguous_strides(leaf.shape()),
                }),
            };
            leaf_ids.push(graph.add_value(leaf.meta().clone(), leaf.device(), origin));
        }
        let mut output_ids: Vec<Vec<Id>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let inputs = node
                .inputs
                .iter()
                .map(|t| {
                    Ok(match self.place(t)? {
                        Place::Leaf(i) => leaf_ids[i],
                        Place::Output(n, o) => output_ids[n][o],
                    })
                })
                .collect::<Result<Vec<Id>>>()?;
            let outputs: Vec<Id> = node
                .metas
                .iter()
                .map(|meta| graph.add_value(meta.clone(), node.device, Origin::Node))
                .collect();
            output_ids.push(outputs.clone());
            graph.nodes.push(Node {
                work: Work::Op(node.op.clone()),
                inputs,
                outputs,
                tail: None,
                device: node.device,
                site: node.site.clone(),
            });
        }
        for (target, donor) in self.targets.iter().zip(&self.donors) {
            let value = match self.place(target)? {
                Place::Leaf(i) => leaf_ids[i],
                Place::Output(n, o) => output_ids[n][o],
            };
            graph.outputs.push(OutputDef {
                value,
                donor: donor.map(|d| leaf_ids[d]),
            });
        }
        Ok(graph)
    }
}

fn device_code(device: crate::Device) -> u64 {
    match device {
        crate::Device::Cpu => 0,
        crate::Device::Gpu(index) => 1 + u64::from(index),
    }
}
