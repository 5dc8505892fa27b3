//! A part of a plan that runs on the CPU: steps on an arena.

use super::Failure;
use super::donate::Donated;
use super::graph::{Graph, Id, Origin, Work};
use super::layout::Placed;
use super::memory::{self, Need};
use crate::call::{CpuCall, CpuOperand, CpuTail, Keeps};
use crate::memory::CpuBuffer;
use crate::{DType, Error, Layout, OpRef, Result, Storage, Value, fork, interrupt};
use lamina_kernels::pool::Seat;
use lamina_kernels::{Isa, elementwise};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

/// Where an operand's storage is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A value that crosses the part's border.
    Slot(usize),
    /// In the arena, at this byte.
    Arena(usize),
}

struct Arg {
    place: Place,
    layout: Layout,
    dtype: DType,
    keeps: Keeps,
}

enum Kernel {
    Op(OpRef),
    Chain(elementwise::Prepared),
}

struct Step {
    kernel: Kernel,
    name: String,
    inputs: Vec<Arg>,
    outputs: Vec<Arg>,
    tail: Option<(elementwise::Prepared, usize)>,
}

pub struct CpuPart {
    steps: Vec<Step>,
    arena_bytes: usize,
    /// Bytes of the largest set of values that lie in it together.
    live_bytes: usize,
    /// Arenas of runs that are over.
    idle: Mutex<Vec<Arc<CpuBuffer>>>,
}

/// Which slot, if any, holds each root that crosses the part's border.
pub type Border = HashMap<Id, usize>;

impl CpuPart {
    pub fn build(
        graph: &Graph,
        placed: &[Placed],
        donated: &Donated,
        nodes: &[usize],
        border: &Border,
    ) -> CpuPart {
        let mut needs: Vec<Need> = Vec::new();
        let mut need_of: HashMap<Id, usize> = HashMap::new();
        let mut in_place: HashMap<Id, Id> = HashMap::new();
        let last_read = last_reads(graph, placed, nodes);
        for (step, &at) in nodes.iter().enumerate() {
            let node = &graph.nodes[at];
            for &id in &node.inputs {
                if let Some(&need) = need_of.get(&placed[id].root) {
                    needs[need].last = step;
                }
            }
            for &id in &node.outputs {
                if border.contains_key(&id) {
                    continue;
                }
                let over = overwritten(graph, placed, at, id, step, &last_read, border, &in_place);
                if let Some(need) = over.and_then(|root| need_of.get(&root).copied()) {
                    in_place.insert(id, over.unwrap_or(id));
                    needs[need].last = step;
                    need_of.insert(id, need);
                    continue;
                }
                need_of.insert(id, needs.len());
                needs.push(Need {
                    bytes: graph.meta(id).bytes(),
                    first: step,
                    last: step,
                });
            }
        }
        let (offsets, arena_bytes) = memory::arena(&needs);
        let arg = |id: Id, broadcast: Option<&[usize]>| {
            let Placed { root, layout } = &placed[id];
            let place = match border.get(root) {
                Some(&slot) => Place::Slot(slot),
                None => Place::Arena(need_of.get(root).map_or(0, |&n| offsets[n])),
            };
            let layout = broadcast.map_or_else(|| layout.clone(), |shape| layout.expand(shape));
            let keeps = match &graph.values[*root].origin {
                Origin::Constant(_) => Keeps::Always,
                // What a run writes over changes under its packings.
                Origin::Input(_) if !donated.donor_of.values().any(|d| d == root) => Keeps::Again,
                _ => Keeps::Never,
            };
            Arg {
                place,
                layout,
                dtype: graph.meta(id).dtype,
                keeps,
            }
        };
        let steps = nodes
            .iter()
            .map(|&at| {
                let node = &graph.nodes[at];
                let shape = graph.meta(node.outputs[0]).shape.as_slice();
                let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
                let chain = matches!(node.work, Work::Chain(_));
                let spread = |slot: usize| (chain || slot >= own).then_some(shape);
                let inputs: Vec<Arg> = (node.inputs.iter().enumerate())
                    .map(|(slot, &id)| arg(id, spread(slot)))
                    .collect();
                let over: Vec<Option<usize>> = (node.outputs.iter())
                    .map(|&id| {
                        let own = in_place.get(&id).or_else(|| donated.donor_of.get(&id))?;
                        node.inputs.iter().position(|&id| placed[id].root == *own)
                    })
                    .collect();
                Step {
                    kernel: match &node.work {
                        Work::Op(op) => Kernel::Op(op.clone()),
                        Work::Chain(chain) => {
                            Kernel::Chain(elementwise::Prepared::over(chain, &over))
                        }
                    },
                    name: node.name(),
                    inputs,
                    outputs: node.outputs.iter().map(|&id| arg(id, None)).collect(),
                    tail: node
                        .tail
                        .as_ref()
                        .map(|t| (elementwise::Prepared::new(&t.chain), t.first)),
                }
            })
            .collect();
        CpuPart {
            steps,
            arena_bytes,
            live_bytes: memory::largest_live(&needs),
            idle: Mutex::default(),
        }
    }

    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    pub fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Runs the steps; `slots` are the values that cross the border, outputs
    /// already holding memory to be filled.  Step `commits` is the first to
    /// write over a donated value: from there on nothing stops the run.
    pub fn run(
        &self,
        slots: &[Option<Value>],
        commits: usize,
        observe: &mut dyn FnMut(usize),
    ) -> std::result::Result<(), Failure> {
        let arena = match self.idle.lock().pop() {
            Some(arena) => arena,
            None => CpuBuffer::new(self.arena_bytes)?,
        };
        let result = self.run_in(&arena, slots, commits, observe);
        self.idle.lock().push(arena);
        result
    }

    fn run_in(
        &self,
        arena: &Arc<CpuBuffer>,
        slots: &[Option<Value>],
        commits: usize,
        observe: &mut dyn FnMut(usize),
    ) -> std::result::Result<(), Failure> {
        let _seat = Seat::take();
        for (at, step) in self.steps.iter().enumerate() {
            fork::between_steps();
            if at <= commits {
                interrupt::check()?;
            }
            let failed = |error| Failure {
                error,
                wrote: at >= commits,
            };
            // Inputs that start inside their storage get a layout of their own.
            let moved = moved_layouts(step, slots);
            let inputs = operands(&step.inputs, &moved, arena, slots).map_err(failed)?;
            let outputs = operands(&step.outputs, &[], arena, slots).map_err(failed)?;
            let kernels = || step.run(&inputs, &outputs);
            let ran = if at < commits {
                interrupt::within(kernels)
            } else {
                kernels()
            };
            ran.map_err(failed)?;
            observe(at);
        }
        Ok(())
    }
}

/// The last step that reads each root.
fn last_reads(graph: &Graph, placed: &[Placed], nodes: &[usize]) -> HashMap<Id, usize> {
    let mut last = HashMap::new();
    for (step, &at) in nodes.iter().enumerate() {
        for &id in &graph.nodes[at].inputs {
            last.insert(placed[id].root, step);
        }
    }
    last
}

/// The dying input that an elementwise program may write its result over.
fn overwritten(
    graph: &Graph,
    placed: &[Placed],
    at: usize,
    output: Id,
    step: usize,
    last_read: &HashMap<Id, usize>,
    border: &Border,
    taken: &HashMap<Id, Id>,
) -> Option<Id> {
    let node = &graph.nodes[at];
    if !matches!(node.work, Work::Chain(_)) {
        return None;
    }
    let out = graph.meta(output);
    node.inputs.iter().find_map(|&id| {
        let Placed { root, layout } = &placed[id];
        let meta = graph.meta(id);
        let alone = node
            .inputs
            .iter()
            .filter(|&&other| placed[other].root == *root)
            .count()
            == 1;
        let free = !border.contains_key(root)
            && last_read.get(root) == Some(&step)
            && !node.outputs.iter().any(|o| taken.get(o) == Some(root));
        let same = layout.is_contiguous()
            && layout.offset == 0
            && meta.shape == out.shape
            && meta.dtype.size() == out.dtype.size()
            && graph.meta(*root).bytes() == out.bytes();
        (alone && free && same).then_some(*root)
    })
}

fn moved_layouts(step: &Step, slots: &[Option<Value>]) -> Vec<Option<Layout>> {
    let starts = |arg: &Arg| match arg.place {
        Place::Slot(slot) => slots[slot].as_ref().map_or(0, |v| v.layout.offset),
        Place::Arena(_) => 0,
    };
    if step.inputs.iter().all(|arg| starts(arg) == 0) {
        return Vec::new();
    }
    step.inputs
        .iter()
        .map(|arg| {
            let start = starts(arg);
            (start != 0).then(|| Layout {
                offset: arg.layout.offset + start,
                ..arg.layout.clone()
            })
        })
        .collect()
}

fn operands<'a>(
    args: &'a [Arg],
    moved: &'a [Option<Layout>],
    arena: &'a Arc<CpuBuffer>,
    slots: &'a [Option<Value>],
) -> Result<Vec<CpuOperand<'a>>> {
    args.iter()
        .enumerate()
        .map(|(i, arg)| {
            let (base, bytes, owner) = match arg.place {
                Place::Arena(offset) => {
                    (arena.ptr().wrapping_add(offset), arena.len() - offset, None)
                }
                Place::Slot(slot) => {
                    let value = slots[slot]
                        .as_ref()
                        .ok_or_else(|| Error::internal("a plan's slot is empty"))?;
                    match &value.storage {
                        Storage::Cpu(buffer) => {
                            // Somebody else may write to foreign memory between runs.
                            let keeps = match arg.keeps {
                                Keeps::Again if buffer.is_foreign() => Keeps::Never,
                                keeps => keeps,
                            };
                            let owner = (keeps != Keeps::Never).then_some((buffer, keeps));
                            (buffer.ptr(), buffer.len(), owner)
                        }
                        Storage::Inline(bytes) => (bytes.as_ptr().cast_mut(), bytes.len(), None),
                        Storage::Gpu { .. } => {
                            return Err(Error::internal("a CPU step got a GPU value"));
                        }
                    }
                }
            };
            let layout = moved.get(i).and_then(Option::as_ref).unwrap_or(&arg.layout);
            Ok(CpuOperand {
                dtype: arg.dtype,
                layout,
                base,
                bytes,
                owner,
                life: PhantomData,
            })
        })
        .collect()
}

impl Step {
    fn run(&self, inputs: &[CpuOperand<'_>], outputs: &[CpuOperand<'_>]) -> Result<()> {
        match &self.kernel {
            Kernel::Op(op) => {
                let own = self.tail.as_ref().map_or(inputs.len(), |(_, first)| *first);
                let (inputs, extra) = inputs.split_at(own);
                let tail = self.tail.as_ref().map(|(chain, _)| CpuTail {
                    chain,
                    inputs: extra,
                });
                let mut call = CpuCall {
                    op: &self.name,
                    inputs,
                    outputs,
                    tail,
                };
                op.op.cpu(&mut call)
            }
            Kernel::Chain(chain) => {
                let shape = &outputs[0].layout.shape;
                let operands: Vec<elementwise::Operand<'_>> = inputs
                    .iter()
                    .map(|o| elementwise::Operand {
                        ptr: o.first(),
                        strides: &o.layout.strides,
                    })
                    .collect();
                let out: Vec<*mut u8> = outputs.iter().map(CpuOperand::first).collect();
                // SAFETY: operands are laid out for `shape` in memory that the
                // plan gave them; an output shares memory with an input only
                // where both are the same contiguous elements.
                unsafe { elementwise::run(Isa::current(), chain, shape, &operands, &out) };
                Ok(())
            }
        }
    }
}
