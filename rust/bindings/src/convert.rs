//! Python values as operands and parameters, and data as tensors.

use crate::cell::PyCell;
use crate::dtype::PyDType;
use crate::error::{raise, run, run_detached, to_py};
use crate::numpy_arrays::{descr, is_numpy_scalar, numpy, value_of};
use crate::tensor::PyTensor;
use lamina_core::promote::Number;
use lamina_core::{Attr, Attrs, DType, Device, Error, Operand, Tensor, Value};
use numpy::PyUntypedArray;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

/// The name of an object's class, for messages.
pub fn class_name(object: &Bound<'_, PyAny>) -> String {
    object
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |n| n.to_string())
}

/// The tensor behind a Tensor or a Cell.
pub fn tensor_of(object: &Bound<'_, PyAny>) -> Option<Tensor> {
    if let Ok(tensor) = object.cast::<PyTensor>() {
        return Some(tensor.get().tensor().clone());
    }
    let cell = object.cast::<PyCell>().ok()?;
    Some(cell.get().cell().tensor())
}

/// As [`tensor_of`], with an error that names the argument.
pub fn want_tensor(op: &str, argument: &str, object: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    match tensor_of(object) {
        Some(tensor) => Ok(tensor),
        None => raise(Error::argument(format!(
            "{op}: {argument} is a {}, wanted a Tensor, Parameter or Buffer",
            class_name(object)
        ))),
    }
}

fn int_number(object: &Bound<'_, PyAny>) -> PyResult<Number> {
    match object.extract::<i64>() {
        Ok(value) => Ok(Number::Int(value)),
        Err(_) => raise(Error::argument(format!(
            "the number {object} does not fit into int64"
        ))),
    }
}

/// Tensors, cells, arrays and numbers as operands; None for anything else.
/// Python numbers are weak (they take the tensors' dtype), NumPy's are not.
pub fn operand_of(object: &Bound<'_, PyAny>) -> PyResult<Option<Operand>> {
    if let Some(tensor) = tensor_of(object) {
        return Ok(Some(Operand::Tensor(tensor)));
    }
    if let Ok(float) = object.cast_exact::<PyFloat>() {
        return Ok(Some(Operand::Number(Number::Float(float.extract()?))));
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Some(Operand::Number(Number::Bool(flag.is_true()))));
    }
    if object.is_instance_of::<PyInt>() {
        return int_number(object).map(|n| Some(Operand::Number(n)));
    }
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        let value = value_of("operand", array)?;
        return Ok(Some(Operand::Tensor(Tensor::from_value(value))));
    }
    if is_numpy_scalar(object)? {
        let array = numpy(object.py(), "asarray")?.call1((object,))?;
        let value = value_of("operand", array.cast::<PyUntypedArray>()?)?;
        return Ok(Some(Operand::Tensor(Tensor::from_value(value))));
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Some(Operand::Number(Number::Float(object.extract()?))));
    }
    Ok(None)
}

/// A parameter of an op.
pub fn attr_of(op: &str, name: &str, object: &Bound<'_, PyAny>) -> PyResult<Attr> {
    if object.is_none() {
        return Ok(Attr::None);
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Attr::Bool(flag.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return match int_number(object)? {
            Number::Int(value) => Ok(Attr::Int(value)),
            _ => Ok(Attr::None),
        };
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Attr::Float(object.extract()?));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Attr::Str(text.extract()?));
    }
    if let Ok(dtype) = object.cast::<PyDType>() {
        return Ok(Attr::DType(dtype.get().0));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        return list_attr(op, name, object.cast::<PySequence>()?);
    }
    if object.is_instance_of::<PyUntypedArray>() || is_numpy_scalar(object)? {
        return attr_of(op, name, &object.call_method0("tolist")?);
    }
    if let Ok(sequence) = object.cast::<PySequence>()
        && tensor_of(object).is_none()
    {
        return list_attr(op, name, sequence);
    }
    raise(Error::argument(format!(
        "{op}: {name} is a {}, which is no number, string, dtype or sequence of them",
        class_name(object)
    )))
}

fn list_attr(op: &str, name: &str, sequence: &Bound<'_, PySequence>) -> PyResult<Attr> {
    let (mut ints, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut whole = true;
    for item in sequence.try_iter()? {
        let item = item?;
        match attr_of(op, name, &item)? {
            Attr::Int(value) => {
                ints.push(value);
                floats.push(value as f64);
            }
            Attr::Bool(value) => {
                ints.push(i64::from(value));
                floats.push(f64::from(u8::from(value)));
            }
            Attr::Float(value) => {
                whole = false;
                floats.push(value);
            }
            Attr::Str(text) => texts.push(text),
            _ => {
                return raise(Error::argument(format!(
                    "{op}: {name} holds a {}, wanted numbers or strings",
                    class_name(&item)
                )));
            }
        }
    }
    match (texts.is_empty(), floats.is_empty()) {
        (true, _) if whole => Ok(Attr::Ints(ints)),
        (true, _) => Ok(Attr::Floats(floats)),
        (false, true) => Ok(Attr::Strs(texts)),
        (false, false) => raise(Error::argument(format!(
            "{op}: {name} mixes numbers and strings"
        ))),
    }
}

pub fn attrs_of(op: &str, params: &Bound<'_, PyAny>) -> PyResult<Attrs> {
    let mut attrs = Attrs::new();
    if let Ok(params) = params.cast::<PyDict>() {
        attrs.0.reserve(params.len());
        for (key, value) in params.iter() {
            let key: String = key.extract()?;
            let value = attr_of(op, &key, &value)?;
            attrs.0.push((key, value));
        }
        return Ok(attrs);
    }
    for pair in params.cast::<PyMapping>()?.items()?.iter() {
        let (key, value): (String, Bound<'_, PyAny>) = pair.extract()?;
        let value = attr_of(op, &key, &value)?;
        attrs.0.push((key, value));
    }
    Ok(attrs)
}

/// Sizes given one by one or as one sequence: `reshape(2, 3)`, `reshape((2, 3))`.
pub fn sizes_of(op: &str, args: &Bound<'_, PyTuple>) -> PyResult<Vec<i64>> {
    if args.len() == 1
        && let Ok(first) = args.get_item(0)
        && let Ok(sequence) = first.cast::<PySequence>()
    {
        return sequence
            .try_iter()?
            .map(|item| size_of_item(op, &item?))
            .collect();
    }
    args.iter().map(|item| size_of_item(op, &item)).collect()
}

fn size_of_item(op: &str, item: &Bound<'_, PyAny>) -> PyResult<i64> {
    match item.extract::<i64>() {
        Ok(size) => Ok(size),
        Err(_) => raise(Error::argument(format!(
            "{op}: a size is a {}, wanted an int",
            class_name(item)
        ))),
    }
}

/// Whether nested lists hold anything that has a NumPy dtype of its own.
fn has_arrays(data: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(sequence) = data.cast::<PySequence>()
        && (data.is_instance_of::<PyList>() || data.is_instance_of::<PyTuple>())
    {
        for item in sequence.try_iter()? {
            let item = item?;
            if item.is_exact_instance_of::<PyFloat>() {
                return Ok(false);
            }
            if has_arrays(&item)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    Ok(data.is_instance_of::<PyUntypedArray>()
        || tensor_of(data).is_some()
        || is_numpy_scalar(data)?)
}

/// Array-likes, nested lists and numbers as a CPU tensor: a copy.  Python
/// floats become float32, ints int64; what has a dtype keeps it.
fn from_data(data: &Bound<'_, PyAny>, dtype: Option<DType>) -> PyResult<Tensor> {
    let py = data.py();
    if let Ok(array) = data.cast::<PyUntypedArray>() {
        return Ok(Tensor::from_value(value_of("tensor", array)?));
    }
    let plain = data.is_instance_of::<PyFloat>()
        || data.is_instance_of::<PyList>()
        || data.is_instance_of::<PyTuple>();
    let as_array = numpy(py, "asarray")?;
    // A list goes straight to the dtype asked for, without rounding twice.
    let array = match dtype {
        Some(wanted) if plain && wanted != DType::BF16 && !wanted.is_stored() => {
            as_array.call1((data, descr(py, wanted)?))
        }
        _ => as_array.call1((data,)),
    };
    let array = array.map_err(|error| no_array(py, error))?;
    let value = value_of("tensor", array.cast::<PyUntypedArray>()?)?;
    let python_floats = value.dtype == DType::F64
        && dtype.is_none()
        && plain
        && !is_numpy_scalar(data)?
        && !has_arrays(data)?;
    let tensor = Tensor::from_value(value);
    if python_floats {
        return as_float32(&tensor);
    }
    Ok(tensor)
}

/// NumPy's words for ragged or odd data, as our error.
fn no_array(py: Python<'_>, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyValueError>(py) {
        return to_py(Error::shape(format!("tensor: {}", error.value(py))));
    }
    if error.is_instance_of::<PyOverflowError>(py) {
        return to_py(Error::dtype(format!("tensor: {}", error.value(py))));
    }
    error
}

fn as_float32(tensor: &Tensor) -> PyResult<Tensor> {
    run(|| {
        let doubles = tensor.to_vec::<f64>()?;
        let singles: Vec<u8> = doubles
            .iter()
            .flat_map(|&x| (x as f32).to_le_bytes())
            .collect();
        Ok(Tensor::from_value(Value::from_bytes(
            DType::F32,
            tensor.shape(),
            &singles,
        )?))
    })
}

/// `lamina.tensor`: anything that holds numbers, as a new leaf.
pub fn make_tensor(
    data: &Bound<'_, PyAny>,
    dtype: Option<DType>,
    device: Option<&str>,
    requires_grad: bool,
) -> PyResult<Tensor> {
    let source = tensor_of(data);
    let device = match (device, &source) {
        (Some(name), _) => run(|| Device::parse(name))?,
        (None, Some(tensor)) => tensor.device(),
        (None, None) => run(Device::current)?,
    };
    let tensor = match source {
        Some(tensor) => run(|| tensor.detach())?,
        None => from_data(data, dtype)?,
    };
    run_detached(data.py(), move || {
        let tensor = match dtype {
            Some(dtype) => lamina_core::ops::elementwise::cast(&tensor, dtype)?,
            None => tensor,
        };
        let tensor = tensor.to_device(device)?;
        if requires_grad {
            tensor.set_requires_grad(true)?;
        }
        Ok(tensor)
    })
}
