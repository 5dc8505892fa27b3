//! Leaving a computation that nobody waits for any more.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    /// Asked between the tasks that this thread does.
    static ASK: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// What unwinds through the kernels: they hold nothing that a panic in one of
/// their tasks would not release as well.
struct Stopped;

/// Runs `body`; None where `stop`, which is asked between the tasks of its
/// regions on this thread, said yes: what `body` writes is then half done.
pub fn stoppable<T>(stop: fn() -> bool, body: impl FnOnce() -> T) -> Option<T> {
    let before = ASK.replace(Some(stop));
    let ended = catch_unwind(AssertUnwindSafe(body));
    ASK.set(before);
    match ended {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<Stopped>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

#[inline]
pub(super) fn check() {
    if ASK.get().is_some_and(|stop| stop()) {
        // Not a panic: no hook runs and nothing is printed.
        resume_unwind(Box::new(Stopped));
    }
}
