//! Two-dimensional convolution, NCHW with weights OIHW.
//!
//! Forward and both gradients are products on the packed micro-kernel whose
//! right operand is gathered from the image panel by panel ([`patches`]): no
//! unrolled copy of the image is ever in memory.  Groups of one input channel
//! are computed directly ([`depthwise`]).

mod backward_input;
mod backward_weight;
pub mod blocked;
mod depthwise;
mod forward;
mod generic;
mod halo;
mod integer;
mod patches;
mod phase;
mod product;
mod row_sums;
mod shape;
mod tail;
#[cfg(test)]
mod tests;
mod weight;

pub use backward_input::backward_input;
pub use backward_weight::backward_weight;
pub use forward::forward;
pub use generic::{backward_input_generic, backward_weight_generic, forward_generic};
pub use integer::{PackedRows, forward_integer};
pub use shape::Conv2dShape;
pub use weight::{ConvWeight, PackedConvWeight};
