//! Compiled modules, one of each per device.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use crate::{
    adapter::AdapterInfo,
    counters::{PIPELINES, count},
    error::{GpuError, Result},
    gpu::Gpu,
    program::{Access, Module},
};

/// A compiled module and the layout of its bindings.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

type Slot = Arc<OnceLock<Result<Arc<Pipeline>>>>;

/// The compiled modules of a device, by their whole text.
pub(crate) struct Pipelines {
    slots: Mutex<HashMap<(Module, bool), Slot>>,
    cache: Option<wgpu::PipelineCache>,
}

impl Pipelines {
    pub fn new(device: &wgpu::Device, info: &AdapterInfo) -> Self {
        let cache = info.caps.pipeline_cache.then(|| {
            let desc = wgpu::PipelineCacheDescriptor {
                label: Some("lamina"),
                data: None,
                fallback: true,
            };
            // SAFETY: no data comes from outside.
            unsafe { device.create_pipeline_cache(&desc) }
        });
        Pipelines {
            slots: Mutex::default(),
            cache,
        }
    }
}

/// What a text's variables take of workgroup memory; None where it does not
/// parse, which the device will say.
fn workgroup_bytes(wgsl: &str) -> Option<u64> {
    let module = naga::front::wgsl::parse_str(wgsl).ok()?;
    let variables = module.global_variables.iter().map(|(_, v)| v);
    let shared = variables.filter(|v| v.space == naga::AddressSpace::WorkGroup);
    let bytes = shared.map(|v| module.types[v.ty].inner.try_size(module.to_ctx()));
    Some(bytes.fold(0, |sum: u64, n| {
        sum.saturating_add(n.map_or(u64::MAX, u64::from))
    }))
}

impl Gpu {
    /// The pipelines of `modules`, those that are new compiled side by side.
    pub(crate) fn pipelines(
        &self,
        modules: &[Module],
        trusted: bool,
    ) -> Result<Vec<Arc<Pipeline>>> {
        let slots: Vec<Slot> = {
            let mut known = self.pipelines.slots.lock();
            let slot = |m: &Module| known.entry((m.clone(), trusted)).or_default().clone();
            modules.iter().map(slot).collect()
        };
        let fresh: Vec<usize> = (0..slots.len())
            .filter(|&i| slots[i].get().is_none())
            .collect();
        let compile = |i: usize| {
            slots[i].get_or_init(|| self.compile(&modules[i], trusted).map(Arc::new));
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if fresh.len() < 2 || threads < 2 {
            fresh.into_iter().for_each(compile);
        } else {
            let next = std::sync::atomic::AtomicUsize::new(0);
            let work = || {
                while let Some(&i) =
                    fresh.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    compile(i);
                }
            };
            std::thread::scope(|scope| {
                for _ in 1..threads.min(fresh.len()) {
                    // A thread that does not start leaves its share to the others.
                    let _ = std::thread::Builder::new().spawn_scoped(scope, work);
                }
                work();
            });
        }
        slots
            .iter()
            .zip(modules)
            .map(|(slot, module)| {
                let done = slot.get().cloned().unwrap_or_else(|| {
                    let message = "its compilation did not finish".to_owned();
                    let module = module.name.clone();
                    Err(GpuError::Shader { module, message })
                });
                if done.is_err() {
                    // The next attempt compiles again: the fault may have been the device's.
                    let key = (module.clone(), trusted);
                    self.pipelines.slots.lock().remove(&key);
                }
                done
            })
            .collect()
    }

    fn compile(&self, module: &Module, trusted: bool) -> Result<Pipeline> {
        count(&PIPELINES);
        if !trusted {
            self.check_workgroup_memory(module)?;
        }
        self.scoped(&module.name, || self.create_pipeline(module, trusted))
            .map_err(|error| match error {
                GpuError::Validation { what, message } => GpuError::Shader {
                    module: what,
                    message,
                },
                other => other,
            })
    }

    /// wgpu does not look at it, and drivers do as they like.
    fn check_workgroup_memory(&self, module: &Module) -> Result<()> {
        let most = u64::from(self.caps().max_workgroup_storage);
        match workgroup_bytes(&module.wgsl) {
            Some(bytes) if bytes > most => Err(GpuError::Shader {
                module: module.name.clone(),
                message: format!(
                    "it uses {bytes} bytes of workgroup memory, the adapter has {most}"
                ),
            }),
            _ => Ok(()),
        }
    }

    fn create_pipeline(&self, module: &Module, trusted: bool) -> Pipeline {
        let label = Some(module.name.as_str());
        let desc = wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(module.wgsl.as_str().into()),
        };
        let shader = if trusted {
            // SAFETY: our own kernels guard their accesses, bound their loops and divide by
            // non-zero numbers only.
            unsafe {
                let checks = wgpu::ShaderRuntimeChecks::unchecked();
                self.device.create_shader_module_trusted(desc, checks)
            }
        } else {
            self.device.create_shader_module(desc)
        };
        let layout = self.layout(module);
        let pipeline_layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label,
                layout: Some(&pipeline_layout),
                module: &shader,
                entry_point: Some(&module.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    // Our kernels write workgroup memory before they read it.
                    zero_initialize_workgroup_memory: !trusted,
                },
                cache: self.pipelines.cache.as_ref(),
            });
        Pipeline { pipeline, layout }
    }

    /// The bindings of a module: its parameters, if it has any, then its storage.
    fn layout(&self, module: &Module) -> wgpu::BindGroupLayout {
        let entry = |binding: usize, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let params = module
            .has_params
            .then(|| entry(0, wgpu::BufferBindingType::Uniform));
        let first = usize::from(module.has_params);
        let storage = module.bindings.iter().enumerate().map(|(i, &access)| {
            let read_only = access == Access::Read;
            entry(first + i, wgpu::BufferBindingType::Storage { read_only })
        });
        let entries: Vec<_> = params.into_iter().chain(storage).collect();
        let desc = wgpu::BindGroupLayoutDescriptor {
            label: Some(&module.name),
            entries: &entries,
        };
        self.device.create_bind_group_layout(&desc)
    }

    /// What the driver has compiled so far; none where the adapter does not give it out.
    pub fn compiled(&self) -> Option<Vec<u8>> {
        self.pipelines.cache.as_ref()?.get_data()
    }
}
