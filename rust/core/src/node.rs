//! Recording: an op's inputs and outputs, before anything is computed.

use crate::op::{Class, Gradient, Meta, OpRef};
use crate::tensor::{Inner, next_id};
use crate::{Device, Error, Result, Tensor, Value};
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// A chain of more unrun nodes than this is evaluated by itself.
const MAX_DEPTH: u32 = 10_000;

pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) op: OpRef,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) metas: Vec<Meta>,
    pub(crate) device: Device,
    /// The user's line, when it is being traced.
    pub(crate) site: Option<Arc<str>>,
    /// Its gradient has been recorded: what that reads is in the graph.
    pub(crate) differentiated: AtomicBool,
    outputs: Mutex<Vec<Weak<Inner>>>,
    depth: u32,
    /// It reads a placeholder: it cannot run by itself.
    symbolic: bool,
    requires_grad: bool,
}

#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) node: Arc<Node>,
    pub(crate) output: usize,
}

impl Node {
    /// Output `index` as a tensor, made anew if nobody holds it any more.
    pub(crate) fn output(node: &Arc<Node>, index: usize) -> Tensor {
        let mut outputs = node.outputs.lock();
        if let Some(inner) = outputs[index].upgrade() {
            return Tensor(inner);
        }
        let meta = node.metas[index].clone();
        let requires_grad = node.requires_grad && meta.dtype.is_float();
        let source = Source {
            node: node.clone(),
            output: index,
        };
        let tensor = Tensor::recorded(meta, node.device, requires_grad, source);
        outputs[index] = Arc::downgrade(&tensor.0);
        tensor
    }
}

impl Drop for Node {
    /// Lets go of a long tape one node at a time, not by recursion.
    fn drop(&mut self) {
        let mut pending = std::mem::take(&mut self.inputs);
        while let Some(tensor) = pending.pop() {
            // Only the last holder lets go; weak references do not count.
            let Some(inner) = Arc::into_inner(tensor.0) else {
                continue;
            };
            let Some(source) = inner.state.into_inner().source else {
                continue;
            };
            if let Some(mut node) = Arc::into_inner(source.node) {
                pending.append(&mut node.inputs);
            }
        }
    }
}

thread_local! {
    static GRAD_ENABLED: Cell<bool> = const { Cell::new(true) };
    static SITE: Cell<Option<Arc<str>>> = const { Cell::new(None) };
}

/// Whether recorded ops carry gradients on this thread; returns the former setting.
pub fn set_grad_enabled(on: bool) -> bool {
    GRAD_ENABLED.replace(on)
}

pub fn grad_enabled() -> bool {
    GRAD_ENABLED.get()
}

/// Names the user's line (or the module) for the nodes recorded next on this thread.
pub fn set_site(site: Option<Arc<str>>) {
    SITE.set(site);
}

fn current_site() -> Option<Arc<str>> {
    let site = SITE.take();
    SITE.set(site.clone());
    site
}

/// `LAMINA_EAGER`: 1 runs each op as it is recorded.  A library checks this once
/// when it is loaded, so that a mistyped value is an error there.
pub fn eager_from_env() -> Result<bool> {
    let Some(value) = std::env::var_os("LAMINA_EAGER") else {
        return Ok(false);
    };
    match value.to_string_lossy().trim() {
        "1" => Ok(true),
        "0" | "" => Ok(false),
        other => Err(Error::argument(format!(
            "LAMINA_EAGER: got '{other}', wanted 1 or 0"
        ))),
    }
}

fn eager() -> bool {
    static EAGER: OnceLock<bool> = OnceLock::new();
    *EAGER.get_or_init(|| eager_from_env().unwrap_or(false))
}

/// Inputs live on one device, save for 0-d CPU tensors.
fn common_device(op: &str, inputs: &[Tensor]) -> Result<Device> {
    let mut device = None;
    for tensor in inputs.iter().filter(|t| !t.is_host_scalar()) {
        match device {
            None => device = Some(tensor.device()),
            Some(first) if first != tensor.device() => {
                return Err(Error::device(format!(
                    "{op}: inputs are on {first} and {}; move one with .to(...)",
                    tensor.device()
                )));
            }
            Some(_) => {}
        }
    }
    Ok(device.unwrap_or(Device::Cpu))
}

/// Checks `op` on `inputs`, infers its results and records it.
pub fn record_op(op: &OpRef, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let device = common_device(op.op.name(), inputs)?;
    record_on(op, inputs, device)
}

/// As [`record_op`], with the device given (transfers).
pub(crate) fn record_on(op: &OpRef, inputs: &[Tensor], device: Device) -> Result<Vec<Tensor>> {
    let metas: Vec<&Meta> = inputs.iter().map(Tensor::meta).collect();
    let metas = op.op.infer(&metas)?;
    for meta in &metas {
        crate::layout::checked_len(&meta.shape).map_err(|e| e.within(op.op.name()))?;
    }
    if let Some(view) = view_now(op, inputs) {
        return Ok(vec![view]);
    }
    let requires_grad = grad_enabled()
        && inputs.iter().any(Tensor::requires_grad)
        && matches!(op.op.gradient(), Gradient::Vjp { .. });
    let mut depth = 1;
    let mut symbolic = false;
    for input in inputs {
        let state = input.0.state.lock();
        match (&state.value, &state.source) {
            (None, Some(source)) => {
                depth = depth.max(source.node.depth + 1);
                symbolic |= source.node.symbolic;
            }
            (None, None) => symbolic |= state.lost.is_none(),
            (Some(_), _) => {}
        }
    }
    let node = Arc::new(Node {
        id: next_id(),
        op: op.clone(),
        inputs: inputs.to_vec(),
        outputs: Mutex::new(metas.iter().map(|_| Weak::new()).collect()),
        metas,
        device,
        site: current_site(),
        differentiated: AtomicBool::new(false),
        depth,
        symbolic,
        requires_grad,
    });
    let outputs: Vec<Tensor> = (0..node.metas.len())
        .map(|i| Node::output(&node, i))
        .collect();
    if !symbolic && (depth > MAX_DEPTH || eager()) {
        crate::eval::eval(&outputs)?;
    }
    Ok(outputs)
}

/// A view of a computed value needs no run: it is the same storage under
/// another layout.
fn view_now(op: &OpRef, inputs: &[Tensor]) -> Option<Tensor> {
    let (Class::View(rule), [input]) = (op.op.class(), inputs) else {
        return None;
    };
    if input.requires_grad() {
        return None;
    }
    let value = input.value_now()?;
    let layout = rule.view(&value.layout)?;
    let view = Value { layout, ..value };
    Some(Tensor::from_value_of(view, input.device()))
}

/// As [`record_op`], for an op with a single result.
pub fn record_one(op: &OpRef, inputs: &[Tensor]) -> Result<Tensor> {
    let mut outputs = record_op(op, inputs)?;
    outputs.truncate(1);
    outputs
        .pop()
        .ok_or_else(|| Error::internal(format!("{} has no output", op.op.name())))
}

impl Node {
    pub(crate) fn mark_differentiated(&self) {
        self.differentiated.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_differentiated(&self) -> bool {
        self.differentiated.load(Ordering::Relaxed)
    }

    pub(crate) fn requires_grad(&self) -> bool {
        self.requires_grad
    }
}
