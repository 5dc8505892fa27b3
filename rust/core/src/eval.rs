//! Evaluation: what is asked for, and what belongs to it, planned together,
//! run, and given back to the tensors.

use crate::cell::{PendingUpdate, pending_updates};
use crate::hash::{IdMap, IdSet};
use crate::node::Node;
use crate::op::Gradient;
use crate::plan::{Failure, Plan, Watch, capture::Capture};
use crate::tensor::{Inner, held_pending};
use crate::{Error, Result, Storage, Tensor, Value};
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Plans kept, least recently used first out.
const KEPT_PLANS: usize = 256;

#[derive(Default)]
struct Plans {
    by_key: HashMap<u128, (Arc<Plan>, u64)>,
    clock: u64,
}

static PLANS: Mutex<Option<Plans>> = Mutex::new(None);

fn cached(key: u128) -> Option<Arc<Plan>> {
    let mut guard = PLANS.lock();
    let plans = guard.get_or_insert_with(Plans::default);
    plans.clock += 1;
    let clock = plans.clock;
    plans.by_key.get_mut(&key).map(|(plan, used)| {
        *used = clock;
        plan.clone()
    })
}

fn remember(key: u128, plan: &Arc<Plan>) {
    let mut guard = PLANS.lock();
    let plans = guard.get_or_insert_with(Plans::default);
    if plans.by_key.len() >= KEPT_PLANS
        && let Some(oldest) = plans
            .by_key
            .iter()
            .min_by_key(|(_, (_, used))| *used)
            .map(|(k, _)| *k)
    {
        plans.by_key.remove(&oldest);
    }
    let clock = plans.clock;
    plans.by_key.insert(key, (plan.clone(), clock));
}

thread_local! {
    static STRICT: Cell<bool> = const { Cell::new(false) };
}

/// Whether evaluations on this thread refuse steps of a GPU's graph that have
/// no kernel there; returns the former setting.
pub fn set_strict(on: bool) -> bool {
    STRICT.replace(on)
}

/// Computes `targets`, the pending cells of the graphs they touch, and every
/// held tensor that reads a value about to be donated.
pub fn eval(targets: &[Tensor]) -> Result<()> {
    let Some(job) = planned(targets)? else {
        return Ok(());
    };
    if STRICT.get() {
        job.plan.refuse_fallbacks()?;
    }
    run(&job, None)
}

/// The plan that `eval` would run; None if everything is computed.
pub fn explain(targets: &[Tensor]) -> Result<Option<Arc<Plan>>> {
    Ok(planned(targets)?.map(|job| job.plan))
}

/// An evaluation ready to run.
pub(crate) struct Job {
    pub plan: Arc<Plan>,
    capture: Capture,
    updates: Vec<PendingUpdate>,
}

pub(crate) fn planned(targets: &[Tensor]) -> Result<Option<Job>> {
    let pending: Vec<Tensor> = targets.iter().filter(|t| t.is_pending()).cloned().collect();
    if pending.is_empty() {
        return Ok(None);
    }
    let mut capture = Capture::new(pending, &[])?;
    let kept = kept_for_gradients(&capture, targets);
    let updates = touched_updates(&capture);
    capture.want(updates.iter().map(|u| u.value.clone()).collect())?;
    let donors: Vec<(usize, &Tensor)> = updates
        .iter()
        .filter_map(|update| {
            let donor = update.donor.as_ref().filter(|donor| may_donate(donor))?;
            Some((capture.target_index(&update.value)?, donor))
        })
        .collect();
    if !donors.is_empty() {
        let donated: Vec<&Tensor> = donors.iter().map(|(_, donor)| *donor).collect();
        capture.want(readers_of(&donated, &capture))?;
    }
    capture.want(kept)?;
    for (target, donor) in donors {
        capture.donors[target] = capture.leaf_index(donor);
    }
    let key = capture.key();
    let plan = match cached(key) {
        Some(plan) => plan,
        None => {
            let plan = Arc::new(Plan::build(capture.graph(false), capture.leaves.len())?);
            remember(key, &plan);
            plan
        }
    };
    Ok(Some(Job {
        plan,
        capture,
        updates,
    }))
}

/// Runs `plan` on the captured leaves and gives the results out.
pub(crate) fn run(
    Job {
        plan,
        capture,
        updates,
    }: &Job,
    watch: Watch<'_>,
) -> Result<()> {
    let inputs = capture
        .leaves
        .iter()
        .map(|leaf| {
            leaf.value_now()
                .ok_or_else(|| Error::lost("a value was donated while another thread read it"))
        })
        .collect::<Result<Vec<Value>>>()?;
    let donations = plan.donations();
    let given: Vec<&Tensor> = donations
        .iter()
        .flatten()
        .map(|&index| &capture.leaves[index])
        .collect();
    for &index in donations.iter().flatten() {
        if let Storage::Cpu(buffer) = &inputs[index].storage {
            buffer.forget_packings();
        }
    }
    let results = match plan.run_watched(&inputs, watch) {
        Ok(results) => {
            for leaf in &given {
                lose(
                    &leaf.0,
                    "this value was replaced by an update that reused its memory; read it before the update, or hold a copy",
                );
            }
            results
        }
        Err(Failure { error, wrote }) => {
            if wrote {
                for leaf in &given {
                    lose(
                        &leaf.0,
                        "this value was lost: a run failed while it was being updated; load it again",
                    );
                }
            }
            for update in updates {
                update.cell.restore(&update.value);
            }
            return Err(error);
        }
    };
    for (target, value) in capture.targets.iter().zip(results) {
        give(target, value);
    }
    for update in updates {
        update.cell.settle();
    }
    Ok(())
}

fn lose(inner: &Inner, why: &str) {
    let mut state = inner.state.lock();
    state.value = None;
    state.source = None;
    state.lost = Some(why.to_owned());
}

/// Puts a computed value into its tensor; the tape stays where gradients may
/// still be asked for.
fn give(tensor: &Tensor, value: Value) {
    let mut state = tensor.0.state.lock();
    if state.value.is_none() {
        state.value = Some(value);
    }
    let keeps_tape = tensor.requires_grad() && tensor.grad_slot().is_none();
    let released = if keeps_tape {
        None
    } else {
        state.source.take()
    };
    drop(state);
    drop(released);
    crate::tensor::forget_held(tensor.id());
}

/// A cell's old value may be donated if nobody else holds it or its storage.
fn may_donate(donor: &Tensor) -> bool {
    if donor.0.handles.load(Ordering::Relaxed) > 0 {
        return false;
    }
    let state = donor.0.state.lock();
    match state.value.as_ref().map(|v| &v.storage) {
        Some(Storage::Cpu(buffer)) => Arc::strong_count(buffer) == 1 && !buffer.is_foreign(),
        Some(Storage::Gpu { buffer, .. }) => buffer.holders() == 1,
        _ => false,
    }
}

/// The pending cells whose recorded value shares a node with what is
/// captured.
fn touched_updates(capture: &Capture) -> Vec<PendingUpdate> {
    let mut known = IdMap::default();
    let captured = |node: &Node| capture.node_index(node).is_some();
    let mut touched = pending_updates();
    touched.retain(|update| {
        capture.target_index(&update.value).is_some()
            || search(&update.value, &mut known, &captured, &|_| false)
    });
    touched
}

/// Whether the unrun graph of `tensor` has a node or a leaf of interest.
fn search(
    tensor: &Tensor,
    known: &mut IdMap<bool>,
    node_matters: &dyn Fn(&Node) -> bool,
    leaf_matters: &dyn Fn(u64) -> bool,
) -> bool {
    enum Visit {
        Enter(Tensor),
        Leave(Arc<Node>),
    }
    let mut stack = vec![Visit::Enter(tensor.clone())];
    let holds = |t: &Tensor, known: &IdMap<bool>| {
        leaf_matters(t.id())
            || t.node_id()
                .is_some_and(|id| t.is_pending() && known.get(&id) == Some(&true))
    };
    while let Some(visit) = stack.pop() {
        match visit {
            Visit::Enter(tensor) => {
                let Some(source) = tensor.source().filter(|_| tensor.is_pending()) else {
                    continue;
                };
                if known.contains_key(&source.node.id) {
                    continue;
                }
                let matters = node_matters(&source.node);
                known.insert(source.node.id, matters);
                if matters {
                    continue;
                }
                stack.push(Visit::Leave(source.node.clone()));
                stack.extend(source.node.inputs.iter().cloned().map(Visit::Enter));
            }
            Visit::Leave(node) => {
                if node.inputs.iter().any(|t| holds(t, known)) {
                    known.insert(node.id, true);
                }
            }
        }
    }
    holds(tensor, known)
}

/// Held pending tensors that read a value about to be donated.
fn readers_of(donated: &[&Tensor], capture: &Capture) -> Vec<Tensor> {
    let leaves: Vec<usize> = (donated.iter())
        .filter_map(|donor| capture.leaf_index(donor))
        .collect();
    let depends = capture.depends(&leaves);
    let donated: IdSet = donated.iter().map(|donor| donor.id()).collect();
    let mut known = IdMap::default();
    let mut held = held_pending();
    held.retain(|tensor| {
        let node = tensor.source().and_then(|s| capture.node_index(&s.node));
        match node {
            Some(node) => depends[node],
            None => search(tensor, &mut known, &|_| false, &|id| donated.contains(&id)),
        }
    });
    held
}

/// Values that a later `backward` from `targets` will read: computed once,
/// kept on the tape.
fn kept_for_gradients(capture: &Capture, targets: &[Tensor]) -> Vec<Tensor> {
    if !targets.iter().any(Tensor::requires_grad) {
        return Vec::new();
    }
    let mut kept: Vec<Tensor> = Vec::new();
    for node in capture
        .nodes()
        .filter(|n| n.requires_grad() && !n.is_differentiated())
    {
        let Gradient::Vjp { inputs, outputs } = node.op.op.gradient() else {
            continue;
        };
        let read_inputs = inputs.iter().filter_map(|&i| node.inputs.get(i).cloned());
        let read_outputs = outputs
            .iter()
            .filter(|&&i| i < node.metas.len())
            .map(|&i| Node::output(node, i));
        kept.extend(read_inputs.chain(read_outputs).filter(Tensor::is_pending));
    }
    kept
}
