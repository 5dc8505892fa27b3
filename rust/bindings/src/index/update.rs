//! `x.at[i].set(v)` and `x.at[i].add(v)`: functional updates of a region.

use super::{Basic, parse};
use crate::convert::{class_name, operand_of};
use crate::error::{raise, run};
use crate::tensor::PyTensor;
use lamina_core::op::OpRef;
use lamina_core::ops::{elementwise as e, number_tensor, scatter_slice::ScatterSlice, views};
use lamina_core::{DType, Device, Error, Operand, Result, Tensor, record_op};
use pyo3::prelude::*;

/// What `x.at` is.
#[pyclass(frozen, name = "At", module = "lamina")]
pub struct At(Tensor);

impl At {
    pub fn new(tensor: Tensor) -> Self {
        At(tensor)
    }
}

/// What `x.at[index]` is.
#[pyclass(frozen, name = "AtIndex", module = "lamina")]
pub struct AtIndex {
    tensor: Tensor,
    basic: Basic,
}

#[pymethods]
impl At {
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<AtIndex> {
        let basic = parse(&self.0, index)?;
        if !basic.arrays.is_empty() {
            return raise(Error::unsupported(
                "at: takes ints, slices, None and '...'; for arrays of indices use ops.scatter_add, for a mask ops.where",
            ));
        }
        Ok(AtIndex {
            tensor: self.0.clone(),
            basic,
        })
    }
}

#[pymethods]
impl AtIndex {
    /// A new tensor with `value` in the region.
    fn set(&self, value: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let x = &self.tensor;
        let value = self.value("at.set", value)?;
        run(|| {
            let placed = self.place(&value)?;
            let ones = Tensor::full(value.shape(), 1.0, DType::Bool, x.device())?;
            e::select(&self.place(&ones)?, &placed, x)
        })
        .map(PyTensor::new)
    }

    /// A new tensor with `value` added to the region.
    fn add(&self, value: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let value = self.value("at.add", value)?;
        run(|| e::add(&self.tensor, &self.place(&value)?)).map(PyTensor::new)
    }
}

impl AtIndex {
    /// `value` in the dtype of the tensor and the shape of the cut.
    fn value(&self, what: &str, value: &Bound<'_, PyAny>) -> PyResult<Tensor> {
        let x = &self.tensor;
        let region = self.basic.apply(&placeholder(x))?;
        let value = match operand_of(value)? {
            Some(Operand::Tensor(tensor)) => tensor,
            Some(Operand::Number(number)) => number_tensor(number, Some(x.dtype())),
            None => {
                return raise(Error::argument(format!(
                    "{what}: the value is a {}, wanted a Tensor, array or number",
                    class_name(value)
                )));
            }
        };
        run(|| {
            let value = e::cast(&value, x.dtype())?;
            let value = if value.rank() == 0 {
                value.belonging_to(x.device())?
            } else {
                value
            };
            let value =
                views::expand(&value, region.shape()).map_err(|error| error.within(what))?;
            views::reshape_to(&value, &self.cut_shape()?)
        })
    }

    /// The shape that the slice alone has.
    fn cut_shape(&self) -> Result<Vec<usize>> {
        let basic = &self.basic;
        let op = views::Slice {
            starts: basic.starts.clone(),
            ends: basic.ends.clone(),
            axes: Some(basic.axes.clone()),
            steps: Some(basic.steps.clone()),
        };
        let cut = lamina_core::record_op(&OpRef::new(op), &[placeholder(&self.tensor)])?;
        Ok(cut[0].shape().to_vec())
    }

    /// Zeros of the tensor's shape with `value` in the region.
    fn place(&self, value: &Tensor) -> Result<Tensor> {
        let (x, basic) = (&self.tensor, &self.basic);
        let op = ScatterSlice {
            shape: x.shape().iter().map(|&n| n as i64).collect(),
            starts: basic.starts.clone(),
            ends: basic.ends.clone(),
            axes: Some(basic.axes.clone()),
            steps: Some(basic.steps.clone()),
        };
        let mut made = record_op(&OpRef::new(op), std::slice::from_ref(value))?;
        made.pop().ok_or_else(|| Error::internal("at: no result"))
    }
}

/// Something of the tensor's shape to try views on.
fn placeholder(x: &Tensor) -> Tensor {
    Tensor::placeholder(x.dtype(), x.shape(), Device::Cpu)
}
