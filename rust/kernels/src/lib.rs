//! Lamina's CPU kernels: slices in, slices out.  Nothing here knows of
//! tensors, graphs or Python.

pub mod chain;
pub mod dtype;

pub use chain::{Chain, Func, Instr, Reg};
pub use dtype::{DType, Element};
