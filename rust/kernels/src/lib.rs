//! Lamina's CPU kernels: slices in, slices out.  Nothing here knows of
//! tensors, graphs or Python.

mod activation;
pub mod attention;
pub mod batch_norm;
pub mod blocked;
pub mod cache;
pub mod chain;
pub mod conv2d;
pub mod copy;
pub mod cumulative;
pub mod dft;
pub mod dtype;
pub mod elementwise;
pub mod gather;
pub mod isa;
pub mod layer_norm;
pub mod machine;
pub mod math;
pub mod matmul;
pub mod nms;
pub mod number;
pub mod overlap_add;
pub mod pad;
pub mod pages;
pub mod philox;
pub mod pool;
pub mod pool2d;
pub mod reduce;
pub mod resize;
pub mod scratch;
pub mod simd;
pub mod softmax;
pub mod sort;
pub mod stored;
pub mod tfidf;
pub mod unique;
pub mod view;

pub use activation::Activation;
pub use chain::{Chain, Func, Instr, Reg};
pub use dtype::{DType, Element};
pub use isa::Isa;
pub use number::{Float, Number};
pub use stored::Stored;
pub use view::View;
