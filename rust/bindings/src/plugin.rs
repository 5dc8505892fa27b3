//! Ops that Python defines at run time: each attaches to Python in its own
//! step only.

use crate::convert::tensor_of;
use crate::dtype::{self, dtype_arg};
use crate::error::{from_py, run};
use crate::numpy_arrays::{descr, dtype_of, numpy, plain, view_of};
use crate::tensor::{PyTensor, shape_tuple};
use lamina_core::fork::outside;
use lamina_core::gpu::kernels::{ElementCode, elementwise};
use lamina_core::op::{Blocked, Gradient, Lowered, Strides, Vjp};
use lamina_core::{
    Attrs, Class, CpuCall, CpuOperand, DType, Error, GpuCall, Meta, Op, Result, Tensor, Value,
};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::sync::Arc;

/// A rule written in Python may read any input and output.
const ANY: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[derive(Debug)]
struct PythonOp {
    name: String,
    infer: Py<PyAny>,
    cpu: Py<PyAny>,
    vjp: Option<Py<PyAny>>,
    /// WGSL statements for one element.
    wgsl: Option<String>,
}

/// Runs `body` with Python; its exceptions become the core's errors.
fn with_python<T>(op: &str, what: &str, body: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
    outside(|| Python::try_attach(|py| body(py).map_err(|error| from_py(op, what, error))))
        .unwrap_or_else(|| Err(Error::plugin(format!("{op}: Python is shutting down"))))
}

fn bad(op: &str, what: &str, why: &str) -> PyErr {
    crate::error::to_py(Error::plugin(format!("{op}: {what} {why}")))
}

/// One thing as it is, a tuple or list as its items.
fn several<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if object.is_instance_of::<PyTuple>() || object.is_instance_of::<PyList>() {
        return object.try_iter()?.collect();
    }
    Ok(vec![object.clone()])
}

/// `(shape, dtype)`.
fn meta_of(op: &str, object: &Bound<'_, PyAny>) -> PyResult<Meta> {
    let wanted = "must give (shape, dtype), or a list of them";
    let Ok((shape, dtype)) = object.extract::<(Vec<usize>, Bound<'_, PyAny>)>() else {
        return Err(bad(op, "infer", wanted));
    };
    Ok(Meta::new(dtype_arg(op, &dtype)?, shape))
}

impl PythonOp {
    fn infer_in(&self, py: Python<'_>, inputs: &[&Meta]) -> PyResult<Vec<Meta>> {
        let metas = inputs
            .iter()
            .map(|meta| {
                let pair = (
                    shape_tuple(py, &meta.shape)?,
                    dtype::object(py, meta.dtype)?,
                );
                pair.into_pyobject(py)
            })
            .collect::<PyResult<Vec<_>>>()?;
        let found = self.infer.bind(py).call1(PyTuple::new(py, metas)?)?;
        // A single pair is one output.
        if found.is_instance_of::<PyTuple>()
            && let Ok(meta) = meta_of(&self.name, &found)
        {
            return Ok(vec![meta]);
        }
        several(&found)?
            .iter()
            .map(|item| meta_of(&self.name, item))
            .collect()
    }

    fn cpu_in(&self, py: Python<'_>, call: &CpuCall<'_>) -> PyResult<()> {
        let arrays = call
            .inputs
            .iter()
            .map(|input| array_of_operand(py, input))
            .collect::<PyResult<Vec<_>>>()?;
        let made = self.cpu.bind(py).call1(PyTuple::new(py, arrays)?)?;
        let made = if call.outputs.len() == 1 && !made.is_instance_of::<PyTuple>() {
            vec![made]
        } else {
            several(&made)?
        };
        if made.len() != call.outputs.len() {
            let why = format!("gave {} results, wanted {}", made.len(), call.outputs.len());
            return Err(bad(&self.name, "cpu", &why));
        }
        for (array, output) in made.iter().zip(call.outputs) {
            fill(&self.name, array, output)?;
        }
        Ok(())
    }

    fn vjp_in(
        &self,
        py: Python<'_>,
        rule: &Py<PyAny>,
        vjp: &Vjp<'_>,
    ) -> PyResult<Vec<Option<Tensor>>> {
        let list = |tensors: &[Tensor]| PyTuple::new(py, wrapped(py, tensors)?);
        let grads = (0..vjp.outputs.len())
            .map(|i| run(|| vjp.grad(i)))
            .collect::<PyResult<Vec<_>>>()?;
        let args = (list(vjp.inputs)?, list(vjp.outputs)?, list(&grads)?);
        let found = rule.bind(py).call1(args)?;
        let found = several(&found)?;
        if found.len() != vjp.inputs.len() {
            let why = format!(
                "gave {} gradients for {} inputs",
                found.len(),
                vjp.inputs.len()
            );
            return Err(bad(&self.name, "vjp", &why));
        }
        found
            .iter()
            .map(|item| match tensor_of(item) {
                Some(tensor) => Ok(Some(tensor)),
                None if item.is_none() => Ok(None),
                None => Err(bad(&self.name, "vjp", "must give Tensors or None")),
            })
            .collect()
    }
}

fn wrapped<'py>(py: Python<'py>, tensors: &[Tensor]) -> PyResult<Vec<Bound<'py, PyTensor>>> {
    tensors
        .iter()
        .map(|t| Bound::new(py, PyTensor::new(t.clone())))
        .collect()
}

/// A copy: Python may keep the array for longer than the step lasts.
fn array_of_operand<'py>(py: Python<'py>, operand: &CpuOperand<'_>) -> PyResult<Bound<'py, PyAny>> {
    let bytes = operand.layout.len() * operand.dtype.size();
    // SAFETY: inputs are asked for contiguous; an operand has its elements
    // in one run from `first`.
    let slice = unsafe {
        if bytes == 0 {
            &[][..]
        } else {
            std::slice::from_raw_parts(operand.first().cast_const(), bytes)
        }
    };
    let value = run(|| Value::from_bytes(operand.dtype, &operand.layout.shape, slice))?;
    view_of(py, value)
}

/// Copies what Python gave into an output, of exactly its shape.
fn fill(op: &str, made: &Bound<'_, PyAny>, output: &CpuOperand<'_>) -> PyResult<()> {
    let py = made.py();
    let mut array = numpy(py, "asarray")?.call1((made,))?;
    let wanted = output.dtype;
    if dtype_of(op, &array.cast::<PyUntypedArray>()?.dtype())? != wanted {
        let options = PyDict::new(py);
        options.set_item("casting", "same_kind")?;
        array = array.call_method("astype", (descr(py, wanted)?,), Some(&options))?;
    }
    let array = plain(array.cast::<PyUntypedArray>()?)?;
    if array.shape() != output.layout.shape {
        let why = format!(
            "gave shape {:?} where infer said {:?}",
            array.shape(),
            output.layout.shape
        );
        return Err(bad(op, "cpu", &why));
    }
    // SAFETY: as many bytes on both sides, of memory that does not overlap.
    unsafe {
        std::ptr::copy_nonoverlapping(
            (*array.as_array_ptr())
                .fields
                .data
                .cast::<u8>()
                .cast_const(),
            output.first(),
            array.len() * wanted.size(),
        );
    }
    Ok(())
}

impl Op for PythonOp {
    fn name(&self) -> &str {
        &self.name
    }

    fn params(&self) -> Attrs {
        Attrs::new()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let metas = with_python(&self.name, "infer", |py| self.infer_in(py, inputs))?;
        if metas.is_empty() {
            return Err(Error::plugin(format!(
                "{}: infer gave no output",
                self.name
            )));
        }
        Ok(metas)
    }

    fn gradient(&self) -> Gradient {
        match self.vjp {
            Some(_) => Gradient::Vjp {
                inputs: ANY,
                outputs: ANY,
            },
            None => Gradient::None("it was registered without a vjp"),
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let Some(rule) = &self.vjp else {
            return Err(lamina_core::op::no_gradient(self));
        };
        with_python(&self.name, "vjp", |py| self.vjp_in(py, rule, vjp))
    }

    fn class(&self) -> Class<'_> {
        Class::Opaque
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        with_python(&self.name, "cpu", |py| self.cpu_in(py, call))
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let Some(body) = &self.wgsl else {
            return Ok(Lowered::Unsupported(format!(
                "{} was registered without WGSL",
                self.name
            )));
        };
        if call.dtypes.contains(&DType::F64) || call.out_dtypes.contains(&DType::F64) {
            return Ok(Lowered::Unsupported(
                "float64 does not exist on a GPU".into(),
            ));
        }
        let code = ElementCode::new(body.clone());
        let made = elementwise(call.inputs, call.outputs, &code, &[], call.caps)?;
        Ok(Lowered::Kernels(made))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// Adds an op named `namespace.name`.
///
/// `infer((shape, dtype), ...)` gives `(shape, dtype)` of each output,
/// `cpu(array, ...)` the values, `vjp(inputs, outputs, grads)` a gradient or
/// None for each input, `wgsl` statements that compute one element (`in0`,
/// `in1`, ... to `out0`, ...).
#[pyfunction]
#[pyo3(signature = (name, infer, cpu, vjp=None, wgsl=None))]
pub fn register_op(
    name: String,
    infer: Py<PyAny>,
    cpu: Py<PyAny>,
    vjp: Option<Py<PyAny>>,
    wgsl: Option<String>,
) -> PyResult<()> {
    let op = PythonOp {
        name: name.clone(),
        infer,
        cpu,
        vjp,
        wgsl,
    };
    run(|| lamina_core::ops::register(&name, Arc::new(op)))
}
