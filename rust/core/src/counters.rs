//! What has been built so far, for tests and `lamina.counters()`: in a steady
//! state none of these rises.

use std::sync::atomic::{AtomicU64, Ordering};

/// Plans compiled.
pub static PLANS: AtomicU64 = AtomicU64::new(0);
/// Plans run.
pub static RUNS: AtomicU64 = AtomicU64::new(0);
/// Blocks of CPU memory asked of the system (not those reused).
pub static CPU_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Weights packed for a kernel.
pub static PACKINGS: AtomicU64 = AtomicU64::new(0);

pub fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Name and count of everything counted here and on the GPU side.
pub fn snapshot() -> Vec<(&'static str, u64)> {
    let mut all: Vec<(&'static str, u64)> = [
        ("plans", &PLANS),
        ("runs", &RUNS),
        ("cpu_allocations", &CPU_ALLOCATIONS),
        ("packings", &PACKINGS),
    ]
    .into_iter()
    .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    .collect();
    all.push(("cpu_bytes", crate::memory::held() as u64));
    let gpu = lamina_gpu::counters();
    all.extend([
        ("pipelines", gpu.pipelines),
        ("bind_groups", gpu.bind_groups),
        ("gpu_allocations", gpu.buffers),
        ("submissions", gpu.submissions),
        ("programs", gpu.programs),
    ]);
    all
}
