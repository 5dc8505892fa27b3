//! Products that finish their elements in registers: the planner's twin of
//! [`Matmul`] on a CPU.

use super::{Matmul, operand_offsets, product_f32};
use crate::call::CpuCall;
use crate::op::{Class, Meta, Op, Strides};
use crate::planner_op::PlannerOp;
use crate::{Attrs, Result};
use lamina_kernels::Activation;
use lamina_kernels::matmul::Epilogue;

/// activation(scale A B + bias + residual).  Inputs: A, B, then if said scale
/// (one element), bias (one for each column) and residual (as the result).
#[derive(Clone, Debug)]
pub struct MatmulEpilogue {
    pub scale: bool,
    pub bias: bool,
    pub residual: bool,
    pub activation: Activation,
}

impl MatmulEpilogue {
    /// The input that holds the residual.
    pub fn residual_at(&self) -> Option<usize> {
        let before = 2 + usize::from(self.scale) + usize::from(self.bias);
        self.residual.then_some(before)
    }
}

impl PlannerOp for MatmulEpilogue {
    fn name(&self) -> &str {
        "matmul"
    }

    fn params(&self) -> Attrs {
        let Activation { slope, lo, hi } = self.activation;
        Attrs::new()
            .with("scale", self.scale)
            .with("bias", self.bias)
            .with("residual", self.residual)
            .with("slope", slope.map(f64::from))
            .with("lo", f64::from(lo))
            .with("hi", f64::from(hi))
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        Matmul {}.infer(&inputs[..2])
    }

    fn class(&self) -> Class<'_> {
        Class::Product
    }

    fn strides(&self, index: usize) -> Strides {
        match index {
            0 | 1 => Matmul {}.strides(index),
            _ => Strides::Contiguous,
        }
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let mut next = 1;
        let mut operand = |there: bool| -> Result<Option<&[f32]>> {
            next += usize::from(there);
            there.then(|| call.slice::<f32>(next)).transpose()
        };
        let (scale, bias, residual) = (
            operand(self.scale)?,
            operand(self.bias)?,
            operand(self.residual)?,
        );
        let epilogue = Epilogue {
            scale: scale.map_or(1.0, |scale| scale[0]),
            bias,
            residual,
            activation: self.activation,
            tail: None,
        };
        product_f32(call, &operand_offsets(call), &epilogue)
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        Matmul {}.flops(&inputs[..2], outputs)
    }
}
