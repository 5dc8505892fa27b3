//! A computed value: storage and where in it the elements lie.

use crate::memory::CpuBuffer;
use crate::status::Status;
use crate::{DType, Device, Layout, Result};
use std::sync::Arc;

#[derive(Clone)]
pub enum Storage {
    /// One element, held by itself: Python scalars and hyper-parameters.
    Inline([u8; 8]),
    Cpu(Arc<CpuBuffer>),
    Gpu {
        buffer: lamina_gpu::Buffer,
        device: u32,
        /// Of the runs that made it and have not been heard of since.
        status: Status,
    },
}

#[derive(Clone)]
pub struct Value {
    pub storage: Storage,
    pub layout: Layout,
    pub dtype: DType,
}

impl Value {
    pub fn device(&self) -> Device {
        match &self.storage {
            Storage::Gpu { device, .. } => Device::Gpu(*device),
            _ => Device::Cpu,
        }
    }

    /// A fresh contiguous value of uninitialised elements.
    pub fn empty(dtype: DType, shape: &[usize], device: Device) -> Result<Value> {
        let layout = Layout::contiguous(shape);
        let bytes = crate::layout::checked_len(shape)? * dtype.size();
        let storage = match device {
            Device::Cpu => Storage::Cpu(CpuBuffer::new(bytes)?),
            Device::Gpu(index) => Storage::Gpu {
                buffer: device.gpu()?.alloc(bytes as u64)?,
                device: index,
                status: Status::default(),
            },
        };
        Ok(Value {
            storage,
            layout,
            dtype,
        })
    }

    pub fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<Value> {
        let storage = if shape.is_empty() && bytes.len() <= 8 {
            let mut inline = [0; 8];
            inline[..bytes.len()].copy_from_slice(bytes);
            Storage::Inline(inline)
        } else {
            Storage::Cpu(CpuBuffer::from_bytes(bytes)?)
        };
        Ok(Value {
            storage,
            layout: Layout::contiguous(shape),
            dtype,
        })
    }

    /// All bytes of the CPU storage, None for one on a GPU.
    pub fn host_bytes(&self) -> Option<&[u8]> {
        match &self.storage {
            Storage::Inline(bytes) => Some(&bytes[..self.dtype.size()]),
            Storage::Cpu(buffer) => Some(buffer.bytes()),
            Storage::Gpu { .. } => None,
        }
    }

    pub fn host_ptr(&self) -> Option<*const u8> {
        self.host_bytes().map(<[u8]>::as_ptr)
    }

    /// The status words that come with the value; None where there are none.
    pub(crate) fn status(&self) -> Option<&Status> {
        match &self.storage {
            Storage::Gpu { status, .. } => Some(status),
            _ => None,
        }
    }

    pub(crate) fn set_status(&mut self, new: &Status) {
        if let Storage::Gpu { status, .. } = &mut self.storage {
            status.clone_from(new);
        }
    }

    /// The same storage bytes on another device; strides and offset stay.
    /// Leaving a GPU waits for the runs behind the value, and fails if one of
    /// them met an index out of range.  What the device does not hold stays.
    pub fn to_device(&self, device: Device) -> Result<Value> {
        if self.device() == device || !device.holds(self.dtype) {
            return Ok(self.clone());
        }
        let storage = match (&self.storage, device) {
            (
                Storage::Gpu {
                    buffer,
                    device: from,
                    status,
                },
                Device::Cpu,
            ) => {
                let bytes = Device::Gpu(*from).gpu()?.read(buffer, 0, buffer.bytes())?;
                status.check()?;
                Storage::Cpu(CpuBuffer::from_bytes(&bytes)?)
            }
            (Storage::Gpu { .. }, Device::Gpu(_)) => {
                return self.to_device(Device::Cpu)?.to_device(device);
            }
            (_, Device::Gpu(index)) => {
                let gpu = device.gpu()?;
                let bytes = self.host_bytes().unwrap_or_default();
                Storage::Gpu {
                    buffer: gpu.upload(bytes)?,
                    device: index,
                    status: Status::default(),
                }
            }
            (_, Device::Cpu) => self.storage.clone(),
        };
        Ok(Value {
            storage,
            layout: self.layout.clone(),
            dtype: self.dtype,
        })
    }
}
