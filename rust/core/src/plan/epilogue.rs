//! Epilogue fusion: an elementwise program that alone reads the f32 result
//! of a matrix product or convolution is applied to it while it is in cache
//! (CPU) or in registers (GPU).

use super::graph::{Graph, Id, Node, Tail, Work};
use crate::{Class, DType, Device};
use lamina_kernels::{Chain, Reg};
use std::sync::Arc;

/// Storage bindings left for a tail's inputs on a GPU, beside two operands,
/// one result and a spare one.
const GPU_TAIL_INPUTS: usize = 4;

pub fn epilogue(graph: &mut Graph) {
    let wanted = graph.is_output();
    // An update in place reads the old value where it writes the new one,
    // which a product's partial sums would spoil.
    let donated: Vec<Id> = graph
        .outputs
        .iter()
        .filter(|o| o.donor.is_some())
        .map(|o| o.value)
        .collect();
    let readers = graph.readers();
    let mut makers = graph.makers();
    let mut nodes: Vec<Option<Node>> = std::mem::take(&mut graph.nodes)
        .into_iter()
        .map(Some)
        .collect();
    for at in 0..nodes.len() {
        if nodes[at]
            .as_ref()
            .is_some_and(|n| n.outputs.iter().any(|o| donated.contains(o)))
        {
            continue;
        }
        let Some((slot, producer)) = fusable(graph, &nodes, at, &makers, &readers, &wanted) else {
            continue;
        };
        let (Some(node), Some(mut product)) = (nodes[at].take(), nodes[producer].take()) else {
            continue;
        };
        let Work::Chain(chain) = &node.work else {
            continue;
        };
        product.tail = Some(Tail {
            chain: Arc::new(front(chain, slot)),
            first: product.inputs.len(),
        });
        product.inputs.extend(without(&node.inputs, slot));
        product.outputs = node.outputs;
        makers[product.outputs[0]] = Some(at);
        nodes[at] = Some(product);
    }
    graph.nodes = nodes.into_iter().flatten().collect();
}

/// The product that can take the program at `at` as its tail, and which of
/// the program's inputs its result is.
fn fusable(
    graph: &Graph,
    nodes: &[Option<Node>],
    at: usize,
    makers: &[Option<usize>],
    readers: &[Vec<usize>],
    wanted: &[bool],
) -> Option<(usize, usize)> {
    let node = nodes[at].as_ref()?;
    let Work::Chain(chain) = &node.work else {
        return None;
    };
    let [output] = node.outputs[..] else {
        return None;
    };
    if graph.meta(output).dtype != DType::F32 {
        return None;
    }
    let limit = if node.device == Device::Cpu {
        usize::MAX
    } else {
        GPU_TAIL_INPUTS
    };
    node.inputs.iter().enumerate().find_map(|(slot, &input)| {
        let producer = makers[input]?;
        let product = nodes[producer].as_ref()?;
        let fits = matches!(product.class(), Class::Product)
            && product.tail.is_none()
            && product.outputs.len() == 1
            && product.device == node.device
            && *graph.meta(input) == *graph.meta(output)
            && !wanted[input]
            && readers[input] == [at]
            && chain.inputs.len() - 1 <= limit;
        fits.then_some((slot, producer))
    })
}

fn without(inputs: &[usize], slot: usize) -> Vec<usize> {
    inputs
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != slot)
        .map(|(_, &id)| id)
        .collect()
}

/// The same program with input `slot` as register 0.
fn front(chain: &Chain, slot: usize) -> Chain {
    let moved = |reg: Reg| match usize::from(reg) {
        r if r == slot => 0,
        r if r < slot => reg + 1,
        _ => reg,
    };
    let mut out = chain.clone();
    let dtype = out.inputs.remove(slot);
    out.inputs.insert(0, dtype);
    for instr in &mut out.instrs {
        for arg in &mut instr.args {
            *arg = moved(*arg);
        }
    }
    for output in &mut out.outputs {
        *output = moved(*output);
    }
    out
}
