//! Resampling of images in the blocked layout, and its gradient: the planner's
//! twins.

use super::Resize;
use crate::call::CpuCall;
use crate::op::{Blocked, Meta, OpRef, arity};
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Result};
use lamina_kernels::Isa;
use lamina_kernels::resize::{Taps, resize2d_blocked};

#[derive(Debug)]
pub struct ResizeBlocked {
    resize: Resize,
    /// Of the gradient: height and width of what was resampled.
    input: Option<[usize; 2]>,
}

/// For one float32 image.
pub(super) fn twin(
    resize: &Resize,
    input: Option<[usize; 2]>,
    inputs: &[&Meta],
) -> Option<Blocked> {
    let image = inputs[0].shape.len() == 4 && inputs[0].dtype == DType::F32;
    image.then(|| {
        let op = ResizeBlocked {
            resize: resize.clone(),
            input,
        };
        Blocked::keeping(OpRef::new(op), 0..1)
    })
}

impl ResizeBlocked {
    /// Of x (batch, blocks, height, width, lanes).
    fn taps(&self, x: &[usize]) -> Result<[Taps; 2]> {
        match self.input {
            None => self.resize.taps(&x[2..4]),
            Some(size) => Ok(self.resize.taps(&size)?.map(|taps| taps.turned())),
        }
    }
}

impl PlannerOp for ResizeBlocked {
    fn name(&self) -> &str {
        match self.input {
            None => "resize",
            Some(_) => "resize_backward",
        }
    }

    fn params(&self) -> Attrs {
        let mut attrs = Attrs::new().with("layout", "blocked");
        if let Some(input) = self.input {
            attrs = attrs.with("input", input.map(|n| n as i64).to_vec());
        }
        attrs.0.extend(self.resize.to_attrs().0);
        attrs
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [mut x] = arity(self, inputs)?;
        let [height, width] = match self.input {
            None => self.resize.targets(&x.shape[2..4])?.map(|(size, _)| size),
            Some(size) => size,
        };
        (x.shape[2], x.shape[3]) = (height, width);
        Ok(vec![x])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let shape = call.shape(0);
        let [rows, columns] = self.taps(shape)?;
        let (planes, x, y) = (shape[0] * shape[1], call.slice(0)?, call.out(0)?);
        resize2d_blocked(Isa::current(), x, planes, [&rows, &columns], y);
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let taps = match self.resize.mode.as_str() {
            "nearest" => 1,
            "linear" => 4,
            _ => 16,
        };
        2 * taps * inputs[0].len().max(outputs[0].len()) as u64
    }
}
