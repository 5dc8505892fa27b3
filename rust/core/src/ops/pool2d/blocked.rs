//! Pooling of images in the blocked layout: the planner's twin of both kinds.

use super::super::padding::Window;
use super::Sizes;
use crate::call::CpuCall;
use crate::op::{Blocked, Meta, OpRef, arity};
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Result};
use lamina_kernels::Isa;
use lamina_kernels::pool2d::{Pool2dShape, Pooling, max_pool2d_backward_blocked, pool2d_blocked};

#[derive(Debug)]
pub struct Pool2dBlocked {
    window: Window,
    /// None: the gradient of the largest, from x and dy.
    pooling: Option<Pooling>,
}

/// Of max pooling's gradient.
pub(super) fn max_backward_twin(window: Window, inputs: &[&Meta]) -> Option<Blocked> {
    kept(window, None, inputs)
}

/// For one float32 image.
pub(super) fn twin(window: Window, pooling: Pooling, inputs: &[&Meta]) -> Option<Blocked> {
    kept(window, Some(pooling), inputs)
}

fn kept(window: Window, pooling: Option<Pooling>, inputs: &[&Meta]) -> Option<Blocked> {
    let whole = inputs.iter().all(|x| x.dtype == DType::F32);
    let op = Pool2dBlocked { window, pooling };
    whole.then(|| Blocked::keeping(OpRef::new(op), 0..inputs.len()))
}

impl Pool2dBlocked {
    /// Of x (batch, blocks, height, width, lanes).
    fn sizes(&self, x: &[usize]) -> Result<Sizes> {
        Sizes::of(self.name(), &self.window, &x[..4])
    }
}

impl PlannerOp for Pool2dBlocked {
    fn name(&self) -> &str {
        match self.pooling {
            Some(Pooling::Max) => "max_pool2d",
            Some(Pooling::Average { .. }) => "avg_pool2d",
            None => "max_pool2d_backward",
        }
    }

    fn params(&self) -> Attrs {
        let attrs = Attrs::new()
            .with("layout", "blocked")
            .with("kernel_size", self.window.kernel)
            .with("stride", self.window.stride)
            .with("padding", self.window.padding.clone())
            .with("dilation", self.window.dilation)
            .with("ceil_mode", self.window.ceil_mode);
        match self.pooling {
            Some(Pooling::Average { count_include_pad }) => {
                attrs.with("count_include_pad", count_include_pad)
            }
            _ => attrs,
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        if self.pooling.is_none() {
            let [x, _] = arity(self, inputs)?;
            return Ok(vec![x]);
        }
        let [x] = arity(self, inputs)?;
        let mut shape = self.sizes(&x.shape)?.output.to_vec();
        shape.push(x.shape[4]);
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let shape: Pool2dShape = self.sizes(call.shape(0))?.shape;
        let (isa, x, y) = (Isa::current(), call.slice(0)?, call.out(0)?);
        match self.pooling {
            Some(pooling) => pool2d_blocked(isa, &shape, pooling, x, y),
            None => max_pool2d_backward_blocked(isa, &shape, x, call.slice(1)?, y),
        }
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let lanes = inputs[0].shape[4] as u64;
        self.sizes(&inputs[0].shape)
            .map_or(0, |s| s.flops() * lanes)
    }
}
