//! From device to device.  Values move at once; the node is recorded so that
//! gradients move back.

use crate::call::{CpuCall, GpuCall};
use crate::node::record_on;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, Device, Error, Result, Tensor};

#[derive(Debug)]
pub struct Transfer {
    from: Device,
    to: Device,
}

impl Op for Transfer {
    fn name(&self) -> &str {
        "to"
    }

    fn params(&self) -> Attrs {
        Attrs::new().with("device", self.to.to_string().as_str())
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        arity::<1>(self, inputs).map(Vec::from)
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(transfer(&vjp.grad(0)?, self.from)?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Opaque
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, _call: &mut CpuCall<'_>) -> Result<()> {
        Err(Error::internal("to: values move when recorded"))
    }

    fn gpu(&self, _call: &GpuCall<'_>) -> Result<Lowered> {
        Err(Error::internal("to: values move when recorded"))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

pub fn transfer(x: &Tensor, to: Device) -> Result<Tensor> {
    if x.device() == to {
        return Ok(x.clone());
    }
    let value = x.host_value()?.to_device(to)?;
    if !x.requires_grad() {
        return Ok(Tensor::from_value_of(value, to));
    }
    let op = OpRef::new(Transfer {
        from: x.device(),
        to,
    });
    let moved = record_on(&op, std::slice::from_ref(x), to)?;
    let moved = moved
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("to: no result"))?;
    moved.0.state.lock().value = Some(value);
    Ok(moved)
}
