//! The dtypes as Python objects: one of each.

use crate::error::raise;
use crate::numpy_arrays::numpy;
use lamina_core::{DType, Error};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

#[pyclass(frozen, eq, hash, name = "DType", module = "lamina")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyDType(pub DType);

#[pymethods]
impl PyDType {
    #[getter]
    fn name(&self) -> &'static str {
        self.0.name()
    }

    #[getter]
    fn itemsize(&self) -> usize {
        self.0.size()
    }

    #[getter]
    fn is_floating_point(&self) -> bool {
        self.0.is_float()
    }

    fn __repr__(&self) -> String {
        format!("lamina.{}", python_name(self.0))
    }

    fn __str__(&self) -> &'static str {
        self.0.name()
    }

    /// Pickles as the one object of its name.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (&'static str,))> {
        let module = PyModule::import(py, "lamina._lamina")?;
        Ok((module.getattr("_dtype")?, (self.0.name(),)))
    }
}

fn python_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool_",
        other => other.name(),
    }
}

/// A dtype, its name, or NumPy's counterpart.
pub fn dtype_arg(op: &str, object: &Bound<'_, PyAny>) -> PyResult<DType> {
    if let Ok(dtype) = object.cast::<PyDType>() {
        return Ok(dtype.get().0);
    }
    let name = match object.extract::<String>() {
        Ok(name) => Some(name),
        Err(_) => numpy(object.py(), "dtype")?
            .call1((object,))
            .and_then(|d| d.getattr("name")?.extract::<String>())
            .ok(),
    };
    match name.as_deref().and_then(DType::from_name) {
        Some(dtype) => Ok(dtype),
        None => raise(Error::dtype(format!(
            "{op}: {object} is no dtype; wanted one of lamina's, as lamina.float32"
        ))),
    }
}

static ALL: PyOnceLock<Vec<Py<PyDType>>> = PyOnceLock::new();

/// The one object of a dtype.
pub fn object(py: Python<'_>, dtype: DType) -> PyResult<Py<PyDType>> {
    let all = ALL.get_or_try_init(py, || {
        DType::ALL
            .into_iter()
            .map(|d| Py::new(py, PyDType(d)))
            .collect::<PyResult<Vec<_>>>()
    })?;
    let at = DType::ALL.iter().position(|d| *d == dtype).unwrap_or(0);
    Ok(all[at].clone_ref(py))
}

/// Every dtype by name.
#[pyfunction]
pub fn dtypes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for dtype in DType::ALL {
        all.set_item(dtype.name(), object(py, dtype)?)?;
    }
    Ok(all)
}

/// The dtype of that name, for pickle.
#[pyfunction]
pub fn _dtype(py: Python<'_>, name: &str) -> PyResult<Py<PyDType>> {
    match DType::from_name(name) {
        Some(dtype) => object(py, dtype),
        None => raise(Error::dtype(format!("there is no dtype '{name}'"))),
    }
}
