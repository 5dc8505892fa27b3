//! The block interpreter of [`Chain`]s.
//!
//! A chain is prepared once ([`Prepared`]: which value lives in which block
//! register), bound to shapes and pointers ([`Bound`]) and run over blocks of
//! 1024 elements (512 where an element has eight bytes), so that the values
//! between two instructions stay in the first cache.  Contiguous operands are
//! used where they lie; others are gathered into a register first.  Integers
//! wrap, and dividing them by zero gives 0, as NumPy does.

// Operands arrive as bytes, aligned to their dtype by the caller's promise.
#![allow(clippy::cast_ptr_alignment)]

mod block;
mod bound;
mod cast;
mod generic;
mod map;
mod prepare;
mod real;
mod scalar;
mod step;
#[cfg(test)]
mod tests;
mod vector;

pub use bound::Bound;
pub use prepare::Prepared;

use crate::isa::Isa;
use crate::pool::parallel_chunks;

/// An input: where its first element lies and its strides in the outputs'
/// shape, in elements; 0 broadcasts.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    pub ptr: *const u8,
    pub strides: &'a [isize],
}

/// Computes every output, contiguous and of `shape`, on the thread pool.
///
/// # Safety
/// `inputs` and `outputs` match the chain in number and dtype and are aligned
/// to their dtypes; all elements
/// of the inputs can be read and of the outputs written.  Outputs do not
/// overlap each other; an output may be the very memory of a contiguous input
/// of the same element size, and otherwise overlaps none.
pub unsafe fn run(
    isa: Isa,
    prepared: &Prepared,
    shape: &[usize],
    inputs: &[Operand],
    outputs: &[*mut u8],
) {
    // SAFETY: the caller's.
    let bound = unsafe { Bound::new(isa, prepared, shape, inputs) };
    let outputs = Outputs(outputs);
    parallel_chunks(bound.len(), prepared.min_chunk(), |range| {
        // SAFETY: the caller's; the ranges do not overlap.
        unsafe { bound.run(range, outputs.get()) };
    });
}

/// Applies a chain to flat elements `start..start + acc.len()` of `shape`,
/// where input 0 and the single output are `acc` itself: the epilogue of
/// matmul and conv.  `inputs[0]` is not looked at.  To call it often, keep a
/// [`Bound`].
///
/// # Safety
/// As for [`run`]; input 0 and the output are f32.
pub unsafe fn run_range(
    isa: Isa,
    prepared: &Prepared,
    shape: &[usize],
    inputs: &[Operand],
    start: usize,
    acc: &mut [f32],
) {
    // SAFETY: the caller's.
    unsafe { Bound::new(isa, prepared, shape, inputs).run_range(start, acc) }
}

/// Output pointers as seen by several threads.
struct Outputs<'a>(&'a [*mut u8]);

impl Outputs<'_> {
    fn get(&self) -> &[*mut u8] {
        self.0
    }
}

// SAFETY: the threads write disjoint elements.
unsafe impl Sync for Outputs<'_> {}
