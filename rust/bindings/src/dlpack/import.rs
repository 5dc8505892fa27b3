//! `from_dlpack`: a tensor on another library's memory.

use super::{
    CPU, CUDA_HOST, DLManagedTensor, DLManagedTensorVersioned, DLTensor, MAJOR, NAME,
    NAME_VERSIONED, USED, USED_VERSIONED, dtype_of,
};
use crate::convert::class_name;
use crate::error::raise;
use crate::tensor::PyTensor;
use lamina_core::memory::CpuBuffer;
use lamina_core::{DType, Error, Layout, Storage, Tensor, Value};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use std::any::Any;
use std::ffi::CStr;

/// Calls the producer's deleter when the last holder goes.
struct Plain(*mut DLManagedTensor);
struct Versioned(*mut DLManagedTensorVersioned);

// SAFETY: the memory is only read, and a deleter may be called from any
// thread (producers in Python attach by themselves; we attach for them).
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}
// SAFETY: as above.
unsafe impl Send for Versioned {}
// SAFETY: as above.
unsafe impl Sync for Versioned {}

macro_rules! delete_on_drop {
    ($class:ident) => {
        impl Drop for $class {
            fn drop(&mut self) {
                // Some producers' deleters touch Python objects unasked.
                let _ = Python::try_attach(|_| {
                    // SAFETY: the producer's own struct, deleted once.
                    unsafe {
                        if let Some(deleter) = (*self.0).deleter {
                            deleter(self.0);
                        }
                    }
                });
            }
        }
    };
}
delete_on_drop!(Plain);
delete_on_drop!(Versioned);

/// A tensor that shares the memory of an array of another library.  The
/// source must not be written until what reads the tensor is evaluated.
#[pyfunction]
pub fn from_dlpack(py: Python<'_>, source: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
    if !source.hasattr("__dlpack__")? {
        return raise(Error::argument(format!(
            "from_dlpack: a {} has no __dlpack__; use lamina.tensor, which copies",
            class_name(source)
        )));
    }
    let (kind, _): (i32, i32) = source.call_method0("__dlpack_device__")?.extract()?;
    if kind != CPU && kind != CUDA_HOST {
        return raise(Error::device(format!(
            "from_dlpack: the source is on a device (DLPack's number {kind}) whose memory cannot be shared; bring it to the CPU first"
        )));
    }
    let options = PyDict::new(py);
    options.set_item("max_version", (MAJOR, 0))?;
    let capsule = match source.call_method("__dlpack__", (), Some(&options)) {
        // Producers from before DLPack 1.0 do not know the keyword.
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyTypeError>(py) => {
            source.call_method0("__dlpack__")?
        }
        other => other?,
    };
    let Ok(capsule) = capsule.cast::<PyCapsule>() else {
        return raise(Error::argument("from_dlpack: __dlpack__ gave no capsule"));
    };
    consume(capsule)
}

/// Takes a capsule's struct over: it is renamed, so that its own destructor
/// leaves it to us.
unsafe fn take<T>(
    capsule: &Bound<'_, PyCapsule>,
    name: &CStr,
    used: &'static CStr,
) -> Option<*mut T> {
    // SAFETY: a live capsule; the name says what it points to.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), name.as_ptr()) == 0 {
            return None;
        }
        let pointer = ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr());
        ffi::PyCapsule_SetName(capsule.as_ptr(), used.as_ptr());
        Some(pointer.cast::<T>())
    }
}

fn consume(capsule: &Bound<'_, PyCapsule>) -> PyResult<PyTensor> {
    // SAFETY: DLPack fixes what each name points to; the struct outlives the
    // tensor because the tensor's memory holds it.
    unsafe {
        if let Some(managed) =
            take::<DLManagedTensorVersioned>(capsule, NAME_VERSIONED, USED_VERSIONED)
        {
            let keep = Versioned(managed);
            if (*managed).major > MAJOR {
                return raise(Error::unsupported(format!(
                    "from_dlpack: the source speaks DLPack {}, this build {MAJOR}",
                    (*managed).major
                )));
            }
            return wrap(&(*managed).tensor, Box::new(keep));
        }
        if let Some(managed) = take::<DLManagedTensor>(capsule, NAME, USED) {
            return wrap(&(*managed).tensor, Box::new(Plain(managed)));
        }
    }
    raise(Error::argument(
        "from_dlpack: the capsule is no tensor, or was consumed before",
    ))
}

/// # Safety
/// `tensor` describes readable memory that lives as long as `keep`.
unsafe fn wrap(tensor: &DLTensor, keep: Box<dyn Any + Send + Sync>) -> PyResult<PyTensor> {
    let Some(dtype) = dtype_of(tensor.dtype) else {
        return raise(Error::dtype(format!(
            "from_dlpack: no counterpart of the source's element type ({:?})",
            tensor.dtype
        )));
    };
    let rank = usize::try_from(tensor.ndim).unwrap_or(0);
    // SAFETY: by the caller; shape and strides have `ndim` entries.
    let (shape, strides) = unsafe {
        let list = |at: *mut i64| {
            (rank > 0 && !at.is_null()).then(|| std::slice::from_raw_parts(at, rank))
        };
        (list(tensor.shape).unwrap_or_default(), list(tensor.strides))
    };
    let layout = layout_of(shape, strides)?;
    let start = tensor
        .data
        .cast::<u8>()
        .cast_const()
        .wrapping_add(tensor.byte_offset as usize);
    // SAFETY: by the caller, and `layout_of` says how far the elements reach.
    unsafe { share(start, dtype, layout, keep) }
}

/// The layout, its offset counted from the lowest element.
fn layout_of(shape: &[i64], strides: Option<&[i64]>) -> PyResult<Layout> {
    let Ok(shape) = shape
        .iter()
        .map(|&n| usize::try_from(n))
        .collect::<Result<Vec<_>, _>>()
    else {
        return raise(Error::shape(format!(
            "from_dlpack: the source has a negative length: {shape:?}"
        )));
    };
    let mut layout = Layout::contiguous(&shape);
    if let Some(strides) = strides {
        layout.strides = strides.iter().map(|&s| s as isize).collect();
        if !layout.is_empty() {
            // Negative strides walk down from the first element.
            let below: isize = shape
                .iter()
                .zip(&layout.strides)
                .filter(|(_, s)| **s < 0)
                .map(|(&n, &s)| (n as isize - 1) * -s)
                .sum();
            layout.offset = below as usize;
        }
    }
    Ok(layout)
}

/// # Safety
/// `first` is the first element; all that `layout` reaches is readable while
/// `keep` lives.
unsafe fn share(
    first: *const u8,
    dtype: DType,
    layout: Layout,
    keep: Box<dyn Any + Send + Sync>,
) -> PyResult<PyTensor> {
    let size = dtype.size();
    let above: usize = layout
        .shape
        .iter()
        .zip(&layout.strides)
        .filter(|(_, s)| **s > 0)
        .map(|(&n, &s)| n.saturating_sub(1) * s as usize)
        .sum();
    let elements = if layout.is_empty() {
        0
    } else {
        layout.offset + above + 1
    };
    let base = first.wrapping_sub(layout.offset * size);
    if elements > 0 && !base.addr().is_multiple_of(size) {
        // Kernels read whole elements: bring them to where they may lie.
        // SAFETY: by the caller.
        let bytes = unsafe { std::slice::from_raw_parts(base, elements * size) };
        let buffer = crate::error::run(|| CpuBuffer::from_bytes(bytes))?;
        return Ok(PyTensor::new(Tensor::from_value(Value {
            storage: Storage::Cpu(buffer),
            layout,
            dtype,
        })));
    }
    // SAFETY: by the caller.
    let buffer = unsafe { CpuBuffer::foreign(base, elements * size, keep) };
    Ok(PyTensor::new(Tensor::from_value(Value {
        storage: Storage::Cpu(buffer),
        layout,
        dtype,
    })))
}
