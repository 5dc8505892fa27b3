//! What a name stands for while a model is traced.

use super::Stop;
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
    /// A sequence: its length is known while tracing.
    List(Arc<[Value]>),
    /// An optional that holds nothing.
    Nothing,
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
    if bytes.is_empty() && !shape.contains(&0) {
        // Left out: the model is only looked at.
        return Ok(Tensor::placeholder(dtype, shape, device));
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
            return tensor.belonging_to(device);
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
        let host = Host::from_bytes(constant.dtype, &constant.shape, &constant.bytes);
        match host.filter(|_| !constant.is_left_out()) {
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
            Value::List(_) | Value::Nothing | Value::Later => None,
        }
    }

    /// Why it is no tensor.
    pub(crate) fn no_tensor(&self) -> Stop {
        let what = match self {
            Value::List(_) => "a sequence",
            Value::Nothing => "an optional that holds nothing",
            Value::Tensor(_) | Value::Host(_) | Value::Later => return Stop::Later,
        };
        Stop::Error(Error::model(format!("an input is {what}, wanted a tensor")))
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Value::List(values.into())
    }
}
