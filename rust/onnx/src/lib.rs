//! Lamina's models: ONNX in and out.

// Whether a model may go to another thread is decided down to wgpu's types.
#![recursion_limit = "512"]

pub mod export;
mod host;
pub mod ir;
mod model;
mod ops;
mod proto;
mod read;
mod sizes;
mod trace;
mod write;

pub use export::{Export, Recording, counterparts, export};
pub use model::{Item, Model, NodeReport, Report, Verdict, Wanted, fix, report};
pub use ops::operators;
pub use read::{read_bytes, read_model, read_outline};
pub use write::{Edition, to_bytes, write_model};
