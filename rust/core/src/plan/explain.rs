//! What a plan does, step by step.

use super::graph::{Graph, Work};
use super::layout::Placed;
use super::schedule::Part;
use crate::op::Meta;
use crate::{Class, DType, Device};

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct StepInfo {
    /// The op, or `fused[n]` for an elementwise program of n instructions.
    pub op: String,
    /// What runs: the kernel, with the tail fused into it.
    pub kernel: String,
    pub device: Device,
    pub shape: Vec<usize>,
    pub dtype: &'static str,
    /// Bytes read and written, each operand once.
    pub bytes: u64,
    /// Floating-point operations, a multiply-add counted as two.
    pub flops: u64,
    pub params: String,
    /// For how many images of a batch at a time it runs, with the steps beside
    /// it; None: for all of them.
    pub images_at_once: Option<usize>,
    /// Part and step within it, as the profiler names them.
    pub place: (usize, usize),
    pub site: Option<String>,
}

pub(super) fn steps(graph: &Graph, placed: &[Placed], parts: &[Part]) -> Vec<StepInfo> {
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        for (step, &at) in part.nodes.iter().enumerate() {
            let node = &graph.nodes[at];
            let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
            let inputs: Vec<&Meta> = node.inputs[..own]
                .iter()
                .map(|&id| graph.meta(id))
                .collect();
            let outputs: Vec<&Meta> = node.outputs.iter().map(|&id| graph.meta(id)).collect();
            let each = outputs[0].len() as u64;
            let tail = node.tail.as_ref().map_or(0, |t| t.chain.instrs.len());
            let product = part.device == Device::Cpu && matches!(node.class(), Class::Product);
            let (flops, params, kernel) = match &node.work {
                Work::Op(op) => (
                    op.op.flops(&inputs, &outputs),
                    op.op.params().to_string(),
                    match &inputs[..] {
                        [_, right, ..] if product && right.dtype == DType::F16 => {
                            format!("{}, float16 weight", op.op.name())
                        }
                        _ => op.op.name().to_owned(),
                    },
                ),
                Work::Chain(chain) => (
                    each * chain.instrs.len() as u64,
                    String::new(),
                    functions(chain),
                ),
            };
            let kernel = match &node.tail {
                Some(t) => format!("{kernel} + {}", functions(&t.chain)),
                None => kernel,
            };
            out.push(StepInfo {
                op: node.name(),
                kernel,
                device: part.device,
                shape: outputs[0].shape.clone(),
                dtype: outputs[0].dtype.name(),
                bytes: node
                    .inputs
                    .iter()
                    .chain(&node.outputs)
                    .map(|&id| touched(graph, placed, id))
                    .sum(),
                flops: flops + each * tail as u64,
                params,
                images_at_once: None,
                place: (index, step),
                site: node.site.as_deref().map(str::to_owned),
            });
        }
    }
    out
}

/// Bytes of the distinct elements of a value.
fn touched(graph: &Graph, placed: &[Placed], id: usize) -> u64 {
    let layout = &placed[id].layout;
    let distinct: usize = layout
        .shape
        .iter()
        .zip(&layout.strides)
        .map(|(&n, &stride)| if stride == 0 { n.min(1) } else { n })
        .product();
    (distinct * graph.meta(id).dtype.size()) as u64
}

fn functions(chain: &lamina_kernels::Chain) -> String {
    let names: Vec<&str> = chain
        .instrs
        .iter()
        .map(|i| crate::ops::elementwise::name_of(i.func))
        .collect();
    match names.len() {
        0..=6 => names.join("·"),
        n => format!("{}·… ({n})", names[..5].join("·")),
    }
}
