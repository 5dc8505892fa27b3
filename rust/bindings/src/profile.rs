//! Class Profile: what the steps of a run took.

mod table;
mod trace;

use crate::convert::want_tensor;
use crate::error::run_detached;
use crate::explain::PyStep;
use lamina_core::kernels::machine::Machine;
use lamina_core::{Device, Error, StepInfo, profile};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::PathBuf;

/// What a step did in a second, and which part that is of what the machine can.
struct Rates {
    seconds: Option<f64>,
    flops_per_second: Option<f64>,
    bytes_per_second: Option<f64>,
    of_peak: Option<f64>,
    of_bandwidth: Option<f64>,
}

impl Rates {
    fn new(step: &StepInfo, seconds: Option<f64>, machine: Option<&Machine>) -> Rates {
        // A clock may not have ticked while a step ran.
        let per_second = |count: u64| Some(count as f64 / seconds.filter(|&s| s > 0.0)?);
        let (flops, bytes) = (per_second(step.flops), per_second(step.bytes));
        // Only the CPU has been measured.
        let machine = machine.filter(|_| step.device == Device::Cpu);
        let of = |rate: Option<f64>, best: fn(&Machine) -> f64| Some(rate? / best(machine?));
        Rates {
            seconds,
            flops_per_second: flops,
            bytes_per_second: bytes,
            of_peak: of(flops, |m| m.flops_per_second),
            of_bandwidth: of(bytes, |m| m.bytes_per_second),
        }
    }
}

/// A step of a plan and what it took.
#[pyclass(frozen, extends = PyStep, name = "TimedStep", module = "lamina")]
pub struct TimedStep {
    rates: Rates,
    part: usize,
}

#[pymethods]
impl TimedStep {
    /// The median over the runs; None on a GPU without timestamps.
    #[getter]
    fn seconds(&self) -> Option<f64> {
        self.rates.seconds
    }

    /// Floating-point operations a nanosecond.
    #[getter]
    fn gflops(&self) -> Option<f64> {
        Some(self.rates.flops_per_second? / 1e9)
    }

    /// Which part that is of the multiply-adds the CPU can do in float32, in
    /// registers alone, with the threads in use; None on a GPU.
    #[getter]
    fn fraction_of_peak(&self) -> Option<f64> {
        self.rates.of_peak
    }

    /// Which part of the rate at which the CPU reads memory; more than 1 where
    /// the caches hold what a step reads; None on a GPU.
    #[getter]
    fn fraction_of_bandwidth(&self) -> Option<f64> {
        self.rates.of_bandwidth
    }

    /// The number of the plan's part, in `Profile.parts`.
    #[getter]
    fn part(&self) -> usize {
        self.part
    }

    fn __repr__(self_: PyRef<'_, Self>) -> String {
        let step = &self_.as_super().0;
        format!(
            "TimedStep(op='{}', kernel='{}', device='{}', seconds={})",
            step.op,
            step.kernel,
            step.device,
            self_.rates.seconds.map_or("None".into(), |s| s.to_string())
        )
    }
}

/// Where the time of a plan's runs goes.
///
/// Printed, it is a table; `save` writes a trace for Perfetto.
#[pyclass(frozen, name = "Profile", module = "lamina")]
pub struct PyProfile {
    profile: profile::Profile,
    /// Of each step, the median over the runs.
    seconds: Vec<Option<f64>>,
    /// The yardstick, where anything ran on the CPU.
    machine: Option<Machine>,
}

impl PyProfile {
    /// Measures the machine, if it must be known and is not.
    pub fn new(profile: profile::Profile) -> PyProfile {
        let on_cpu = profile.steps.iter().any(|s| s.device == Device::Cpu);
        PyProfile {
            seconds: profile.step_seconds(),
            machine: on_cpu.then(Machine::measured),
            profile,
        }
    }

    fn rates(&self) -> impl Iterator<Item = (&StepInfo, Rates)> {
        let steps = self.profile.steps.iter().zip(&self.seconds);
        steps.map(|(step, &seconds)| {
            let rates = Rates::new(step, seconds, self.machine.as_ref());
            (step, rates)
        })
    }

    /// Seconds of each op, the longest first.
    fn of_ops(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = Vec::new();
        for (step, seconds) in self.profile.steps.iter().zip(&self.seconds) {
            let (op, seconds) = (stem(step), seconds.unwrap_or(0.0));
            match all.iter_mut().find(|(name, _)| name == op) {
                Some((_, sum)) => *sum += seconds,
                None => all.push((op.to_owned(), seconds)),
            }
        }
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

/// The op, whatever the length of an elementwise program.
fn stem(step: &StepInfo) -> &str {
    step.op.split('[').next().unwrap_or(&step.op)
}

#[pymethods]
impl PyProfile {
    /// What ran, in that order.
    #[getter]
    fn steps(&self, py: Python<'_>) -> PyResult<Vec<Py<TimedStep>>> {
        self.rates()
            .map(|(step, rates)| {
                let part = step.place.0;
                let base = PyClassInitializer::from(PyStep(step.clone()));
                Py::new(py, base.add_subclass(TimedStep { rates, part }))
            })
            .collect()
    }

    /// Seconds of a run, the median.
    #[getter]
    fn total(&self) -> f64 {
        self.profile.total()
    }

    /// Seconds of each run.
    #[getter]
    fn totals(&self) -> Vec<f64> {
        let runs = self.profile.runs.iter();
        runs.map(|run| run.whole.seconds).collect()
    }

    /// Device and median seconds of each part of the plan, without what is
    /// brought to the device before it.
    #[getter]
    fn parts(&self) -> Vec<(String, f64)> {
        let times = self.profile.part_seconds();
        let device = |part: usize| self.profile.steps.iter().find(|s| s.place.0 == part);
        times
            .into_iter()
            .enumerate()
            .filter_map(|(part, seconds)| Some((device(part)?.device.to_string(), seconds)))
            .collect()
    }

    /// Seconds of the steps of each op, the longest first.
    #[getter]
    fn by_op<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
        let all = pyo3::types::PyDict::new(py);
        for (op, seconds) in self.of_ops() {
            all.set_item(op, seconds)?;
        }
        Ok(all)
    }

    /// What ran on the CPU for want of a GPU kernel.
    #[getter]
    fn fallbacks(&self) -> Vec<String> {
        self.profile.fallbacks.clone()
    }

    /// Operations a second that the CPU can do: the measured yardstick of
    /// `fraction_of_peak`, once in a process for so many threads; too low if
    /// others kept the cores busy at that moment.  None if nothing ran there.
    #[getter]
    fn peak(&self) -> Option<f64> {
        self.machine.map(|machine| machine.flops_per_second)
    }

    /// Bytes a second that the CPU reads from memory: the measured yardstick
    /// of `fraction_of_bandwidth`.  None if nothing ran there.
    #[getter]
    fn bandwidth(&self) -> Option<f64> {
        self.machine.map(|machine| machine.bytes_per_second)
    }

    /// Writes every run as a trace, which https://ui.perfetto.dev and
    /// chrome://tracing open: a track for each part of the plan, and one of
    /// whole runs.
    ///
    /// It is written to a temporary name beside `path` and renamed.  A GPU's
    /// clock is not the CPU's: its steps stand from where their part began.
    ///
    /// Raises:
    ///     ArgumentError: The file cannot be written.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run_detached(py, || {
            let text = trace::json(self);
            lamina_core::files::write(&path, text.as_bytes()).map_err(|error| {
                let why = error.to_string();
                let why = why.split(" (os error").next().unwrap_or(&why);
                Error::argument(format!("profile: cannot write '{}': {why}", path.display()))
            })
        })
    }

    fn __len__(&self) -> usize {
        self.profile.steps.len()
    }

    fn __repr__(&self) -> String {
        table::text(self)
    }
}

/// Computes the targets, as `eval` does, and tells what each step took.
///
/// A recorded value is computed once, so this is one run, its first: memory
/// that is touched for the first time counts.  `Model.profile` repeats its runs.
/// With the gradients of a loss among the targets it is the backward pass too.
///
/// Args:
///     targets: Tensors or cells; those that are computed already cost nothing.
///
/// Example:
///     >>> x = lamina.tensor(np.ones((64, 64), np.float32))
///     >>> profile = lamina.profile(ops.softmax(x @ x))
///     >>> print(*(step.op for step in profile.steps))
///     matmul softmax
///     >>> sum(profile.by_op.values()) <= profile.total
///     True
#[pyfunction]
#[pyo3(name = "profile", signature = (*targets))]
pub fn profile_targets(py: Python<'_>, targets: &Bound<'_, PyTuple>) -> PyResult<PyProfile> {
    let wanted = targets
        .iter()
        .map(|object| want_tensor("profile", "an argument", &object))
        .collect::<PyResult<Vec<_>>>()?;
    run_detached(py, || {
        let found = profile::profile(&wanted)?;
        Ok(PyProfile::new(found.unwrap_or_default()))
    })
}
