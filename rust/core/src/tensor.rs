//! The tensor: an immutable value, computed or still a recorded node.

use crate::hash::IdMap;
use crate::node::{Node, Source};
use crate::op::{Meta, OpRef};
use crate::{DType, Device, Error, Result, Value, eval};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Ids rise in recorded order, over tensors and nodes alike.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// An n-dimensional value.  Clones share it.
#[derive(Clone)]
pub struct Tensor(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: u64,
    pub(crate) meta: Meta,
    pub(crate) device: Device,
    pub(crate) requires_grad: AtomicBool,
    /// Where a leaf's gradient is gathered.
    pub(crate) slot: OnceLock<Arc<GradSlot>>,
    pub(crate) state: Mutex<State>,
    /// How many holders outside the recorded graph may look at the value.
    pub(crate) handles: AtomicU32,
}

pub(crate) struct State {
    pub(crate) value: Option<Value>,
    /// How it is computed; kept after evaluation only where gradients may
    /// still be asked for.
    pub(crate) source: Option<Source>,
    /// Why there is no value any more.
    pub(crate) lost: Option<String>,
}

/// A leaf's gathered gradient.
#[derive(Default)]
pub struct GradSlot(Mutex<Option<Handle>>);

impl GradSlot {
    pub fn get(&self) -> Option<Tensor> {
        self.0.lock().as_ref().map(|h| h.tensor().clone())
    }

    pub fn set(&self, grad: Option<Tensor>) {
        let new = grad.map(Handle::new);
        let old = std::mem::replace(&mut *self.0.lock(), new);
        drop(old);
    }
}

/// Recorded tensors with holders outside the graph.
static HELD: LazyLock<Mutex<IdMap<Weak<Inner>>>> = LazyLock::new(Mutex::default);

/// A holder outside the recorded graph: a Python object, a gradient slot.
/// What it holds is computed before a value it reads is donated.
pub struct Handle(Tensor);

impl Handle {
    pub fn new(tensor: Tensor) -> Self {
        if tensor.0.handles.fetch_add(1, Ordering::Relaxed) == 0 && tensor.is_pending() {
            HELD.lock().insert(tensor.0.id, Arc::downgrade(&tensor.0));
        }
        Handle(tensor)
    }

    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Handle::new(self.0.clone())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.0.handles.fetch_sub(1, Ordering::Relaxed) == 1 {
            HELD.lock().remove(&self.0.0.id);
        }
    }
}

/// The recorded tensors that someone outside the graph holds.
pub(crate) fn held_pending() -> Vec<Tensor> {
    let mut held = HELD.lock();
    held.retain(|_, weak| weak.strong_count() > 0);
    let all: Vec<Tensor> = held
        .values()
        .filter_map(Weak::upgrade)
        .map(Tensor)
        .collect();
    drop(held);
    let mut pending: Vec<Tensor> = all.into_iter().filter(Tensor::is_pending).collect();
    // In recorded order: the same step makes the same plan.
    pending.sort_unstable_by_key(Tensor::id);
    pending
}

pub(crate) fn forget_held(id: u64) {
    HELD.lock().remove(&id);
}

impl Tensor {
    pub(crate) fn with_value(value: Value) -> Tensor {
        let device = value.device();
        Tensor::from_value_of(value, device)
    }

    /// A tensor of `device` on computed storage, which may lie on the CPU: what
    /// steps there made, and float64, which a GPU does not have.
    pub fn from_value_of(value: Value, device: Device) -> Tensor {
        let meta = Meta::new(value.dtype, value.layout.shape.clone());
        Tensor::make(
            meta,
            device,
            false,
            State {
                value: Some(value),
                source: None,
                lost: None,
            },
        )
    }

    pub(crate) fn recorded(
        meta: Meta,
        device: Device,
        requires_grad: bool,
        source: Source,
    ) -> Tensor {
        Tensor::make(
            meta,
            device,
            requires_grad,
            State {
                value: None,
                source: Some(source),
                lost: None,
            },
        )
    }

    pub(crate) fn without_value(meta: Meta, device: Device) -> Tensor {
        Tensor::make(
            meta,
            device,
            false,
            State {
                value: None,
                source: None,
                lost: None,
            },
        )
    }

    fn make(meta: Meta, device: Device, requires_grad: bool, state: State) -> Tensor {
        Tensor(Arc::new(Inner {
            id: next_id(),
            meta,
            device,
            requires_grad: AtomicBool::new(requires_grad),
            slot: OnceLock::new(),
            state: Mutex::new(state),
            handles: AtomicU32::new(0),
        }))
    }

    /// A tensor of the given little-endian elements.
    pub fn from_bytes(
        dtype: DType,
        shape: &[usize],
        bytes: &[u8],
        device: Device,
    ) -> Result<Tensor> {
        let wanted = crate::layout::checked_len(shape)? * dtype.size();
        if bytes.len() != wanted {
            return Err(Error::shape(format!(
                "tensor: {} bytes given for shape {shape:?} of {dtype}, which needs {wanted}",
                bytes.len()
            )));
        }
        if !shape.is_empty() && device == Device::Cpu {
            crate::memory::check_budget(wanted)?;
        }
        let value = Value::from_bytes(dtype, shape, bytes)?.to_device(device)?;
        Ok(Tensor::from_value_of(value, device))
    }

    /// A tensor on computed storage.
    pub fn from_value(value: Value) -> Tensor {
        Tensor::with_value(value)
    }

    /// A 0-d tensor on the CPU; it may be mixed with tensors of any device.
    pub fn scalar(dtype: DType, number: f64) -> Tensor {
        let mut bytes = [0u8; 8];
        crate::scalar::write(dtype, number, &mut bytes);
        Tensor::with_value(Value {
            storage: crate::Storage::Inline(bytes),
            layout: crate::Layout::contiguous(&[]),
            dtype,
        })
    }

    pub fn shape(&self) -> &[usize] {
        &self.0.meta.shape
    }

    pub fn rank(&self) -> usize {
        self.0.meta.shape.len()
    }

    pub fn len(&self) -> usize {
        self.0.meta.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.meta.is_empty()
    }

    pub fn dtype(&self) -> DType {
        self.0.meta.dtype
    }

    pub fn meta(&self) -> &Meta {
        &self.0.meta
    }

    pub fn device(&self) -> Device {
        self.0.device
    }

    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// A 0-d CPU tensor, which goes with tensors of any device.
    pub(crate) fn is_host_scalar(&self) -> bool {
        self.device() == Device::Cpu && self.shape().is_empty()
    }

    pub fn requires_grad(&self) -> bool {
        self.0.requires_grad.load(Ordering::Relaxed)
    }

    /// Makes this tensor a leaf whose gradient `backward` gathers.
    pub fn set_requires_grad(&self, on: bool) -> Result<()> {
        if on && !self.dtype().is_float() {
            return Err(Error::dtype(format!(
                "requires_grad: a tensor of {} has no gradient; only floating-point tensors do",
                self.dtype()
            )));
        }
        if !on && self.requires_grad() && self.grad_slot().is_none() {
            return Err(Error::argument(
                "requires_grad: only leaves can be changed; use detach() for a result without gradient",
            ));
        }
        if on && !self.requires_grad() {
            let _ = self.0.slot.set(Arc::default());
        }
        self.0.requires_grad.store(on, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn make_leaf(&self, slot: &Arc<GradSlot>, requires_grad: bool) {
        let _ = self.0.slot.set(slot.clone());
        self.0.requires_grad.store(requires_grad, Ordering::Relaxed);
    }

    /// Where gradients of this leaf are gathered.
    pub fn grad_slot(&self) -> Option<&Arc<GradSlot>> {
        self.0.slot.get()
    }

    pub fn is_leaf(&self) -> bool {
        !self.requires_grad() || self.grad_slot().is_some()
    }

    /// Recorded and not yet computed.
    pub fn is_pending(&self) -> bool {
        self.0.state.lock().value.is_none()
    }

    pub(crate) fn source(&self) -> Option<Source> {
        self.0.state.lock().source.clone()
    }

    /// The op that makes this tensor, its inputs and which output it is,
    /// while that is recorded.
    pub fn recorded_by(&self) -> Option<(OpRef, Vec<Tensor>, usize)> {
        let source = self.source()?;
        Some((
            source.node.op.clone(),
            source.node.inputs.clone(),
            source.output,
        ))
    }

    /// The user's line that recorded it, where lines are traced.
    pub fn recorded_at(&self) -> Option<Arc<str>> {
        self.source()?.node.site.clone()
    }

    /// The identity of the recorded node behind this tensor.
    pub fn node_id(&self) -> Option<u64> {
        self.source().map(|s| s.node.id)
    }

    /// The number of outputs and every output of the node behind it.
    pub fn siblings(&self) -> Option<Vec<Tensor>> {
        let source = self.source()?;
        Some(
            (0..source.node.metas.len())
                .map(|i| Node::output(&source.node, i))
                .collect(),
        )
    }

    pub(crate) fn value_now(&self) -> Option<Value> {
        self.0.state.lock().value.clone()
    }

    /// The value, computed if need be.
    pub fn value(&self) -> Result<Value> {
        if let Some(value) = self.value_now() {
            return Ok(value);
        }
        eval::eval(std::slice::from_ref(self))?;
        let state = self.0.state.lock();
        match (&state.value, &state.lost) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(why)) => Err(Error::lost(why.clone())),
            (None, None) => Err(Error::internal("an evaluation left a tensor without value")),
        }
    }

    /// The value on the CPU, contiguous from offset 0.
    pub fn host_value(&self) -> Result<Value> {
        let value = self.value()?;
        let whole = value.layout.is_contiguous()
            && (value.layout.offset == 0 || value.device() == Device::Cpu);
        if whole {
            return value.to_device(Device::Cpu);
        }
        // Bring the elements together where they lie, then move only those.
        let packed = crate::ops::views::contiguous(self)?;
        packed.value()?.to_device(Device::Cpu)
    }

    /// The elements, row-major.
    pub fn to_vec<T: lamina_kernels::Element>(&self) -> Result<Vec<T>> {
        let matches =
            T::DTYPE == self.dtype() || (T::DTYPE == DType::U8 && self.dtype() == DType::Bool);
        if !matches {
            return Err(Error::dtype(format!(
                "to_vec: a tensor of {} read as {}",
                self.dtype(),
                T::DTYPE
            )));
        }
        let value = self.host_value()?;
        let bytes = value
            .host_bytes()
            .ok_or_else(|| Error::internal("a host value without host bytes"))?;
        let start = value.layout.offset * size_of::<T>();
        let len = self.len();
        let mut out: Vec<T> = Vec::with_capacity(len);
        // SAFETY: the value holds `len` elements of this type from `start`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr().add(start),
                out.as_mut_ptr().cast::<u8>(),
                len * size_of::<T>(),
            );
            out.set_len(len);
        }
        Ok(out)
    }

    /// The single element as f64.
    pub fn item(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::shape(format!(
                "item: a tensor of shape {:?} has {} elements, wanted exactly 1; index it first",
                self.shape(),
                self.len()
            )));
        }
        let value = self.host_value()?;
        let start = value.layout.offset * self.dtype().size();
        let bytes = value.host_bytes().unwrap_or_default();
        Ok(crate::scalar::read(self.dtype(), &bytes[start..]))
    }

    /// The same value without gradient history.
    pub fn detach(&self) -> Result<Tensor> {
        match self.value_now() {
            Some(value) => Ok(Tensor::from_value_of(value, self.device())),
            None => crate::ops::views::detach(self),
        }
    }

    /// The same values on another device (a copy; evaluated at once).
    pub fn to_device(&self, device: Device) -> Result<Tensor> {
        if self.device() == device {
            return Ok(self.clone());
        }
        if !device.holds(self.dtype()) {
            return Err(Error::unsupported(format!(
                "to: {} does not exist on {device}; cast to float32 first, or stay on the CPU",
                self.dtype()
            )));
        }
        crate::ops::transfer::transfer(self, device)
    }

    /// As [`Tensor::to_device`]; what the device does not hold stays in CPU
    /// memory, and the steps on it are fallbacks of the device's plans.
    pub fn belonging_to(&self, device: Device) -> Result<Tensor> {
        crate::ops::transfer::transfer(self, device)
    }

    pub fn zeros_like(other: &Tensor) -> Result<Tensor> {
        Tensor::full_like(other, 0.0)
    }

    pub fn full_like(other: &Tensor, number: f64) -> Result<Tensor> {
        Tensor::full(other.shape(), number, other.dtype(), other.device())
    }

    /// One number in every element: a broadcast view, no memory.
    pub fn full(shape: &[usize], number: f64, dtype: DType, device: Device) -> Result<Tensor> {
        crate::layout::checked_len(shape)?;
        let scalar = Tensor::scalar(dtype, number).belonging_to(device)?;
        if shape.is_empty() {
            Ok(scalar)
        } else {
            crate::ops::views::expand(&scalar, shape)
        }
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Tensor({} {:?} {})",
            self.dtype(),
            self.shape(),
            self.device()
        )
    }
}
