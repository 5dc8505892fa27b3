//! Recorded functions as ONNX files.

use crate::convert::want_tensor;
use crate::error::run_detached;
use lamina_core::Tensor;
use lamina_onnx::{Export, Recording, export, to_bytes};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

type Named<'py> = Vec<(String, Bound<'py, PyAny>)>;

fn named(what: &str, pairs: Named<'_>) -> PyResult<Vec<(String, Tensor)>> {
    pairs
        .into_iter()
        .map(|(name, object)| {
            let tensor = want_tensor("onnx.save", &format!("{what} '{name}'"), &object)?;
            Ok((name, tensor))
        })
        .collect()
}

type Recorded = (Vec<(String, Tensor)>, Vec<(String, Tensor)>);

fn recorded((inputs, outputs): (Named<'_>, Named<'_>)) -> PyResult<Recorded> {
    Ok((named("input", inputs)?, named("output", outputs)?))
}

/// The bytes of a model: inputs and outputs by name as recorded at one size
/// and, where axes are dynamic, at a second one.
#[pyfunction]
#[pyo3(signature = (first, second, state, dynamic))]
pub fn onnx_save<'py>(
    py: Python<'py>,
    first: (Named<'py>, Named<'py>),
    second: Option<(Named<'py>, Named<'py>)>,
    state: Named<'py>,
    dynamic: Vec<(String, usize, String)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let first = recorded(first)?;
    let second = second.map(recorded).transpose()?;
    let state = named("parameter", state)?;
    let bytes = run_detached(py, || {
        let model = export(&Export {
            first: recording(&first),
            second: second.as_ref().map(recording),
            state: &state,
            dynamic: &dynamic,
        })?;
        to_bytes(&model)
    })?;
    Ok(PyBytes::new(py, &bytes))
}

fn recording((inputs, outputs): &Recorded) -> Recording<'_> {
    Recording { inputs, outputs }
}
