//! What an evaluation would do, step by step.

use crate::convert::want_tensor;
use crate::error::run_detached;
use crate::text::{binary, columns, decimal};
use lamina_core::StepInfo;
use lamina_core::plan::Plan;
use pyo3::prelude::*;
use std::fmt::Write;

/// One step of a plan.
#[pyclass(frozen, subclass, name = "Step", module = "lamina")]
#[derive(Clone)]
pub struct PyStep(pub StepInfo);

#[pymethods]
impl PyStep {
    /// The op, or `fused[n]` for n elementwise ops in one kernel.
    #[getter]
    fn op(&self) -> &str {
        &self.0.op
    }

    /// What runs, with the tail that is fused into it.
    #[getter]
    fn kernel(&self) -> &str {
        &self.0.kernel
    }

    #[getter]
    fn device(&self) -> String {
        self.0.device.to_string()
    }

    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.0.shape.clone()
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.dtype
    }

    /// Bytes read and written, each operand once.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Floating-point operations, a multiply-add counted as two.
    #[getter]
    fn flops(&self) -> u64 {
        self.0.flops
    }

    #[getter]
    fn params(&self) -> &str {
        &self.0.params
    }

    /// For how many images of a batch at a time it runs, followed by the next step; None: for all.
    #[getter]
    fn images_at_once(&self) -> Option<usize> {
        self.0.images_at_once
    }

    /// The line or module that recorded it, where that is traced.
    #[getter]
    fn site(&self) -> Option<&str> {
        self.0.site.as_deref()
    }

    fn __repr__(&self) -> String {
        format!(
            "Step(op='{}', kernel='{}', device='{}', bytes={}, flops={})",
            self.0.op, self.0.kernel, self.0.device, self.0.bytes, self.0.flops
        )
    }
}

/// The steps of a plan, and what runs on the CPU for want of a GPU kernel.
#[pyclass(frozen, name = "Explanation", module = "lamina")]
pub struct Explanation {
    steps: Vec<StepInfo>,
    fallbacks: Vec<String>,
    arena: usize,
    live: usize,
}

impl Explanation {
    pub fn of(plan: &Plan) -> Self {
        Explanation {
            steps: plan.steps().to_vec(),
            fallbacks: plan.fallbacks().to_vec(),
            arena: plan.arena_bytes(),
            live: plan.live_bytes(),
        }
    }

    /// Nothing is left to compute.
    fn empty() -> Self {
        Explanation {
            steps: Vec::new(),
            fallbacks: Vec::new(),
            arena: 0,
            live: 0,
        }
    }
}

#[pymethods]
impl Explanation {
    #[getter]
    fn steps(&self) -> Vec<PyStep> {
        self.steps.iter().cloned().map(PyStep).collect()
    }

    #[getter]
    fn fallbacks(&self) -> Vec<String> {
        self.fallbacks.clone()
    }

    /// Bytes of memory that intermediate values share, on the CPU.
    #[getter]
    fn arena_bytes(&self) -> usize {
        self.arena
    }

    /// Bytes of the intermediate values that are needed at once, at the step that needs most: no
    /// arena could be smaller.
    #[getter]
    fn live_bytes(&self) -> usize {
        self.live
    }

    fn __len__(&self) -> usize {
        self.steps.len()
    }

    fn __repr__(&self) -> String {
        let mut text = table(&self.steps);
        if self.steps.is_empty() {
            text.push_str("nothing is left to compute\n");
        } else {
            let bytes: u64 = self.steps.iter().map(|s| s.bytes).sum();
            let flops: u64 = self.steps.iter().map(|s| s.flops).sum();
            let _ = writeln!(
                text,
                "{} steps, {} moved, {} of intermediates ({} at once), {}flop",
                self.steps.len(),
                binary(bytes),
                binary(self.arena as u64),
                binary(self.live as u64),
                decimal(flops)
            );
        }
        for fallback in &self.fallbacks {
            let _ = writeln!(text, "on the CPU: {fallback}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

const TITLES: [&str; 7] = ["op", "kernel", "device", "result", "moved", "flop", "where"];

fn table(steps: &[StepInfo]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(steps.iter().map(|step| {
        let op = if step.params.is_empty() {
            step.op.clone()
        } else {
            format!("{}({})", step.op, step.params)
        };
        let kernel = match step.images_at_once {
            Some(1) => format!("{}, image by image", step.kernel),
            Some(n) => format!("{}, {n} images at a time", step.kernel),
            None => step.kernel.clone(),
        };
        [
            op,
            kernel,
            step.device.to_string(),
            format!("{}{:?}", step.dtype, step.shape),
            binary(step.bytes),
            decimal(step.flops),
            step.site.clone().unwrap_or_default(),
        ]
    }));
    columns(&rows, &[4, 5])
}

/// The plan that computing `target` would run; nothing is run.
#[pyfunction]
#[pyo3(signature = (*targets))]
pub fn explain(py: Python<'_>, targets: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<Explanation> {
    let wanted = targets
        .iter()
        .map(|object| want_tensor("explain", "an argument", &object))
        .collect::<PyResult<Vec<_>>>()?;
    let plan = run_detached(py, || lamina_core::explain(&wanted))?;
    Ok(plan.map_or_else(Explanation::empty, |plan| Explanation::of(&plan)))
}
