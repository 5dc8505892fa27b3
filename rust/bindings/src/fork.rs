//! `os.fork`, told to the core.

use lamina_core::fork;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Other threads may need the GIL to come to where a fork is safe.
#[pyfunction]
fn prepare(py: Python<'_>) {
    py.detach(fork::prepare);
}

#[pyfunction]
fn done() {
    fork::done();
}

pub fn install(py: Python<'_>) -> PyResult<()> {
    let os = PyModule::import(py, "os")?;
    // Where processes do not fork there is nothing to register with.
    let Some(register) = os.getattr_opt("register_at_fork")? else {
        return Ok(());
    };
    let done = wrap_pyfunction!(done, py)?;
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(prepare, py)?)?;
    hooks.set_item("after_in_parent", &done)?;
    hooks.set_item("after_in_child", &done)?;
    register.call((), Some(&hooks))?;
    Ok(())
}
