//! The ops that are methods of Tensor too.

use crate::convert::{attr_of, sizes_of};
use crate::error::{raise, run};
use crate::tensor::PyTensor;
use lamina_core::{Attr, Attrs, Error, Tensor, record_operands};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyTuple};

/// Records an op of one result.
pub fn one(name: &str, inputs: &[Tensor], attrs: &Attrs) -> PyResult<Tensor> {
    let made = run(|| lamina_core::record(name, inputs, attrs))?;
    match made.into_iter().next() {
        Some(tensor) => Ok(tensor),
        None => raise(Error::internal(format!("{name}: no result"))),
    }
}

impl PyTensor {
    fn call(&self, name: &str, attrs: &Attrs) -> PyResult<PyTensor> {
        one(name, std::slice::from_ref(self.tensor()), attrs).map(PyTensor::new)
    }

    fn reduce(
        &self,
        name: &str,
        dim: Option<&Bound<'_, PyAny>>,
        keepdim: bool,
    ) -> PyResult<PyTensor> {
        let dim = dims_of(name, dim)?;
        self.call(
            name,
            &Attrs::new().with("dim", dim).with("keepdim", keepdim),
        )
    }
}

/// None, one axis or several.
fn dims_of(name: &str, dim: Option<&Bound<'_, PyAny>>) -> PyResult<Attr> {
    let Some(dim) = dim else {
        return Ok(Attr::None);
    };
    if dim.is_instance_of::<PyInt>() && !dim.is_instance_of::<PyBool>() {
        return Ok(Attr::Ints(vec![dim.extract()?]));
    }
    attr_of(name, "dim", dim)
}

#[pymethods]
impl PyTensor {
    #[getter(T)]
    fn transposed(&self) -> PyResult<PyTensor> {
        self.call("permute", &Attrs::new())
    }

    #[getter(mT)]
    fn matrix_transposed(&self) -> PyResult<PyTensor> {
        if self.tensor().rank() < 2 {
            return raise(Error::shape(format!(
                "mT: a tensor of shape {:?} has no two axes to swap",
                self.tensor().shape()
            )));
        }
        self.transpose(-2, -1)
    }

    #[pyo3(signature = (dim=None, keepdim=false))]
    fn sum(&self, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<PyTensor> {
        self.reduce("sum", dim, keepdim)
    }

    #[pyo3(signature = (dim=None, keepdim=false))]
    fn mean(&self, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<PyTensor> {
        self.reduce("mean", dim, keepdim)
    }

    #[pyo3(signature = (dim=None, keepdim=false))]
    fn max(&self, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<PyTensor> {
        self.reduce("max", dim, keepdim)
    }

    #[pyo3(signature = (dim=None, keepdim=false))]
    fn min(&self, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<PyTensor> {
        self.reduce("min", dim, keepdim)
    }

    #[pyo3(signature = (dim=None, keepdim=false))]
    fn argmax(&self, dim: Option<i64>, keepdim: bool) -> PyResult<PyTensor> {
        self.call(
            "argmax",
            &Attrs::new().with("dim", dim).with("keepdim", keepdim),
        )
    }

    #[pyo3(signature = (*shape))]
    fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<PyTensor> {
        let shape = sizes_of("reshape", shape)?;
        self.call("reshape", &Attrs::new().with("shape", shape))
    }

    fn transpose(&self, dim0: i64, dim1: i64) -> PyResult<PyTensor> {
        let rank = self.tensor().rank();
        let (a, b) = (
            axis("transpose", dim0, rank)?,
            axis("transpose", dim1, rank)?,
        );
        let mut order: Vec<i64> = (0..rank as i64).collect();
        order.swap(a, b);
        self.call("permute", &Attrs::new().with("dims", order))
    }

    #[pyo3(signature = (*dims))]
    fn permute(&self, dims: &Bound<'_, PyTuple>) -> PyResult<PyTensor> {
        let dims = sizes_of("permute", dims)?;
        self.call("permute", &Attrs::new().with("dims", dims))
    }

    #[pyo3(signature = (*shape))]
    fn expand(&self, shape: &Bound<'_, PyTuple>) -> PyResult<PyTensor> {
        let shape = sizes_of("expand", shape)?;
        self.call("expand", &Attrs::new().with("shape", shape))
    }

    #[pyo3(signature = (start_dim=0, end_dim=-1))]
    fn flatten(&self, start_dim: i64, end_dim: i64) -> PyResult<PyTensor> {
        let attrs = Attrs::new()
            .with("start_dim", start_dim)
            .with("end_dim", end_dim);
        self.call("flatten", &attrs)
    }

    #[pyo3(signature = (dim=None))]
    fn squeeze(&self, dim: Option<&Bound<'_, PyAny>>) -> PyResult<PyTensor> {
        self.call(
            "squeeze",
            &Attrs::new().with("dim", dims_of("squeeze", dim)?),
        )
    }

    fn unsqueeze(&self, dim: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let dim = dims_of("unsqueeze", Some(dim))?;
        self.call("unsqueeze", &Attrs::new().with("dim", dim))
    }

    fn exp(&self) -> PyResult<PyTensor> {
        self.call("exp", &Attrs::new())
    }

    fn log(&self) -> PyResult<PyTensor> {
        self.call("log", &Attrs::new())
    }

    fn sqrt(&self) -> PyResult<PyTensor> {
        self.call("sqrt", &Attrs::new())
    }

    fn tanh(&self) -> PyResult<PyTensor> {
        self.call("tanh", &Attrs::new())
    }

    fn sigmoid(&self) -> PyResult<PyTensor> {
        self.call("sigmoid", &Attrs::new())
    }

    fn relu(&self) -> PyResult<PyTensor> {
        self.call("relu", &Attrs::new())
    }

    fn abs(&self) -> PyResult<PyTensor> {
        self.call("abs", &Attrs::new())
    }

    #[pyo3(signature = (dim=-1))]
    fn softmax(&self, dim: i64) -> PyResult<PyTensor> {
        self.call("softmax", &Attrs::new().with("dim", dim))
    }

    #[pyo3(signature = (min=None, max=None))]
    fn clip(&self, min: Option<f64>, max: Option<f64>) -> PyResult<PyTensor> {
        self.call("clip", &Attrs::new().with("min", min).with("max", max))
    }

    fn pow(&self, exponent: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let Some(exponent) = crate::convert::operand_of(exponent)? else {
            return raise(Error::argument(
                "pow: the exponent is no number, Tensor or array",
            ));
        };
        let this = lamina_core::Operand::Tensor(self.tensor().clone());
        let made = run(|| record_operands("pow", &[this, exponent], &Attrs::new()))?;
        match made.into_iter().next() {
            Some(tensor) => Ok(PyTensor::new(tensor)),
            None => raise(Error::internal("pow: no result")),
        }
    }
}

/// An axis counted from either end.
pub fn axis(op: &str, dim: i64, rank: usize) -> PyResult<usize> {
    let n = rank as i64;
    if (-n..n).contains(&dim) {
        return Ok(dim.rem_euclid(n) as usize);
    }
    raise(Error::index(format!(
        "{op}: axis {dim} is out of range for {rank} axes"
    )))
}
