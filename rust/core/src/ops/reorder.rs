//! Images into the blocked layout and back ([`lamina_kernels::blocked`]): what
//! the planner puts at the borders of a blocked region.

use crate::call::CpuCall;
use crate::op::{Meta, OpRef, arity};
use crate::planner_op::PlannerOp;
use crate::{Attrs, Error, Result, params};
use lamina_kernels::{Isa, blocked};

params! {
    /// (batch, channels, height, width) into blocks, or out of them.
    pub struct Reorder {
        channels: usize,
        to_blocks: bool,
    }
}

/// The shape of an image in blocks; (channels, 1, 1) is an image too.
pub fn blocked_shape(shape: &[usize]) -> Option<Vec<usize>> {
    let (batch, channels, height, width) = match *shape {
        [batch, channels, height, width] => (batch, channels, height, width),
        [channels, height, width] => (1, channels, height, width),
        _ => return None,
    };
    let isa = Isa::current();
    let blocks = blocked::blocks(isa, channels);
    Some(vec![batch, blocks, height, width, isa.lanes()])
}

impl Reorder {
    pub fn op(channels: usize, to_blocks: bool) -> OpRef {
        OpRef::new(Reorder {
            channels,
            to_blocks,
        })
    }
}

impl PlannerOp for Reorder {
    fn name(&self) -> &str {
        "reorder"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let shape = match (self.to_blocks, &x.shape[..]) {
            (true, shape) => blocked_shape(shape),
            (false, &[batch, _, height, width, _]) => {
                Some(vec![batch, self.channels, height, width])
            }
            _ => None,
        };
        let shape =
            shape.ok_or_else(|| Error::internal(format!("reorder: {:?} is no image", x.shape)))?;
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let shape = call.shape(0);
        let sizes = match *shape {
            [_, height, width] => [1, self.channels, height * width],
            _ => [shape[0], self.channels, shape[2] * shape[3]],
        };
        let (x, y) = (call.slice(0)?, call.out(0)?);
        if self.to_blocks {
            blocked::to_blocked(Isa::current(), sizes, x, y);
        } else {
            blocked::from_blocked(Isa::current(), sizes, x, y);
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}
