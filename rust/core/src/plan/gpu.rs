//! A part of a plan that runs on a GPU: a program of dispatches.

mod run;

use super::donate::Donated;
use super::graph::{Graph, Id};
use super::layout::Placed;
use super::memory::{self, Need};
use super::schedule::{SCALAR_STEP, scalar_slots};
use crate::{Device, Error, Result};
use lamina_gpu::kernels::{Arg, Kernels};
use lamina_gpu::{Access, Dispatch, Executable, Gpu, IoDecl, Program, Role};
use std::collections::HashMap;
use std::sync::Arc;

pub struct GpuPart {
    gpu: Arc<Gpu>,
    device: u32,
    executable: Executable,
    steps: usize,
    /// The step that each dispatch belongs to.
    step_of: Vec<usize>,
    /// Slot of each of the program's inputs and outputs.
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    /// Slot and position of each host scalar.
    scalars: Vec<(usize, usize)>,
    scalar_bytes: usize,
    /// The ops that set the status word.
    watched: Arc<[String]>,
}

pub struct Roots<'a> {
    pub graph: &'a Graph,
    pub placed: &'a [Placed],
    pub donated: &'a Donated,
    /// Which slot, if any, holds each root that crosses a part's border.
    pub border: &'a HashMap<Id, usize>,
}

impl GpuPart {
    pub fn build(
        roots: &Roots<'_>,
        device: Device,
        nodes: &[usize],
        kernels: Vec<Kernels>,
    ) -> Result<GpuPart> {
        let Device::Gpu(index) = device else {
            return Err(Error::internal("a GPU part on the CPU"));
        };
        let gpu = device.gpu()?;
        let scalar_of = scalar_slots(roots.graph);
        let mut builder = Builder::new(roots, nodes, &scalar_of);
        builder.place_scratch(&kernels);
        for (step, (&at, kernels)) in nodes.iter().zip(kernels).enumerate() {
            builder.dispatch(step, at, kernels)?;
        }
        let Builder {
            mut program,
            inputs,
            outputs,
            scalars,
            watched,
            step_of,
            ..
        } = builder;
        program.require(&[]);
        // Shaders that plugins bring run with bounds checks.
        let ours = !nodes
            .iter()
            .any(|&at| matches!(roots.graph.nodes[at].class(), crate::Class::Opaque));
        let executable = Executable::new(&gpu, program, ours)?;
        let scalar_bytes = scalar_of.len() * SCALAR_STEP;
        Ok(GpuPart {
            gpu,
            device: index,
            executable,
            steps: nodes.len(),
            step_of,
            inputs,
            outputs,
            scalars,
            scalar_bytes,
            watched: watched.into(),
        })
    }

    pub fn program(&self) -> &Program {
        self.executable.program()
    }

    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// Whether a slot holds one of the host scalars.
    pub fn reads_by_value(&self, slot: usize) -> bool {
        self.scalars.iter().any(|&(scalar, _)| scalar == slot)
    }

    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }
}

struct Builder<'a> {
    roots: &'a Roots<'a>,
    nodes: &'a [usize],
    scalar_of: &'a HashMap<Id, usize>,
    program: Program,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    scalars: Vec<(usize, usize)>,
    buffer_of: HashMap<Id, usize>,
    watched: Vec<String>,
    step_of: Vec<usize>,
    scalar_buffer: Option<usize>,
    /// Program buffer of each step's scratch.
    scratch: Vec<Vec<usize>>,
}

impl<'a> Builder<'a> {
    fn new(roots: &'a Roots<'a>, nodes: &'a [usize], scalar_of: &'a HashMap<Id, usize>) -> Self {
        Builder {
            roots,
            nodes,
            scalar_of,
            program: Program::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            scalars: Vec::new(),
            buffer_of: HashMap::new(),
            watched: Vec::new(),
            step_of: Vec::new(),
            scalar_buffer: None,
            scratch: Vec::new(),
        }
    }

    /// Buffers for values made and read inside this part alone.
    fn place_scratch(&mut self, kernels: &[Kernels]) {
        let Roots {
            graph,
            placed,
            border,
            ..
        } = *self.roots;
        let mut needs: Vec<Need> = Vec::new();
        let mut need_of: HashMap<Id, usize> = HashMap::new();
        let mut scratch_needs = Vec::new();
        for (step, (&at, kernels)) in self.nodes.iter().zip(kernels).enumerate() {
            let node = &graph.nodes[at];
            for &id in &node.inputs {
                if let Some(&need) = need_of.get(&placed[id].root) {
                    needs[need].last = step;
                }
            }
            for &id in node.outputs.iter().filter(|id| !border.contains_key(id)) {
                need_of.insert(id, needs.len());
                needs.push(Need {
                    bytes: graph.meta(id).bytes(),
                    first: step,
                    last: step,
                });
            }
            let first = needs.len();
            needs.extend(kernels.scratch.iter().map(|&bytes| Need {
                bytes: bytes as usize,
                first: step,
                last: step,
            }));
            scratch_needs.push(first..needs.len());
        }
        let (slots, sizes) = memory::slots(&needs);
        let buffers: Vec<usize> = sizes
            .iter()
            .map(|&bytes| self.program.buffer(bytes as u64, Role::Scratch))
            .collect();
        for (id, need) in need_of {
            self.buffer_of.insert(id, buffers[slots[need]]);
        }
        self.scratch = scratch_needs
            .into_iter()
            .map(|range| range.map(|n| buffers[slots[n]]).collect())
            .collect();
    }

    /// Has a node's host scalars written before each run.  A kernel binds
    /// their buffer once, for the first of them.
    fn gather_scalars(&mut self, at: usize) -> Result<()> {
        let Roots {
            graph,
            placed,
            border,
            ..
        } = *self.roots;
        for &id in &graph.nodes[at].inputs {
            let root = placed[id].root;
            let Some(&position) = self.scalar_of.get(&root) else {
                continue;
            };
            let slot = *border
                .get(&root)
                .ok_or_else(|| Error::internal("a scalar without a slot"))?;
            if !self.scalars.contains(&(slot, position)) {
                self.scalars.push((slot, position));
            }
        }
        Ok(())
    }

    /// The program's buffer for a value that a kernel reads or writes.
    fn buffer(&mut self, id: Id) -> Result<usize> {
        let Roots {
            graph,
            placed,
            donated,
            border,
        } = *self.roots;
        let root = placed[id].root;
        if self.scalar_of.contains_key(&root) {
            let bytes = (self.scalar_of.len() * SCALAR_STEP) as u64;
            let program = &mut self.program;
            return Ok(*self
                .scalar_buffer
                .get_or_insert_with(|| program.buffer(bytes, Role::Scalars)));
        }
        if let Some(&buffer) = self.buffer_of.get(&root) {
            return Ok(buffer);
        }
        let slot = *border
            .get(&root)
            .ok_or_else(|| Error::internal("a value without a place"))?;
        let bytes = graph.meta(root).bytes() as u64;
        // What this part itself writes: results, and donors that become them.
        let result = self
            .nodes
            .iter()
            .flat_map(|&at| &graph.nodes[at].outputs)
            .copied()
            .find(|output| *output == root || donated.donor_of.get(output) == Some(&root));
        let buffer = match result {
            Some(result) => {
                let slot = *border
                    .get(&result)
                    .ok_or_else(|| Error::internal("a result without a slot"))?;
                let buffer = self.program.buffer(bytes, Role::Output(self.outputs.len()));
                self.declare(result, buffer, false);
                self.outputs.push(slot);
                self.buffer_of.insert(result, buffer);
                buffer
            }
            None => {
                // An input's storage may be smaller than its broadcast shape.
                let bytes = needed_bytes(graph, root, placed).unwrap_or(bytes);
                let buffer = self.program.buffer(bytes, Role::Input(self.inputs.len()));
                self.declare(root, buffer, true);
                self.inputs.push(slot);
                buffer
            }
        };
        self.buffer_of.insert(root, buffer);
        if let Some(result) = result
            && let Some(&donor) = donated.donor_of.get(&result)
        {
            self.buffer_of.insert(donor, buffer);
        }
        Ok(buffer)
    }

    fn declare(&mut self, id: Id, buffer: usize, input: bool) {
        let meta = self.roots.graph.meta(id);
        let list = if input {
            &mut self.program.inputs
        } else {
            &mut self.program.outputs
        };
        let name = format!("{}{}", if input { "input" } else { "output" }, list.len());
        list.push(IoDecl {
            name,
            dtype: meta.dtype.name().to_owned(),
            shape: meta.shape.clone(),
            buffer,
        });
    }

    fn dispatch(&mut self, step: usize, at: usize, kernels: Kernels) -> Result<()> {
        self.gather_scalars(at)?;
        let node = &self.roots.graph.nodes[at];
        let own = node.tail.as_ref().map_or(node.inputs.len(), |t| t.first);
        for kernel in kernels.dispatches {
            let mut buffers = Vec::with_capacity(kernel.args.len());
            for arg in &kernel.args {
                buffers.push(match *arg {
                    Arg::Input(i) => self.buffer(node.inputs[i])?,
                    Arg::Extra(i) => self.buffer(node.inputs[own + i])?,
                    Arg::Output(i) => self.buffer(node.outputs[i])?,
                    Arg::Scratch(i) => self.scratch[step][i],
                    Arg::Status => match self.program.status {
                        Some(buffer) => buffer,
                        None => self.program.buffer(16, Role::Status),
                    },
                });
            }
            debug_assert_eq!(buffers.len(), kernel.module.bindings.len());
            debug_assert!(
                kernel
                    .module
                    .bindings
                    .iter()
                    .all(|b| matches!(b, Access::Read | Access::ReadWrite))
            );
            let label = node.name();
            if kernel.args.contains(&Arg::Status) && !self.watched.contains(&label) {
                self.watched.push(label.clone());
            }
            let module = self.program.module(kernel.module);
            self.step_of.push(step);
            self.program.dispatches.push(Dispatch {
                label,
                module,
                params: kernel.params,
                buffers,
                workgroups: kernel.workgroups,
            });
        }
        Ok(())
    }
}

/// Bytes that views of an input reach: less than its shape's where strides
/// are 0.
fn needed_bytes(graph: &Graph, root: Id, placed: &[Placed]) -> Option<u64> {
    let layout = &placed[root].layout;
    if layout.strides.iter().all(|&s| s >= 0) && !layout.is_empty() {
        let reach: usize = layout
            .shape
            .iter()
            .zip(&layout.strides)
            .map(|(&n, &s)| (n - 1) * s.unsigned_abs())
            .sum();
        return Some(((reach + 1) * graph.meta(root).dtype.size()) as u64);
    }
    None
}
