//! Errors on their way to Python: one table of classes, and the gate through
//! which every call into the core goes, so that a panic never crosses.

use lamina_core::{Error, ErrorKind, Result, fork};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyTuple, PyType};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Kind, name, builtin that is a base too, and what it is for.
const CLASSES: [(ErrorKind, &str, Option<&str>, &str); 11] = [
    (
        ErrorKind::Shape,
        "ShapeError",
        Some("ValueError"),
        "Shapes that do not fit.",
    ),
    (
        ErrorKind::DType,
        "DTypeError",
        Some("TypeError"),
        "Dtypes that do not fit.",
    ),
    (
        ErrorKind::Index,
        "IndexError",
        Some("IndexError"),
        "An index or axis out of range.",
    ),
    (
        ErrorKind::Argument,
        "ArgumentError",
        Some("TypeError"),
        "A keyword or value that is not taken.",
    ),
    (
        ErrorKind::Unsupported,
        "UnsupportedError",
        None,
        "Correct, but not available here.",
    ),
    (
        ErrorKind::Model,
        "ModelError",
        None,
        "A model or program file that cannot be read or written.",
    ),
    (
        ErrorKind::Device,
        "DeviceError",
        Some("RuntimeError"),
        "No such device, or a device that failed.",
    ),
    (
        ErrorKind::OutOfMemory,
        "OutOfMemoryError",
        Some("MemoryError"),
        "More memory than there is, or than the budget allows.",
    ),
    (
        ErrorKind::Lost,
        "LostError",
        Some("RuntimeError"),
        "A value that no longer exists.",
    ),
    (
        ErrorKind::Plugin,
        "PluginError",
        None,
        "Raised by a Python function of a plugin's op.",
    ),
    (
        ErrorKind::Internal,
        "InternalError",
        Some("RuntimeError"),
        "A broken promise inside lamina: please report.",
    ),
];

static MADE: PyOnceLock<Vec<(ErrorKind, Py<PyType>)>> = PyOnceLock::new();

thread_local! {
    /// What a signal handler raised while the core was asked to stop.
    static SIGNAL: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    /// What a plugin's Python function raised; the cause of the PluginError.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

fn new_class<'py>(
    py: Python<'py>,
    name: &str,
    bases: Bound<'py, PyTuple>,
    doc: &str,
) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "lamina")?;
    body.set_item("__doc__", doc)?;
    let made = py.get_type::<PyType>().call1((name, bases, body))?;
    Ok(made.cast_into::<PyType>()?)
}

/// Makes the classes and puts them into the module.
pub fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let builtins = PyModule::import(py, "builtins")?;
    let exception = builtins.getattr("Exception")?;
    let base = new_class(
        py,
        "LaminaError",
        PyTuple::new(py, [exception])?,
        "The base of lamina's errors.",
    )?;
    module.add("LaminaError", &base)?;
    let mut made = Vec::with_capacity(CLASSES.len());
    for (kind, name, mixin, doc) in CLASSES {
        let mut bases = vec![base.clone().into_any()];
        if let Some(mixin) = mixin {
            bases.push(builtins.getattr(mixin)?);
        }
        let class = new_class(py, name, PyTuple::new(py, bases)?, doc)?;
        module.add(name, &class)?;
        made.push((kind, class.unbind()));
    }
    let _ = MADE.set(py, made);
    Ok(())
}

/// The Python exception of a core error.
pub fn to_py(error: Error) -> PyErr {
    if error.kind == ErrorKind::Interrupted {
        let signal = SIGNAL.with_borrow_mut(Option::take);
        return signal.unwrap_or_else(|| PyKeyboardInterrupt::new_err(error.message));
    }
    Python::attach(|py| {
        let class = MADE
            .get(py)
            .and_then(|made| made.iter().find(|(kind, _)| *kind == error.kind));
        let Some((_, class)) = class else {
            return pyo3::exceptions::PyRuntimeError::new_err(error.message);
        };
        let made = PyErr::from_type(class.bind(py).clone(), error.message);
        if error.kind == ErrorKind::Plugin {
            made.set_cause(py, RAISED.with_borrow_mut(Option::take));
        }
        made
    })
}

/// The core error that stands for a Python exception inside an op.
pub fn from_py(op: &str, what: &str, error: PyErr) -> Error {
    Python::attach(|py| {
        let kind = MADE.get(py).and_then(|made| {
            made.iter()
                .find(|(_, class)| error.get_type(py).is(class))
                .map(|(kind, _)| *kind)
        });
        if let Some(kind) = kind {
            return Error {
                kind,
                message: error.value(py).to_string(),
            };
        }
        if !error.is_instance_of::<pyo3::exceptions::PyException>(py) {
            SIGNAL.set(Some(error));
            return Error::interrupted(format!("{op}: stopped in {what}"));
        }
        let name = error
            .get_type(py)
            .name()
            .map_or_else(|_| "an error".to_owned(), |n| n.to_string());
        let message = format!("{op}: {what} raised {name}: {}", error.value(py));
        RAISED.set(Some(error));
        Error::plugin(message)
    })
}

/// Tells the core that the user wants to stop, keeping what the signal
/// handler raised.
pub fn keep_signal(error: PyErr) {
    SIGNAL.set(Some(error));
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::internal(format!(
        "a promise inside lamina was broken ({words}); please report it with what you did"
    ))
}

/// Runs core code; errors and panics come out as Python exceptions.
pub fn run<T>(body: impl FnOnce() -> Result<T>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result.map_err(to_py),
        Err(payload) => Err(to_py(panicked(payload.as_ref()))),
    }
}

/// As [`run`], with the GIL released: for what waits or computes.  Other core
/// code holds the GIL, as a fork does.
pub fn run_detached<T: Send>(
    py: Python<'_>,
    body: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(|| fork::inside(body))));
    match outcome {
        Ok(result) => result.map_err(to_py),
        Err(payload) => Err(to_py(panicked(payload.as_ref()))),
    }
}

/// An error of the bindings themselves.
pub fn raise<T>(error: Error) -> PyResult<T> {
    Err(to_py(error))
}
