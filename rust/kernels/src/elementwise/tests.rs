//! The oracle is one element at a time: f64 for floats, i128 for integers.

mod chains;
mod dtypes;
mod single;

use super::{Operand, Prepared, run};
use crate::chain::{Chain, Func, Instr, Reg};
use crate::dtype::DType;
use crate::isa::Isa;
use crate::view::row_major;

/// Sizes astride vectors, chunks and blocks.
pub const SIZES: [usize; 12] = [0, 1, 7, 8, 15, 17, 31, 33, 511, 1023, 1025, 2500];

/// A small generator, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 11) as usize % n
    }

    /// Between -4 and 4.
    pub fn float(&mut self) -> f32 {
        ((self.bits() >> 40) as f32 / (1 << 21) as f32) - 4.0
    }
}

pub fn instr(func: Func, dtype: DType, args: &[Reg]) -> Instr {
    let mut all = [0; 3];
    all[..args.len()].copy_from_slice(args);
    Instr {
        func,
        dtype,
        args: all,
    }
}

/// `func` of inputs of `dtype`, one after the other.
pub fn one(func: Func, dtype: DType) -> Chain {
    let inputs = match func {
        Func::Where => vec![DType::Bool, dtype, dtype],
        _ => vec![dtype; func.arity()],
    };
    let args: Vec<Reg> = (0..func.arity() as Reg).collect();
    Chain {
        outputs: vec![inputs.len() as Reg],
        instrs: vec![instr(func, dtype, &args)],
        inputs,
    }
}

/// Runs a chain of one output on contiguous inputs.
pub fn apply<A: Copy, R: Copy + Default>(isa: Isa, chain: &Chain, inputs: &[&[A]]) -> Vec<R> {
    let n = inputs[0].len();
    let mut out = vec![R::default(); n];
    let strides = row_major(&[n]);
    let operands: Vec<Operand> = inputs
        .iter()
        .map(|x| Operand {
            ptr: x.as_ptr().cast(),
            strides: &strides,
        })
        .collect();
    let prepared = Prepared::new(chain);
    // SAFETY: `n` elements of the chain's dtypes in each.
    unsafe { run(isa, &prepared, &[n], &operands, &[out.as_mut_ptr().cast()]) };
    out
}
