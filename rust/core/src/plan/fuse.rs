//! Elementwise fusion: chains of elementwise ops of one shape become one
//! program.  A group grows at its last node; a value that others read too
//! becomes one more output of the program.

use super::graph::{Graph, Id, Node, Work};
use crate::call::gpu_storage;
use crate::{Class, DType, Device};
use lamina_kernels::{Chain, Func, Instr, Reg};
use std::collections::HashMap;
use std::sync::Arc;

/// Memory operands of one program: WebGPU guarantees eight storage bindings,
/// one of which is left spare.
const GPU_OPERANDS: usize = 7;
const CPU_OPERANDS: usize = 24;
const INSTRUCTIONS: usize = 96;

/// Ops on dtypes that a GPU does not hold, and elementwise ones that WGSL
/// cannot say, move to the CPU before anything is fused, so that they take no
/// others with them.
pub fn place(graph: &mut Graph) -> Vec<String> {
    let mut moved = Vec::new();
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        if node.device == Device::Cpu {
            continue;
        }
        if let Some(why) = not_on_gpu(graph, node) {
            moved.push(format!("{} runs on the CPU: {why}", node.name()));
            graph.nodes[at].device = Device::Cpu;
        }
    }
    moved
}

/// Why a node runs on no GPU, whatever its kernels.  Views do not run.
pub fn not_on_gpu(graph: &Graph, node: &Node) -> Option<String> {
    let ids = node.inputs.iter().chain(&node.outputs);
    let dtypes: Vec<DType> = ids.map(|&id| graph.meta(id).dtype).collect();
    match node.class() {
        Class::View(_) => None,
        Class::Elementwise(func) => crate::ops::elementwise::not_on_gpu(func, &dtypes),
        _ => dtypes
            .into_iter()
            .find(|&dtype| gpu_storage(dtype).is_none())
            .map(|dtype| format!("{dtype} does not exist on a GPU")),
    }
}

struct Group {
    /// Positions of its nodes, rising; the last is where it runs.
    nodes: Vec<usize>,
}

pub fn fuse(graph: &mut Graph) {
    let readers = graph.readers();
    let makers = graph.makers();
    let wanted = graph.is_output();
    let mut group_of: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut groups: Vec<Option<Group>> = Vec::new();
    for at in 0..graph.nodes.len() {
        if !matches!(graph.nodes[at].class(), Class::Elementwise(_)) {
            continue;
        }
        let mut mine = Group { nodes: vec![at] };
        let shape = graph.meta(graph.nodes[at].outputs[0]).shape.clone();
        for slot in 0..graph.nodes[at].inputs.len() {
            let input = graph.nodes[at].inputs[slot];
            let Some(other) = makers[input].and_then(|m| group_of[m]) else {
                continue;
            };
            let Some(theirs) = &groups[other] else {
                continue;
            };
            let first = theirs.nodes[0];
            let same_kind = graph.nodes[first].device == graph.nodes[at].device
                && graph.meta(graph.nodes[first].outputs[0]).shape == shape;
            if same_kind
                && !between_products(graph, &mine, theirs, &makers, &readers)
                && !mine.nodes.contains(&theirs.nodes[0])
                && may_join(graph, theirs, &mine, at, &readers)
            {
                let mut nodes = [mine.nodes.clone(), theirs.nodes.clone()].concat();
                nodes.sort_unstable();
                nodes.dedup();
                let merged = Group { nodes };
                if fits(graph, &merged, &readers, &wanted) {
                    mine = merged;
                    groups[other] = None;
                }
            }
        }
        for &node in &mine.nodes {
            group_of[node] = Some(groups.len());
        }
        groups.push(Some(mine));
    }
    rewrite(graph, &groups, &group_of, &readers, &wanted);
}

/// Whether both groups can end a product's kernel, each of another product:
/// one group would leave one of the products without its bias.
fn between_products(
    graph: &Graph,
    mine: &Group,
    theirs: &Group,
    makers: &[Option<usize>],
    readers: &[Vec<usize>],
) -> bool {
    let product = |group: &Group| {
        let mut inputs = group.nodes.iter().flat_map(|&n| &graph.nodes[n].inputs);
        inputs.find_map(|&input| {
            let maker = makers[input]?;
            let alone = readers[input].len() == 1;
            (alone && matches!(graph.nodes[maker].class(), Class::Product)).then_some(maker)
        })
    };
    matches!((product(mine), product(theirs)), (Some(a), Some(b)) if a != b)
}

/// Moving `theirs` down to `at` must not pass a reader of its results.
fn may_join(
    graph: &Graph,
    theirs: &Group,
    mine: &Group,
    at: usize,
    readers: &[Vec<usize>],
) -> bool {
    theirs.nodes.iter().all(|&n| {
        graph.nodes[n].outputs.iter().all(|&value| {
            readers[value]
                .iter()
                .all(|&r| r >= at || theirs.nodes.contains(&r) || mine.nodes.contains(&r))
        })
    })
}

fn fits(graph: &Graph, group: &Group, readers: &[Vec<usize>], wanted: &[bool]) -> bool {
    let (inputs, outputs) = borders(graph, group, readers, wanted);
    let limit = match graph.nodes[group.nodes[0]].device {
        Device::Cpu => CPU_OPERANDS,
        Device::Gpu(_) => GPU_OPERANDS,
    };
    inputs.len() + outputs.len() <= limit && group.nodes.len() <= INSTRUCTIONS
}

/// What a group reads from outside and what outside reads of it.
fn borders(
    graph: &Graph,
    group: &Group,
    readers: &[Vec<usize>],
    wanted: &[bool],
) -> (Vec<Id>, Vec<Id>) {
    let made: Vec<Id> = group
        .nodes
        .iter()
        .flat_map(|&n| graph.nodes[n].outputs.iter().copied())
        .collect();
    let mut inputs = Vec::new();
    for &n in &group.nodes {
        for &input in &graph.nodes[n].inputs {
            if !made.contains(&input) && !inputs.contains(&input) {
                inputs.push(input);
            }
        }
    }
    let outputs = made
        .into_iter()
        .filter(|&v| wanted[v] || readers[v].iter().any(|r| !group.nodes.contains(r)))
        .collect();
    (inputs, outputs)
}

fn rewrite(
    graph: &mut Graph,
    groups: &[Option<Group>],
    group_of: &[Option<usize>],
    readers: &[Vec<usize>],
    wanted: &[bool],
) {
    let mut fused: HashMap<usize, Node> = HashMap::new();
    for group in groups.iter().flatten() {
        let (inputs, outputs) = borders(graph, group, readers, wanted);
        let last = group.nodes[group.nodes.len() - 1];
        let chain = chain_of(graph, group, &inputs, &outputs);
        let like = &graph.nodes[last];
        let node = Node {
            work: Work::Chain(Arc::new(chain)),
            inputs,
            outputs,
            tail: None,
            device: like.device,
            site: like.site.clone(),
        };
        fused.insert(last, node);
    }
    let nodes = std::mem::take(&mut graph.nodes);
    for (at, node) in nodes.into_iter().enumerate() {
        if group_of[at].is_none() {
            graph.nodes.push(node);
        } else if let Some(node) = fused.remove(&at) {
            graph.nodes.push(node);
        }
    }
}

fn chain_of(graph: &Graph, group: &Group, inputs: &[Id], outputs: &[Id]) -> Chain {
    let mut register: HashMap<Id, Reg> = inputs
        .iter()
        .enumerate()
        .map(|(i, &id)| (id, i as Reg))
        .collect();
    let mut instrs = Vec::with_capacity(group.nodes.len());
    for &n in &group.nodes {
        let node = &graph.nodes[n];
        let Class::Elementwise(func) = node.class() else {
            continue;
        };
        let mut args = [0; 3];
        for (arg, id) in args.iter_mut().zip(&node.inputs) {
            *arg = register[id];
        }
        // Where's condition comes first; its dtype is that of the branches.
        let typed = if func == Func::Where {
            node.inputs[1]
        } else {
            node.inputs[0]
        };
        register.insert(node.outputs[0], (inputs.len() + instrs.len()) as Reg);
        instrs.push(Instr {
            func,
            dtype: graph.meta(typed).dtype,
            args,
        });
    }
    Chain {
        inputs: inputs.iter().map(|&id| graph.meta(id).dtype).collect(),
        instrs,
        outputs: outputs.iter().map(|id| register[id]).collect(),
    }
}
