//! A chain with its operands: what runs over ranges of elements.

use super::Operand;
use super::block::{Block, FEW, Held};
use super::prepare::Prepared;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::view::Nest;
use std::ops::Range;

/// Blocks end at row ends where rows are at least this long, so that rows
/// are used in place.
const LONG_ROW: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lies as the output does.
    Flat,
    /// One element for all.
    Splat,
    Strided,
}

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub ptr: *const u8,
    pub dtype: DType,
    pub mode: Mode,
    pub nest: Nest,
}

impl Source {
    fn new(dtype: DType, shape: &[usize], operand: &Operand) -> Source {
        let nest = Nest::new(shape, &[operand.strides]);
        let mode = match (nest.dims.len(), nest.inner_stride(0)) {
            (1, 1) => Mode::Flat,
            (1, 0) => Mode::Splat,
            _ => Mode::Strided,
        };
        Source {
            ptr: operand.ptr,
            dtype,
            mode,
            nest,
        }
    }

    fn is_one(&self) -> bool {
        self.mode == Mode::Splat && self.dtype == DType::F32
    }
}

/// A prepared chain with its operands and shape: what [`super::run`] makes
/// anew for each call.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    pub(super) isa: Isa,
    pub(super) prepared: &'a Prepared,
    pub(super) sources: Vec<Source>,
    /// Of each source: it is one element, and all its readers take it so.
    pub(super) ones: Vec<bool>,
    len: usize,
    /// Blocks do not cross multiples of this.
    row: usize,
}

// SAFETY: the pointers are only read, and only inside unsafe calls, whose
// callers vouch for them.
unsafe impl Send for Bound<'_> {}
// SAFETY: as above.
unsafe impl Sync for Bound<'_> {}

impl<'a> Bound<'a> {
    /// # Safety
    /// The inputs match the chain and stay readable while this lives.
    pub unsafe fn new(
        isa: Isa,
        prepared: &'a Prepared,
        shape: &[usize],
        inputs: &[Operand],
    ) -> Bound<'a> {
        assert_eq!(inputs.len(), prepared.inputs.len());
        let sources: Vec<Source> = prepared
            .inputs
            .iter()
            .zip(inputs)
            .map(|(dtype, operand)| Source::new(*dtype, shape, operand))
            .collect();
        let ones = (0..sources.len())
            .map(|i| sources[i].is_one() && prepared.takes_one(i))
            .collect();
        let row = sources
            .iter()
            .filter(|s| s.mode == Mode::Strided && s.nest.inner() >= LONG_ROW)
            .map(|s| s.nest.inner())
            .min();
        Bound {
            isa,
            prepared,
            sources,
            ones,
            len: shape.iter().product(),
            row: row.unwrap_or(usize::MAX),
        }
    }

    /// The number of elements of the outputs.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// As [`super::run_range`].
    ///
    /// # Safety
    /// As for [`super::run_range`].
    pub unsafe fn run_range(&self, start: usize, acc: &mut [f32]) {
        assert!(start + acc.len() <= self.len);
        assert!(self.prepared.inputs.first() == Some(&DType::F32));
        assert!(self.prepared.outputs == [DType::F32]);
        // Where element 0 of the whole would lie.
        let base = acc.as_mut_ptr().cast::<u8>().wrapping_sub(start * 4);
        let range = start..start + acc.len();
        // SAFETY: the caller's.
        unsafe { self.run_with(range, &[base], Some(base)) }
    }

    /// Computes the flat range of every output.
    ///
    /// # Safety
    /// As for [`super::run`].
    pub unsafe fn run(&self, range: Range<usize>, outputs: &[*mut u8]) {
        assert!(outputs.len() == self.prepared.outputs.len() && range.end <= self.len);
        // SAFETY: the caller's.
        unsafe { self.run_with(range, outputs, None) }
    }

    /// # Safety
    /// As for [`Bound::run`]; `first` stands for a contiguous input 0.
    unsafe fn run_with(&self, range: Range<usize>, outputs: &[*mut u8], first: Option<*mut u8>) {
        let mut few = [Held::NONE; FEW];
        let mut many = Vec::new();
        let count = self.sources.len();
        let inputs = match few.get_mut(..count) {
            Some(few) => few,
            None => {
                many.resize(count, Held::NONE);
                &mut many[..]
            }
        };
        let mut block = Block::new(self, range.start, outputs, inputs, first);
        while block.at < range.end {
            block.n = self.prepared.block.min(range.end - block.at);
            if self.row != usize::MAX {
                block.n = block.n.min(self.row - block.at % self.row);
            }
            // SAFETY: the caller's.
            unsafe { block.run() };
            block.at += block.n;
        }
    }
}
