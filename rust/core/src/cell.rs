//! Mutable cells: parameters, buffers, optimizer state.  A cell of fixed
//! shape and dtype holds an immutable tensor; recording reads its present one.

use crate::hash::IdSet;
use crate::op::Meta;
use crate::tensor::GradSlot;
use crate::{Device, Error, Result, Tensor};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

pub struct Cell {
    meta: Meta,
    state: Mutex<State>,
    slot: Arc<GradSlot>,
    requires_grad: AtomicBool,
}

struct State {
    current: Tensor,
    /// While the present value is pending: the last computed one, which
    /// comes back if the pending one cannot be computed.
    before: Option<Tensor>,
    /// The pending value may be written over the storage of the one before.
    donates: bool,
}

/// Cells whose present value is recorded but not computed.
static PENDING: Mutex<Vec<Weak<Cell>>> = Mutex::new(Vec::new());

/// A pending cell as an evaluation sees it.
pub(crate) struct PendingUpdate {
    pub(crate) cell: Arc<Cell>,
    pub(crate) value: Tensor,
    pub(crate) donor: Option<Tensor>,
}

impl Cell {
    pub fn new(value: &Tensor, requires_grad: bool) -> Result<Arc<Cell>> {
        if requires_grad && !value.dtype().is_float() {
            return Err(Error::dtype(format!(
                "Parameter: a value of {} has no gradient; use a floating-point dtype or requires_grad=False",
                value.dtype()
            )));
        }
        let slot = Arc::<GradSlot>::default();
        let current = leaf(value, &slot, requires_grad)?;
        let cell = Arc::new(Cell {
            meta: value.meta().clone(),
            state: Mutex::new(State {
                current: current.clone(),
                before: None,
                donates: false,
            }),
            slot,
            requires_grad: AtomicBool::new(requires_grad),
        });
        if current.is_pending() {
            PENDING.lock().push(Arc::downgrade(&cell));
        }
        Ok(cell)
    }

    /// The present value, a leaf whose gradient comes to this cell.
    pub fn tensor(&self) -> Tensor {
        self.state.lock().current.clone()
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    pub fn device(&self) -> Device {
        self.state.lock().current.device()
    }

    pub fn grad(&self) -> Option<Tensor> {
        self.slot.get()
    }

    pub fn set_grad(&self, grad: Option<Tensor>) {
        self.slot.set(grad);
    }

    pub fn requires_grad(&self) -> bool {
        self.requires_grad.load(Ordering::Relaxed)
    }

    pub fn set_requires_grad(&self, on: bool) -> Result<()> {
        self.requires_grad.store(on, Ordering::Relaxed);
        let mut state = self.state.lock();
        // Graphs recorded earlier keep the leaf they were recorded with.
        state.current = leaf(&state.current.detach()?, &self.slot, on)?;
        Ok(())
    }

    fn check(&self, what: &str, value: &Tensor) -> Result<()> {
        if *value.meta() == self.meta {
            return Ok(());
        }
        Err(Error::shape(format!(
            "{what}: the cell holds {} of shape {:?}, got {} of shape {:?}; a cell's shape and dtype are fixed",
            self.meta.dtype,
            self.meta.shape,
            value.dtype(),
            value.shape()
        )))
    }

    /// Replaces the value (initialisers, `load_state_dict`, `to`).
    pub fn assign(self: &Arc<Self>, value: &Tensor) -> Result<()> {
        self.check("assign", value)?;
        self.replace(value, false)
    }

    /// Replaces the value by one computed from it (optimizers, running
    /// statistics): the old storage may be reused for the new value.
    pub fn update(self: &Arc<Self>, value: &Tensor) -> Result<()> {
        self.check("update", value)?;
        if value.device() != self.device() {
            return Err(Error::device(format!(
                "update: the cell is on {}, got a value on {}",
                self.device(),
                value.device()
            )));
        }
        self.replace(value, true)
    }

    fn replace(self: &Arc<Self>, value: &Tensor, donate: bool) -> Result<()> {
        let new = leaf(value, &self.slot, self.requires_grad())?;
        let pending = new.is_pending();
        let mut state = self.state.lock();
        let old = std::mem::replace(&mut state.current, new);
        // A second update before an evaluation still reuses the first storage.
        let before = state
            .before
            .take()
            .or_else(|| (!old.is_pending()).then_some(old));
        state.before = before.filter(|_| pending);
        state.donates = donate && pending;
        drop(state);
        if pending {
            PENDING.lock().push(Arc::downgrade(self));
        }
        Ok(())
    }

    /// Called when the pending value was computed.
    pub(crate) fn settle(&self) {
        let before = self.state.lock().before.take();
        drop(before);
    }

    /// Called when `failed` could not be computed: the value before it is the
    /// present one again, unless another has replaced it since.
    pub(crate) fn restore(&self, failed: &Tensor) {
        let mut state = self.state.lock();
        if state.current.id() != failed.id() {
            return;
        }
        let Some(before) = state.before.take() else {
            return;
        };
        state.donates = false;
        let after = std::mem::replace(&mut state.current, before);
        drop(state);
        drop(after);
    }
}

/// `value` as a leaf of its own.  A recorded update without history of its
/// own is taken as it is, so that its node can write over the old storage.
fn leaf(value: &Tensor, slot: &Arc<GradSlot>, requires_grad: bool) -> Result<Tensor> {
    let taken = value.is_pending() && !value.requires_grad() && value.grad_slot().is_none();
    let fresh = if taken {
        value.clone()
    } else {
        value.detach()?
    };
    fresh.make_leaf(slot, requires_grad);
    Ok(fresh)
}

/// All cells whose value is pending, each once.
pub(crate) fn pending_updates() -> Vec<PendingUpdate> {
    let mut pending = PENDING.lock();
    let mut seen = IdSet::default();
    let mut cells = Vec::new();
    pending.retain(|weak| {
        let Some(cell) = weak.upgrade() else {
            return false;
        };
        let keep = cell.tensor().is_pending() && seen.insert(Arc::as_ptr(&cell) as u64);
        if keep {
            cells.push(cell);
        }
        keep
    });
    drop(pending);
    cells
        .into_iter()
        .map(|cell| {
            let state = cell.state.lock();
            let value = state.current.clone();
            let donor = state.before.clone().filter(|_| state.donates);
            drop(state);
            PendingUpdate { cell, value, donor }
        })
        .collect()
}
