//! A GPU plan as a program of its own: weights inside, inputs and outputs by
//! the caller's names.

use super::capture::Capture;
use super::{Part, Plan, Slot};
use crate::ops::views::contiguous;
use crate::{Device, Error, Result, Tensor, Value};
use lamina_gpu::{Caps, IoDecl, Program, Role};

/// Names and tensors.
pub type Named = [(String, Tensor)];

/// The function from `inputs` (leaves on a GPU) to `outputs` for WebGPU's
/// default limits if `portable`, else for what the adapter has.
pub fn export(inputs: &Named, outputs: &Named, portable: bool) -> Result<Program> {
    check(inputs, outputs)?;
    let caps = portable.then(Caps::portable);
    let leaves: Vec<Tensor> = inputs.iter().map(|(_, t)| t.clone()).collect();
    let mut wanted: Vec<Tensor> = outputs.iter().map(|(_, t)| t.clone()).collect();
    let mut plan = compile(&leaves, &wanted, caps.as_ref())?;
    let views: Vec<usize> = (0..wanted.len()).filter(|&at| !plan.is_whole(at)).collect();
    if !views.is_empty() {
        // A program knows buffers, not views into them.
        for at in views {
            wanted[at] = contiguous(&wanted[at])?;
        }
        plan = compile(&leaves, &wanted, caps.as_ref())?;
    }
    plan.to_program(inputs, outputs)
}

fn compile(leaves: &[Tensor], outputs: &[Tensor], caps: Option<&Caps>) -> Result<Plan> {
    let capture = Capture::new(outputs.to_vec(), leaves)?;
    Plan::build_for(capture.graph(true), capture.leaves.len(), caps)
}

fn check(inputs: &Named, outputs: &Named) -> Result<()> {
    if let Some((name, tensor)) = inputs.iter().find(|(_, t)| t.device() == Device::Cpu) {
        return Err(Error::device(format!(
            "program: input '{name}' is on {}; a program is for a GPU: give example inputs with device='gpu'",
            tensor.device()
        )));
    }
    if outputs.is_empty() {
        return Err(Error::argument("program: there are no outputs"));
    }
    for list in [inputs, outputs] {
        for (at, (name, _)) in list.iter().enumerate() {
            if list[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::argument(format!(
                    "program: the name '{name}' is given twice"
                )));
            }
        }
    }
    Ok(())
}

impl Plan {
    /// Whether result `at` fills a slot made by the plan, and alone.
    fn is_whole(&self, at: usize) -> bool {
        let output = &self.outputs[at];
        let Slot::Made { meta, .. } = &self.slots[output.slot] else {
            return false;
        };
        output.layout.offset == 0
            && output.layout.is_contiguous()
            && output.layout.len() == meta.len()
            && self.outputs[..at].iter().all(|o| o.slot != output.slot)
    }

    fn to_program(&self, inputs: &Named, outputs: &Named) -> Result<Program> {
        let [(Part::Gpu(part), ..)] = &self.parts[..] else {
            return Err(Error::unsupported(format!(
                "program: not all of it runs on a GPU: {}",
                self.why_not_whole()
            )));
        };
        let mut program = part.program().clone();
        let part_inputs: Vec<usize> = program.inputs.iter().map(|i| i.buffer).collect();
        let part_outputs: Vec<usize> = program.outputs.iter().map(|o| o.buffer).collect();
        let mut buffer_of: Vec<Option<usize>> = vec![None; inputs.len()];
        for (&slot, &buffer) in part.inputs().iter().zip(&part_inputs) {
            match &self.slots[slot] {
                Slot::Input(index) => buffer_of[*index] = Some(buffer),
                Slot::Constant(value) => {
                    let bytes = program.buffers[buffer].bytes as usize;
                    program.buffers[buffer].role = Role::Constant(bytes_of(value, bytes)?.into());
                }
                Slot::Made { .. } => {
                    return Err(Error::internal("program: a part reads what no part makes"));
                }
            }
        }
        self.fix_scalars(part, &mut program)?;
        program.inputs.clear();
        for (index, ((name, tensor), buffer)) in inputs.iter().zip(buffer_of).enumerate() {
            let role = Role::Input(index);
            let buffer = match buffer {
                Some(buffer) => {
                    program.buffers[buffer].role = role;
                    buffer
                }
                // Given, but not read.
                None => program.buffer(tensor.meta().bytes() as u64, role),
            };
            program.inputs.push(declared(name, tensor, buffer));
        }
        program.outputs.clear();
        for (index, (name, tensor)) in outputs.iter().enumerate() {
            let slot = self.outputs[index].slot;
            let found = part.outputs().iter().position(|&s| s == slot);
            let Some(at) = found.filter(|_| self.is_whole(index)) else {
                return Err(Error::unsupported(format!(
                    "program: output '{name}' does not depend on the inputs"
                )));
            };
            let buffer = part_outputs[at];
            program.buffers[buffer].role = Role::Output(index);
            program.outputs.push(declared(name, tensor, buffer));
        }
        program.validate()?;
        Ok(program)
    }

    fn why_not_whole(&self) -> String {
        if !self.fallbacks.is_empty() {
            return self.fallbacks.join("; ");
        }
        let on_cpu: Vec<&str> = self
            .steps
            .iter()
            .filter(|s| s.device == Device::Cpu)
            .map(|s| s.op.as_str())
            .collect();
        if on_cpu.is_empty() {
            "the outputs are views of the inputs or constants".to_owned()
        } else {
            format!("{} on the CPU", on_cpu.join(", "))
        }
    }

    /// Python numbers become part of the program.
    fn fix_scalars(&self, part: &super::gpu::GpuPart, program: &mut Program) -> Result<()> {
        let slots: Vec<Option<Value>> = self
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Constant(value) => Some(value.clone()),
                Slot::Input(_) | Slot::Made { .. } => None,
            })
            .collect();
        let buffer = program.buffers.iter_mut().find(|b| b.role == Role::Scalars);
        let Some(buffer) = buffer else {
            return Ok(());
        };
        let mut bytes = part.scalar_bytes(&slots)?;
        bytes.resize(buffer.bytes as usize, 0);
        buffer.role = Role::Constant(bytes.into());
        Ok(())
    }
}

fn declared(name: &str, tensor: &Tensor, buffer: usize) -> IoDecl {
    IoDecl {
        name: name.to_owned(),
        dtype: tensor.dtype().name().to_owned(),
        shape: tensor.shape().to_vec(),
        buffer,
    }
}

/// `wanted` bytes of a constant from its first element on.
fn bytes_of(value: &Value, wanted: usize) -> Result<Vec<u8>> {
    let host = value.to_device(Device::Cpu)?;
    let all = host
        .host_bytes()
        .ok_or_else(|| Error::internal("program: a constant without bytes"))?;
    let start = (host.layout.offset * host.dtype.size()).min(all.len());
    let end = (start + wanted).min(all.len());
    let mut bytes = all[start..end].to_vec();
    bytes.resize(wanted, 0);
    Ok(bytes)
}
