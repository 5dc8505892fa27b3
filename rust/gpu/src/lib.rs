//! Lamina's GPU side: programs of WGSL dispatches on wgpu.
//!
//! The only crate that knows wgpu, and it knows nothing of tensors or ops: buffers, WGSL modules,
//! dispatches.  A kernel builder turns sizes into dispatches; a [`Program`] strings them together;
//! an [`Executable`] runs it on an open [`Gpu`].

mod adapter;
mod buffer;
mod counters;
mod error;
mod executable;
mod gpu;
pub mod kernels;
mod params;
mod pipeline;
mod program;
mod render;
mod shaders;
mod storage;
mod transfer;

pub use adapter::{AdapterInfo, AdapterKind, Caps, adapters};
pub use buffer::{Buffer, MemoryUse, padded};
pub use counters::{Counters, counters};
pub use error::{GpuError, Result};
pub use executable::{Executable, Times};
pub use gpu::Gpu;
pub use params::{Field, Params};
pub use program::{Access, BufferDecl, Dispatch, IoDecl, Module, Program, Requires, Role, VERSION};
pub use render::{link, render};
pub use storage::{Operand, Storage, collapse, row_major};
