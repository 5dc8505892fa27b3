//! Ops that are elementwise programs, taken apart into their instructions:
//! what stands around them fuses with those as with any other.

use super::graph::{Graph, Id, Node, Origin, Work};
use crate::Class;
use crate::op::Meta;

pub fn program(graph: &mut Graph) {
    for node in std::mem::take(&mut graph.nodes) {
        let Class::Program(rule) = node.class() else {
            graph.nodes.push(node);
            continue;
        };
        let meta = graph.meta(node.outputs[0]).clone();
        let chain = rule.program(meta.dtype);
        let mut registers: Vec<Id> = node.inputs.clone();
        for instr in &chain.instrs {
            let mut outputs = chain.outputs.iter().zip(&node.outputs);
            let value = match outputs.find(|(r, _)| usize::from(**r) == registers.len()) {
                Some((_, &output)) => output,
                None => {
                    let meta = Meta::new(instr.result(), meta.shape.clone());
                    graph.add_value(meta, node.device, Origin::Node)
                }
            };
            let args = instr.args().iter().map(|&r| registers[usize::from(r)]);
            let inputs = args.collect();
            registers.push(value);
            graph.nodes.push(Node {
                work: Work::Op(crate::ops::elementwise::op(instr.func)),
                inputs,
                outputs: vec![value],
                tail: None,
                device: node.device,
                site: node.site.clone(),
            });
        }
    }
}
