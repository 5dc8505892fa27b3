//! Class Tensor: what it is, what it holds, and its gradient.

use crate::convert::want_tensor;
use crate::dtype::{self, PyDType, dtype_arg};
use crate::error::{raise, run, run_detached};
use crate::numpy_arrays::{array_of, numpy};
use lamina_core::{DType, Device, Error, Handle, Tensor};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::fmt::Write;

/// An n-dimensional value: immutable, computed when someone looks at it.
#[pyclass(frozen, name = "Tensor", module = "lamina", weakref)]
pub struct PyTensor(Handle);

impl PyTensor {
    pub fn new(tensor: Tensor) -> Self {
        PyTensor(Handle::new(tensor))
    }

    pub fn tensor(&self) -> &Tensor {
        self.0.tensor()
    }
}

/// A shape as Python has it.
pub fn shape_tuple<'py>(py: Python<'py>, shape: &[usize]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, shape)
}

#[pymethods]
impl PyTensor {
    #[classattr]
    fn __array_priority__() -> f64 {
        1000.0
    }

    /// NumPy's operators leave a tensor on their right to us.
    #[classattr]
    fn __array_ufunc__(py: Python<'_>) -> Py<PyAny> {
        py.None()
    }

    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        shape_tuple(py, self.tensor().shape())
    }

    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        dtype::object(py, self.tensor().dtype())
    }

    #[getter]
    fn device(&self) -> String {
        self.tensor().device().to_string()
    }

    #[getter]
    fn ndim(&self) -> usize {
        self.tensor().rank()
    }

    #[getter]
    fn size(&self) -> usize {
        self.tensor().len()
    }

    #[getter]
    fn requires_grad(&self) -> bool {
        self.tensor().requires_grad()
    }

    #[setter]
    fn set_requires_grad(&self, on: bool) -> PyResult<()> {
        run(|| self.tensor().set_requires_grad(on))
    }

    #[getter]
    fn is_leaf(&self) -> bool {
        self.tensor().is_leaf()
    }

    /// The gradient that `backward` gathered here; None before.
    #[getter]
    fn grad(&self) -> Option<PyTensor> {
        let slot = self.tensor().grad_slot()?;
        slot.get().map(PyTensor::new)
    }

    #[setter]
    fn set_grad(&self, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let grad = match value {
            Some(value) => Some(want_tensor("grad", "the value", value)?),
            None => None,
        };
        set_slot(self.tensor(), grad)
    }

    /// Adds the gradients of this tensor to the leaves it was made from.
    #[pyo3(signature = (gradient=None))]
    fn backward(&self, py: Python<'_>, gradient: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let seed = match gradient {
            Some(seed) => Some(want_tensor("backward", "gradient", seed)?),
            None => None,
        };
        let tensor = self.tensor();
        run_detached(py, || lamina_core::backward(tensor, seed.as_ref()))
    }

    /// The same value without gradient history.
    fn detach(&self) -> PyResult<PyTensor> {
        run(|| self.tensor().detach()).map(PyTensor::new)
    }

    /// The same values on another device, or as another dtype.
    fn to(&self, py: Python<'_>, target: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        if let Ok(name) = target.cast::<PyString>() {
            let name: String = name.extract()?;
            if let Some(dtype) = DType::from_name(&name) {
                return self.cast(dtype);
            }
            let device = run(|| Device::parse(&name))?;
            let tensor = self.tensor();
            return run_detached(py, || tensor.to_device(device)).map(PyTensor::new);
        }
        self.cast(dtype_arg("to", target)?)
    }

    fn astype(&self, dtype: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        self.cast(dtype_arg("astype", dtype)?)
    }

    /// A read-only NumPy view of the values, computed if need be.
    fn numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array_of(py, self.tensor())
    }

    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = array_of(py, self.tensor())?;
        let dtype = match dtype {
            Some(dtype) if !array.getattr("dtype")?.eq(&dtype)? => Some(dtype),
            _ => None,
        };
        match (dtype, copy) {
            (Some(_), Some(false)) => raise(Error::argument(
                "__array__: copy=False, but another dtype needs a copy",
            )),
            (Some(dtype), _) => array.call_method1("astype", (dtype,)),
            (None, Some(true)) => array.call_method0("copy"),
            (None, _) => Ok(array),
        }
    }

    /// The single element as a Python number.
    pub fn item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let tensor = self.tensor();
        if tensor.len() == 1 && has_numpy(tensor.dtype()) {
            return array_of(py, tensor)?.call_method0("item");
        }
        let number = run_detached(py, || tensor.item())?;
        Ok(number.into_pyobject(py)?.into_any())
    }

    /// Nested lists of Python numbers; a number where there are no axes.
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array_of(py, &self.printable()?)?.call_method0("tolist")
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let tensor = self.tensor();
        let array = array_of(py, &self.printable()?)?;
        let options = PyDict::new(py);
        options.set_item("separator", ", ")?;
        options.set_item("prefix", "tensor(")?;
        let text: String = numpy(py, "array2string")?
            .call((array,), Some(&options))?
            .extract()?;
        let mut rest = format!("dtype={}", tensor.dtype());
        if tensor.is_empty() && tensor.rank() > 1 {
            rest = format!("shape={}, {rest}", self.shape(py)?);
        }
        if tensor.device() != Device::Cpu {
            let _ = write!(rest, ", device='{}'", tensor.device());
        }
        if tensor.requires_grad() {
            rest += ", requires_grad=True";
        }
        Ok(format!("tensor({text}, {rest})"))
    }

    fn __format__(&self, py: Python<'_>, spec: &str) -> PyResult<String> {
        if self.tensor().rank() == 0 && !spec.is_empty() {
            return self
                .item(py)?
                .call_method1("__format__", (spec,))?
                .extract();
        }
        if spec.is_empty() {
            return self.__repr__(py);
        }
        raise(Error::argument(format!(
            "format '{spec}' of a tensor of shape {:?}: only 0-d tensors take one",
            self.tensor().shape()
        )))
    }

    fn __len__(&self) -> PyResult<usize> {
        match self.tensor().shape().first() {
            Some(&n) => Ok(n),
            None => raise(Error::argument("len: a 0-d tensor has no length")),
        }
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        self.single("bool")?;
        let tensor = self.tensor();
        run_detached(py, || tensor.item()).map(|x| x != 0.0)
    }

    fn __float__(&self, py: Python<'_>) -> PyResult<f64> {
        self.single("float")?;
        let tensor = self.tensor();
        run_detached(py, || tensor.item())
    }

    fn __int__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.single("int")?;
        self.item(py)?.call_method0("__int__")
    }

    fn __index__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.single("index")?;
        if !self.tensor().dtype().is_int() {
            return raise(Error::dtype(format!(
                "index: a tensor of {} is no index; only integers are",
                self.tensor().dtype()
            )));
        }
        self.item(py)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn __hash__(&self) -> isize {
        self.tensor().id() as isize
    }

    /// Itself: a tensor never changes.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// A leaf of its own that shares the value.
    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let copy = run(|| self.tensor().detach())?;
        if self.tensor().requires_grad() {
            run(|| copy.set_requires_grad(true))?;
        }
        Ok(PyTensor::new(copy))
    }

    /// Pickles as its values, dtype, device and whether it wants gradients.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let module = PyModule::import(py, "lamina._lamina")?;
        let array = array_of(py, &self.printable()?)?;
        let args = (array, self.dtype(py)?, self.device(), self.requires_grad());
        (module.getattr("tensor")?, args).into_pyobject(py)
    }
}

impl PyTensor {
    pub fn cast(&self, dtype: DType) -> PyResult<PyTensor> {
        let tensor = self.tensor();
        run(|| lamina_core::ops::elementwise::cast(tensor, dtype)).map(PyTensor::new)
    }

    /// The tensor itself, or float32 where NumPy lacks its dtype.
    fn printable(&self) -> PyResult<Tensor> {
        let tensor = self.tensor();
        if has_numpy(tensor.dtype()) {
            return Ok(tensor.clone());
        }
        run(|| lamina_core::ops::elementwise::cast(&tensor.detach()?, DType::F32))
    }

    fn single(&self, what: &str) -> PyResult<()> {
        let tensor = self.tensor();
        if tensor.len() == 1 {
            return Ok(());
        }
        raise(Error::argument(format!(
            "{what}: a tensor of shape {:?} has {} elements, wanted exactly 1",
            tensor.shape(),
            tensor.len()
        )))
    }
}

/// Sets a leaf's gradient, of its own shape and dtype.
fn set_slot(leaf: &Tensor, grad: Option<Tensor>) -> PyResult<()> {
    let Some(slot) = leaf.grad_slot() else {
        return match grad {
            None => Ok(()),
            Some(_) => raise(Error::argument(
                "grad: only leaves with requires_grad=True hold a gradient",
            )),
        };
    };
    if let Some(grad) = &grad {
        check_grad(leaf.meta(), grad)?;
    }
    slot.set(grad);
    Ok(())
}

/// A gradient has the shape and dtype of what it belongs to.
pub fn check_grad(wanted: &lamina_core::Meta, grad: &Tensor) -> PyResult<()> {
    if grad.meta() == wanted {
        return Ok(());
    }
    raise(Error::shape(format!(
        "grad: got {} of shape {:?}, wanted {} of shape {:?}",
        grad.dtype(),
        grad.shape(),
        wanted.dtype,
        wanted.shape
    )))
}

/// One tensor as it is, several as a tuple.
pub fn results_to_py(py: Python<'_>, mut results: Vec<Tensor>) -> PyResult<Bound<'_, PyAny>> {
    if results.len() == 1
        && let Some(only) = results.pop()
    {
        return Ok(Bound::new(py, PyTensor::new(only))?.into_any());
    }
    let all = results.into_iter().map(PyTensor::new);
    let all = all
        .map(|t| Bound::new(py, t))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, all)?.into_any())
}

/// Whether NumPy has the dtype without help.
fn has_numpy(dtype: DType) -> bool {
    dtype != DType::BF16 && !dtype.is_stored()
}
