//! Ctrl-C while the core computes.

use crate::error::keep_signal;
use lamina_core::fork::outside;
use pyo3::prelude::*;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How often Python is asked.
const PERIOD: Duration = Duration::from_millis(50);

thread_local! {
    static ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Asked by the core between steps; attaches to Python once a period.
fn wants_to_stop() -> bool {
    let now = Instant::now();
    match ASKED.get() {
        Some(last) if now.duration_since(last) < PERIOD => return false,
        Some(_) => ASKED.set(Some(now)),
        None => {
            ASKED.set(Some(now));
            return false;
        }
    }
    // Only the main thread hears signals; elsewhere this is a no-op.
    let raised = outside(|| Python::try_attach(|py| py.check_signals().err())).flatten();
    let stop = raised.is_some();
    if let Some(error) = raised {
        keep_signal(error);
    }
    stop
}

pub fn install() {
    lamina_core::interrupt::set_hook(wants_to_stop);
}
