//! A program made ready to run on one device.

mod timed;

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use timed::Clock;
pub use timed::Times;

use crate::{
    buffer::{Buffer, padded},
    counters::{BIND_GROUPS, PROGRAMS, count},
    error::{GpuError, Result},
    gpu::Gpu,
    pipeline::Pipeline,
    program::{Dispatch, Program, Role},
};

/// Bind groups kept by each run, for as many different sets of inputs and outputs.
const BOUND_KEPT: usize = 16;

/// Dispatches in a first and in a later submission: the device starts while we still record.
const SUBMISSION: [usize; 2] = [16, 128];

/// A program with its pipelines, parameters and constants on a device.  Any number of threads may
/// run it at once.
pub struct Executable {
    gpu: Arc<Gpu>,
    program: Program,
    pipelines: Vec<Arc<Pipeline>>,
    /// The parameters of all dispatches, each at its own aligned offset.
    params: Option<Buffer>,
    param_offsets: Vec<u64>,
    constants: Vec<Option<Buffer>>,
    input_count: usize,
    output_count: usize,
    runs: Mutex<Vec<Run>>,
}

/// What one run needs to itself.
struct Run {
    /// The program's scratch and scalars buffers, by number.
    owned: Vec<Option<Buffer>>,
    bound: VecDeque<Bound>,
    epoch: u64,
}

/// The bind groups of all dispatches for one set of outer buffers.
struct Bound {
    ids: Vec<u64>,
    groups: Arc<[wgpu::BindGroup]>,
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dispatches = self.program.dispatches.len();
        write!(f, "Executable({dispatches} dispatches on {:?})", self.gpu)
    }
}

impl Executable {
    /// Checks and compiles a program.  `trusted` is for WGSL of this crate: it runs without
    /// bounds checks.
    pub fn new(gpu: &Arc<Gpu>, program: Program, trusted: bool) -> Result<Executable> {
        program.validate()?;
        program.supported_by(gpu.caps())?;
        let pipelines = gpu.pipelines(&program.modules, trusted)?;
        let (params, param_offsets) = upload_params(gpu, &program.dispatches)?;
        let constant = |role: &Role| match role {
            Role::Constant(data) => gpu.upload(data).map(Some),
            _ => Ok(None),
        };
        let constants = program.buffers.iter().map(|decl| constant(&decl.role));
        let constants = constants.collect::<Result<Vec<_>>>()?;
        let number = |of: fn(&Role) -> bool| {
            let roles = program.buffers.iter().map(|decl| &decl.role);
            roles.filter(|role| of(role)).count()
        };
        let input_count = number(|role| matches!(role, Role::Input(_)));
        let output_count = number(|role| matches!(role, Role::Output(_)));
        count(&PROGRAMS);
        Ok(Executable {
            gpu: gpu.clone(),
            program,
            pipelines,
            params,
            param_offsets,
            constants,
            input_count,
            output_count,
            runs: Mutex::default(),
        })
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Submits one run and returns without waiting for it.  An output may be the same buffer as
    /// an input where every dispatch that writes it binds it once.  Returns the status buffer of
    /// this run where the program has one: four bytes that are zero if all went well.
    pub fn run(
        &self,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        scalars: &[u8],
    ) -> Result<Option<Buffer>> {
        self.start(inputs, outputs, scalars, None)
    }

    fn start(
        &self,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        scalars: &[u8],
        clock: Option<&Clock>,
    ) -> Result<Option<Buffer>> {
        let counts = [
            ("inputs", inputs, self.input_count),
            ("outputs", outputs, self.output_count),
        ];
        for (what, given, wanted) in counts {
            if given.len() != wanted {
                let message = format!("{} {what} given, {wanted} wanted", given.len());
                return Err(GpuError::Arguments(message));
            }
        }
        self.check_sizes(inputs, outputs, scalars)?;
        let status = match self.program.status {
            Some(index) => Some(self.gpu.alloc(self.program.buffers[index].bytes)?),
            None => None,
        };
        let mut run = self.check_out()?;
        let result = self.submit(&mut run, inputs, outputs, scalars, status.as_ref(), clock);
        // One queue: whoever has this run next comes after us on the device too.
        self.runs.lock().push(run);
        result.map(|()| status)
    }

    fn check_sizes(&self, inputs: &[&Buffer], outputs: &[&Buffer], scalars: &[u8]) -> Result<()> {
        for decl in &self.program.buffers {
            let (what, given) = match &decl.role {
                Role::Input(i) => (format!("input {i}"), inputs[*i].bytes()),
                Role::Output(i) => (format!("output {i}"), outputs[*i].bytes()),
                Role::Scalars => ("scalars".to_owned(), scalars.len() as u64),
                _ => continue,
            };
            if padded(given) < padded(decl.bytes) {
                let message = format!("{what} has {given} bytes, {} wanted", decl.bytes);
                return Err(GpuError::Arguments(message));
            }
        }
        let foreign = |b: &&&Buffer| !Arc::ptr_eq(b.gpu(), &self.gpu);
        if let Some(buffer) = inputs.iter().chain(outputs).find(foreign) {
            // Of a device that was opened anew, the old one says why.
            self.gpu.check()?;
            buffer.gpu().check()?;
            let message = format!("{buffer:?} is on {:?}, not on {:?}", buffer.gpu(), self.gpu);
            return Err(GpuError::Arguments(message));
        }
        Ok(())
    }

    fn check_out(&self) -> Result<Run> {
        let idle = self.runs.lock().pop();
        if let Some(run) = idle {
            return Ok(run);
        }
        let own = |decl: &crate::program::BufferDecl| match decl.role {
            Role::Scratch | Role::Scalars => self.gpu.alloc(decl.bytes).map(Some),
            _ => Ok(None),
        };
        let owned = self.program.buffers.iter().map(own);
        Ok(Run {
            owned: owned.collect::<Result<_>>()?,
            bound: VecDeque::new(),
            epoch: 0,
        })
    }

    fn submit(
        &self,
        run: &mut Run,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        scalars: &[u8],
        status: Option<&Buffer>,
        clock: Option<&Clock>,
    ) -> Result<()> {
        let groups = self.bound(run, inputs, outputs, status)?;
        for (decl, owned) in self.program.buffers.iter().zip(&run.owned) {
            if let (Role::Scalars, Some(buffer)) = (&decl.role, owned) {
                let used = scalars.len().min(buffer.bytes() as usize);
                self.gpu.write(buffer, 0, &scalars[..used])?;
            }
        }
        self.gpu.scoped("a program's run", || {
            let mut first = 0;
            let total = self.program.dispatches.len();
            loop {
                let size = SUBMISSION[usize::from(first > 0)];
                let last = (first + size).min(total);
                let mut encoder = self
                    .gpu
                    .device
                    .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                if let (0, Some(status)) = (first, status) {
                    encoder.clear_buffer(status.raw(), 0, None);
                }
                match clock {
                    None => self.record(&mut encoder, first..last, &groups),
                    Some(clock) => self.record_timed(&mut encoder, first..last, &groups, clock),
                }
                self.gpu.submit(encoder.finish());
                first = last;
                if first >= total {
                    break;
                }
            }
        })
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        range: std::ops::Range<usize>,
        groups: &[wgpu::BindGroup],
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut current = None;
        for index in range {
            let dispatch = &self.program.dispatches[index];
            if current != Some(dispatch.module) {
                pass.set_pipeline(&self.pipelines[dispatch.module].pipeline);
                current = Some(dispatch.module);
            }
            pass.set_bind_group(0, &groups[index], &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// The bind groups for these outer buffers, made on their first use.
    fn bound(
        &self,
        run: &mut Run,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        status: Option<&Buffer>,
    ) -> Result<Arc<[wgpu::BindGroup]>> {
        let epoch = self.gpu.pool.lock().epoch;
        if run.epoch != epoch {
            // Buffers were given back to the device; groups must not keep them alive.
            run.bound.clear();
            run.epoch = epoch;
        }
        let outer = inputs.iter().chain(outputs).copied().chain(status);
        let ids: Vec<u64> = outer.map(Buffer::id).collect();
        if let Some(at) = run.bound.iter().position(|bound| bound.ids == ids) {
            return Ok(run.bound[at].groups.clone());
        }
        let buffer = |index: usize| match &self.program.buffers[index].role {
            Role::Input(i) => Some(inputs[*i]),
            Role::Output(i) => Some(outputs[*i]),
            Role::Status => status,
            Role::Constant(_) => self.constants[index].as_ref(),
            Role::Scratch | Role::Scalars => run.owned[index].as_ref(),
        };
        let dispatches = self.program.dispatches.iter().enumerate();
        let groups: Vec<_> = self.gpu.scoped("a program's bind groups", || {
            dispatches
                .map(|(index, dispatch)| self.bind(index, dispatch, &buffer))
                .collect()
        })?;
        let groups: Arc<[wgpu::BindGroup]> = groups.into();
        if run.bound.len() == BOUND_KEPT {
            run.bound.pop_front();
        }
        run.bound.push_back(Bound {
            ids,
            groups: groups.clone(),
        });
        Ok(groups)
    }

    fn bind<'a>(
        &'a self,
        index: usize,
        dispatch: &Dispatch,
        buffer: &dyn Fn(usize) -> Option<&'a Buffer>,
    ) -> wgpu::BindGroup {
        count(&BIND_GROUPS);
        let params = self.params.as_ref().filter(|_| !dispatch.params.is_empty());
        let whole = params.map(|params| {
            let size = padded(dispatch.params.len() as u64);
            (params, self.param_offsets[index], size)
        });
        let storage = dispatch.buffers.iter().filter_map(|&b| {
            let bytes = padded(self.program.buffers[b].bytes);
            buffer(b).map(|buffer| (buffer, 0, bytes))
        });
        let entries: Vec<_> = whole
            .into_iter()
            .chain(storage)
            .enumerate()
            .map(|(binding, (buffer, offset, size))| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: buffer.raw(),
                    offset,
                    size: wgpu::BufferSize::new(size),
                }),
            })
            .collect();
        let desc = wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipelines[dispatch.module].layout,
            entries: &entries,
        };
        self.gpu.device.create_bind_group(&desc)
    }
}

/// All parameters in one buffer; the offset of each dispatch's own.
fn upload_params(gpu: &Arc<Gpu>, dispatches: &[Dispatch]) -> Result<(Option<Buffer>, Vec<u64>)> {
    let align = (gpu.caps().uniform_alignment as usize).max(16);
    let mut bytes = Vec::new();
    let mut offsets = Vec::with_capacity(dispatches.len());
    for dispatch in dispatches {
        bytes.resize(bytes.len().div_ceil(align) * align, 0);
        offsets.push(bytes.len() as u64);
        bytes.extend_from_slice(&dispatch.params);
        bytes.resize(bytes.len().div_ceil(16) * 16, 0);
    }
    if bytes.is_empty() {
        return Ok((None, offsets));
    }
    Ok((Some(gpu.upload(&bytes)?), offsets))
}
