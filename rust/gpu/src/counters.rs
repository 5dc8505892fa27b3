//! Counts of what is created, so that tests can show that a steady state creates nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) static PIPELINES: AtomicU64 = AtomicU64::new(0);
pub(crate) static BIND_GROUPS: AtomicU64 = AtomicU64::new(0);
pub(crate) static BUFFERS: AtomicU64 = AtomicU64::new(0);
pub(crate) static SUBMISSIONS: AtomicU64 = AtomicU64::new(0);
pub(crate) static PROGRAMS: AtomicU64 = AtomicU64::new(0);

/// How many of each thing this process has created so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Compute pipelines compiled.
    pub pipelines: u64,
    pub bind_groups: u64,
    /// Buffers taken from the device, not from a pool.
    pub buffers: u64,
    pub submissions: u64,
    /// Executables made from programs.
    pub programs: u64,
}

/// The counts of the whole process.
pub fn counters() -> Counters {
    Counters {
        pipelines: PIPELINES.load(Relaxed),
        bind_groups: BIND_GROUPS.load(Relaxed),
        buffers: BUFFERS.load(Relaxed),
        submissions: SUBMISSIONS.load(Relaxed),
        programs: PROGRAMS.load(Relaxed),
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
