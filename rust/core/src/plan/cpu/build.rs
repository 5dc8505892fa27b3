//! From a graph's nodes to steps: where each value lies, and what is written
//! over what.

use super::super::donate::Donated;
use super::super::graph::{Graph, Id, Node, Origin, Work};
use super::super::images;
use super::super::layout::Placed;
use super::super::memory::{self, Need};
use super::stretch::Stretch;
use super::{Arg, Border, CpuPart, Kernel, Place, Step};
use crate::call::Keeps;
use lamina_kernels::elementwise;
use parking_lot::Mutex;
use std::collections::HashMap;

/// One space for values, of the part or of a stretch's image.
#[derive(Default)]
struct Space {
    needs: Vec<Need>,
    offsets: Vec<usize>,
    bytes: usize,
}

impl Space {
    fn add(&mut self, bytes: usize, step: usize) -> usize {
        self.needs.push(Need {
            bytes,
            first: step,
            last: step,
        });
        self.needs.len() - 1
    }

    fn lay_out(&mut self) {
        (self.offsets, self.bytes) = memory::arena(&self.needs);
    }
}

struct Builder<'a> {
    graph: &'a Graph,
    placed: &'a [Placed],
    donated: &'a Donated,
    nodes: &'a [usize],
    border: &'a Border,
    stretches: Vec<images::Stretch>,
    /// In which of them each step is.
    stretch_of: Vec<Option<usize>>,
    last_read: HashMap<Id, usize>,
    /// The part's space, then one for each stretch.
    spaces: Vec<Space>,
    /// In which space a value lies, and which need of it that is.
    need_of: HashMap<Id, (usize, usize)>,
    /// Results that are written over an input that dies.
    in_place: HashMap<Id, Id>,
}

impl CpuPart {
    pub fn build(
        graph: &Graph,
        placed: &[Placed],
        donated: &Donated,
        nodes: &[usize],
        border: &Border,
    ) -> CpuPart {
        let stretches = images::stretches(graph, placed, donated, nodes);
        let mut stretch_of = vec![None; nodes.len()];
        for (index, stretch) in stretches.iter().enumerate() {
            stretch_of[stretch.steps.clone()].fill(Some(index));
        }
        let mut builder = Builder {
            graph,
            placed,
            donated,
            nodes,
            border,
            last_read: last_reads(graph, placed, nodes),
            spaces: (0..=stretches.len()).map(|_| Space::default()).collect(),
            stretches,
            stretch_of,
            need_of: HashMap::new(),
            in_place: HashMap::new(),
        };
        builder.place();
        let steps = (0..nodes.len()).map(|step| builder.step(step)).collect();
        let stretches = builder.stretches.iter().zip(&builder.spaces[1..]);
        CpuPart {
            steps,
            stretches: stretches
                .map(|(stretch, space)| {
                    let live = memory::largest_live(&space.needs);
                    Stretch::new(stretch, space.bytes, live)
                })
                .collect(),
            arena_bytes: builder.spaces[0].bytes,
            live_bytes: memory::largest_live(&builder.spaces[0].needs),
            idle: Mutex::default(),
        }
    }
}

impl Builder<'_> {
    /// Gives each value a place in a space.
    fn place(&mut self) {
        for (step, &at) in self.nodes.iter().enumerate() {
            let (graph, stretch) = (self.graph, self.stretch_of[step]);
            let node = &graph.nodes[at];
            // To the part a stretch is one moment.
            let moment = stretch.map_or(step, |s| self.stretches[s].steps.start);
            let time = |space: usize| if space == 0 { moment } else { step };
            for &id in &node.inputs {
                if let Some(&(space, need)) = self.need_of.get(&self.placed[id].root) {
                    self.spaces[space].needs[need].last = time(space);
                }
            }
            for &id in &node.outputs {
                if self.border.contains_key(&id) {
                    continue;
                }
                let last = self.last_read.get(&id).copied().unwrap_or(step);
                // What nobody reads after its stretch is kept of images at hand alone.
                let own = stretch.filter(|&s| last < self.stretches[s].steps.end);
                let space = own.map_or(0, |s| s + 1);
                if let Some((over, need)) = self.overwritten(node, id, step, space) {
                    self.in_place.insert(id, over);
                    self.spaces[space].needs[need].last = time(space);
                    self.need_of.insert(id, (space, need));
                    continue;
                }
                let images = own.map_or(1, |s| self.stretches[s].images);
                let need = self.spaces[space].add(graph.meta(id).bytes() / images, time(space));
                self.need_of.insert(id, (space, need));
            }
        }
        self.spaces.iter_mut().for_each(Space::lay_out);
    }

    /// The dying input in this space that an elementwise program may write its
    /// result over, and its need.
    fn overwritten(
        &self,
        node: &Node,
        output: Id,
        step: usize,
        space: usize,
    ) -> Option<(Id, usize)> {
        // In a stretch other images may still want what is there for all.
        let shared = space == 0 && self.stretch_of[step].is_some();
        if shared || !matches!(node.work, Work::Chain(_)) {
            return None;
        }
        let (graph, placed) = (self.graph, self.placed);
        let out = graph.meta(output);
        node.inputs.iter().find_map(|&id| {
            let Placed { root, layout } = &placed[id];
            let meta = graph.meta(id);
            let reads = node
                .inputs
                .iter()
                .filter(|&&other| placed[other].root == *root);
            let taken = |o: &Id| self.in_place.get(o) == Some(root);
            let free = !self.border.contains_key(root)
                && self.last_read.get(root) == Some(&step)
                && !node.outputs.iter().any(taken);
            let same = layout.is_contiguous()
                && layout.offset == 0
                && meta.shape == out.shape
                && meta.dtype.size() == out.dtype.size()
                && graph.meta(*root).bytes() == out.bytes();
            let &(there, need) = self.need_of.get(root)?;
            (reads.count() == 1 && free && same && there == space).then_some((*root, need))
        })
    }

    fn step(&self, step: usize) -> Step {
        let node = &self.graph.nodes[self.nodes[step]];
        let stretch = self.stretch_of[step];
        let shape = self.graph.meta(node.outputs[0]).shape.as_slice();
        let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
        let chain = matches!(node.work, Work::Chain(_));
        let spread = |slot: usize| chain || slot >= own;
        let parts = stretch.and_then(|_| images::parts(self.graph, node));
        let inputs: Vec<Arg> = (node.inputs.iter().enumerate())
            .map(|(slot, &id)| {
                let part = parts.as_ref().is_some_and(|p| p.contains(&slot));
                let images = stretch.is_some() && (part || spread(slot));
                self.arg(id, spread(slot).then_some(shape), images)
            })
            .collect();
        let over: Vec<Option<usize>> = (node.outputs.iter())
            .map(|&id| {
                let own = self.in_place.get(&id);
                let own = own.or_else(|| self.donated.donor_of.get(&id))?;
                node.inputs
                    .iter()
                    .position(|&id| self.placed[id].root == *own)
            })
            .collect();
        let outputs = node.outputs.iter();
        Step {
            kernel: match &node.work {
                Work::Op(op) => Kernel::Op(op.clone()),
                Work::Chain(chain) => Kernel::Chain(elementwise::Prepared::over(chain, &over)),
            },
            name: node.name(),
            inputs,
            outputs: outputs
                .map(|&id| self.arg(id, None, stretch.is_some()))
                .collect(),
            tail: node
                .tail
                .as_ref()
                .map(|t| (elementwise::Prepared::new(&t.chain), t.first)),
        }
    }

    fn arg(&self, id: Id, broadcast: Option<&[usize]>, images: bool) -> Arg {
        let Placed { root, layout } = &self.placed[id];
        let place = match (self.border.get(root), self.need_of.get(root)) {
            (Some(&slot), _) => Place::Slot(slot),
            (None, Some(&(0, need))) => Place::Arena(self.spaces[0].offsets[need]),
            (None, Some(&(space, need))) => Place::Image(self.spaces[space].offsets[need]),
            (None, None) => Place::Arena(0),
        };
        let keeps = match &self.graph.values[*root].origin {
            Origin::Constant(_) => Keeps::Always,
            // What a run writes over changes under its packings.
            Origin::Input(_) if !images && !self.donated.donor_of.values().any(|d| d == root) => {
                Keeps::Again
            }
            _ => Keeps::Never,
        };
        Arg {
            place,
            layout: broadcast.map_or_else(|| layout.clone(), |shape| layout.expand(shape)),
            dtype: self.graph.meta(id).dtype,
            keeps,
            images,
        }
    }
}

/// The last step that reads each root.
fn last_reads(graph: &Graph, placed: &[Placed], nodes: &[usize]) -> HashMap<Id, usize> {
    let mut last = HashMap::new();
    for (step, &at) in nodes.iter().enumerate() {
        for &id in &graph.nodes[at].inputs {
            last.insert(placed[id].root, step);
        }
    }
    last
}
