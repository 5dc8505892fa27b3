//! Ctrl-C: a hook that the bindings set, asked between steps.

use crate::{Error, Result};
use std::sync::OnceLock;

static HOOK: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets what tells that the user wants to stop.
pub fn set_hook(hook: fn() -> bool) {
    let _ = HOOK.set(hook);
}

pub fn check() -> Result<()> {
    match HOOK.get() {
        Some(hook) if hook() => Err(Error::interrupted(
            "stopped by the user; values computed before remain",
        )),
        _ => Ok(()),
    }
}
