//! Recording ops by name, gradients, evaluation, and the library's settings.

use crate::convert::{attrs_of, class_name, make_tensor, operand_of, tensor_of, want_tensor};
use crate::dtype::dtype_arg;
use crate::error::{raise, run, run_detached};
use crate::tensor::{PyTensor, results_to_py};
use lamina_core::kernels::{isa, pool};
use lamina_core::{Device, Error, Operand, Tensor, record_operands};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySequence, PyTuple};

fn operands(name: &str, inputs: &Bound<'_, PyAny>) -> PyResult<Vec<Operand>> {
    let one = |(at, object): (usize, Bound<'_, PyAny>)| match operand_of(&object)? {
        Some(operand) => Ok(operand),
        None => raise(Error::argument(format!(
            "{name}: input {at} is a {}, wanted a Tensor, Parameter, array or number",
            class_name(&object)
        ))),
    };
    if let Ok(tuple) = inputs.cast::<PyTuple>() {
        return tuple.iter().enumerate().map(one).collect();
    }
    if let Ok(list) = inputs.cast::<PyList>() {
        return list.iter().enumerate().map(one).collect();
    }
    let sequence = inputs.cast::<PySequence>()?;
    let items = sequence.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    items.into_iter().enumerate().map(one).collect()
}

/// Records the op called `name`; several outputs come as a tuple.
#[pyfunction]
pub fn record<'py>(
    py: Python<'py>,
    name: &str,
    inputs: &Bound<'py, PyAny>,
    params: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let operands = operands(name, inputs)?;
    let attrs = attrs_of(name, params)?;
    results_to_py(py, run(|| record_operands(name, &operands, &attrs))?)
}

/// A tensor of anything that holds numbers: a copy.
#[pyfunction]
#[pyo3(signature = (data, dtype=None, device=None, requires_grad=false))]
pub fn tensor(
    data: &Bound<'_, PyAny>,
    dtype: Option<&Bound<'_, PyAny>>,
    device: Option<&str>,
    requires_grad: bool,
) -> PyResult<PyTensor> {
    let dtype = match dtype {
        Some(dtype) => Some(dtype_arg("tensor", dtype)?),
        None => None,
    };
    make_tensor(data, dtype, device, requires_grad).map(PyTensor::new)
}

fn tensors(what: &str, argument: &str, object: &Bound<'_, PyAny>) -> PyResult<Vec<Tensor>> {
    if let Some(tensor) = tensor_of(object) {
        return Ok(vec![tensor]);
    }
    let Ok(iterator) = object.try_iter() else {
        return raise(Error::argument(format!(
            "{what}: {argument} is a {}, wanted a Tensor or a sequence of them",
            class_name(object)
        )));
    };
    iterator
        .map(|item| want_tensor(what, argument, &item?))
        .collect()
}

/// Gradients of the sum of `outputs` (weighted by `grad_outputs`) with respect
/// to `inputs`, one for each; zeros where nothing depends on an input.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, grad_outputs=None, create_graph=false))]
pub fn grad(
    py: Python<'_>,
    outputs: &Bound<'_, PyAny>,
    inputs: &Bound<'_, PyAny>,
    grad_outputs: Option<&Bound<'_, PyAny>>,
    create_graph: bool,
) -> PyResult<Vec<PyTensor>> {
    let outputs = tensors("grad", "outputs", outputs)?;
    let inputs = tensors("grad", "inputs", inputs)?;
    let seeds = match grad_outputs {
        Some(seeds) => Some(tensors("grad", "grad_outputs", seeds)?),
        None => None,
    };
    if let Some(seeds) = &seeds
        && seeds.len() != outputs.len()
    {
        return raise(Error::argument(format!(
            "grad: {} grad_outputs for {} outputs; give one for each",
            seeds.len(),
            outputs.len()
        )));
    }
    let found = run_detached(py, || {
        let found = lamina_core::grad(&outputs, &inputs, seeds.as_deref(), create_graph)?;
        found
            .into_iter()
            .zip(&inputs)
            .map(|(grad, input)| match grad {
                Some(grad) => Ok(grad),
                None => Tensor::zeros_like(input),
            })
            .collect::<lamina_core::Result<Vec<_>>>()
    })?;
    Ok(found.into_iter().map(PyTensor::new).collect())
}

/// Computes tensors and the present values of cells, together.
#[pyfunction]
#[pyo3(signature = (*tensors))]
pub fn eval(py: Python<'_>, tensors: &Bound<'_, PyTuple>) -> PyResult<()> {
    let wanted = tensors
        .iter()
        .map(|object| want_tensor("eval", "an argument", &object))
        .collect::<PyResult<Vec<_>>>()?;
    run_detached(py, || lamina_core::eval(&wanted))
}

/// Whether ops recorded on this thread carry gradients; returns the former setting.
#[pyfunction]
pub fn set_grad_enabled(enabled: bool) -> bool {
    lamina_core::set_grad_enabled(enabled)
}

/// Starts the random numbers anew.
#[pyfunction]
pub fn manual_seed(seed: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(seed) = seed.extract::<i128>() else {
        return raise(Error::argument(format!(
            "manual_seed: {seed} is no int of 64 bits"
        )));
    };
    if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&seed) {
        return raise(Error::argument(format!(
            "manual_seed: {seed} does not fit into 64 bits"
        )));
    }
    lamina_core::random::manual_seed(seed as u64);
    Ok(())
}

fn threads_arg(name: &str, threads: i64) -> PyResult<usize> {
    match usize::try_from(threads) {
        Ok(n) if (1..=pool::MAX_THREADS).contains(&n) => Ok(n),
        _ => raise(Error::argument(format!(
            "{name}: got {threads}, wanted 1 to {}",
            pool::MAX_THREADS
        ))),
    }
}

/// How many threads the kernels may use, in the whole process.  Whatever runs
/// follows it from its next kernel on.  Calls from several threads at once
/// share the number evenly.
#[pyfunction]
pub fn set_num_threads(threads: i64) -> PyResult<()> {
    pool::set_num_threads(threads_arg("set_num_threads", threads)?);
    Ok(())
}

/// Limits what is run by the calling thread (`lamina.thread_limit`); the
/// limit before.
#[pyfunction]
pub fn set_thread_limit(threads: i64) -> PyResult<usize> {
    Ok(pool::set_thread_limit(threads_arg(
        "thread_limit",
        threads,
    )?))
}

/// How many threads may compute for the calling thread, itself included: the
/// process's number within the thread's limit.
#[pyfunction]
pub fn num_threads() -> usize {
    pool::num_threads()
}

/// Where new tensors go.
#[pyfunction]
pub fn set_default_device(py: Python<'_>, device: &str) -> PyResult<()> {
    let device = run_detached(py, || Device::parse(device))?;
    Device::set_default(device);
    Ok(())
}

/// Where new tensors go, by name.
#[pyfunction]
pub fn default_device() -> PyResult<String> {
    run(Device::current).map(|d| d.to_string())
}

/// The CPU, then every GPU adapter, with what each has.
#[pyfunction]
pub fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let cpu = PyDict::new(py);
    cpu.set_item("device", "cpu")?;
    cpu.set_item("name", format!("{} threads", pool::num_threads()))?;
    cpu.set_item("kind", "cpu")?;
    cpu.set_item("software", false)?;
    cpu.set_item("isa", isa::Isa::current().to_string())?;
    cpu.set_item("threads", pool::num_threads())?;
    let mut all = vec![cpu];
    let adapters = run_detached(py, || Ok(lamina_core::gpu::adapters()))?;
    for adapter in adapters {
        all.push(adapter_dict(py, &adapter)?);
    }
    Ok(all)
}

fn adapter_dict<'py>(
    py: Python<'py>,
    adapter: &lamina_core::gpu::AdapterInfo,
) -> PyResult<Bound<'py, PyDict>> {
    let caps = &adapter.caps;
    let features: Vec<&str> = [
        ("f16", caps.f16),
        ("subgroups", caps.subgroups),
        ("timestamps", caps.timestamps),
        ("pipeline cache", caps.pipeline_cache),
        ("immediates", caps.immediates),
        ("cooperative matrix", caps.cooperative_matrix),
    ]
    .into_iter()
    .filter_map(|(name, has)| has.then_some(name))
    .collect();
    let limits = PyDict::new(py);
    limits.set_item("buffer", caps.max_buffer_bytes)?;
    limits.set_item("binding", caps.max_binding_bytes)?;
    limits.set_item("bindings", caps.max_storage_buffers)?;
    limits.set_item("invocations", caps.max_invocations)?;
    limits.set_item("workgroup_memory", caps.max_workgroup_storage)?;
    let info = PyDict::new(py);
    info.set_item("device", format!("gpu:{}", adapter.index))?;
    info.set_item("name", &adapter.name)?;
    info.set_item("kind", format!("{:?}", adapter.kind).to_lowercase())?;
    info.set_item("software", adapter.is_software())?;
    info.set_item("backend", &adapter.backend)?;
    info.set_item("driver", &adapter.driver)?;
    info.set_item("features", features)?;
    info.set_item("limits", limits)?;
    Ok(info)
}

/// What has been built and run so far, by name.
#[pyfunction]
pub fn counters(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for (name, count) in lamina_core::counters::snapshot() {
        all.set_item(name, count)?;
    }
    Ok(all)
}

/// Reads the environment variables that have a form to keep.
pub fn check_environment() -> PyResult<()> {
    run(|| {
        pool::from_env().map_err(Error::argument)?;
        isa::Isa::from_env().map_err(Error::argument)?;
        lamina_core::memory::from_env()?;
        lamina_core::eager_from_env()?;
        lamina_core::tune::budget()?;
        Ok(())
    })
}

/// Every op, with the dtypes that it takes on either side and whether it is
/// differentiable: found by trying it.
#[pyfunction]
pub fn op_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let claims = run_detached(py, || Ok(lamina_core::ops::claims::claims()))?;
    let names = |dtypes: &[lamina_core::DType]| -> Vec<&'static str> {
        dtypes.iter().map(|d| d.name()).collect()
    };
    claims
        .iter()
        .map(|claim| {
            let row = PyDict::new(py);
            row.set_item("op", &claim.op)?;
            row.set_item("gradient", claim.gradient)?;
            row.set_item("cpu", names(&claim.cpu))?;
            row.set_item("gpu", names(&claim.gpu))?;
            Ok(row)
        })
        .collect()
}
