//! A run: step after step on an arena.

use super::super::Failure;
use super::stretch::Stretch;
use super::{Arg, CpuPart, Kernel, Observer, Place, Step};
use crate::call::{CpuCall, CpuOperand, CpuTail, Keeps};
use crate::memory::CpuBuffer;
use crate::{Error, Layout, Result, Storage, Value, fork, interrupt};
use lamina_kernels::pool::Seat;
use lamina_kernels::{Isa, elementwise};
use std::marker::PhantomData;
use std::sync::Arc;

/// The images for which a stretch runs, and what it keeps of them.
pub struct Images {
    pub arena: Arc<CpuBuffer>,
    pub first: usize,
    pub count: usize,
}

impl CpuPart {
    /// Runs the steps; `slots` are the values that cross the border, outputs
    /// already holding memory to be filled.  Step `commits` is the first to
    /// write over a donated value: from there on nothing stops the run.
    pub fn run(
        &self,
        slots: &[Option<Value>],
        commits: usize,
        observe: Observer<'_>,
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
        observe: Observer<'_>,
    ) -> std::result::Result<(), Failure> {
        let _seat = Seat::take();
        let mut stretches = self.stretches.iter().peekable();
        let mut at = 0;
        while at < self.steps.len() {
            fork::between_steps();
            if at <= commits {
                interrupt::check()?;
            }
            let stretch = stretches.next_if(|stretch| stretch.steps.start == at);
            let mut shares = None;
            let mut kernels = || match stretch {
                None => self.steps[at].run_on(arena, slots, None),
                Some(stretch) => {
                    shares = Some(stretch.run(self, arena, slots)?);
                    Ok(())
                }
            };
            let ran = if at < commits {
                interrupt::within(kernels)
            } else {
                kernels()
            };
            ran.map_err(|error| Failure {
                error,
                wrote: at >= commits,
            })?;
            observe(at, shares.as_deref().unwrap_or(&[1.0]));
            at = stretch.map_or(at + 1, |Stretch { steps, .. }| steps.end);
        }
        Ok(())
    }
}

impl Step {
    /// Runs it, in a stretch for these images alone.
    pub fn run_on(
        &self,
        arena: &Arc<CpuBuffer>,
        slots: &[Option<Value>],
        images: Option<&Images>,
    ) -> Result<()> {
        // Inputs that start inside their storage, and parts of a batch, get a
        // layout of their own.
        let moved = moved_layouts(&self.inputs, slots, images);
        let inputs = operands(&self.inputs, &moved, arena, slots, images)?;
        let moved = match images {
            Some(_) => moved_layouts(&self.outputs, slots, images),
            None => Vec::new(),
        };
        let outputs = operands(&self.outputs, &moved, arena, slots, images)?;
        self.run(&inputs, &outputs)
    }
}

fn moved_layouts(
    args: &[Arg],
    slots: &[Option<Value>],
    images: Option<&Images>,
) -> Vec<Option<Layout>> {
    let starts = |arg: &Arg| match arg.place {
        Place::Slot(slot) => slots[slot].as_ref().map_or(0, |v| v.layout.offset),
        Place::Arena(_) | Place::Image(_) => 0,
    };
    if images.is_none() && args.iter().all(|arg| starts(arg) == 0) {
        return Vec::new();
    }
    let moved = |arg: &Arg| {
        let part = images.filter(|_| arg.images);
        let start = starts(arg);
        if part.is_none() && start == 0 {
            return None;
        }
        let mut layout = arg.layout.clone();
        layout.offset += start;
        if let Some(Images { first, count, .. }) = part {
            layout.shape[0] = *count;
            if !matches!(arg.place, Place::Image(_)) {
                let skipped = *first as isize * layout.strides[0];
                layout.offset = layout.offset.wrapping_add_signed(skipped);
            }
        }
        Some(layout)
    };
    args.iter().map(moved).collect()
}

fn operands<'a>(
    args: &'a [Arg],
    moved: &'a [Option<Layout>],
    arena: &'a Arc<CpuBuffer>,
    slots: &'a [Option<Value>],
    images: Option<&'a Images>,
) -> Result<Vec<CpuOperand<'a>>> {
    args.iter()
        .enumerate()
        .map(|(i, arg)| {
            let (base, bytes, owner) = match arg.place {
                Place::Arena(offset) => {
                    (arena.ptr().wrapping_add(offset), arena.len() - offset, None)
                }
                Place::Image(offset) => {
                    let images = images.ok_or_else(|| Error::internal("no image is at hand"))?;
                    let (arena, offset) = (&images.arena, offset * images.count);
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
        // Kernels go through axes that are not the last ones: of a result
        // without elements they may be of any length.
        if !outputs.is_empty() && outputs.iter().all(|o| o.layout.is_empty()) {
            return Ok(());
        }
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
