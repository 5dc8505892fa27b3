//! An open adapter: its device, its queue and the errors it reported.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc,
};

use parking_lot::Mutex;

use crate::{
    adapter::{AdapterInfo, Caps, choose},
    buffer::Pool,
    counters::{SUBMISSIONS, count},
    error::{GpuError, Result},
    pipeline::Pipelines,
    transfer::{Staging, Waiter, spawn_poller},
};

/// An open adapter.  One per adapter and process; shared.
pub struct Gpu {
    pub(crate) info: AdapterInfo,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) pool: Mutex<Pool>,
    pub(crate) memory_limit: AtomicU64,
    pub(crate) pipelines: Pipelines,
    pub(crate) staging: Mutex<Staging>,
    pub(crate) poller: mpsc::Sender<Waiter>,
    faults: Arc<Mutex<Faults>>,
    process: u32,
}

/// What the device reported outside any call of ours.
#[derive(Default)]
pub(crate) struct Faults {
    lost: Option<String>,
    uncaptured: Option<GpuError>,
}

impl Faults {
    pub(crate) fn lose(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({}: {})", self.info.index, self.info.name)
    }
}

impl Gpu {
    /// Opens adapter `index`; without one, the best hardware adapter, or a software one if that is
    /// all there is and `allow_software` says so.  A software adapter that is named is opened.
    pub fn open(index: Option<usize>, allow_software: bool) -> Result<Arc<Gpu>> {
        static OPEN: Mutex<Vec<Arc<Gpu>>> = Mutex::new(Vec::new());
        let (info, adapter) = choose(index, allow_software)?;
        let mut open = OPEN.lock();
        open.retain(|gpu| gpu.check().is_ok());
        if let Some(gpu) = open.iter().find(|gpu| gpu.info.index == info.index) {
            return Ok(gpu.clone());
        }
        let gpu = Arc::new(Gpu::request(info.clone(), adapter)?);
        open.push(gpu.clone());
        Ok(gpu)
    }

    fn request(info: AdapterInfo, adapter: &wgpu::Adapter) -> Result<Gpu> {
        let wanted = wgpu::Features::SHADER_F16
            | wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE
            | wgpu::Features::IMMEDIATES;
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("lamina"),
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|e| GpuError::NoAdapter(format!("{} would not open: {e}", info.name)))?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let sink = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            sink.lock().uncaptured = Some(typed("a GPU call", &error));
        }));
        let sink = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            sink.lock().lose(format!("{reason:?}: {message}"));
        });
        let poller = spawn_poller(device.clone(), faults.clone())?;
        let pipelines = Pipelines::new(&device, &info);
        Ok(Gpu {
            info,
            device,
            queue,
            pool: Mutex::default(),
            memory_limit: AtomicU64::new(u64::MAX),
            pipelines,
            staging: Mutex::default(),
            poller,
            faults,
            process: std::process::id(),
        })
    }

    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    pub fn caps(&self) -> &Caps {
        &self.info.caps
    }

    /// Bytes that `alloc` may have given out at once; more is [`GpuError::OutOfMemory`].
    pub fn set_memory_limit(&self, bytes: u64) {
        self.memory_limit.store(bytes, Relaxed);
    }

    /// Ends the device as a failing driver would: everything on it is lost, and the next
    /// [`Gpu::open`] makes a new one.  For tests, and to let go of a device that hangs.
    pub fn destroy(&self) {
        self.faults.lock().lose("it was destroyed".to_owned());
        self.device.destroy();
    }

    /// The error that the device reported since the last call, if any; a lost device stays lost.
    pub fn check(&self) -> Result<()> {
        if std::process::id() != self.process {
            let reason = "a forked child cannot use the parent's GPU; use the spawn start method";
            return Err(GpuError::Lost(reason.to_owned()));
        }
        let mut faults = self.faults.lock();
        if let Some(reason) = &faults.lost {
            return Err(GpuError::Lost(reason.clone()));
        }
        faults.uncaptured.take().map_or(Ok(()), Err)
    }

    /// Runs `call` and returns what the device found wrong with it.
    pub(crate) fn scoped<T>(&self, what: &str, call: impl FnOnce() -> T) -> Result<T> {
        self.check()?;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = call();
        let validation = pollster::block_on(validation.pop());
        let internal = pollster::block_on(internal.pop());
        let memory = pollster::block_on(memory.pop());
        match memory.or(validation).or(internal) {
            None => Ok(value),
            Some(error) => {
                self.check()?;
                Err(typed(what, &error))
            }
        }
    }

    pub(crate) fn submit(&self, commands: wgpu::CommandBuffer) -> wgpu::SubmissionIndex {
        count(&SUBMISSIONS);
        self.queue.submit([commands])
    }
}

/// wgpu's error as ours.
pub(crate) fn typed(what: &str, error: &wgpu::Error) -> GpuError {
    match error {
        wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory {
            wanted: 0,
            in_use: 0,
            limit: 0,
        },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            GpuError::Validation {
                what: what.to_owned(),
                message: description.clone(),
            }
        }
    }
}
