//! Class Program: a GPU plan as plain data.

use crate::convert::want_tensor;
use crate::error::run_detached;
use lamina_core::{Error, Tensor, files, gpu};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// WGSL modules, buffers and dispatches for one set of shapes.
#[pyclass(frozen, name = "Program", module = "lamina")]
pub struct Program(lamina_core::gpu::Program);

#[pymethods]
impl Program {
    /// The JSON header, and the bytes of constants and parameters that it refers to.
    fn to_parts<'py>(&self, py: Python<'py>) -> PyResult<(String, Bound<'py, PyBytes>)> {
        let (json, blob) = run_detached(py, || Ok(self.0.to_parts()?))?;
        Ok((json, PyBytes::new(py, &blob)))
    }

    /// Writes it to a temporary name beside `path` and renames that.
    ///
    /// Raises:
    ///     ModelError: The file cannot be written.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run_detached(py, || {
            files::write(&path, &self.0.to_bytes()?).map_err(|error| {
                Error::model(format!(
                    "program: cannot write '{}': {error}",
                    path.display()
                ))
            })
        })
    }

    /// Reads what `save` wrote.
    ///
    /// Raises:
    ///     ModelError: The file cannot be read, or is not whole, or contradicts itself.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Program> {
        run_detached(py, || {
            let bytes = files::read(&path);
            let program = bytes.and_then(|bytes| Ok(gpu::Program::from_bytes(&bytes)?));
            program.map_err(|error| error.within(&path.display().to_string()))
        })
        .map(Program)
    }

    fn __repr__(&self) -> String {
        let names = |list: &[lamina_core::gpu::IoDecl]| {
            let all: Vec<String> = list
                .iter()
                .map(|io| format!("{}: {}{:?}", io.name, io.dtype, io.shape))
                .collect();
            all.join(", ")
        };
        format!(
            "Program({} -> {}; {} dispatches)",
            names(&self.0.inputs),
            names(&self.0.outputs),
            self.0.dispatches.len()
        )
    }
}

fn named(what: &str, pairs: Vec<(String, Bound<'_, PyAny>)>) -> PyResult<Vec<(String, Tensor)>> {
    pairs
        .into_iter()
        .map(|(name, object)| {
            let tensor = want_tensor("program", &format!("{what} '{name}'"), &object)?;
            Ok((name, tensor))
        })
        .collect()
}

/// The function from `inputs` to `outputs` as a program.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, portable=true))]
pub fn program(
    py: Python<'_>,
    outputs: Vec<(String, Bound<'_, PyAny>)>,
    inputs: Vec<(String, Bound<'_, PyAny>)>,
    portable: bool,
) -> PyResult<Program> {
    let outputs = named("output", outputs)?;
    let inputs = named("input", inputs)?;
    run_detached(py, || {
        lamina_core::plan::export(&inputs, &outputs, portable)
    })
    .map(Program)
}
