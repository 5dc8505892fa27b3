//! Class Model: a loaded ONNX model.

mod save;

pub use save::{onnx_save, placeholder};

use crate::convert::{class_name, make_tensor, tensor_of};
use crate::dtype::{self, PyDType};
use crate::error::{raise, run, run_detached};
use crate::explain::Explanation;
use crate::numpy_arrays::{array_of, borrow_value};
use crate::profile::PyProfile;
use crate::tensor::results_to_py;
use lamina_core::{Device, Error, Storage, Tensor};
use lamina_onnx::Model;
use lamina_onnx::ir::{self, Dim};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString, PyTuple};
use std::path::PathBuf;
use std::sync::Arc;

/// Name, dtype and shape of a model's input or output.
#[pyclass(frozen, name = "ValueInfo", module = "lamina")]
pub struct ValueInfo(ir::ValueInfo);

#[pymethods]
impl ValueInfo {
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Sizes; a name or '?' where the file leaves one open.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(shape) = &self.0.shape else {
            return Ok(None);
        };
        let sizes = shape.iter().map(|dim| {
            Ok(match dim {
                Dim::Fixed(n) => n.into_pyobject(py)?.into_any(),
                Dim::Named(name) => PyString::new(py, name).into_any(),
                Dim::Unknown => PyString::new(py, "?").into_any(),
            })
        });
        PyTuple::new(py, sizes.collect::<PyResult<Vec<_>>>()?).map(Some)
    }

    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Option<Py<PyDType>>> {
        match self.0.dtype {
            Some(dtype) => dtype::object(py, dtype).map(Some),
            None => Ok(None),
        }
    }

    fn __repr__(&self) -> String {
        let dtype = self.0.dtype.map_or("?", lamina_core::DType::name);
        let shape = match &self.0.shape {
            Some(shape) => shape
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            None => "...".to_owned(),
        };
        format!("ValueInfo({}: {dtype}[{shape}])", self.0.name)
    }
}

/// A model that runs; any number of threads may run it at once.
#[pyclass(frozen, name = "Model", module = "lamina")]
pub struct PyModel(Arc<Model>);

#[pymethods]
impl PyModel {
    #[getter]
    fn inputs(&self) -> Vec<ValueInfo> {
        self.0.inputs().iter().cloned().map(ValueInfo).collect()
    }

    #[getter]
    fn outputs(&self) -> Vec<ValueInfo> {
        self.0.outputs().iter().cloned().map(ValueInfo).collect()
    }

    #[getter]
    fn device(&self) -> String {
        self.0.device().to_string()
    }

    /// Names and values that the file's author added.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, value) in self.0.metadata() {
            all.set_item(name, value)?;
        }
        Ok(all)
    }

    /// Results by name.  NumPy inputs are borrowed for the call.
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs = self.given(inputs)?;
        let results = run_detached(py, || {
            let results = self.0.run(&inputs)?;
            results
                .into_iter()
                .map(|result| apart(result, &inputs))
                .collect::<lamina_core::Result<Vec<_>>>()
        })?;
        let named = PyDict::new(py);
        for (info, result) in self.0.outputs().iter().zip(&results) {
            named.set_item(&info.name, array_of(py, result)?)?;
        }
        Ok(named)
    }

    /// Records the model on tensors, as any function: gradients flow through it.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut named: Vec<(String, Tensor)> = Vec::new();
        if args.len() > self.0.inputs().len() {
            return raise(Error::argument(format!(
                "the model takes {} inputs, got {}",
                self.0.inputs().len(),
                args.len()
            )));
        }
        for (info, object) in self.0.inputs().iter().zip(args.iter()) {
            named.push((info.name.clone(), borrowed(&info.name, &object)?));
        }
        for (name, object) in kwargs.into_iter().flatten() {
            let name: String = name.extract()?;
            if named.iter().any(|(n, _)| *n == name) {
                return raise(Error::argument(format!("input '{name}' is given twice")));
            }
            let tensor = borrowed(&name, &object)?;
            named.push((name, tensor));
        }
        let results = run_detached(py, || self.0.trace(&self.0.ordered(&named)?))?;
        results_to_py(py, results)
    }

    /// The plan for inputs of these shapes; for the file's own if None.
    #[pyo3(signature = (inputs=None))]
    fn explain(&self, py: Python<'_>, inputs: Option<&Bound<'_, PyAny>>) -> PyResult<Explanation> {
        let inputs = match inputs {
            Some(inputs) => self.given(inputs)?,
            None => self.zeros("explain")?,
        };
        let plan = run_detached(py, || self.0.plan(&inputs))?;
        Ok(Explanation::of(plan.plan()))
    }

    /// Runs it once to warm up, then `runs` times by the clock: what each step of
    /// the plan took.
    ///
    /// On the CPU each step is timed.  On a GPU each part of the plan is submitted,
    /// waited for and timed as a whole; where the adapter has timestamps (see
    /// `lamina devices`) its steps are timed by its own clock, each as a pass of
    /// its own, which makes the whole a little slower than `run`.  A run holds the
    /// upload of inputs and the wait for the last part, not reading results back.
    ///
    /// Args:
    ///     inputs: Arrays by name, as for `run`; zeros of the file's own shapes if None.
    ///     runs: How many, of which medians are told.
    ///
    /// Raises:
    ///     ArgumentError: runs is less than 1, or inputs do not fit.
    ///     UnsupportedError: Shapes inside the model depend on data: it has no one plan.
    ///
    /// Example:
    ///     >>> import tempfile
    ///     >>> where = tempfile.mkdtemp()
    ///     >>> lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), where + "/linear.onnx")
    ///     >>> model = lamina.onnx.load(where + "/linear.onnx", device="cpu")
    ///     >>> profile = model.profile({"x": np.ones((1, 3), np.float32)}, runs=3)
    ///     >>> len(profile.steps), len(profile.totals), profile.steps[0].flops > 0
    ///     (1, 3, True)
    ///     >>> profile.save(where + "/trace.json")
    #[pyo3(signature = (inputs=None, runs=10))]
    fn profile(
        &self,
        py: Python<'_>,
        inputs: Option<&Bound<'_, PyAny>>,
        runs: i64,
    ) -> PyResult<PyProfile> {
        let Some(runs) = usize::try_from(runs).ok().filter(|&runs| runs > 0) else {
            return raise(Error::argument(format!(
                "profile: runs is {runs}, wanted 1 or more"
            )));
        };
        let inputs = match inputs {
            Some(inputs) => self.given(inputs)?,
            None => self.zeros("profile")?,
        };
        run_detached(py, || self.0.profile(&inputs, runs).map(PyProfile::new))
    }

    fn __repr__(&self) -> String {
        let names = |list: &[ir::ValueInfo]| {
            let all: Vec<String> = list
                .iter()
                .map(|i| ValueInfo(i.clone()).__repr__())
                .collect();
            all.join(", ").replace("ValueInfo(", "").replace(')', "")
        };
        format!(
            "Model({} -> {}; on {})",
            names(self.0.inputs()),
            names(self.0.outputs()),
            self.0.device()
        )
    }
}

impl PyModel {
    /// Inputs by name, in the model's order.
    fn given(&self, inputs: &Bound<'_, PyAny>) -> PyResult<Vec<Tensor>> {
        let Ok(mapping) = inputs.cast::<PyMapping>() else {
            return raise(Error::argument(format!(
                "run: inputs is a {}, wanted a dict of arrays by name",
                class_name(inputs)
            )));
        };
        let mut named = Vec::new();
        for pair in mapping.items()?.iter() {
            let (name, object): (String, Bound<'_, PyAny>) = pair.extract()?;
            let tensor = borrowed(&name, &object)?;
            named.push((name, tensor));
        }
        run(|| self.0.ordered(&named))
    }

    /// Zeros of the shapes that the file declares.
    fn zeros(&self, call: &str) -> PyResult<Vec<Tensor>> {
        self.0
            .inputs()
            .iter()
            .map(|info| {
                let sizes: Option<Vec<usize>> = info.shape.as_ref().and_then(|shape| {
                    shape
                        .iter()
                        .map(|dim| match dim {
                            Dim::Fixed(n) => Some(*n),
                            Dim::Named(_) | Dim::Unknown => None,
                        })
                        .collect()
                });
                let (Some(sizes), Some(dtype)) = (sizes, info.dtype) else {
                    return raise(Error::argument(format!(
                        "{call}: the file leaves the shape of input '{}' open; give inputs",
                        info.name
                    )));
                };
                run(|| Tensor::full(&sizes, 0.0, dtype, Device::Cpu))
            })
            .collect()
    }
}

/// A tensor as it is, an array's own memory, or a copy of other data.
fn borrowed(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    if let Some(tensor) = tensor_of(object) {
        return Ok(tensor);
    }
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        return borrow_value(&format!("input '{name}'"), array).map(Tensor::from_value);
    }
    make_tensor(object, None, Some("cpu"), false)
}

/// A result that lies in borrowed memory gets its own.
fn apart(result: Tensor, inputs: &[Tensor]) -> lamina_core::Result<Tensor> {
    let Storage::Cpu(own) = result.value()?.storage else {
        return Ok(result);
    };
    let shares = |input: &Tensor| {
        input
            .value()
            .is_ok_and(|v| matches!(v.storage, Storage::Cpu(b) if Arc::ptr_eq(&b, &own)))
    };
    if !inputs.iter().any(shares) {
        return Ok(result);
    }
    lamina_core::ops::views::contiguous(&result)
}

/// Loads a model from a path or the bytes of a file.
#[pyfunction]
#[pyo3(signature = (model, device="auto", strict=false))]
pub fn onnx_load(
    py: Python<'_>,
    model: &Bound<'_, PyAny>,
    device: &str,
    strict: bool,
) -> PyResult<PyModel> {
    let loaded = if let Ok(bytes) = model.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        run(|| lamina_core::memory::check_budget(bytes.len()))?;
        let bytes = bytes.to_vec();
        run_detached(py, || {
            Model::from_bytes(bytes, Device::parse(device)?, strict)
        })?
    } else {
        let path: PathBuf = model.extract()?;
        run_detached(py, || Model::load(&path, Device::parse(device)?, strict))?
    };
    Ok(PyModel(Arc::new(loaded)))
}
