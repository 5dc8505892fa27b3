//! NumPy arrays from values, and values from arrays.

use crate::error::{raise, run};
use lamina_core::{DType, Error, Storage, Tensor, Value};
use numpy::npyffi::{self, NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_NOTSWAPPED};
use numpy::{
    PY_ARRAY_API, PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyType};

/// `numpy.<name>`, looked up once per name.
pub fn numpy<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || PyModule::import(py, "numpy").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// A NumPy scalar such as `np.float32(1)`.
pub fn is_numpy_scalar(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static GENERIC: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = object.py();
    let generic = GENERIC.get_or_try_init(py, || {
        PyResult::Ok(numpy(py, "generic")?.cast_into::<PyType>()?.unbind())
    })?;
    object.is_instance(generic.bind(py))
}

/// NumPy's descriptor of a dtype; bfloat16's comes from the ml_dtypes package.
pub fn descr(py: Python<'_>, dtype: DType) -> PyResult<Bound<'_, PyArrayDescr>> {
    Ok(match dtype {
        DType::Bool => numpy::dtype::<bool>(py),
        DType::U8 => numpy::dtype::<u8>(py),
        DType::I8 => numpy::dtype::<i8>(py),
        DType::U16 => numpy::dtype::<u16>(py),
        DType::I16 => numpy::dtype::<i16>(py),
        DType::U32 => numpy::dtype::<u32>(py),
        DType::I32 => numpy::dtype::<i32>(py),
        DType::U64 => numpy::dtype::<u64>(py),
        DType::I64 => numpy::dtype::<i64>(py),
        DType::F16 => PyArrayDescr::new(py, "float16")?,
        DType::F32 => numpy::dtype::<f32>(py),
        DType::F64 => numpy::dtype::<f64>(py),
        DType::BF16 | DType::Stored(_) => {
            let Ok(more) = PyModule::import(py, "ml_dtypes") else {
                return raise(Error::dtype(format!(
                    "numpy: NumPy has no {dtype} of its own; use astype(lamina.float32) first, or install ml_dtypes"
                )));
            };
            PyArrayDescr::new(py, more.getattr(dtype.name())?)?
        }
    })
}

/// The dtype of a NumPy array, or an error that names what it is.
pub fn dtype_of(what: &str, descr: &Bound<'_, PyArrayDescr>) -> PyResult<DType> {
    let found = match (descr.kind(), descr.itemsize()) {
        (b'b', 1) => Some(DType::Bool),
        (b'u', 1) => Some(DType::U8),
        (b'u', 2) => Some(DType::U16),
        (b'u', 4) => Some(DType::U32),
        (b'u', 8) => Some(DType::U64),
        (b'i', 1) => Some(DType::I8),
        (b'i', 2) => Some(DType::I16),
        (b'i', 4) => Some(DType::I32),
        (b'i', 8) => Some(DType::I64),
        (b'f', 2) => Some(DType::F16),
        (b'f', 4) => Some(DType::F32),
        (b'f', 8) => Some(DType::F64),
        // The ml_dtypes package registers it so.
        (b'V', 2) if descr.getattr("name")?.eq("bfloat16")? => Some(DType::BF16),
        (b'V' | b'f', 1) => {
            DType::from_name(&descr.getattr("name")?.extract::<String>()?).filter(|d| d.is_stored())
        }
        _ => None,
    };
    match found {
        Some(dtype) => Ok(dtype),
        None => raise(Error::dtype(format!(
            "{what}: NumPy's dtype '{}' has no counterpart; there are bool, integers of 8 to 64 bits, float16, bfloat16, float32 and float64",
            descr.getattr("name")?
        ))),
    }
}

/// The same elements row-major, aligned, in this machine's byte order: the
/// array itself where it is that already.
pub fn plain<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    let flags = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED;
    // SAFETY: a live array in; a new reference or NULL with an exception out.
    let made = unsafe {
        let made = PY_ARRAY_API.PyArray_CheckFromAny(
            py,
            array.as_ptr(),
            std::ptr::null_mut(),
            0,
            0,
            flags,
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, made)?
    };
    Ok(made.cast_into::<PyUntypedArray>()?)
}

/// The array's elements, copied.
pub fn value_of(what: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<Value> {
    let dtype = dtype_of(what, &array.dtype())?;
    let array = plain(array)?;
    let bytes = array.len() * dtype.size();
    // SAFETY: a C-contiguous array has its elements in one run from `data`,
    // and lives through the call.
    let slice = unsafe {
        let data = (*array.as_array_ptr()).fields.data.cast::<u8>();
        if bytes == 0 {
            &[][..]
        } else {
            std::slice::from_raw_parts(data, bytes)
        }
    };
    run(|| {
        lamina_core::memory::check_budget(bytes)?;
        Value::from_bytes(dtype, array.shape(), slice)
    })
}

/// The array's own memory, kept alive: for the length of a call in which
/// nobody writes it.
pub fn borrow_value(what: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<Value> {
    let dtype = dtype_of(what, &array.dtype())?;
    let array = plain(array)?;
    if array.ndim() == 0 {
        return value_of(what, &array);
    }
    let shape = array.shape().to_vec();
    // SAFETY: as in `value_of`; the reference keeps the memory.
    let buffer = unsafe {
        let data = (*array.as_array_ptr()).fields.data.cast::<u8>();
        lamina_core::memory::CpuBuffer::foreign(
            data,
            array.len() * dtype.size(),
            Box::new(array.clone().unbind()),
        )
    };
    Ok(Value {
        storage: Storage::Cpu(buffer),
        layout: lamina_core::Layout::contiguous(&shape),
        dtype,
    })
}

/// What keeps a value's memory while NumPy looks at it.
#[pyclass(frozen, name = "Storage", module = "lamina")]
struct Owner(Value);

/// A NumPy array on a CPU value's own memory.
fn array_on(py: Python<'_>, value: Value, dtype: DType) -> PyResult<Bound<'_, PyAny>> {
    let size = dtype.size() as isize;
    let mut dims: Vec<npyffi::npy_intp> = value.layout.shape.iter().map(|&n| n as isize).collect();
    let mut strides: Vec<npyffi::npy_intp> =
        value.layout.strides.iter().map(|&s| s * size).collect();
    let offset = value.layout.offset * dtype.size();
    let descr = descr(py, dtype)?;
    let owner = Bound::new(py, Owner(value))?;
    let Some(base) = owner.get().0.host_ptr() else {
        return raise(Error::internal("numpy: a value that is not on the CPU"));
    };
    // SAFETY: shape and strides stay inside the owner's memory, which lives
    // as long as the array's base; descr and base are given away.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type),
            descr.into_ptr().cast(),
            dims.len() as std::ffi::c_int,
            dims.as_mut_ptr(),
            strides.as_mut_ptr(),
            base.wrapping_add(offset).cast_mut().cast(),
            NPY_ARRAY_ALIGNED,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        let set = PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr());
        if set < 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(array)
    }
}

/// A read-only view of a CPU value.
pub fn view_of(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    let dtype = value.dtype;
    array_on(py, value, dtype)
}

/// The values of a tensor as a read-only array, computed if need be.
pub fn array_of<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    let value = crate::error::run_detached(py, || {
        let value = tensor.value()?;
        match value.storage {
            Storage::Gpu { .. } => tensor.host_value(),
            _ => Ok(value),
        }
    })?;
    view_of(py, value)
}
