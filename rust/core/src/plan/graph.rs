//! The planner's graph: what the passes rewrite.

use crate::op::{Meta, OpRef};
use crate::ops::conv2d::scale::Scale;
use crate::{Class, DType, Device, Layout, Value};
use lamina_kernels::Chain;
use std::any::Any;
use std::sync::Arc;

/// Index of a value in [`Graph::values`].
pub type Id = usize;

pub enum Origin {
    /// Given at each run.
    Input(InputDef),
    /// Known when planning (weights of a loaded model, folded results).
    Constant(Value),
    /// Known too: a constant weight with each output channel scaled, made only
    /// where a kernel does not scale it as it packs it.
    Scaled { weight: Id, scale: Scale },
    /// Computed by a node.
    Node,
}

/// What a plan assumes of an input.
#[derive(Clone, Debug)]
pub struct InputDef {
    pub index: usize,
    pub strides: Vec<isize>,
}

pub struct ValueDef {
    pub meta: Meta,
    pub device: Device,
    pub origin: Origin,
}

/// What a node does.
#[derive(Clone)]
pub enum Work {
    Op(OpRef),
    /// A fused elementwise program; its inputs are broadcast to the shape of
    /// its outputs.
    Chain(Arc<Chain>),
}

/// An elementwise program applied to a product's result: register 0 is that
/// result, the others are the node's inputs from `first` on.
#[derive(Clone)]
pub struct Tail {
    pub chain: Arc<Chain>,
    pub first: usize,
}

pub struct Node {
    pub work: Work,
    pub inputs: Vec<Id>,
    pub outputs: Vec<Id>,
    pub tail: Option<Tail>,
    pub device: Device,
    pub site: Option<Arc<str>>,
}

impl Node {
    pub fn name(&self) -> String {
        match &self.work {
            Work::Op(op) => op.op.name().to_owned(),
            Work::Chain(chain) if chain.instrs.len() == 1 => func_name(chain),
            Work::Chain(chain) => format!("fused[{}]", chain.instrs.len()),
        }
    }

    /// What it does, if that is an op of this kind.
    pub fn op<T: Any>(&self) -> Option<&T> {
        let Work::Op(op) = &self.work else {
            return None;
        };
        let any: &dyn Any = &*op.op;
        any.downcast_ref()
    }

    pub fn class(&self) -> Class<'_> {
        match &self.work {
            Work::Op(op) => op.op.class(),
            Work::Chain(_) => Class::Compute,
        }
    }
}

fn func_name(chain: &Chain) -> String {
    crate::ops::elementwise::name_of(chain.instrs[0].func).to_owned()
}

pub struct OutputDef {
    pub value: Id,
    /// The input whose storage may hold it.
    pub donor: Option<Id>,
}

/// Nodes stand in an order in which they can run.
#[derive(Default)]
pub struct Graph {
    pub values: Vec<ValueDef>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<OutputDef>,
}

impl Graph {
    pub fn add_value(&mut self, meta: Meta, device: Device, origin: Origin) -> Id {
        self.values.push(ValueDef {
            meta,
            device,
            origin,
        });
        self.values.len() - 1
    }

    pub fn meta(&self, id: Id) -> &Meta {
        &self.values[id].meta
    }

    pub fn constant(&self, id: Id) -> Option<&Value> {
        match &self.values[id].origin {
            Origin::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// A constant's values, one for each of `count` channels of an image.
    pub fn per_channel(&self, id: Id, count: usize) -> Option<Vec<f32>> {
        let value = self.constant(id)?;
        let shape = &value.layout.shape;
        let axis = shape.len().checked_sub(3);
        let lone = |(i, n): (usize, &usize)| *n == 1 || Some(i) == axis;
        let fits = value.dtype == DType::F32
            && shape.iter().enumerate().all(lone)
            && value.layout.is_contiguous();
        let bytes = value.host_bytes()?;
        let each = match value.layout.len() {
            len if fits && (len == count || len == 1) => bytes.get(value.layout.offset * 4..)?,
            _ => return None,
        };
        let values = each
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b));
        let values: Vec<f32> = values.take(value.layout.len()).collect();
        Some(if values.len() == 1 {
            vec![values[0]; count]
        } else {
            values
        })
    }

    /// How the value lies when it comes from outside; None if computed here.
    pub fn given_layout(&self, id: Id) -> Option<Layout> {
        match &self.values[id].origin {
            Origin::Input(def) => Some(Layout {
                shape: self.values[id].meta.shape.clone(),
                strides: def.strides.clone(),
                offset: 0,
            }),
            // Where in its storage a given value starts, each run adds.
            Origin::Constant(value) => Some(Layout {
                offset: 0,
                ..value.layout.clone()
            }),
            Origin::Scaled { .. } | Origin::Node => None,
        }
    }

    /// For each value, the positions of the nodes that read it.
    pub fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.values.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                if readers[input].last() != Some(&at) {
                    readers[input].push(at);
                }
            }
        }
        readers
    }

    /// For each value, the node that computes it.
    pub fn makers(&self) -> Vec<Option<usize>> {
        let mut makers = vec![None; self.values.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            for &output in &node.outputs {
                makers[output] = Some(at);
            }
        }
        makers
    }

    pub fn is_output(&self) -> Vec<bool> {
        let mut wanted = vec![false; self.values.len()];
        for output in &self.outputs {
            wanted[output.value] = true;
        }
        wanted
    }

    /// Replaces every use of `from` by `to`, in outputs too.
    pub fn replace(&mut self, map: &dyn Fn(Id) -> Id) {
        for node in &mut self.nodes {
            for input in &mut node.inputs {
                *input = map(*input);
            }
        }
        for output in &mut self.outputs {
            output.value = map(output.value);
        }
    }
}
