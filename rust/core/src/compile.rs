//! A function of tensors compiled once: what a loaded model runs.

use crate::plan::{Plan, Watch, capture::Capture};
use crate::{DType, Device, Error, Result, Tensor, Value};

/// A plan for fixed input shapes, with everything else folded in.
pub struct Compiled {
    plan: Plan,
    inputs: Vec<Tensor>,
    /// For each output wanted, which of the plan's results it is: one tensor
    /// may be wanted twice.
    results: Vec<usize>,
}

impl Tensor {
    /// An input without a value, for [`compile`].
    pub fn placeholder(dtype: DType, shape: &[usize], device: Device) -> Tensor {
        let meta = crate::Meta::new(dtype, shape);
        Tensor::without_value(meta, device)
    }
}

/// Compiles the graph from `placeholders` to `outputs`; every other leaf is
/// a constant of the plan.
pub fn compile(placeholders: &[Tensor], outputs: &[Tensor]) -> Result<Compiled> {
    let capture = Capture::new(outputs.to_vec(), placeholders)?;
    let graph = capture.graph(true);
    let results = outputs.iter().filter_map(|t| capture.target_index(t));
    Ok(Compiled {
        results: results.collect(),
        plan: Plan::build(graph, capture.leaves.len())?,
        inputs: placeholders.to_vec(),
    })
}

/// Why what is recorded from `inputs` to `outputs` would not run whole on
/// `device`; None: it would.  Nothing is compiled.
pub fn missing_on(device: Device, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Option<String>> {
    match device {
        Device::Cpu => Ok(None),
        Device::Gpu(_) => crate::plan::missing_on_gpu(inputs, outputs, device.gpu()?.caps()),
    }
}

impl Compiled {
    /// Runs on values of the placeholders' shapes and dtypes; any number of
    /// threads may do so at once.
    pub fn run(&self, inputs: &[Value]) -> Result<Vec<Value>> {
        self.run_watched(inputs, None)
    }

    /// As [`Compiled::run`], telling of what happens.
    pub(crate) fn run_watched(&self, inputs: &[Value], watch: Watch<'_>) -> Result<Vec<Value>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::argument(format!(
                "run: {} inputs given, {} wanted",
                inputs.len(),
                self.inputs.len()
            )));
        }
        let mut ready = Vec::with_capacity(inputs.len());
        for (at, (value, wanted)) in inputs.iter().zip(&self.inputs).enumerate() {
            if value.layout.shape != wanted.shape() || value.dtype != wanted.dtype() {
                return Err(Error::shape(format!(
                    "run: input {at} is {} of shape {:?}, this plan wants {} of shape {:?}",
                    value.dtype,
                    value.layout.shape,
                    wanted.dtype(),
                    wanted.shape()
                )));
            }
            let value = if value.layout.is_contiguous() {
                value.clone()
            } else {
                crate::ops::views::contiguous(&Tensor::from_value(value.clone()))?.value()?
            };
            ready.push(value.to_device(wanted.device())?);
        }
        // Leaves beyond the placeholders are constants inside the plan.
        let unused = Value::from_bytes(DType::F32, &[], &[0; 4])?;
        ready.resize(self.plan.input_count(), unused);
        let results = self.plan.run_watched(&ready, watch)?;
        Ok(self.results.iter().map(|&at| results[at].clone()).collect())
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}
