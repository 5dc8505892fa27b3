//! A loaded model: traced on placeholders for each new set of input shapes,
//! compiled once, run by any number of threads.

mod check;
mod load;
#[cfg(test)]
mod tests;

use crate::host::Host;
use crate::ir::{Graph, ValueInfo};
use crate::trace::{Entry, Sources, Stop, Strict, Traced, Tracer, Value, source, to_tensor};
use lamina_core::profile::Profile;
use lamina_core::{Compiled, Device, Error, Result, Tensor};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Plans kept, the least recently used goes first.
const MAX_PLANS: usize = 16;

pub struct Model {
    graph: Graph,
    device: Device,
    strict: bool,
    /// Initializers, those that are large already on the device.
    constants: HashMap<String, Entry>,
    /// Shapes inside depend on data: traced anew at each run.
    eager: bool,
    /// Inputs whose values decide shapes.
    structural: AtomicU64,
    plans: Mutex<Vec<(Key, Arc<Compiled>)>>,
    metadata: Vec<(String, String)>,
}

/// Shapes of the inputs, and the values of those that decide shapes.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    shapes: Vec<Vec<usize>>,
    values: Vec<u8>,
}

impl Model {
    /// What a run wants, in the file's order.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.graph.inputs
    }

    pub fn outputs(&self) -> &[ValueInfo] {
        &self.graph.outputs
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// Names and values that the file's author added.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// Records the model on `inputs` (in order), as any function of tensors:
    /// gradients flow through it.
    pub fn trace(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.check(inputs)?;
        let inputs = inputs
            .iter()
            .map(|t| t.to_device(self.device))
            .collect::<Result<Vec<_>>>()?;
        let structural = self.structural.load(Ordering::Relaxed);
        finish(self.trace_with(&inputs, &inputs, structural, true))
    }

    /// The results for `inputs` (in order), on the model's device.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        if self.eager {
            let outputs = self.trace(inputs)?;
            lamina_core::eval(&outputs)?;
            return Ok(outputs);
        }
        let plan = self.plan(inputs)?;
        Ok(plan
            .run(&values(inputs)?)?
            .into_iter()
            .map(Tensor::from_value)
            .collect())
    }

    /// What the steps of [`Model::run`] take, over so many runs.
    pub fn profile(&self, inputs: &[Tensor], runs: usize) -> Result<Profile> {
        self.plan(inputs)?.profile(&values(inputs)?, runs)
    }

    /// The plan that [`Model::run`] uses for inputs such as these.
    pub fn plan(&self, inputs: &[Tensor]) -> Result<Arc<Compiled>> {
        self.check(inputs)?;
        if self.eager {
            return Err(Error::unsupported(
                "shapes inside this model depend on data: it has no plan of its own, each part is planned as it runs",
            ));
        }
        loop {
            let structural = self.structural.load(Ordering::Relaxed);
            let key = Model::key(inputs, structural)?;
            if let Some(plan) = self.cached(&key) {
                return Ok(plan);
            }
            let placeholders: Vec<Tensor> = inputs
                .iter()
                .map(|t| Tensor::placeholder(t.dtype(), t.shape(), self.device))
                .collect();
            match self.trace_with(&placeholders, inputs, structural, false) {
                Ok(outputs) => return self.compile(key, &placeholders, &outputs),
                // Tracing met one more input whose values decide a shape.
                Err(Stop::Needs(more)) if more & !structural != 0 => {
                    self.structural.fetch_or(more, Ordering::Relaxed);
                }
                Err(stop) => return finish(Err(stop)),
            }
        }
    }

    fn compile(
        &self,
        key: Key,
        placeholders: &[Tensor],
        outputs: &[Tensor],
    ) -> Result<Arc<Compiled>> {
        let plan = Arc::new(lamina_core::compile(placeholders, outputs)?);
        let fallbacks = plan.plan().fallbacks();
        if self.strict && !fallbacks.is_empty() {
            return Err(Error::unsupported(format!(
                "strict: {} step(s) have no kernel on {} and would run on the CPU: {}",
                fallbacks.len(),
                self.device,
                fallbacks.join("; ")
            )));
        }
        let mut plans = self.plans.lock();
        plans.retain(|(k, _)| *k != key);
        plans.insert(0, (key, plan.clone()));
        plans.truncate(MAX_PLANS);
        Ok(plan)
    }

    fn cached(&self, key: &Key) -> Option<Arc<Compiled>> {
        let mut plans = self.plans.lock();
        let at = plans.iter().position(|(k, _)| k == key)?;
        plans[..=at].rotate_right(1);
        Some(plans[0].1.clone())
    }

    fn key(inputs: &[Tensor], structural: Sources) -> Result<Key> {
        let mut values = Vec::new();
        for (i, tensor) in inputs.iter().enumerate() {
            if structural & source(i) != 0 {
                values.extend_from_slice(&host_of(tensor)?.to_bytes());
            }
        }
        Ok(Key {
            shapes: inputs.iter().map(|t| t.shape().to_vec()).collect(),
            values,
        })
    }

    /// Traces on `recorded`; where values decide shapes, those of `given`.
    fn trace_with(
        &self,
        recorded: &[Tensor],
        given: &[Tensor],
        structural: Sources,
        concrete: bool,
    ) -> Traced<Vec<Tensor>> {
        let mut entries = Vec::with_capacity(recorded.len());
        for (i, (tensor, value)) in recorded.iter().zip(given).enumerate() {
            let entry = if structural & source(i) != 0 && !concrete {
                Entry {
                    value: host_of(value)?.into(),
                    from: 0,
                }
            } else {
                Entry {
                    value: Value::Tensor(tensor.clone()),
                    from: source(i),
                }
            };
            entries.push(entry);
        }
        let mut watch = Strict;
        let mut tracer = Tracer::new(self.device, concrete, &mut watch);
        let outputs = tracer.run(&self.graph, self.constants.clone(), entries)?;
        outputs
            .iter()
            .map(|e| output_tensor(&e.value, self.device))
            .collect()
    }
}

fn values(inputs: &[Tensor]) -> Result<Vec<lamina_core::Value>> {
    inputs.iter().map(Tensor::value).collect()
}

/// An output on the model's device, 0-d constants too.
fn output_tensor(value: &Value, device: Device) -> Traced<Tensor> {
    let tensor = to_tensor(value, device)?;
    Ok(tensor.to_device(device)?)
}

fn host_of(tensor: &Tensor) -> Result<Host> {
    crate::trace::read_back(tensor)
}

fn finish<T>(traced: Traced<T>) -> Result<T> {
    traced.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Later | Stop::Needs(_) => {
            Error::unsupported("a shape depends on values that exist only at a run")
        }
    })
}
