//! The one thread pool of the library.
//!
//! A region ([`parallel_for`]) hands task indices to the calling thread and to
//! workers that spin briefly and then park.  Every participant takes its own
//! contiguous range of tasks first, so that it meets its own data again from
//! region to region, and then takes what is left of the others' ranges.
//! Callers share the threads evenly (see [`Seat`]); nested calls run inline.
//! After a fork the child starts new workers.

mod gate;
mod seat;
mod split;
mod stop;

pub use seat::Seat;
pub use split::{DisjointMut, parallel_blocks, parallel_chunks, parallel_chunks_mut};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
pub use stop::stoppable;

/// More threads than this are not started.
pub const MAX_THREADS: usize = 256;

const VARIABLE: &str = "LAMINA_NUM_THREADS";

/// 0: not decided yet.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Of the regions that this thread begins.
    static LIMIT: Cell<usize> = const { Cell::new(MAX_THREADS) };
}

/// How many threads may compute for this thread while no other calls, itself
/// included: the process's number within the thread's own limit.
#[inline]
pub fn num_threads() -> usize {
    process_threads().min(LIMIT.get())
}

/// Limits the regions that this thread begins; the limit before.
pub fn set_thread_limit(n: usize) -> usize {
    LIMIT.replace(n.clamp(1, MAX_THREADS))
}

#[inline]
fn process_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let n = from_env().ok().flatten().unwrap_or_else(default_threads);
            // A concurrent `set_num_threads` wins.
            match THREADS.compare_exchange(0, n, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => n,
                Err(set) => set,
            }
        }
        n => n,
    }
}

/// Sets the process's number of threads, between 1 and [`MAX_THREADS`]; the
/// next region of every thread follows it.
pub fn set_num_threads(n: usize) {
    THREADS.store(n.clamp(1, MAX_THREADS), Ordering::Relaxed);
}

/// What the environment asks for.  A library checks this once when it is
/// loaded, so that a mistyped value is an error there.
pub fn from_env() -> Result<Option<usize>, String> {
    let Some(value) = std::env::var_os(VARIABLE) else {
        return Ok(None);
    };
    parse(&value.to_string_lossy()).map(Some)
}

fn parse(value: &str) -> Result<usize, String> {
    match value.trim().parse() {
        Ok(n) if (1..=MAX_THREADS).contains(&n) => Ok(n),
        _ => Err(format!(
            "{VARIABLE}: got '{value}', wanted a number from 1 to {MAX_THREADS}"
        )),
    }
}

/// The processors this process may use, but not more than there are cores:
/// two hyper-threads of one core share its arithmetic units.
fn default_threads() -> usize {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = physical_cores().unwrap_or(usable);
    usable.min(cores).clamp(1, MAX_THREADS)
}

#[cfg(target_os = "linux")]
fn physical_cores() -> Option<usize> {
    let mut cores = std::collections::HashSet::new();
    for entry in std::fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        let path = entry.path().join("topology/thread_siblings_list");
        if let Ok(siblings) = std::fs::read_to_string(path) {
            cores.insert(siblings);
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

#[cfg(not(target_os = "linux"))]
fn physical_cores() -> Option<usize> {
    None
}

/// How many threads a region begun here may use: 1 inside another region.
#[inline]
pub fn threads_here() -> usize {
    if INSIDE.get() { 1 } else { seat::share() }
}

/// Runs `body` with every region begun in it on this thread alone.
pub fn alone<T>(body: impl FnOnce() -> T) -> T {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            set_thread_limit(self.0);
        }
    }
    let _restore = Restore(set_thread_limit(1));
    body()
}

/// Runs `body(0)`, ..., `body(tasks - 1)`, each once, on the workers and on
/// the calling thread, and returns when all are done.  A panic in `body` is
/// raised again in the caller; tasks not begun by then are left out.
pub fn parallel_for(tasks: usize, body: &(dyn Fn(usize) + Sync)) {
    if tasks > 1 && !INSIDE.get() && num_threads() > 1 {
        let _seat = Seat::take();
        let threads = seat::share().min(tasks);
        if let Some(team) = seat::team().filter(|_| threads > 1) {
            return team.run(threads, tasks, body);
        }
    }
    for task in 0..tasks {
        stop::check();
        body(task);
    }
}

#[cfg(test)]
mod tests;
