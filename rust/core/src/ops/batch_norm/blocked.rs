//! Training batch normalisation of images in the blocked layout, and its
//! gradient: the planner's twins.  Only images lie in blocks; what there is
//! one of for each channel lies as it was recorded.

use crate::call::CpuCall;
use crate::op::{Blocked, Meta, OpRef};
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Result};
use lamina_kernels::{Isa, batch_norm as kernel};

#[derive(Debug)]
struct BatchNormBlocked {
    /// From dy, x, weight, mean and variance; else from x, weight and bias.
    backward: bool,
    eps: f64,
}

/// For float32 images.
pub(super) fn twin(backward: bool, eps: f64, inputs: &[&Meta]) -> Option<Blocked> {
    let image = inputs[0].shape.len() == 4 && inputs[0].dtype == DType::F32;
    image.then(|| {
        let op = BatchNormBlocked { backward, eps };
        Blocked::keeping(OpRef::new(op), 0..1 + usize::from(backward))
    })
}

impl PlannerOp for BatchNormBlocked {
    fn name(&self) -> &str {
        if self.backward {
            "batch_norm_backward"
        } else {
            super::NAME
        }
    }

    fn params(&self) -> Attrs {
        Attrs::new().with("layout", "blocked").with("eps", self.eps)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        // The weight follows the images.
        let row = inputs[1 + usize::from(self.backward)];
        Ok(vec![inputs[0].clone(), row.clone(), row.clone()])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let isa = Isa::current();
        let image = call.shape(0);
        let channels = call.shape(1 + usize::from(self.backward))[0];
        let dims = [image[0], channels, image[2] * image[3]];
        let outs = (call.out(0)?, call.out(1)?, call.out(2)?);
        if self.backward {
            let forward = kernel::Forward {
                x: call.slice(1)?,
                gamma: call.slice(2)?,
                mean: call.slice(3)?,
                var: call.slice(4)?,
                eps: self.eps,
            };
            let dy = call.slice(0)?;
            kernel::batch_norm_backward_blocked(isa, forward, dy, dims, outs.0, outs.1, outs.2);
            return Ok(());
        }
        let affine = kernel::Affine {
            gamma: call.slice(1)?,
            beta: call.slice(2)?,
        };
        let x = call.slice(0)?;
        kernel::batch_norm_train_blocked(isa, x, dims, affine, self.eps, outs.0, outs.1, outs.2);
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let each = if self.backward { 10 } else { 8 };
        each * inputs[0].len() as u64
    }
}
