//! What a model takes and gives, to and from Python: arrays, lists of arrays
//! for sequences, None for an optional that holds nothing.

use crate::convert::{make_tensor, tensor_of};
use crate::numpy_arrays::{array_of, borrow_value};
use crate::tensor::PyTensor;
use lamina_core::{Storage, Tensor};
use lamina_onnx::Item;
use lamina_onnx::ir::Kind;
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use std::sync::Arc;

/// Input `name`, which the model declares as `kind`.
pub(super) fn borrowed(name: &str, kind: Kind, object: &Bound<'_, PyAny>) -> PyResult<Item> {
    if object.is_none() {
        return Ok(Item::Nothing);
    }
    let is_list = object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>();
    if kind.is_sequence() && is_list {
        let tensors = object
            .try_iter()?
            .map(|item| borrowed_tensor(name, &item?))
            .collect::<PyResult<Vec<_>>>()?;
        return Ok(Item::Sequence(tensors));
    }
    borrowed_tensor(name, object).map(Item::Tensor)
}

/// A tensor as it is, an array's own memory, or a copy of other data.
fn borrowed_tensor(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    if let Some(tensor) = tensor_of(object) {
        return Ok(tensor);
    }
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        return borrow_value(&format!("input '{name}'"), array).map(Tensor::from_value);
    }
    make_tensor(object, None, Some("cpu"), false)
}

/// A result that lies in borrowed memory gets its own.
pub(super) fn apart(result: &Item, inputs: &[Item]) -> lamina_core::Result<Item> {
    result.map(|tensor| {
        let Storage::Cpu(own) = tensor.value()?.storage else {
            return Ok(tensor.clone());
        };
        let shares = |input: &Tensor| {
            let value = input.value();
            value.is_ok_and(|v| matches!(v.storage, Storage::Cpu(b) if Arc::ptr_eq(&b, &own)))
        };
        if !inputs.iter().flat_map(Item::tensors).any(shares) {
            return Ok(tensor.clone());
        }
        lamina_core::ops::views::contiguous(tensor)
    })
}

pub(super) fn array_of_item<'py>(py: Python<'py>, item: &Item) -> PyResult<Bound<'py, PyAny>> {
    match item {
        Item::Tensor(tensor) => array_of(py, tensor),
        Item::Sequence(tensors) => {
            let arrays = tensors.iter().map(|tensor| array_of(py, tensor));
            Ok(PyList::new(py, arrays.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        Item::Nothing => Ok(py.None().into_bound(py)),
    }
}

fn tensor_of_item(py: Python<'_>, item: Item) -> PyResult<Bound<'_, PyAny>> {
    let one = |tensor| Ok(Bound::new(py, PyTensor::new(tensor))?.into_any());
    match item {
        Item::Tensor(tensor) => one(tensor),
        Item::Sequence(tensors) => {
            let tensors = tensors.into_iter().map(one);
            Ok(PyList::new(py, tensors.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        Item::Nothing => Ok(py.None().into_bound(py)),
    }
}

/// A single result as it is, several as a tuple.
pub(super) fn results_to_py(py: Python<'_>, results: Vec<Item>) -> PyResult<Bound<'_, PyAny>> {
    let all = results.into_iter().map(|item| tensor_of_item(py, item));
    let mut all = all.collect::<PyResult<Vec<_>>>()?;
    match (all.len(), all.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            all.extend(last);
            Ok(PyTuple::new(py, all)?.into_any())
        }
    }
}
