//! `__dlpack__`: a capsule on a tensor's own memory.

use super::{
    CPU, DLDevice, DLManagedTensor, DLManagedTensorVersioned, DLTensor, IS_COPIED, MAJOR, NAME,
    NAME_VERSIONED, READ_ONLY, code_of,
};
use crate::error::{raise, run_detached};
use crate::tensor::PyTensor;
use lamina_core::memory::CpuBuffer;
use lamina_core::{Device, Error, Layout, Storage, Value};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// What a capsule holds on to.
struct Shared {
    value: Value,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

impl Shared {
    fn new(value: Value) -> Self {
        Shared {
            shape: value.layout.shape.iter().map(|&n| n as i64).collect(),
            strides: value.layout.strides.iter().map(|&s| s as i64).collect(),
            value,
        }
    }

    /// The tensor on this memory.  Offsets are applied to the pointer, which
    /// some consumers demand.
    fn tensor(&mut self) -> DLTensor {
        let dtype = self.value.dtype;
        let start = self.value.layout.offset * dtype.size();
        let base = self.value.host_ptr().unwrap_or(std::ptr::null());
        DLTensor {
            data: base.wrapping_add(start).cast_mut().cast::<c_void>(),
            device: DLDevice { kind: CPU, id: 0 },
            ndim: self.shape.len() as i32,
            dtype: code_of(dtype),
            shape: self.shape.as_mut_ptr(),
            strides: self.strides.as_mut_ptr(),
            byte_offset: 0,
        }
    }
}

unsafe extern "C" fn free_plain(managed: *mut DLManagedTensor) {
    // SAFETY: both boxes were leaked when the capsule was made, and DLPack
    // calls a deleter once.
    unsafe {
        let managed = Box::from_raw(managed);
        drop(Box::from_raw(managed.context.cast::<Shared>()));
    }
}

unsafe extern "C" fn free_versioned(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: as above.
    unsafe {
        let managed = Box::from_raw(managed);
        drop(Box::from_raw(managed.context.cast::<Shared>()));
    }
}

/// The pointer of a capsule that nobody consumed.
unsafe fn unconsumed(capsule: *mut ffi::PyObject, name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: a live capsule; a consumed one has another name.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, name.as_ptr()) == 0 {
            return None;
        }
        NonNull::new(ffi::PyCapsule_GetPointer(capsule, name.as_ptr()))
    }
}

unsafe extern "C" fn drop_plain(capsule: *mut ffi::PyObject) {
    // SAFETY: called by Python with the capsule that we made.
    unsafe {
        if let Some(managed) = unconsumed(capsule, NAME) {
            free_plain(managed.as_ptr().cast());
        }
    }
}

unsafe extern "C" fn drop_versioned(capsule: *mut ffi::PyObject) {
    // SAFETY: as above.
    unsafe {
        if let Some(managed) = unconsumed(capsule, NAME_VERSIONED) {
            free_versioned(managed.as_ptr().cast());
        }
    }
}

fn capsule<'py, T>(
    py: Python<'py>,
    managed: T,
    name: &'static CStr,
    destructor: ffi::PyCapsule_Destructor,
) -> PyResult<Bound<'py, PyAny>> {
    let pointer = NonNull::from(Box::leak(Box::new(managed))).cast();
    // SAFETY: the destructor frees what was leaked here, once.
    unsafe {
        PyCapsule::new_with_pointer_and_destructor(py, pointer, name, Some(destructor))
            .map(Bound::into_any)
    }
}

/// Scalars live inside the value: give them memory of their own.
fn with_memory(value: Value) -> lamina_core::Result<Value> {
    let Storage::Inline(bytes) = value.storage else {
        return Ok(value);
    };
    Ok(Value {
        storage: Storage::Cpu(CpuBuffer::from_bytes(&bytes[..value.dtype.size()])?),
        ..value
    })
}

fn copied(value: &Value) -> lamina_core::Result<Value> {
    let tensor = lamina_core::Tensor::from_value(value.clone());
    let fresh = lamina_core::ops::views::contiguous(&tensor)?.value()?;
    Ok(Value {
        layout: Layout::contiguous(&value.layout.shape),
        ..fresh
    })
}

#[pymethods]
impl PyTensor {
    /// Shares the values with another library (CPU tensors; they stay read-only).
    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tensor = self.tensor();
        self.check_export(stream.is_some(), dl_device)?;
        let copy = copy == Some(true);
        let value = run_detached(py, || {
            let value = with_memory(tensor.value()?)?;
            if copy { copied(&value) } else { Ok(value) }
        })?;
        let mut shared = Box::new(Shared::new(value));
        let dl = shared.tensor();
        let context = Box::into_raw(shared).cast::<c_void>();
        if max_version.is_some_and(|(major, _)| major >= MAJOR) {
            let managed = DLManagedTensorVersioned {
                major: MAJOR,
                minor: 0,
                context,
                deleter: Some(free_versioned),
                flags: if copy { IS_COPIED } else { READ_ONLY },
                tensor: dl,
            };
            return capsule(py, managed, NAME_VERSIONED, drop_versioned);
        }
        let managed = DLManagedTensor {
            tensor: dl,
            context,
            deleter: Some(free_plain),
        };
        capsule(py, managed, NAME, drop_plain)
    }

    fn __dlpack_device__(&self) -> PyResult<(i32, i32)> {
        match self.tensor().device() {
            Device::Cpu => Ok((CPU, 0)),
            gpu @ Device::Gpu(_) => raise(on_gpu(gpu)),
        }
    }
}

fn on_gpu(device: Device) -> Error {
    Error::device(format!(
        "__dlpack__: a tensor on {device} cannot be shared, its memory belongs to the graphics driver; use .to('cpu') first"
    ))
}

impl PyTensor {
    fn check_export(&self, stream: bool, device: Option<(i32, i32)>) -> PyResult<()> {
        let tensor = self.tensor();
        if tensor.device() != Device::Cpu {
            return raise(on_gpu(tensor.device()));
        }
        if tensor.requires_grad() {
            return raise(Error::argument(
                "__dlpack__: a tensor that requires gradients is not shared; use detach() first",
            ));
        }
        if stream {
            return raise(Error::argument("__dlpack__: the CPU has no streams"));
        }
        if device.is_some_and(|(kind, _)| kind != CPU) {
            return Err(PyBufferError::new_err(
                "__dlpack__: only the CPU can be shared with",
            ));
        }
        Ok(())
    }
}
