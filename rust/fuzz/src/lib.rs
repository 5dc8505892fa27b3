//! What reads somebody else's bytes, as functions of bytes.  They may refuse
//! (a typed error) or answer; a panic, a hang or a wrong access is a bug.
//!
//! `cargo fuzz` calls them from `fuzz_targets/`; on a stable toolchain
//! `rust/onnx/tests/fuzz.rs` compiles the same files and mutates the seeds.

mod graph;
mod onnx;
mod program;

pub use graph::graph;
pub use onnx::onnx;
pub use program::program;

/// One thread, little memory, nothing measured: what fails fails again.
pub fn setup() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for (name, value) in [
            ("LAMINA_NUM_THREADS", "1"),
            ("LAMINA_MEMORY_LIMIT", "512M"),
            ("LAMINA_TUNE", "off"),
        ] {
            if std::env::var_os(name).is_none() {
                // SAFETY: every entry's caller comes by here before it reads one.
                unsafe { std::env::set_var(name, value) };
            }
        }
    });
}

/// Floating-point operations and elements beyond which running would say no
/// more than planning did.
const MAX_FLOPS: u64 = 1 << 24;
const MAX_ELEMENTS: usize = 1 << 20;

/// Whether a plan is small enough to be run thousands of times a minute.
fn is_small(plan: &lamina_core::Plan) -> bool {
    let flops: u64 = plan
        .steps()
        .iter()
        .fold(0, |all, s| all.saturating_add(s.flops));
    let elements = plan.steps().iter().fold(0usize, |all, step| {
        let len = step.shape.iter().fold(1usize, |n, &d| n.saturating_mul(d));
        all.saturating_add(len)
    });
    flops <= MAX_FLOPS && elements <= MAX_ELEMENTS
}
