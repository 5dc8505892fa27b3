//! A fork copies the process with one of its threads: what another thread
//! holds locked stays locked in the child.  So the bindings run the core's
//! long work [`inside`], and before a fork [`prepare`] waits until nobody is
//! there; a run comes out between any two of its steps.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::sleep;
use std::time::Duration;

/// Threads in the core that may hold its locks.
static WORKING: AtomicUsize = AtomicUsize::new(0);
static FORKING: AtomicBool = AtomicBool::new(false);

const PAUSE: Duration = Duration::from_micros(50);

thread_local! {
    /// This thread works inside, or forks: it is let through.
    static MINE: Cell<bool> = const { Cell::new(false) };
}

/// Inside until dropped.
struct Working;

impl Working {
    fn enter() -> Working {
        WORKING.fetch_add(1, SeqCst);
        while FORKING.load(SeqCst) {
            WORKING.fetch_sub(1, SeqCst);
            while FORKING.load(SeqCst) {
                sleep(PAUSE);
            }
            WORKING.fetch_add(1, SeqCst);
        }
        MINE.set(true);
        Working
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        MINE.set(false);
        WORKING.fetch_sub(1, SeqCst);
    }
}

/// Runs `body`, during which no fork happens but where it is [`outside`].
pub fn inside<T>(body: impl FnOnce() -> T) -> T {
    let _working = (!MINE.get()).then(Working::enter);
    body()
}

/// Runs `body`, which may fork or wait for who does; no lock is held.
pub fn outside<T>(body: impl FnOnce() -> T) -> T {
    struct Outside;
    impl Drop for Outside {
        fn drop(&mut self) {
            std::mem::forget(Working::enter());
        }
    }
    let _outside = MINE.get().then(|| {
        drop(Working);
        Outside
    });
    body()
}

/// Between steps, no lock held: lets a fork happen.
pub(crate) fn between_steps() {
    if FORKING.load(SeqCst) {
        outside(|| ());
    }
}

/// Waits until nobody is inside and keeps it so until [`done`]; for the
/// thread that is about to fork.
pub fn prepare() {
    while FORKING.swap(true, SeqCst) {
        sleep(PAUSE);
    }
    while WORKING.load(SeqCst) != 0 {
        sleep(PAUSE);
    }
    MINE.set(true);
}

/// The fork is over, in the parent or in the child.
pub fn done() {
    MINE.set(false);
    FORKING.store(false, SeqCst);
}
