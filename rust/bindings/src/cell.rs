//! Class Cell: the mutable holder that parameters, buffers and optimizer
//! state derive from.

use crate::convert::want_tensor;
use crate::dtype::{self, PyDType};
use crate::error::run;
use crate::numpy_arrays::array_of;
use crate::tensor::{PyTensor, check_grad, shape_tuple};
use lamina_core::Cell;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

/// A mutable cell of fixed shape and dtype that holds an immutable tensor.
#[pyclass(frozen, subclass, name = "Cell", module = "lamina", weakref)]
pub struct PyCell(Arc<Cell>);

impl PyCell {
    pub fn cell(&self) -> &Arc<Cell> {
        &self.0
    }
}

#[pymethods]
impl PyCell {
    #[classattr]
    fn __array_priority__() -> f64 {
        1000.0
    }

    #[classattr]
    fn __array_ufunc__(py: Python<'_>) -> Py<PyAny> {
        py.None()
    }

    #[new]
    #[pyo3(signature = (tensor, requires_grad=true))]
    fn new(tensor: &Bound<'_, PyAny>, requires_grad: bool) -> PyResult<Self> {
        let value = want_tensor("Cell", "the value", tensor)?;
        run(|| Cell::new(&value, requires_grad)).map(PyCell)
    }

    /// The present value; ops recorded on it bring gradients to this cell.
    #[getter]
    fn tensor(&self) -> PyTensor {
        PyTensor::new(self.0.tensor())
    }

    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        shape_tuple(py, &self.0.meta().shape)
    }

    #[getter]
    fn ndim(&self) -> usize {
        self.0.meta().shape.len()
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.meta().len()
    }

    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        dtype::object(py, self.0.meta().dtype)
    }

    #[getter]
    fn device(&self) -> String {
        self.0.device().to_string()
    }

    #[getter]
    fn requires_grad(&self) -> bool {
        self.0.requires_grad()
    }

    #[setter]
    fn set_requires_grad(&self, on: bool) -> PyResult<()> {
        run(|| self.0.set_requires_grad(on))
    }

    #[getter]
    fn grad(&self) -> Option<PyTensor> {
        self.0.grad().map(PyTensor::new)
    }

    #[setter]
    fn set_grad(&self, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let grad = match value {
            Some(value) => Some(want_tensor("grad", "the value", value)?),
            None => None,
        };
        if let Some(grad) = &grad {
            check_grad(self.0.meta(), grad)?;
        }
        self.0.set_grad(grad);
        Ok(())
    }

    /// Replaces the value by any other of its shape and dtype.
    fn assign(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = want_tensor("assign", "the value", value)?;
        run(|| self.0.assign(&value))
    }

    /// Replaces the value by one computed from it, whose memory may be the old one's.
    fn update(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = want_tensor("update", "the value", value)?;
        run(|| self.0.update(&value))
    }

    /// A read-only NumPy view of the present value.
    fn numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array_of(py, &self.0.tensor())
    }

    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Bound::new(py, self.tensor())?.call_method1("__array__", (dtype, copy))
    }

    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        crate::index::get(&self.0.tensor(), index)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Bound::new(py, self.tensor())?.len()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = Bound::new(py, self.tensor())?.repr()?;
        Ok(format!("Cell({text})"))
    }

    /// A cell of the same class with the value it has now.
    fn __deepcopy__<'py>(
        slf: &Bound<'py, Self>,
        memo: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let value = run(|| this.0.tensor().detach())?;
        let class = slf.get_type();
        let plain = py.get_type::<PyCell>();
        let copy = plain.call_method1(
            "__new__",
            (&class, PyTensor::new(value), this.0.requires_grad()),
        )?;
        if let Ok(state) = slf.getattr("__dict__") {
            let deepcopy = PyModule::import(py, "copy")?.getattr("deepcopy")?;
            copy.getattr("__dict__")?
                .call_method1("update", (deepcopy.call1((state, memo))?,))?;
        }
        Ok(copy)
    }

    /// Pickles as its class, value and whether it wants gradients.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let this = slf.get();
        let value = run(|| this.0.tensor().detach())?;
        let make = PyModule::import(py, "lamina._lamina")?.getattr("_cell")?;
        let args = (slf.get_type(), PyTensor::new(value), this.0.requires_grad());
        (make, args).into_pyobject(py)
    }
}

/// A cell of a given class, for pickle.
#[pyfunction]
pub fn _cell<'py>(
    class: &Bound<'py, PyAny>,
    tensor: &Bound<'py, PyAny>,
    requires_grad: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let plain = class.py().get_type::<PyCell>();
    plain.call_method1("__new__", (class, tensor, requires_grad))
}
