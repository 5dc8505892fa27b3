//! The workers and how a region reaches them.

use super::{INSIDE, MAX_THREADS, stop};
use parking_lot::Mutex;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::thread::Thread;

/// Turns of the spin loop before a worker parks (some tens of microseconds).
const SPINS: u32 = 3000;

type Body<'a> = dyn Fn(usize) + Sync + 'a;

/// Alone on its pair of cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Line<T>(T);

/// One participant's share of a region's tasks.
#[derive(Default)]
struct Share {
    next: AtomicUsize,
    end: AtomicUsize,
}

/// What the present region is.  Written only while the gate is closed and
/// nobody is inside; read only by the caller and by workers inside the gate.
struct Region {
    body: AtomicPtr<&'static Body<'static>>,
    threads: AtomicUsize,
    panicked: AtomicBool,
    payload: Mutex<Option<Box<dyn Any + Send>>>,
    shares: [Line<Share>; MAX_THREADS],
}

/// The workers of one caller at a time.
pub(super) struct Team {
    /// Bits 0..16: workers inside; bit 16: open; above: the region's number.
    /// A worker enters by adding one to an open gate, so the caller, who
    /// closes it when no task is left, waits only for those who came.
    gate: Line<AtomicU64>,
    parked: [Line<AtomicBool>; MAX_THREADS],
    workers: Mutex<Vec<Thread>>,
    region: Region,
}

const OPEN: u64 = 1 << 16;
const INSIDE_MASK: u64 = OPEN - 1;
const REGION: u64 = OPEN << 1;

impl Default for Team {
    fn default() -> Team {
        Team {
            gate: Line::default(),
            parked: std::array::from_fn(|_| Line::default()),
            workers: Mutex::default(),
            region: Region {
                body: AtomicPtr::new(std::ptr::null_mut()),
                threads: AtomicUsize::new(0),
                panicked: AtomicBool::new(false),
                payload: Mutex::default(),
                shares: std::array::from_fn(|_| Line::default()),
            },
        }
    }
}

impl Team {
    /// Runs a region on up to `threads` threads.  Only the thread whose team
    /// it is calls this, and not from inside a region.
    pub(super) fn run(&'static self, threads: usize, tasks: usize, body: &Body<'_>) {
        let workers = self.ensure_workers(threads - 1);
        let region = &self.region;
        // SAFETY: only the lifetime is changed; the region ends, with nobody
        // inside, before this call returns.
        let mut body = unsafe { std::mem::transmute::<&Body<'_>, &'static Body<'static>>(body) };
        region.body.store(&raw mut body, Relaxed);
        region.threads.store(workers + 1, Relaxed);
        for (i, share) in region.shares.iter().take(workers + 1).enumerate() {
            share.0.next.store(tasks * i / (workers + 1), Relaxed);
            share.0.end.store(tasks * (i + 1) / (workers + 1), Relaxed);
        }
        self.gate.0.fetch_add(REGION | OPEN, SeqCst);
        self.wake(workers);

        region.work(0);
        self.gate.0.fetch_and(!OPEN, AcqRel);
        let mut turns = 0u32;
        while self.gate.0.load(Acquire) & INSIDE_MASK != 0 {
            turns += 1;
            if turns > SPINS {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        let payload = if region.panicked.swap(false, Relaxed) {
            region.payload.lock().take()
        } else {
            None
        };
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
    }

    /// Starts workers up to `wanted`; how many of those there are (fewer where
    /// the system refuses a thread).
    fn ensure_workers(&'static self, wanted: usize) -> usize {
        let mut workers = self.workers.lock();
        while workers.len() < wanted {
            let id = workers.len();
            let name = format!("lamina-{}", id + 1);
            match std::thread::Builder::new()
                .name(name)
                .spawn(move || self.serve(id))
            {
                Ok(handle) => workers.push(handle.thread().clone()),
                Err(_) => break,
            }
        }
        wanted.min(workers.len())
    }

    fn wake(&self, count: usize) {
        for id in 0..count {
            if self.parked[id].0.load(SeqCst) {
                let workers = self.workers.lock();
                workers[id].unpark();
            }
        }
    }

    fn serve(&self, id: usize) {
        INSIDE.set(true);
        let mut done = 0;
        let mut spins = 0;
        loop {
            let gate = self.gate.0.load(Acquire);
            if gate & OPEN != 0 && gate / REGION != done {
                if id + 1 >= self.region.threads.load(Relaxed) {
                    // Not asked for, if the number is this region's; if it is
                    // an older one the next turn sees.
                    spins += 1;
                } else if self
                    .gate
                    .0
                    .compare_exchange(gate, gate + 1, AcqRel, Relaxed)
                    .is_ok()
                {
                    done = gate / REGION;
                    spins = 0;
                    self.region.work(id + 1);
                    self.gate.0.fetch_sub(1, Release);
                    continue;
                }
            } else {
                spins += 1;
            }
            std::hint::spin_loop();
            if spins > SPINS {
                spins = 0;
                self.park(id, gate / REGION);
            }
        }
    }

    /// Sleeps until a region after number `seen` begins.
    fn park(&self, id: usize, seen: u64) {
        self.parked[id].0.store(true, SeqCst);
        while self.gate.0.load(SeqCst) / REGION == seen {
            std::thread::park();
        }
        self.parked[id].0.store(false, SeqCst);
    }
}

impl Region {
    /// Does tasks until none is left; `me` takes its own share first.
    fn work(&self, me: usize) {
        // SAFETY: set by the caller, who waits for all inside to leave.
        let body = unsafe { *self.body.load(Relaxed) };
        let was_inside = INSIDE.replace(true);
        let run = AssertUnwindSafe(|| {
            let threads = self.threads.load(Relaxed);
            for turn in 0..threads {
                let share = &self.shares[(me + turn) % threads].0;
                let end = share.end.load(Relaxed);
                while share.next.load(Relaxed) < end && !self.panicked.load(Relaxed) {
                    let task = share.next.fetch_add(1, Relaxed);
                    if task < end {
                        stop::check();
                        body(task);
                    }
                }
            }
        });
        if let Err(payload) = catch_unwind(run) {
            let mut first = self.payload.lock();
            if first.is_none() {
                *first = Some(payload);
            }
            self.panicked.store(true, Relaxed);
        }
        INSIDE.set(was_inside);
    }
}
