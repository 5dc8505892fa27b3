//! Lamina's engine: tensors that are recorded and computed when looked at,
//! the planner that compiles what is recorded, and gradients.

pub mod attrs;
mod call;
mod cell;
mod compile;
pub mod counters;
mod device;
mod error;
mod eval;
pub mod files;
pub mod fork;
mod grad;
mod hash;
pub mod interrupt;
mod layout;
pub mod memory;
mod node;
pub mod op;
pub mod ops;
pub mod plan;
mod planner_op;
pub mod profile;
pub mod promote;
pub mod random;
pub mod scalar;
mod status;
mod tensor;
mod value;

pub use attrs::{Attr, Attrs};
pub use call::{CpuCall, CpuOperand, GpuCall};
pub use cell::Cell;
pub use compile::{Compiled, compile};
pub use device::Device;
pub use error::{Error, ErrorKind, Result};
pub use eval::{eval, explain};
pub use grad::{backward, grad};
pub use lamina_gpu as gpu;
pub use lamina_kernels as kernels;
pub use lamina_kernels::{DType, Stored};
pub use layout::{Layout, Shape};
pub use node::{grad_enabled, record_op, set_grad_enabled, set_site};
pub use op::{Class, Meta, Op, OpRef};
pub use ops::{Operand, record, record_operands};
pub use plan::{Plan, explain::StepInfo};
pub use tensor::{GradSlot, Handle, Tensor};
pub use value::{Storage, Value};
