//! Writing files from Python, and what tests do to a device.

use crate::error::run_detached;
use lamina_core::{Device, files};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::path::PathBuf;

/// Writes `data` to a temporary name beside `path` and renames that: all or nothing.
///
/// Raises:
///     OSError: The file cannot be written; what was there is as it was.
#[pyfunction]
pub fn write_file(py: Python<'_>, path: PathBuf, data: &[u8]) -> PyResult<()> {
    run_detached(py, || Ok(files::write(&path, data)))?.map_err(|error| {
        let text = error.to_string();
        let why = text.split(" (os error").next().unwrap_or(&text).to_owned();
        match error.raw_os_error() {
            // Of a number and its words Python makes the class for it.
            Some(number) => PyOSError::new_err((number, why, path)),
            None => PyOSError::new_err(why),
        }
    })
}

/// Ends the device as a failing driver would: what lies on it is lost, and what
/// is made on it next opens it anew.
#[pyfunction]
pub fn destroy_device(py: Python<'_>, device: &str) -> PyResult<()> {
    run_detached(py, || {
        Device::parse(device)?.gpu()?.destroy();
        Ok(())
    })
}
