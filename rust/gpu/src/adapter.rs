//! The adapters of this machine and what they can do.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::error::{GpuError, Result};

/// What sort of thing an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AdapterKind {
    Discrete,
    Integrated,
    Virtual,
    Other,
    /// A CPU that plays GPU: for tests, never chosen unasked.
    Software,
}

/// The limits and features by which kernels are chosen.
#[allow(clippy::struct_excessive_bools)] // each is a feature of its own
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    pub max_invocations: u32,
    pub max_workgroup_size: [u32; 3],
    pub max_workgroups: u32,
    /// Bytes of workgroup memory.
    pub max_workgroup_storage: u32,
    /// Storage bindings of one dispatch.
    pub max_storage_buffers: u32,
    pub max_binding_bytes: u64,
    pub max_buffer_bytes: u64,
    pub uniform_alignment: u32,
    pub storage_alignment: u32,
    pub f16: bool,
    pub subgroups: bool,
    pub subgroup_sizes: [u32; 2],
    pub timestamps: bool,
    pub pipeline_cache: bool,
    pub immediates: bool,
    pub cooperative_matrix: bool,
    pub software: bool,
}

impl Caps {
    /// WebGPU's default limits and no optional feature: what every implementation runs.
    pub fn portable() -> Self {
        Caps::of(&wgpu::Limits::defaults(), wgpu::Features::empty())
    }

    pub(crate) fn of(limits: &wgpu::Limits, features: wgpu::Features) -> Self {
        Caps {
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            max_workgroup_storage: limits.max_compute_workgroup_storage_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            uniform_alignment: limits.min_uniform_buffer_offset_alignment,
            storage_alignment: limits.min_storage_buffer_offset_alignment,
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroups: features.contains(wgpu::Features::SUBGROUP),
            subgroup_sizes: [4, 128],
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
            immediates: features.contains(wgpu::Features::IMMEDIATES),
            cooperative_matrix: features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
            software: false,
        }
    }
}

/// One adapter, in words and numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// The number that `Gpu::open` takes.
    pub index: usize,
    pub name: String,
    /// "vulkan", "metal", "dx12".
    pub backend: String,
    pub driver: String,
    pub kind: AdapterKind,
    pub caps: Caps,
}

impl AdapterInfo {
    pub fn is_software(&self) -> bool {
        self.kind == AdapterKind::Software
    }
}

/// The adapters of this machine, hardware first; an adapter keeps its index while the process lives.
pub fn adapters() -> Vec<AdapterInfo> {
    found().iter().map(|(info, _)| info.clone()).collect()
}

/// The adapter that `index` names; none named: the best hardware one, or a software one if allowed.
pub(crate) fn choose(
    index: Option<usize>,
    allow_software: bool,
) -> Result<&'static (AdapterInfo, wgpu::Adapter)> {
    let found = found();
    let Some(index) = index else {
        let best = found
            .iter()
            .find(|(info, _)| allow_software || !info.is_software());
        return best.ok_or_else(|| {
            GpuError::NoAdapter(if found.is_empty() {
                "no Vulkan, Metal or DX12 driver answered".to_owned()
            } else {
                "only software adapters, which must be asked for by index".to_owned()
            })
        });
    };
    found.get(index).ok_or(GpuError::NoSuchAdapter {
        index,
        count: found.len(),
    })
}

fn found() -> &'static [(AdapterInfo, wgpu::Adapter)] {
    static FOUND: OnceLock<Vec<(AdapterInfo, wgpu::Adapter)>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut desc = wgpu::InstanceDescriptor::new_without_display_handle();
        desc.flags = wgpu::InstanceFlags::empty();
        desc.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(desc);
        let listed = instance.enumerate_adapters(wgpu::Backends::PRIMARY);
        let mut found: Vec<_> = pollster::block_on(listed)
            .into_iter()
            .filter(|adapter| {
                let flags = adapter.get_downlevel_capabilities().flags;
                flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
            })
            .map(|adapter| (describe(&adapter), adapter))
            .collect();
        found.sort_by_key(|(info, _)| info.kind);
        for (index, (info, _)) in found.iter_mut().enumerate() {
            info.index = index;
        }
        found
    })
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
        wgpu::DeviceType::Cpu => AdapterKind::Software,
        wgpu::DeviceType::Other => AdapterKind::Other,
    };
    let mut caps = Caps::of(&adapter.limits(), adapter.features());
    caps.software = kind == AdapterKind::Software;
    caps.subgroup_sizes = [info.subgroup_min_size, info.subgroup_max_size];
    AdapterInfo {
        index: 0,
        name: info.name,
        backend: info.backend.to_str().to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        kind,
        caps,
    }
}
