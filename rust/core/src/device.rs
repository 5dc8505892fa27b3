//! Devices: the CPU, and GPU adapters by number.

use crate::{DType, Error, Result, memory};
use lamina_gpu::Gpu;
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Device {
    #[default]
    Cpu,
    /// The adapter of that number in [`lamina_gpu::adapters`].
    Gpu(u32),
}

static DEFAULT: RwLock<Option<Device>> = RwLock::new(None);

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Gpu(index) => write!(f, "gpu:{index}"),
        }
    }
}

/// Software adapters serve tests: they are chosen by name (`gpu:0`), or by
/// plain `gpu` where nothing better is there; never by `auto`.
fn best_adapter(allow_software: bool) -> Option<u32> {
    let adapters = lamina_gpu::adapters();
    let hardware = adapters.iter().position(|a| !a.is_software());
    hardware
        .or(if allow_software && !adapters.is_empty() {
            Some(0)
        } else {
            None
        })
        .map(|i| i as u32)
}

impl Device {
    /// `"cpu"`, `"gpu"`, `"gpu:1"`, or `"auto"`: the best hardware adapter, else the CPU.
    pub fn parse(text: &str) -> Result<Device> {
        match text {
            "cpu" => Ok(Device::Cpu),
            "auto" => Ok(best_adapter(false).map_or(Device::Cpu, Device::Gpu)),
            "gpu" => best_adapter(true)
                .map(Device::Gpu)
                .ok_or_else(|| no_adapter(text)),
            _ => {
                let index = text
                    .strip_prefix("gpu:")
                    .and_then(|n| n.parse::<u32>().ok())
                    .ok_or_else(|| {
                        Error::device(format!(
                            "device '{text}' is unknown: wanted 'cpu', 'gpu', 'gpu:N' or 'auto'"
                        ))
                    })?;
                if (index as usize) < lamina_gpu::adapters().len() {
                    Ok(Device::Gpu(index))
                } else {
                    Err(no_adapter(text))
                }
            }
        }
    }

    /// Where new tensors go: `LAMINA_DEVICE`, `set_default`, else the CPU.
    pub fn current() -> Result<Device> {
        if let Some(device) = *DEFAULT.read() {
            return Ok(device);
        }
        let device = match std::env::var("LAMINA_DEVICE") {
            Ok(name) if !name.is_empty() => {
                Device::parse(&name).map_err(|e| e.within("LAMINA_DEVICE"))?
            }
            _ => Device::Cpu,
        };
        *DEFAULT.write() = Some(device);
        Ok(device)
    }

    /// Whether values of `dtype` can lie there.
    pub fn holds(self, dtype: DType) -> bool {
        self == Device::Cpu || crate::call::gpu_storage(dtype).is_some()
    }

    pub fn set_default(device: Device) {
        *DEFAULT.write() = Some(device);
    }

    /// The opened adapter.
    pub fn gpu(self) -> Result<Arc<Gpu>> {
        match self {
            Device::Cpu => Err(Error::internal("the CPU is no GPU adapter")),
            Device::Gpu(index) => {
                let gpu = Gpu::open(Some(index as usize), true)?;
                // A software adapter's memory is the machine's.
                if let Some(limit) = memory::asked_limit(gpu.info().is_software()) {
                    gpu.set_memory_limit(limit as u64);
                }
                Ok(gpu)
            }
        }
    }
}

fn no_adapter(text: &str) -> Error {
    let found = lamina_gpu::adapters().len();
    Error::device(format!(
        "device '{text}': no such GPU adapter; {found} found. Install a Vulkan, Metal or DX12 driver, or use device='cpu'; `lamina devices` lists what there is"
    ))
}
