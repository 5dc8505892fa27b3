//! What a model would do here, before it is loaded.

use super::{Shapes, Source, ValueInfo, read};
use crate::error::run_detached;
use lamina_core::Device;
use lamina_onnx::Report;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The report as plain Python, which makes its own classes of it.
#[pyfunction]
pub fn onnx_check<'py>(
    py: Python<'py>,
    model: &Bound<'py, PyAny>,
    device: &str,
    shapes: Shapes,
) -> PyResult<Bound<'py, PyDict>> {
    let source = Source::of(model)?;
    let Report {
        device,
        details,
        inputs,
        outputs,
        missing,
        nodes,
        eager,
    } = run_detached(py, || {
        let device = Device::parse(device)?;
        let model = read(&source, shapes, false)?;
        lamina_onnx::report(model, device).map_err(|e| source.within(e))
    })?;
    let found = PyDict::new(py);
    found.set_item("device", device.to_string())?;
    found.set_item("opsets", details.opsets)?;
    found.set_item("data_dependent", eager)?;
    let infos =
        |list: Vec<lamina_onnx::ir::ValueInfo>| list.into_iter().map(ValueInfo).collect::<Vec<_>>();
    found.set_item("inputs", infos(inputs))?;
    found.set_item("outputs", infos(outputs))?;
    let missing: Vec<(String, String)> = missing.into_iter().map(|m| (m.what, m.why)).collect();
    found.set_item("missing", missing)?;
    let nodes: Vec<_> = nodes
        .into_iter()
        .map(|n| (n.name, n.operator, n.version, n.verdict.name(), n.why))
        .collect();
    found.set_item("nodes", nodes)?;
    Ok(found)
}
