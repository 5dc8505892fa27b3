//! What this machine can do at best: the yardstick of a profile.
//!
//! Both figures are measured, on demand, for the threads and the instruction
//! set in use, in less than a tenth of a second together; what was found is
//! kept for the life of the process.

use crate::cache;
use crate::isa::Isa;
use crate::pool::{num_threads, parallel_chunks_mut, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Multiply-adds of each chain in one task of the peak's measurement.
const ROUNDS: usize = 1 << 14;

/// Floats that one task of the bandwidth's measurement reads.
const PIECE: usize = 1 << 18;

/// Time for each of the two figures, beyond which no more is measured.
const BUDGET: Duration = Duration::from_millis(30);

/// The best that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    pub isa: Isa,
    pub threads: usize,
    /// Single-precision operations a second, a multiply-add counted as two.
    pub flops_per_second: f64,
    /// Bytes a second read from memory, in order.
    pub bytes_per_second: f64,
}

impl Machine {
    /// The machine with the threads that are in use now.
    pub fn measured() -> Machine {
        static KNOWN: Mutex<Vec<Machine>> = Mutex::new(Vec::new());
        // Whoever asks at the same time waits: two measurements would share the cores.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let (isa, threads) = (Isa::current(), num_threads());
        if let Some(machine) = known.iter().find(|machine| machine.threads == threads) {
            return *machine;
        }
        let machine = Machine {
            isa,
            threads,
            flops_per_second: peak(isa, threads),
            bytes_per_second: bandwidth(isa),
        };
        known.push(machine);
        machine
    }
}

/// The processor, as far as it says, with the cache sizes by which kernels cut
/// their work; in one line.
pub fn processor() -> String {
    let [l2, last] = [cache::l2(), cache::last()].map(|bytes| bytes >> 10);
    let name = named();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{name}, {l2} + {last} KiB of cache")
}

/// Vendor's name and the number of the model.
#[cfg(target_arch = "x86_64")]
fn named() -> String {
    use std::arch::x86_64::__cpuid;
    const LAST_EXTENDED: u32 = 0x8000_0000;
    const BRAND: std::ops::RangeInclusive<u32> = 0x8000_0002..=0x8000_0004;
    let model = __cpuid(1).eax;
    let mut bytes = Vec::new();
    if __cpuid(LAST_EXTENDED).eax >= *BRAND.end() {
        for leaf in BRAND {
            let part = __cpuid(leaf);
            for register in [part.eax, part.ebx, part.ecx, part.edx] {
                bytes.extend_from_slice(&register.to_le_bytes());
            }
        }
    }
    bytes.retain(|byte| (b' '..=b'~').contains(byte));
    format!("{} {model:x}", String::from_utf8_lossy(&bytes))
}

/// What Linux says; elsewhere the architecture alone.
#[cfg(not(target_arch = "x86_64"))]
fn named() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let says = |line: &&str| line.starts_with("CPU implementer") || line.starts_with("CPU part");
    let mut lines: Vec<&str> = text.lines().filter(says).collect();
    lines.sort_unstable();
    lines.dedup();
    let told = lines.join(" ").replace([':', '\t'], " ");
    format!("{} {told}", std::env::consts::ARCH)
}

/// Multiply-adds in independent chains: more of them than latency times
/// units, no more than registers.
struct Peak<const CHAINS: usize>;

impl<const CHAINS: usize> Kernel for Peak<CHAINS> {
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let (x, y) = (s.splat(black_box(0.999)), s.splat(black_box(1e-3)));
        let mut acc = [s.zero(); CHAINS];
        for _ in 0..ROUNDS {
            for a in &mut acc {
                *a = s.fma(x, y, *a);
            }
        }
        black_box(acc.into_iter().map(|a| s.sum(a)).sum::<f32>());
        2 * ROUNDS * CHAINS * S::LANES
    }
}

/// Single-precision operations a second on `threads` threads of the pool.
pub fn peak(isa: Isa, threads: usize) -> f64 {
    let once = || match isa {
        Isa::Portable => dispatch(isa, Peak::<6>),
        Isa::Avx2 | Isa::Avx512 | Isa::Neon => dispatch(isa, Peak::<12>),
    };
    // Several tasks for each thread: waking the pool weighs less.
    let tasks = 4 * threads;
    let run = |_| {
        once();
    };
    (once() * tasks) as f64 / fastest(|| parallel_for(tasks, &run))
}

/// The sum of a slice: what costs least beside reading it.
struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Out = f32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut acc = [s.zero(); 8];
        for piece in self.0.chunks_exact(8 * S::LANES) {
            for (a, part) in acc.iter_mut().zip(piece.chunks_exact(S::LANES)) {
                *a = s.add(*a, s.load(part));
            }
        }
        acc.into_iter().map(|a| s.sum(a)).sum()
    }
}

/// Bytes a second read from memory on the threads of the pool: twice the
/// last cache, within what may be asked for.
fn bandwidth(isa: Isa) -> f64 {
    let bytes = (2 * cache::last()).clamp(32 << 20, 128 << 20);
    let mut values = vec![0.0f32; bytes / size_of::<f32>()];
    // Memory that was never written need not exist.
    parallel_chunks_mut(&mut values, PIECE, |_, piece| piece.fill(1.0));
    let tasks = values.len() / PIECE;
    let read = |task: usize| {
        black_box(dispatch(isa, Sum(&values[task * PIECE..][..PIECE])));
    };
    let seconds = fastest(|| parallel_for(tasks, &read));
    (tasks * PIECE * size_of::<f32>()) as f64 / seconds
}

/// Seconds of the fastest of several runs, at least two.
fn fastest(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut best = f64::MAX;
    let mut runs = 0;
    while runs < 2 || began.elapsed() < BUDGET {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    // A clock may be too coarse to see the time pass.
    best.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_figures() {
        let machine = Machine::measured();
        assert_eq!(machine.isa, Isa::current());
        assert!(machine.threads >= 1);
        for figure in [machine.flops_per_second, machine.bytes_per_second] {
            assert!(figure.is_finite() && figure > 0.0, "{machine:?}");
        }
    }

    #[test]
    fn the_processor_is_told_in_a_line() {
        let told = processor();
        assert!(
            told.ends_with(" KiB of cache") && !told.contains('\n'),
            "{told}"
        );
        assert_eq!(told, processor());
    }

    #[test]
    fn every_instance_adds_what_it_reads() {
        let values: Vec<f32> = (0..256).map(|i| i as f32).collect();
        for isa in Isa::available() {
            assert_eq!(dispatch(isa, Sum(&values)), 32640.0);
            assert!(peak(isa, 1) > 0.0);
        }
    }
}
