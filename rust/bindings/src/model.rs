//! Class Model: a loaded ONNX model.

mod check;
mod items;
mod save;

pub use check::onnx_check;
pub use save::{onnx_save, placeholder};

use crate::convert::class_name;
use crate::dtype::{self, PyDType};
use crate::error::{raise, run, run_detached};
use crate::explain::Explanation;
use crate::profile::PyProfile;
use items::{apart, array_of_item, borrowed, results_to_py};
use lamina_core::{Device, Error, Tensor};
use lamina_onnx::ir::{self, Dim};
use lamina_onnx::{Item, Model, Wanted};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString, PyTuple};
use std::collections::BTreeMap;
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

    /// `tensor`, `sequence`, `optional` or `optional sequence`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
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
        let kind = match self.0.kind {
            ir::Kind::Tensor => String::new(),
            kind => format!("{} of ", kind.name()),
        };
        format!("ValueInfo({}: {kind}{dtype}[{shape}])", self.0.name)
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
        for (name, value) in &self.0.details().metadata {
            all.set_item(name, value)?;
        }
        Ok(all)
    }

    /// What wrote the file, and its version: "" where the file does not say.
    #[getter]
    fn producer(&self) -> (&str, &str) {
        let details = self.0.details();
        (&details.producer, &details.producer_version)
    }

    /// The version of each operator set that the file imports; "" is ONNX's own.
    #[getter]
    fn opsets(&self) -> BTreeMap<String, i64> {
        self.0.details().opsets.clone()
    }

    /// The version of the file's format.
    #[getter]
    fn ir_version(&self) -> i64 {
        self.0.details().ir_version
    }

    /// The model's own version, 0 where the file does not say.
    #[getter]
    fn version(&self) -> i64 {
        self.0.details().version
    }

    /// The name space that the model's name belongs to.
    #[getter]
    fn domain(&self) -> &str {
        &self.0.details().domain
    }

    /// What the author says of the model.
    #[getter]
    fn doc(&self) -> &str {
        &self.0.details().doc
    }

    /// Results by name: an array each, a list of them for a sequence, None for
    /// an optional that holds nothing; inputs are given so, too.  NumPy inputs
    /// are borrowed for the call.
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs = self.given(inputs)?;
        let results = run_detached(py, || {
            let results = self.0.run(&inputs)?;
            results
                .iter()
                .map(|result| apart(result, &inputs))
                .collect::<lamina_core::Result<Vec<_>>>()
        })?;
        let named = PyDict::new(py);
        for (info, result) in self.0.outputs().iter().zip(&results) {
            named.set_item(&info.name, array_of_item(py, result)?)?;
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
        let mut named: Vec<(String, Item)> = Vec::new();
        if args.len() > self.0.inputs().len() {
            return raise(Error::argument(format!(
                "the model takes {} inputs, got {}",
                self.0.inputs().len(),
                args.len()
            )));
        }
        for (info, object) in self.0.inputs().iter().zip(args.iter()) {
            named.push((info.name.clone(), borrowed(&info.name, info.kind, &object)?));
        }
        for (name, object) in kwargs.into_iter().flatten() {
            let name: String = name.extract()?;
            if named.iter().any(|(n, _)| *n == name) {
                return raise(Error::argument(format!("input '{name}' is given twice")));
            }
            let item = borrowed(&name, self.kind_of(&name), &object)?;
            named.push((name, item));
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
    /// What input `name` is; of an unknown one the model itself will complain.
    fn kind_of(&self, name: &str) -> ir::Kind {
        let info = self.0.inputs().iter().find(|info| info.name == name);
        info.map(|info| info.kind).unwrap_or_default()
    }

    /// Inputs by name, in the model's order.
    fn given(&self, inputs: &Bound<'_, PyAny>) -> PyResult<Vec<Item>> {
        let Ok(mapping) = inputs.cast::<PyMapping>() else {
            return raise(Error::argument(format!(
                "run: inputs is a {}, wanted a dict of arrays by name",
                class_name(inputs)
            )));
        };
        let mut named = Vec::new();
        for pair in mapping.items()?.iter() {
            let (name, object): (String, Bound<'_, PyAny>) = pair.extract()?;
            let item = borrowed(&name, self.kind_of(&name), &object)?;
            named.push((name, item));
        }
        run(|| self.0.ordered(&named))
    }

    /// Zeros of the shapes that the file declares.
    fn zeros(&self, call: &str) -> PyResult<Vec<Item>> {
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
                let (Some(sizes), Some(dtype), ir::Kind::Tensor) = (sizes, info.dtype, info.kind)
                else {
                    return raise(Error::argument(format!(
                        "{call}: the file leaves the shape of input '{}' open; give inputs",
                        info.name
                    )));
                };
                run(|| Ok(Tensor::full(&sizes, 0.0, dtype, Device::Cpu)?.into()))
            })
            .collect()
    }
}

/// What a caller says of shapes: sizes of symbolic dimensions, shapes of inputs.
type Shapes = Vec<(String, ShapeWanted)>;

#[derive(FromPyObject)]
pub enum ShapeWanted {
    Size(usize),
    Shape(Vec<Option<usize>>),
}

/// The model in a file or its bytes, of the shapes wanted.
fn read(source: &Source, shapes: Shapes, weights: bool) -> lamina_core::Result<ir::Model> {
    let mut model = match source {
        Source::Bytes(bytes) => lamina_onnx::read_bytes(bytes.clone())?,
        Source::Path(path) if weights => lamina_onnx::read_model(path)?,
        Source::Path(path) => lamina_onnx::read_outline(path)?,
    };
    let shapes: Vec<(String, Wanted)> = shapes
        .into_iter()
        .map(|(name, wanted)| match wanted {
            ShapeWanted::Size(size) => (name, Wanted::Size(size)),
            ShapeWanted::Shape(shape) => (name, Wanted::Shape(shape)),
        })
        .collect();
    lamina_onnx::fix(&mut model, &shapes)?;
    Ok(model)
}

/// Where a model is read from.
enum Source {
    Bytes(Vec<u8>),
    Path(PathBuf),
}

impl Source {
    fn of(model: &Bound<'_, PyAny>) -> PyResult<Source> {
        match model.cast::<PyBytes>() {
            Ok(bytes) => {
                let bytes = bytes.as_bytes();
                run(|| lamina_core::memory::check_budget(bytes.len()))?;
                Ok(Source::Bytes(bytes.to_vec()))
            }
            Err(_) => model.extract().map(Source::Path),
        }
    }

    /// Says of an error which file it is about.
    fn within(&self, error: Error) -> Error {
        match self {
            Source::Path(path) => error.within(&path.display().to_string()),
            Source::Bytes(_) => error,
        }
    }
}

/// Loads a model from a path or the bytes of a file.
#[pyfunction]
#[pyo3(signature = (model, device="auto", strict=false, shapes=Vec::new()))]
pub fn onnx_load(
    py: Python<'_>,
    model: &Bound<'_, PyAny>,
    device: &str,
    strict: bool,
    shapes: Shapes,
) -> PyResult<PyModel> {
    let source = Source::of(model)?;
    let loaded = run_detached(py, || {
        let device = Device::parse(device)?;
        let model = read(&source, shapes, true)?;
        Model::new(model, device, strict).map_err(|e| source.within(e))
    })?;
    Ok(PyModel(Arc::new(loaded)))
}
