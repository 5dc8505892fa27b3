//! From recorded tensors to the planner's graph and its key.

use super::composed::is_number_of_gelu;
use super::graph::{Graph, Id, InputDef, Node, Origin, OutputDef, Work};
use crate::hash::{Fingerprint, IdMap};
use crate::node::{Node as Recorded, Source};
use crate::op::Class;
use crate::ops::elementwise as e;
use crate::{Error, Result, Storage, Tensor};
use lamina_kernels::Func;
use std::sync::{Arc, LazyLock};

/// What is to be computed: recorded nodes, each behind those it reads, what
/// they read from outside, and the results wanted.
pub(crate) struct Capture {
    nodes: Vec<Captured>,
    pub(crate) leaves: Vec<Tensor>,
    /// The first of the leaves, which stay inputs when constants are folded.
    stops: usize,
    pub(crate) targets: Vec<Tensor>,
    /// For each target, the leaf whose storage it may reuse.
    pub(crate) donors: Vec<Option<usize>>,
    /// Where each target comes from.
    made: Vec<Place>,
    /// Where the inputs of all nodes come from.
    read: Vec<Place>,
    /// By id: positions of nodes, leaves and targets.
    node_at: IdMap<usize>,
    leaf_at: IdMap<usize>,
    target_at: IdMap<usize>,
}

struct Captured {
    node: Arc<Recorded>,
    /// Where its inputs begin in `read`.
    first: usize,
}

#[derive(Clone, Copy)]
enum Place {
    Leaf(usize),
    /// The node's position, and which of its outputs.
    Output(usize, usize),
}

/// What a tensor turns out to be.
enum Reached {
    Known(Place),
    /// An output of a node that has not been visited yet.
    New(Source),
}

/// A node whose inputs are being reached.
struct Open {
    /// It, and which of its outputs was asked for.
    source: Source,
    /// How many of them have been.
    reached: usize,
}

impl Capture {
    /// Walks from `targets` to computed values, or to `stops` (placeholders).
    pub(crate) fn new(targets: Vec<Tensor>, stops: &[Tensor]) -> Result<Capture> {
        let mut capture = Capture {
            nodes: Vec::new(),
            leaves: stops.to_vec(),
            stops: stops.len(),
            targets: Vec::new(),
            donors: Vec::new(),
            made: Vec::new(),
            read: Vec::new(),
            node_at: IdMap::default(),
            leaf_at: stops.iter().enumerate().map(|(i, t)| (t.id(), i)).collect(),
            target_at: IdMap::default(),
        };
        capture.want(targets)?;
        Ok(capture)
    }

    /// More targets; those that are targets already change nothing.
    pub(crate) fn want(&mut self, targets: Vec<Tensor>) -> Result<()> {
        let (mut open, mut found) = (Vec::new(), Vec::new());
        for target in targets {
            if self.target_at.contains_key(&target.id()) {
                continue;
            }
            self.target_at.insert(target.id(), self.targets.len());
            let place = self.visit(&target, &mut open, &mut found)?;
            self.made.push(place);
            self.targets.push(target);
            self.donors.push(None);
        }
        Ok(())
    }

    /// Where `target` comes from.  What it needs and is not yet captured is
    /// from now on, depth first, each node behind its inputs: an order that
    /// follows from structure alone.  `open` and `found` are room for the
    /// walk, empty between calls: the nodes on the way down, and where those
    /// of their inputs come from that have been reached.
    fn visit(
        &mut self,
        target: &Tensor,
        open: &mut Vec<Open>,
        found: &mut Vec<Place>,
    ) -> Result<Place> {
        let mut next = self.reach(target)?;
        loop {
            match next {
                Reached::Known(place) => found.push(place),
                Reached::New(source) => open.push(Open { source, reached: 0 }),
            }
            next = loop {
                let Some(Open { source, reached }) = open.last_mut() else {
                    let place = found.pop();
                    return place.ok_or_else(|| Error::internal("a walk that reached nothing"));
                };
                if let Some(input) = source.node.inputs.get(*reached) {
                    *reached += 1;
                    break self.reach(input)?;
                }
                if let Some(Open { source, reached }) = open.pop() {
                    let place = self.add(source, found.drain(found.len() - reached..));
                    found.push(place);
                }
            };
        }
    }

    /// A node whose inputs come from `inputs`, at the end.
    fn add(&mut self, source: Source, inputs: impl Iterator<Item = Place>) -> Place {
        let Source { node, output } = source;
        let first = self.read.len();
        self.read.extend(inputs);
        self.node_at.insert(node.id, self.nodes.len());
        self.nodes.push(Captured { node, first });
        Place::Output(self.nodes.len() - 1, output)
    }

    /// What a tensor is to this capture; a value is a leaf from now on.
    fn reach(&mut self, tensor: &Tensor) -> Result<Reached> {
        let leaf = |leaf| Ok(Reached::Known(Place::Leaf(leaf)));
        if let Some(&stop) = (self.stops > 0)
            .then(|| self.leaf_at.get(&tensor.id()))
            .flatten()
        {
            return leaf(stop);
        }
        let state = tensor.0.state.lock();
        match (&state.value, &state.source, &state.lost) {
            (Some(_), _, _) => {
                drop(state);
                let at = *self.leaf_at.entry(tensor.id()).or_insert(self.leaves.len());
                if at == self.leaves.len() {
                    self.leaves.push(tensor.clone());
                }
                leaf(at)
            }
            (None, Some(source), _) => Ok(match self.node_at.get(&source.node.id) {
                Some(&node) => Reached::Known(Place::Output(node, source.output)),
                None => Reached::New(source.clone()),
            }),
            (None, None, Some(why)) => Err(Error::lost(why.clone())),
            (None, None, None) => Err(Error::argument(
                "a model input has no value: it can be run only through its model",
            )),
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<Recorded>> {
        self.nodes.iter().map(|captured| &captured.node)
    }

    pub(crate) fn leaf_index(&self, tensor: &Tensor) -> Option<usize> {
        self.leaf_at.get(&tensor.id()).copied()
    }

    pub(crate) fn target_index(&self, tensor: &Tensor) -> Option<usize> {
        self.target_at.get(&tensor.id()).copied()
    }

    pub(crate) fn node_index(&self, node: &Recorded) -> Option<usize> {
        self.node_at.get(&node.id).copied()
    }

    fn read_by(&self, at: usize) -> &[Place] {
        let Captured { node, first } = &self.nodes[at];
        &self.read[*first..first + node.inputs.len()]
    }

    /// For each node, whether it depends on one of `leaves`.
    pub(crate) fn depends(&self, leaves: &[usize]) -> Vec<bool> {
        let mut depends = vec![false; self.nodes.len()];
        for at in 0..self.nodes.len() {
            depends[at] = self.read_by(at).iter().any(|place| match place {
                Place::Leaf(leaf) => leaves.contains(leaf),
                Place::Output(node, _) => depends[*node],
            });
        }
        depends
    }

    /// The leaves whose numbers are structure, with those numbers: such as may
    /// belong to a GELU or a layer norm spelt out.  A number that changes from
    /// run to run, as a learning rate, is none of them.
    fn fixed(&self) -> Vec<(usize, f64)> {
        static PIVOTS: LazyLock<[u64; 3]> =
            LazyLock::new(|| [Func::Erf, Func::Tanh, Func::Add].map(|func| e::op(func).key));
        let [erf, tanh, add] = *PIVOTS;
        let number = |leaf: usize| {
            let leaf = &self.leaves[leaf];
            let state = leaf.0.state.lock();
            let value = state.value.as_ref().filter(|_| leaf.is_host_scalar())?;
            let bytes = value.host_bytes().filter(|_| leaf.dtype().is_float())?;
            let at = value.layout.offset * leaf.dtype().size();
            Some(crate::scalar::read(leaf.dtype(), bytes.get(at..)?))
        };
        let mut fixed: Vec<(usize, f64)> = Vec::new();
        let mut gelu = false;
        for (at, Captured { node, .. }) in self.nodes.iter().enumerate() {
            gelu |= node.op.key == erf || node.op.key == tanh;
            if node.op.key != add {
                continue;
            }
            // What is added to a mean may be a layer norm's eps.
            if let [Place::Leaf(leaf), Place::Output(from, _)]
            | [Place::Output(from, _), Place::Leaf(leaf)] = *self.read_by(at)
                && self.nodes[from].node.op.op.name() == "mean"
                && let Some(eps) = number(leaf)
            {
                fixed.push((leaf, eps));
            }
        }
        if gelu {
            let known = (0..self.leaves.len()).filter_map(|leaf| Some((leaf, number(leaf)?)));
            fixed.extend(known.filter(|(_, number)| is_number_of_gelu(*number)));
        }
        fixed
    }

    /// Positions of such nodes, in the order in which they were recorded.
    fn recorded(&self, such: impl Fn(&Recorded) -> bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len())
            .filter(|&at| such(&self.nodes[at].node))
            .collect();
        order.sort_unstable_by_key(|&at| self.nodes[at].node.id);
        order
    }

    /// 128 bits of structure: ops and parameters, edges, what the leaves are,
    /// what is wanted and what may be donated.
    pub(crate) fn key(&self) -> u128 {
        let mut key = Fingerprint::new();
        let fixed = self.fixed();
        key.put(fixed.len() as u64);
        for (leaf, number) in fixed {
            key.put(leaf as u64);
            key.put(number.to_bits());
        }
        for leaf in &self.leaves {
            key.put(u64::from(leaf.dtype().number()));
            key.put(device_code(leaf.device()));
            match &leaf.0.state.lock().value {
                Some(value) => {
                    key.put(u64::from(
                        matches!(value.storage, Storage::Inline(_)) || leaf.is_host_scalar(),
                    ));
                    key.put(value.layout.shape.len() as u64);
                    for (&n, &stride) in value.layout.shape.iter().zip(&value.layout.strides) {
                        key.put(n as u64);
                        key.put(stride as u64);
                    }
                }
                None => leaf.shape().iter().for_each(|&n| key.put(n as u64)),
            }
        }
        for place in self.read.iter().chain(&self.made) {
            key.put(match *place {
                Place::Leaf(leaf) => (leaf as u64) << 1,
                Place::Output(node, output) => ((node as u64) << 9) | ((output as u64) << 1) | 1,
            });
        }
        for Captured { node, .. } in &self.nodes {
            key.put(node.op.key);
            key.put((device_code(node.device) << 32) | node.inputs.len() as u64);
        }
        for at in self.recorded(|node| matches!(node.op.op.class(), Class::Opaque)) {
            key.put(at as u64);
        }
        for donor in &self.donors {
            key.put(donor.map_or(u64::MAX, |d| d as u64));
        }
        key.put(self.targets.len() as u64);
        key.finish()
    }

    /// The planner's graph.  With `fold`, leaves marked constant are part of
    /// it (a loaded model's weights); else only fixed numbers are.
    pub(crate) fn graph(&self, fold: bool) -> Graph {
        let mut graph = Graph::default();
        let fixed = self.fixed();
        let mut leaf_ids: Vec<Id> = Vec::with_capacity(self.leaves.len());
        for (index, leaf) in self.leaves.iter().enumerate() {
            let value = leaf.value_now();
            let origin = match value {
                Some(value) if fold && index >= self.stops => Origin::Constant(value),
                Some(value) if fixed.iter().any(|(leaf, _)| *leaf == index) => {
                    Origin::Constant(value)
                }
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
        let mut output_ids: Vec<Vec<Id>> = vec![Vec::new(); self.nodes.len()];
        let value = |place: &Place, outputs: &[Vec<Id>]| match *place {
            Place::Leaf(leaf) => leaf_ids[leaf],
            Place::Output(node, output) => outputs[node][output],
        };
        for at in self.recorded(|_| true) {
            let node = &self.nodes[at].node;
            let inputs = (self.read_by(at).iter())
                .map(|place| value(place, &output_ids))
                .collect();
            let outputs: Vec<Id> = node
                .metas
                .iter()
                .map(|meta| graph.add_value(meta.clone(), node.device, Origin::Node))
                .collect();
            output_ids[at].clone_from(&outputs);
            graph.nodes.push(Node {
                work: Work::Op(node.op.clone()),
                inputs,
                outputs,
                tail: None,
                device: node.device,
                site: node.site.clone(),
            });
        }
        for (place, donor) in self.made.iter().zip(&self.donors) {
            graph.outputs.push(OutputDef {
                value: value(place, &output_ids),
                donor: donor.map(|d| leaf_ids[d]),
            });
        }
        graph
    }
}

fn device_code(device: crate::Device) -> u64 {
    match device {
        crate::Device::Cpu => 0,
        crate::Device::Gpu(index) => 1 + u64::from(index),
    }
}
