//! Recorded functions as ONNX files.

use crate::convert::want_tensor;
use crate::error::run_detached;
use crate::tensor::PyTensor;
use lamina_core::Tensor;
use lamina_onnx::{Export, Recording, export, to_bytes};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;

type Pairs<'py> = Vec<(String, Bound<'py, PyAny>)>;
/// Outputs and inputs of one recording.
type Recorded<'py> = (Pairs<'py>, Pairs<'py>);

fn tensors(what: &str, pairs: Pairs<'_>) -> PyResult<Vec<(String, Tensor)>> {
    pairs
        .into_iter()
        .map(|(name, object)| {
            let tensor = want_tensor("onnx.save", &format!("{what} '{name}'"), &object)?;
            Ok((name, tensor))
        })
        .collect()
}

/// A tensor like `like` without a value: what is recorded on it stays recorded.
#[pyfunction]
pub fn placeholder(like: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
    let like = want_tensor("placeholder", "like", like)?;
    let fresh = Tensor::placeholder(like.dtype(), like.shape(), like.device());
    Ok(PyTensor::new(fresh))
}

/// The bytes of a model.  With dynamic axes `again` is the same function
/// recorded at other sizes.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, cells, dynamic, again=None))]
pub fn onnx_save<'py>(
    py: Python<'py>,
    outputs: Pairs<'py>,
    inputs: Pairs<'py>,
    cells: BTreeMap<String, Bound<'py, PyAny>>,
    dynamic: BTreeMap<String, BTreeMap<usize, String>>,
    again: Option<Recorded<'py>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let recorded = |(outputs, inputs): Recorded<'py>| {
        PyResult::Ok((tensors("output", outputs)?, tensors("input", inputs)?))
    };
    let first = recorded((outputs, inputs))?;
    let second = again.map(recorded).transpose()?;
    let state = tensors("parameter", cells.into_iter().collect())?;
    let dynamic: Vec<(String, usize, String)> = dynamic
        .into_iter()
        .flat_map(|(input, axes)| {
            axes.into_iter()
                .map(move |(axis, symbol)| (input.clone(), axis, symbol))
        })
        .collect();
    let bytes = run_detached(py, || {
        let second = second
            .as_ref()
            .map(|(outputs, inputs)| Recording { inputs, outputs });
        let model = export(&Export {
            first: Recording {
                inputs: &first.1,
                outputs: &first.0,
            },
            second,
            state: &state,
            dynamic: &dynamic,
        })?;
        to_bytes(&model)
    })?;
    Ok(PyBytes::new(py, &bytes))
}
