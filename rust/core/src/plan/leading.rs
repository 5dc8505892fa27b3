//! How an elementwise program begins: what the product before it can do in its
//! stead.

use super::graph::{Id, Node, Tail};
use crate::DType;
use lamina_kernels::{Activation, Chain, Func, Instr, Reg};
use std::sync::Arc;

/// A product's tail, of which the product takes over one step after the other.
pub(super) struct Beginning {
    chain: Chain,
    /// What the chain reads beside the product's result.
    inputs: Vec<Id>,
}

impl Beginning {
    pub fn of(node: &Node) -> Option<Beginning> {
        let tail = node.tail.as_ref()?;
        Some(Beginning {
            chain: (*tail.chain).clone(),
            inputs: node.inputs[tail.first..].to_vec(),
        })
    }

    /// The operand of the first step, if that is `func` with one that fits;
    /// the step is gone then.
    pub fn take(&mut self, func: Func, fits: impl Fn(Id) -> bool) -> Option<Id> {
        let operand = leading(&self.chain, func).filter(|o| fits(self.inputs[o - 1]))?;
        self.chain = without_first(&self.chain, Some(operand));
        Some(self.inputs.remove(operand - 1))
    }

    /// The first step, if that is an activation; it is gone then.
    pub fn take_activation(&mut self) -> Option<Activation> {
        let activation = leading_activation(&self.chain)?;
        self.chain = without_first(&self.chain, None);
        Some(activation)
    }

    /// What is left, as the tail of a product that reads `own` itself: all
    /// that it reads, and the tail.
    pub fn rest(self, mut own: Vec<Id>) -> (Vec<Id>, Option<Tail>) {
        let first = own.len();
        own.extend(self.inputs);
        let tail = (!self.chain.instrs.is_empty()).then(|| Tail {
            chain: Arc::new(self.chain),
            first,
        });
        (own, tail)
    }
}

/// How often a program reads a register, its results included.
fn reads(chain: &Chain, reg: Reg) -> usize {
    let args = chain.instrs.iter().flat_map(Instr::args);
    args.chain(&chain.outputs).filter(|r| **r == reg).count()
}

/// The other operand of a program that begins with a sum, product or quotient
/// (`func`) of register 0 and an input which it reads nowhere else.
fn leading(chain: &Chain, func: Func) -> Option<usize> {
    let first = chain.instrs.first()?;
    if first.func != func || first.dtype != DType::F32 || reads(chain, 0) != 1 {
        return None;
    }
    let other = match first.args() {
        [0, other] => *other,
        [other, 0] if func != Func::Div => *other,
        _ => return None,
    };
    let input = usize::from(other) < chain.inputs.len() && other != 0;
    (input && reads(chain, other) == 1).then_some(usize::from(other))
}

/// What a program does to register 0 first, if that is an activation of a
/// product.
fn leading_activation(chain: &Chain) -> Option<Activation> {
    let first = chain.instrs.first()?;
    if first.dtype != DType::F32 || first.args() != [0] || reads(chain, 0) != 1 {
        return None;
    }
    match first.func {
        Func::Relu => Some(Activation {
            lo: 0.0,
            ..Activation::NONE
        }),
        Func::Clip { lo, hi } => Some(Activation {
            slope: None,
            lo: lo as f32,
            hi: hi as f32,
        }),
        Func::LeakyRelu { slope } => Some(Activation {
            slope: Some(slope as f32),
            ..Activation::NONE
        }),
        _ => None,
    }
}

/// The program without its first instruction, whose result register 0 now
/// is, and without the input that only that read.
fn without_first(chain: &Chain, input: Option<usize>) -> Chain {
    let inputs = chain.inputs.len();
    let gone = usize::from(input.is_some());
    let moved = |reg: Reg| match usize::from(reg) {
        r if r == inputs => 0,
        r if r > inputs => reg - 1 - gone as Reg,
        r if input.is_some_and(|input| r > input) => reg - 1,
        _ => reg,
    };
    let mut out = chain.clone();
    out.instrs.remove(0);
    if let Some(input) = input {
        out.inputs.remove(input);
    }
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
