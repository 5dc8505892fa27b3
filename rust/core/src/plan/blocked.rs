//! The blocked layout of images, where it pays: regions of convolutions and
//! of what stands between them get twins that work on blocks; only a
//! region's borders are reordered.  Runs after the epilogues are fused, of
//! which a blocked convolution takes bias, residual and activation into its
//! registers.

use super::graph::{Graph, Id, Node, Origin, Work};
use super::leading::Beginning;
use crate::op::{Blocked, Meta, OpRef};
use crate::ops::conv2d::blocked::Conv2dBlocked;
use crate::ops::reorder::{Reorder, blocked_shape};
use crate::{DType, Device, Result, Value};
use lamina_kernels::{Activation, Func, Isa, blocked};
use std::collections::HashMap;

/// Operations in the time in which a reorder moves a byte, and in which one
/// begins.
const FLOPS_PER_BYTE: f64 = 5.0;
const REORDER: f64 = 1e5;
/// How often a weight's bytes are moved as it is packed.
const PACKED: f64 = 8.0;

pub fn blocked(graph: &mut Graph) -> Result<()> {
    let twins = choose(graph);
    if twins.iter().all(Option::is_none) {
        return Ok(());
    }
    rewrite(graph, twins)
}

/// A node's part in a region.
struct Twin {
    /// None: the elementwise program itself.
    op: Option<OpRef>,
    /// Which inputs are taken in blocks.
    images: Vec<bool>,
    /// The first so many results are given in blocks.
    results: usize,
    /// Inputs of the op, before those of its tail.
    own: usize,
    gain: f64,
}

/// Twins of the nodes of regions that gain.
fn choose(graph: &Graph) -> Vec<Option<Twin>> {
    let makers = graph.makers();
    let mut twins: Vec<Option<Twin>> = Vec::with_capacity(graph.nodes.len());
    let mut region: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    for (at, node) in graph.nodes.iter().enumerate() {
        region.push(at);
        let made_in_blocks = |id: Id| in_blocks(graph, &makers, &twins, id);
        let twin = twin_of(graph, node, &made_in_blocks);
        if let Some(twin) = &twin {
            let images = node.inputs.iter().zip(&twin.images).filter(|(_, i)| **i);
            let inside = images.filter(|(id, _)| made_in_blocks(**id));
            for maker in inside.filter_map(|(id, _)| makers[*id]) {
                let (mine, theirs) = (region[at], region[maker]);
                region
                    .iter_mut()
                    .filter(|r| **r == mine)
                    .for_each(|r| *r = theirs);
            }
        }
        twins.push(twin);
    }
    let gains = gains(graph, &twins, &region);
    for (at, twin) in twins.iter_mut().enumerate() {
        if gains.get(&region[at]).is_none_or(|gain| *gain <= 0.0) {
            *twin = None;
        }
    }
    twins
}

/// Whether a value is made in blocks, by one of the nodes seen so far.
fn in_blocks(graph: &Graph, makers: &[Option<usize>], twins: &[Option<Twin>], id: Id) -> bool {
    let Some((maker, Some(twin))) = makers[id].and_then(|m| Some((m, twins.get(m)?.as_ref())))
    else {
        return false;
    };
    graph.nodes[maker].outputs[..twin.results].contains(&id)
}

/// What each region saves, less what its borders cost.
fn gains(graph: &Graph, twins: &[Option<Twin>], region: &[usize]) -> HashMap<usize, f64> {
    let makers = graph.makers();
    let mut gains: HashMap<usize, f64> = HashMap::new();
    let mut entered: HashMap<Id, usize> = HashMap::new();
    for (at, (node, twin)) in graph.nodes.iter().zip(twins).enumerate() {
        let Some(twin) = twin else { continue };
        *gains.entry(region[at]).or_default() += twin.gain;
        let images = node.inputs.iter().zip(&twin.images).filter(|(_, i)| **i);
        for (&id, _) in images {
            if !in_blocks(graph, &makers, twins, id) {
                entered.insert(id, region[at]);
            }
        }
    }
    let cost = |id: Id| REORDER + graph.meta(id).bytes() as f64 * FLOPS_PER_BYTE;
    for (id, region) in entered {
        *gains.entry(region).or_default() -= cost(id);
    }
    let leaves = leaving(graph, twins);
    for (id, maker) in makers.iter().enumerate() {
        if let Some(maker) = *maker
            && leaves[id]
            && in_blocks(graph, &makers, twins, id)
        {
            *gains.entry(region[maker]).or_default() -= cost(id);
        }
    }
    gains
}

/// The values that are read as they were recorded.
fn leaving(graph: &Graph, twins: &[Option<Twin>]) -> Vec<bool> {
    let mut leaves = graph.is_output();
    for (node, twin) in graph.nodes.iter().zip(twins) {
        for (slot, &id) in node.inputs.iter().enumerate() {
            leaves[id] |= twin.as_ref().is_none_or(|twin| !twin.images[slot]);
        }
    }
    leaves
}

fn twin_of(graph: &Graph, node: &Node, made_in_blocks: &dyn Fn(Id) -> bool) -> Option<Twin> {
    let out = graph.meta(*node.outputs.first()?);
    if node.device != Device::Cpu || out.shape.len() != 4 || out.dtype != DType::F32 {
        return None;
    }
    let Work::Op(op) = &node.work else {
        let images = program_images(graph, &node.inputs, &out.shape)?;
        let mut read = node.inputs.iter().zip(&images);
        let inside = read.any(|(id, image)| *image && made_in_blocks(*id));
        let whole = node
            .outputs
            .iter()
            .all(|id| graph.meta(*id).dtype == DType::F32);
        return (inside && whole).then_some(Twin {
            op: None,
            images,
            results: node.outputs.len(),
            own: 0,
            gain: 0.0,
        });
    };
    let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
    let metas: Vec<&Meta> = node.inputs[..own]
        .iter()
        .map(|&id| graph.meta(id))
        .collect();
    let Blocked {
        op: twin,
        images,
        results,
        saves,
        packs,
    } = op.op.blocked(&metas)?;
    let gain = match saves {
        Some(saves) => saves - packs.map_or(0.0, |slot| packing(graph, node.inputs[slot])),
        None if node.inputs[images.clone()]
            .iter()
            .any(|id| made_in_blocks(*id)) =>
        {
            0.0
        }
        None => return None,
    };
    let mut images: Vec<bool> = (0..own).map(|slot| images.contains(&slot)).collect();
    images.extend(program_images(graph, &node.inputs[own..], &out.shape)?);
    Some(Twin {
        op: Some(twin),
        images,
        results,
        own,
        gain,
    })
}

/// What it costs to pack a weight in every run, where it changes.
fn packing(graph: &Graph, weight: Id) -> f64 {
    match graph.values[weight].origin {
        Origin::Constant(_) | Origin::Scaled { .. } => 0.0,
        _ => PACKED * graph.meta(weight).bytes() as f64 * FLOPS_PER_BYTE,
    }
}

/// Which inputs of an elementwise program are images of its shape; None where
/// one can be no operand in blocks.
fn program_images(graph: &Graph, inputs: &[Id], shape: &[usize]) -> Option<Vec<bool>> {
    let form = |id: &Id| {
        let meta = graph.meta(*id);
        if meta.shape == shape {
            return (meta.dtype == DType::F32).then_some(true);
        }
        let known = meta.len() == 1 || is_per_channel(graph, *id, shape[1]);
        known.then_some(false)
    };
    inputs.iter().map(form).collect()
}

/// Whether a value has an element for each of `count` channels of an image.
fn is_per_channel(graph: &Graph, id: Id, count: usize) -> bool {
    let meta = graph.meta(id);
    let shaped = match meta.shape[..] {
        [1, channels, 1, 1] | [channels, 1, 1] => channels == count,
        _ => false,
    };
    (shaped && meta.dtype == DType::F32) || graph.per_channel(id, count).is_some()
}

struct Rewriter<'g> {
    graph: &'g mut Graph,
    /// The twin in blocks of a value.
    in_blocks: HashMap<Id, Id>,
}

fn rewrite(graph: &mut Graph, twins: Vec<Option<Twin>>) -> Result<()> {
    let left = leaving(graph, &twins);
    let nodes = std::mem::take(&mut graph.nodes);
    let mut rewriter = Rewriter {
        graph,
        in_blocks: HashMap::new(),
    };
    for (node, twin) in nodes.into_iter().zip(twins) {
        match twin {
            None => rewriter.graph.nodes.push(node),
            Some(twin) => rewriter.node(node, &twin, &left)?,
        }
    }
    Ok(())
}

impl Rewriter<'_> {
    fn node(&mut self, mut node: Node, twin: &Twin, left: &[bool]) -> Result<()> {
        let outputs = node.outputs.clone();
        let shape = self.graph.meta(outputs[0]).shape.clone();
        if let Some(op) = &twin.op {
            node.work = Work::Op(self.epilogue(op, &mut node, &shape)?);
        }
        // What the op reads itself is known; programs' operands tell by shape.
        let asked = match &twin.op {
            Some(_) => twin.own,
            None => 0,
        };
        for slot in 0..node.inputs.len() {
            let id = node.inputs[slot];
            let meta = self.graph.meta(id);
            let image = if slot < asked {
                twin.images[slot]
            } else {
                meta.shape == shape
            };
            if image {
                node.inputs[slot] = self.enter(id, &node)?;
            } else if slot >= asked && meta.len() > 1 && meta.shape.len() < 5 {
                node.inputs[slot] = self.per_channel(id, shape[1], &node)?;
            }
        }
        for (slot, &output) in outputs.iter().enumerate().take(twin.results) {
            let meta = self.graph.meta(output);
            let in_blocks = Meta::new(meta.dtype, blocked_shape(&meta.shape).unwrap_or_default());
            node.outputs[slot] = self.graph.add_value(in_blocks, node.device, Origin::Node);
            self.in_blocks.insert(output, node.outputs[slot]);
        }
        let (device, site) = (node.device, node.site.clone());
        let made = node.outputs[..twin.results].to_vec();
        self.graph.nodes.push(node);
        for (plain, in_blocks) in outputs.into_iter().zip(made) {
            if left[plain] {
                self.graph.nodes.push(Node {
                    work: Work::Op(Reorder::op(shape[1], false)),
                    inputs: vec![in_blocks],
                    outputs: vec![plain],
                    tail: None,
                    device,
                    site: site.clone(),
                });
            }
        }
        Ok(())
    }

    /// The twin of a value from outside the region.
    fn enter(&mut self, id: Id, like: &Node) -> Result<Id> {
        if let Some(&known) = self.in_blocks.get(&id) {
            return Ok(known);
        }
        let meta = self.graph.meta(id).clone();
        // Of (channels, height, width) as of (batch, channels, ...).
        let op = Reorder::op(meta.shape[meta.shape.len() - 3], true);
        let made = op.op.infer(&[&meta])?.remove(0);
        let twin = self.graph.add_value(made, like.device, Origin::Node);
        self.graph.nodes.push(Node {
            work: Work::Op(op),
            inputs: vec![id],
            outputs: vec![twin],
            tail: None,
            device: like.device,
            site: like.site.clone(),
        });
        self.in_blocks.insert(id, twin);
        Ok(twin)
    }

    /// A value for each lane, (1, blocks, 1, 1, lanes), of one for each of
    /// `count` channels: a constant, if that is one.
    fn per_channel(&mut self, id: Id, count: usize, like: &Node) -> Result<Id> {
        let isa = Isa::current();
        let Some(values) = self.graph.per_channel(id, count) else {
            return self.enter(id, like);
        };
        let padded = blocked::pad_channels(isa, &values);
        let bytes: Vec<u8> = padded.iter().flat_map(|v| v.to_le_bytes()).collect();
        let shape = [1, padded.len() / isa.lanes(), 1, 1, isa.lanes()];
        let value = Value::from_bytes(DType::F32, &shape, &bytes)?;
        let meta = Meta::new(DType::F32, shape);
        Ok(self
            .graph
            .add_value(meta, Device::Cpu, Origin::Constant(value)))
    }

    /// Takes the scale of a convolution's weight, and what begins its tail, if
    /// that is a bias, a residual or an activation, into its op.
    fn epilogue(&mut self, op: &OpRef, node: &mut Node, shape: &[usize]) -> Result<OpRef> {
        let as_any: &dyn std::any::Any = &*op.op;
        let Some(conv) = as_any.downcast_ref::<Conv2dBlocked>() else {
            return Ok(op.clone());
        };
        let mut conv = conv.clone();
        if let Origin::Scaled { weight, scale } = &self.graph.values[node.inputs[1]].origin {
            conv.scale = Some(scale.clone());
            node.inputs[1] = *weight;
        }
        let Some(mut tail) = Beginning::of(node) else {
            return Ok(OpRef::new(conv));
        };
        let first = node.tail.as_ref().map_or(0, |tail| tail.first);
        let mut own = node.inputs[..first].to_vec();
        let bias = tail.take(Func::Add, |id| is_per_channel(self.graph, id, shape[1]));
        if let Some(bias) = bias {
            own.push(self.per_channel(bias, shape[1], node)?);
            conv.bias = true;
        }
        let residual = tail.take(Func::Add, |id| self.graph.meta(id).shape == shape);
        own.extend(residual);
        conv.residual = residual.is_some();
        conv.activation = tail.take_activation().unwrap_or(Activation::NONE);
        (node.inputs, node.tail) = tail.rest(own);
        Ok(OpRef::new(conv))
    }
}
