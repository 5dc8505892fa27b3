//! Python's operators, for tensors and cells alike.

use crate::cell::PyCell;
use crate::convert::operand_of;
use crate::error::{raise, run};
use crate::tensor::PyTensor;
use lamina_core::{Attrs, DType, Error, Operand, Tensor, record_operands};
use pyo3::basic::CompareOp;
use pyo3::prelude::*;

/// Records `name` on what stands left and right.
fn pair(name: &str, left: Operand, right: Operand) -> PyResult<PyTensor> {
    let mut made = run(|| record_operands(name, &[left, right], &Attrs::new()))?;
    match made.pop() {
        Some(tensor) => Ok(PyTensor::new(tensor)),
        None => raise(Error::internal(format!("{name}: no result"))),
    }
}

fn object(py: Python<'_>, tensor: PyTensor) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, tensor)?.into_any())
}

/// `this OP other`, or NotImplemented where `other` is nothing we know.
fn binary(name: &str, this: &Tensor, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = other.py();
    match operand_of(other)? {
        Some(other) => object(py, pair(name, Operand::Tensor(this.clone()), other)?),
        None => Ok(py.NotImplemented()),
    }
}

/// `other OP this`.
fn reflected(name: &str, this: &Tensor, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = other.py();
    match operand_of(other)? {
        Some(other) => object(py, pair(name, other, Operand::Tensor(this.clone()))?),
        None => Ok(py.NotImplemented()),
    }
}

/// `&`, `|` and `^` are logic on bool; integers have no bitwise ops here.
fn logical(sign: &str, name: &str, this: &Tensor, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = other.py();
    let Some(operand) = operand_of(other)? else {
        return Ok(py.NotImplemented());
    };
    let is_bool = match &operand {
        Operand::Tensor(tensor) => tensor.dtype() == DType::Bool,
        Operand::Number(number) => matches!(number, lamina_core::promote::Number::Bool(_)),
    };
    if this.dtype() != DType::Bool || !is_bool {
        return raise(Error::unsupported(format!(
            "'{sign}' takes bool on both sides, got a tensor of {}; compare first, or use ops.{name}",
            this.dtype()
        )));
    }
    object(py, pair(name, Operand::Tensor(this.clone()), operand)?)
}

fn unary(name: &str, this: &Tensor) -> PyResult<PyTensor> {
    let made = run(|| lamina_core::record(name, std::slice::from_ref(this), &Attrs::new()))?;
    match made.into_iter().next() {
        Some(tensor) => Ok(PyTensor::new(tensor)),
        None => raise(Error::internal(format!("{name}: no result"))),
    }
}

fn power(
    this: &Tensor,
    other: &Bound<'_, PyAny>,
    modulo: Option<&Bound<'_, PyAny>>,
    swapped: bool,
) -> PyResult<Py<PyAny>> {
    if modulo.is_some_and(|m| !m.is_none()) {
        return raise(Error::argument("pow: a third argument is not taken"));
    }
    if swapped {
        reflected("pow", this, other)
    } else {
        binary("pow", this, other)
    }
}

type Other<'a, 'py> = &'a Bound<'py, PyAny>;
type Out = PyResult<Py<PyAny>>;

macro_rules! arithmetic {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            fn __add__(&self, other: Other<'_, '_>) -> Out {
                binary("add", &self.value(), other)
            }
            fn __radd__(&self, other: Other<'_, '_>) -> Out {
                reflected("add", &self.value(), other)
            }
            fn __sub__(&self, other: Other<'_, '_>) -> Out {
                binary("sub", &self.value(), other)
            }
            fn __rsub__(&self, other: Other<'_, '_>) -> Out {
                reflected("sub", &self.value(), other)
            }
            fn __mul__(&self, other: Other<'_, '_>) -> Out {
                binary("mul", &self.value(), other)
            }
            fn __rmul__(&self, other: Other<'_, '_>) -> Out {
                reflected("mul", &self.value(), other)
            }
            fn __truediv__(&self, other: Other<'_, '_>) -> Out {
                binary("div", &self.value(), other)
            }
            fn __rtruediv__(&self, other: Other<'_, '_>) -> Out {
                reflected("div", &self.value(), other)
            }
            fn __floordiv__(&self, other: Other<'_, '_>) -> Out {
                binary("floor_div", &self.value(), other)
            }
            fn __rfloordiv__(&self, other: Other<'_, '_>) -> Out {
                reflected("floor_div", &self.value(), other)
            }
            fn __mod__(&self, other: Other<'_, '_>) -> Out {
                binary("remainder", &self.value(), other)
            }
            fn __rmod__(&self, other: Other<'_, '_>) -> Out {
                reflected("remainder", &self.value(), other)
            }
            fn __pow__(&self, other: Other<'_, '_>, modulo: Option<Other<'_, '_>>) -> Out {
                power(&self.value(), other, modulo, false)
            }
            fn __rpow__(&self, other: Other<'_, '_>, modulo: Option<Other<'_, '_>>) -> Out {
                power(&self.value(), other, modulo, true)
            }
            fn __matmul__(&self, other: Other<'_, '_>) -> Out {
                binary("matmul", &self.value(), other)
            }
            fn __rmatmul__(&self, other: Other<'_, '_>) -> Out {
                reflected("matmul", &self.value(), other)
            }
            fn __neg__(&self) -> PyResult<PyTensor> {
                unary("neg", &self.value())
            }
            fn __abs__(&self) -> PyResult<PyTensor> {
                unary("abs", &self.value())
            }
        }
    };
}

arithmetic!(PyTensor);
arithmetic!(PyCell);

#[pymethods]
impl PyTensor {
    fn __pos__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __invert__(&self) -> PyResult<PyTensor> {
        let dtype = self.tensor().dtype();
        if dtype != DType::Bool {
            return raise(Error::unsupported(format!(
                "'~' takes bool, got a tensor of {dtype}; compare first, or use ops.logical_not"
            )));
        }
        unary("logical_not", self.tensor())
    }

    fn __and__(&self, other: Other<'_, '_>) -> Out {
        logical("&", "logical_and", self.tensor(), other)
    }

    fn __rand__(&self, other: Other<'_, '_>) -> Out {
        logical("&", "logical_and", self.tensor(), other)
    }

    fn __or__(&self, other: Other<'_, '_>) -> Out {
        logical("|", "logical_or", self.tensor(), other)
    }

    fn __ror__(&self, other: Other<'_, '_>) -> Out {
        logical("|", "logical_or", self.tensor(), other)
    }

    fn __xor__(&self, other: Other<'_, '_>) -> Out {
        logical("^", "logical_xor", self.tensor(), other)
    }

    fn __rxor__(&self, other: Other<'_, '_>) -> Out {
        logical("^", "logical_xor", self.tensor(), other)
    }

    fn __richcmp__(&self, other: Other<'_, '_>, op: CompareOp) -> Out {
        let name = match op {
            CompareOp::Lt => "lt",
            CompareOp::Le => "le",
            CompareOp::Eq => "eq",
            CompareOp::Ne => "ne",
            CompareOp::Gt => "gt",
            CompareOp::Ge => "ge",
        };
        binary(name, self.tensor(), other)
    }
}

impl PyTensor {
    fn value(&self) -> Tensor {
        self.tensor().clone()
    }
}

impl PyCell {
    fn value(&self) -> Tensor {
        self.cell().tensor()
    }
}
