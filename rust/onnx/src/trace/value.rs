//! What a name stands for while a model is traced.

use crate::host::Host;
use crate::ir::Constant;
use lamina_core::{DType, Device, Error, Result, Tensor};
use std::sync::{Arc, OnceLock};

/// A small constant and, once somebody needs it there, its tensor on the
/// model's device.
pub(crate) struct HostCell {
    pub(crate) host: Host,
    tensor: OnceLock<Tensor>,
}

#[derive(Clone)]
pub(crate) enum Value {
    /// A recorded node, an input or a large constant.
    Tensor(Tensor),
    /// Known while tracing: shapes, and arithmetic on them.
    Host(Arc<HostCell>),
    /// Known only at a run: at load, whatever depends on an input whose
    /// values decide shapes.
    Later,
}

impl From<Host> for Value {
    fn from(host: Host) -> Self {
        Value::Host(Arc::new(HostCell {
            host,
            tensor: OnceLock::new(),
        }))
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Value::Tensor(tensor)
    }
}

/// A constant's tensor on `device`.
pub(crate) fn upload(
    dtype: DType,
    shape: &[usize],
    bytes: &[u8],
    device: Device,
) -> Result<Tensor> {
    if dtype == DType::F64 && device != Device::Cpu {
        return Err(Error::unsupported(format!(
            "float64 does not exist on {device}"
        )));
    }
    Tensor::from_bytes(dtype, shape, bytes, device)
}

impl HostCell {
    /// The constant as a tensor; a 0-d one stays on the CPU, from where it
    /// goes with tensors of any device.
    pub(crate) fn tensor(&self, device: Device) -> Result<Tensor> {
        let device = if self.host.shape.is_empty() {
            Device::Cpu
        } else {
            device
        };
        if let Some(tensor) = self.tensor.get() {
            return tensor.to_device(device);
        }
        let tensor = upload(
            self.host.dtype,
            &self.host.shape,
            &self.host.to_bytes(),
            device,
        )?;
        Ok(self.tensor.get_or_init(|| tensor).clone())
    }
}

impl Value {
    /// A constant of the model: small ones may take part in shapes.
    pub(crate) fn constant(constant: &Constant, device: Device) -> Result<Value> {
        match Host::from_bytes(constant.dtype, &constant.shape, &constant.bytes) {
            Some(host) => Ok(host.into()),
            None => Ok(upload(constant.dtype, &constant.shape, &constant.bytes, device)?.into()),
        }
    }

    pub(crate) fn host(&self) -> Option<&Host> {
        match self {
            Value::Host(cell) => Some(&cell.host),
            _ => None,
        }
    }

    pub(crate) fn known_dtype(&self) -> Option<DType> {
        match self {
            Value::Tensor(t) => Some(t.dtype()),
            Value::Host(cell) => Some(cell.host.dtype),
            Value::Later => None,
        }
    }
}
