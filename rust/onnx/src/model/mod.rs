//! A loaded model: traced on placeholders for each new set of input shapes,
//! compiled once, run by any number of threads.

mod check;
mod item;
mod load;
mod rehearse;
mod report;
mod shapes;
#[cfg(test)]
mod tests;

pub use item::Item;
pub use report::{NodeReport, Report, Verdict, report};
pub use shapes::{Wanted, fix};

use crate::host::Host;
use crate::ir::{Details, Graph, ValueInfo};
use crate::trace::{Entry, Sources, Stop, Strict, Traced, Tracer, Value, source};
use item::Form;
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
    plans: Mutex<Vec<(Key, Planned)>>,
    details: Details,
}

/// A plan, and what its results make up.
#[derive(Clone)]
struct Planned {
    plan: Arc<Compiled>,
    outputs: Arc<[Form]>,
}

/// What the inputs are, their shapes, and the values of those that decide shapes.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    forms: Vec<Form>,
    shapes: Vec<Vec<usize>>,
    values: Vec<u8>,
}

impl Key {
    fn new(inputs: &[Item], values: Vec<u8>) -> Key {
        let tensors = inputs.iter().flat_map(Item::tensors);
        Key {
            forms: inputs.iter().map(Item::form).collect(),
            shapes: tensors.map(|t| t.shape().to_vec()).collect(),
            values,
        }
    }
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

    /// What the file says of itself.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// Records the model on `inputs` (in order), as any function of tensors:
    /// gradients flow through it.
    pub fn trace(&self, inputs: &[Item]) -> Result<Vec<Item>> {
        self.check(inputs)?;
        let inputs = inputs
            .iter()
            .map(|item| item.map(|t| t.belonging_to(self.device)))
            .collect::<Result<Vec<_>>>()?;
        let structural = self.structural.load(Ordering::Relaxed);
        finish(self.trace_with(&inputs, &inputs, structural, true))
    }

    /// The results for `inputs` (in order), on the model's device.
    pub fn run(&self, inputs: &[Item]) -> Result<Vec<Item>> {
        if self.eager {
            return self.run_eagerly(inputs);
        }
        let Planned { plan, outputs } = self.planned(inputs)?;
        let results = plan.run(&values(inputs)?)?;
        let of_device = |value| Tensor::from_value_of(value, self.device);
        let mut results = results.into_iter().map(of_device);
        Ok(outputs
            .iter()
            .map(|form| form.filled(&mut results))
            .collect())
    }

    /// Traces on the values and runs what was recorded, part by part.
    fn run_eagerly(&self, inputs: &[Item]) -> Result<Vec<Item>> {
        // What was recorded before the model is not the model's.
        lamina_core::eval(&item::tensors(inputs))?;
        let strict = lamina_core::set_strict(self.strict);
        let outputs = self.trace(inputs).and_then(|outputs| {
            lamina_core::eval(&item::tensors(&outputs))?;
            Ok(outputs)
        });
        lamina_core::set_strict(strict);
        outputs
    }

    /// What the steps of [`Model::run`] take, over so many runs.
    pub fn profile(&self, inputs: &[Item], runs: usize) -> Result<Profile> {
        self.plan(inputs)?.profile(&values(inputs)?, runs)
    }

    /// The plan that [`Model::run`] uses for inputs such as these.
    pub fn plan(&self, inputs: &[Item]) -> Result<Arc<Compiled>> {
        Ok(self.planned(inputs)?.plan)
    }

    fn planned(&self, inputs: &[Item]) -> Result<Planned> {
        self.check(inputs)?;
        if self.eager {
            return Err(Error::unsupported(
                "shapes inside this model depend on data: it has no plan of its own, each part is planned as it runs",
            ));
        }
        loop {
            let structural = self.structural.load(Ordering::Relaxed);
            let key = Model::key(inputs, structural)?;
            if let Some(planned) = self.cached(&key) {
                return Ok(planned);
            }
            let placeholders = inputs
                .iter()
                .map(|item| {
                    item.map(|t| Ok(Tensor::placeholder(t.dtype(), t.shape(), self.device)))
                })
                .collect::<Result<Vec<_>>>()?;
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

    fn compile(&self, key: Key, placeholders: &[Item], outputs: &[Item]) -> Result<Planned> {
        let (inputs, results) = (item::tensors(placeholders), item::tensors(outputs));
        let plan = Arc::new(lamina_core::compile(&inputs, &results)?);
        if self.strict {
            plan.plan().refuse_fallbacks()?;
        }
        let outputs = outputs.iter().map(Item::form).collect();
        let planned = Planned { plan, outputs };
        let mut plans = self.plans.lock();
        plans.retain(|(k, _)| *k != key);
        plans.insert(0, (key, planned.clone()));
        plans.truncate(MAX_PLANS);
        Ok(planned)
    }

    fn cached(&self, key: &Key) -> Option<Planned> {
        let mut plans = self.plans.lock();
        let at = plans.iter().position(|(k, _)| k == key)?;
        plans[..=at].rotate_right(1);
        Some(plans[0].1.clone())
    }

    fn key(inputs: &[Item], structural: Sources) -> Result<Key> {
        let mut values = Vec::new();
        for (i, item) in inputs.iter().enumerate() {
            if structural & source(i) != 0 {
                for tensor in item.tensors() {
                    values.extend_from_slice(&host_of(tensor)?.to_bytes());
                }
            }
        }
        Ok(Key::new(inputs, values))
    }

    /// Traces on `recorded`; where values decide shapes, those of `given`.
    fn trace_with(
        &self,
        recorded: &[Item],
        given: &[Item],
        structural: Sources,
        concrete: bool,
    ) -> Traced<Vec<Item>> {
        let mut entries = Vec::with_capacity(recorded.len());
        for (i, (item, given)) in recorded.iter().zip(given).enumerate() {
            let entry = if structural & source(i) != 0 && !concrete {
                Entry {
                    value: known(given)?,
                    from: 0,
                }
            } else {
                Entry {
                    value: item.value(),
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
            .map(|e| Item::of(&e.value, self.device))
            .collect()
    }
}

fn values(inputs: &[Item]) -> Result<Vec<lamina_core::Value>> {
    inputs
        .iter()
        .flat_map(Item::tensors)
        .map(Tensor::value)
        .collect()
}

/// An item with its numbers, which decide shapes.
fn known(item: &Item) -> Result<Value> {
    let mut hosts = item
        .tensors()
        .iter()
        .map(|tensor| Ok(host_of(tensor)?.into()))
        .collect::<Result<Vec<Value>>>()?;
    Ok(match item {
        Item::Tensor(_) => hosts.pop().unwrap_or(Value::Nothing),
        Item::Sequence(_) => hosts.into(),
        Item::Nothing => Value::Nothing,
    })
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
