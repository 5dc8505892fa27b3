//! Ops that only the planner makes, on a CPU and after gradients: other forms
//! of recorded ops, and what stands between those.

use crate::call::{CpuCall, GpuCall};
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, Strides, Vjp, no_gradient};
use crate::{Attrs, Error, Result, Tensor};
use std::any::Any;
use std::fmt::Debug;

/// The part of [`Op`] that is an op of the planner's own; the rest is the same
/// for all of them.
pub trait PlannerOp: Any + Debug + Send + Sync {
    fn name(&self) -> &str;

    fn params(&self) -> Attrs;

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>>;

    /// A kernel like any other, unless it says more.
    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    /// Contiguous, unless its kernel takes more.
    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()>;

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64;
}

impl<T: PlannerOp> Op for T {
    fn name(&self) -> &str {
        PlannerOp::name(self)
    }

    fn params(&self) -> Attrs {
        PlannerOp::params(self)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        PlannerOp::infer(self, inputs)
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("the planner makes it, after gradients")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        PlannerOp::class(self)
    }

    fn strides(&self, index: usize) -> Strides {
        PlannerOp::strides(self, index)
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        PlannerOp::cpu(self, call)
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        Err(Error::internal(format!(
            "{}: the planner makes it for a CPU alone",
            call.op
        )))
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        PlannerOp::flops(self, inputs, outputs)
    }
}
