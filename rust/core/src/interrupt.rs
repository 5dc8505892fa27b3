//! Ctrl-C: a hook that the bindings set, asked between steps, and between the
//! tasks of a step whose results nobody needs once the run has failed.

use crate::{Error, Result};
use lamina_kernels::pool::stoppable;
use std::sync::OnceLock;

static HOOK: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets what tells that the user wants to stop.
pub fn set_hook(hook: fn() -> bool) {
    let _ = HOOK.set(hook);
}

fn stopped() -> Error {
    Error::interrupted("stopped by the user; values computed before remain")
}

pub fn check() -> Result<()> {
    match HOOK.get() {
        Some(hook) if hook() => Err(stopped()),
        _ => Ok(()),
    }
}

/// Runs kernels that may be left half done.
pub fn within(kernels: impl FnOnce() -> Result<()>) -> Result<()> {
    match HOOK.get() {
        Some(hook) => stoppable(*hook, kernels).unwrap_or_else(|| Err(stopped())),
        None => kernels(),
    }
}
