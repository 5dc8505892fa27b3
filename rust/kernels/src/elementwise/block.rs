//! Running a prepared chain over ranges of elements.

use super::Operand;
use super::map::Call;
use super::prepare::{Place, Prepared, SLOT_BYTES, Store};
use super::step::step;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::scratch::Scratch;
use crate::view::Nest;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::ops::Range;

/// Blocks end at row ends where rows are at least this long, so that rows
/// are used in place.
const LONG_ROW: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Lies as the output does.
    Flat,
    /// One element for all.
    Splat,
    Strided,
}

#[derive(Clone, Debug)]
struct Source {
    ptr: *const u8,
    dtype: DType,
    mode: Mode,
    nest: Nest,
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
    isa: Isa,
    prepared: &'a Prepared,
    sources: Vec<Source>,
    /// Of each source: it is one element, and all its readers take it so.
    ones: Vec<bool>,
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
        let slot_len = SLOT_BYTES / 4;
        let mut scratch = Scratch::take(self.prepared.slots * slot_len);
        // Tails come in small pieces: no memory from the heap for most.
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
        let mut block = Block {
            bound: self,
            slots: scratch.as_mut_ptr().cast(),
            outputs,
            inputs,
            first,
            at: range.start,
            n: 0,
        };
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

/// Inputs whose state needs no memory of its own.
const FEW: usize = 12;

/// What is known of an input while blocks run.
#[derive(Clone, Copy)]
struct Held {
    /// Where its block lies.
    block: *const u8,
    /// The element that fills its slot, and how far.
    element: *const u8,
    filled: usize,
}

impl Held {
    const NONE: Held = Held {
        block: std::ptr::null(),
        element: std::ptr::null(),
        filled: 0,
    };
}

/// One block of elements at a time.
struct Block<'a> {
    bound: &'a Bound<'a>,
    slots: *mut u8,
    outputs: &'a [*mut u8],
    inputs: &'a mut [Held],
    first: Option<*mut u8>,
    at: usize,
    n: usize,
}

impl Block<'_> {
    fn slot(&self, slot: usize) -> *mut u8 {
        self.slots.wrapping_add(slot * SLOT_BYTES)
    }

    /// The slot for what is not yet, or no longer, in register form.
    fn staging(&self) -> *mut u8 {
        self.slot(self.bound.prepared.slots - 1)
    }

    fn place(&self, place: Place) -> *const u8 {
        match place {
            Place::Input(i) => self.inputs[i].block,
            Place::Slot(slot) => self.slot(slot),
            Place::Output(k) => self.output(k),
        }
    }

    fn output(&self, k: usize) -> *mut u8 {
        let size = self.bound.prepared.outputs[k].size();
        self.outputs[k].wrapping_add(self.at * size)
    }

    /// # Safety
    /// As for [`Bound::run`].
    unsafe fn run(&mut self) {
        let prepared = self.bound.prepared;
        // SAFETY: the caller's; slots hold a block each.
        unsafe {
            for i in 0..self.inputs.len() {
                self.inputs[i].block = self.load(i);
            }
            for s in &prepared.steps {
                let mut args = [std::ptr::null(); 3];
                let mut ones = 0;
                for (i, place) in s.args.iter().enumerate() {
                    args[i] = self.place(*place);
                    if let Place::Input(input) = *place {
                        ones |= u8::from(self.bound.ones[input]) << i;
                    }
                }
                let out = self.place(s.out).cast_mut();
                let n = self.n;
                let call = Call { args, out, n, ones };
                step(self.bound.isa, s.func, s.dtype, call);
            }
            for store in &prepared.stores {
                self.store(store);
            }
        }
    }

    /// Where the block of input `i` lies, in register form.
    ///
    /// # Safety
    /// As for [`Bound::run`].
    unsafe fn load(&mut self, i: usize) -> *const u8 {
        if let (0, Some(first)) = (i, self.first) {
            return first.wrapping_add(self.at * 4);
        }
        let source = &self.bound.sources[i];
        if self.bound.ones[i] {
            return source.ptr;
        }
        let size = source.dtype.size();
        let half = matches!(source.dtype, DType::F16 | DType::BF16);
        let slot = self.slot(i);
        let raw_slot = if half { self.staging() } else { slot };
        // SAFETY: the caller's; a block fits a slot.
        unsafe {
            let raw = match source.mode {
                Mode::Flat => source.ptr.wrapping_add(self.at * size),
                Mode::Splat => match self.fill(i, source.ptr, raw_slot) {
                    Some(raw) => raw,
                    None => return slot,
                },
                Mode::Strided => match self.gather(i, raw_slot) {
                    Some(raw) => raw,
                    None => return slot,
                },
            };
            match source.dtype {
                DType::F16 => slice(raw.cast::<f16>(), self.n)
                    .convert_to_f32_slice(slice_mut(slot.cast(), self.n)),
                DType::BF16 => slice(raw.cast::<bf16>(), self.n)
                    .convert_to_f32_slice(slice_mut(slot.cast(), self.n)),
                _ => return raw,
            }
        }
        slot
    }

    /// Spreads one element over the block, unless the slot holds it already.
    ///
    /// # Safety
    /// As for [`Block::load`].
    unsafe fn fill(&mut self, i: usize, element: *const u8, raw: *mut u8) -> Option<*const u8> {
        let held = &mut self.inputs[i];
        if held.element == element && held.filled >= self.n {
            return None;
        }
        (held.element, held.filled) = (element, self.n);
        // SAFETY: the caller's.
        unsafe {
            match self.bound.sources[i].dtype.size() {
                1 => slice_mut(raw, self.n).fill(*element),
                2 => slice_mut(raw.cast(), self.n).fill(*element.cast::<u16>()),
                4 => slice_mut(raw.cast(), self.n).fill(*element.cast::<u32>()),
                _ => slice_mut(raw.cast(), self.n).fill(*element.cast::<u64>()),
            }
        }
        Some(raw)
    }

    /// Collects a strided input's block; within a row it is used in place or
    /// spread.  None: the slot holds it already.
    ///
    /// # Safety
    /// As for [`Block::load`].
    unsafe fn gather(&mut self, i: usize, raw: *mut u8) -> Option<*const u8> {
        let bound = self.bound;
        let source = &bound.sources[i];
        let (nest, size) = (&source.nest, source.dtype.size());
        if self.at % nest.inner() + self.n <= nest.inner() && nest.inner_stride(0).abs() < 2 {
            let from = nest.offset(0, self.at) * size as isize;
            let from = source.ptr.wrapping_offset(from);
            match nest.inner_stride(0) {
                1 => return Some(from),
                // SAFETY: the caller's.
                0 => return unsafe { self.fill(i, from, raw) },
                _ => {}
            }
        }
        self.inputs[i].element = std::ptr::null();
        let range = self.at..self.at + self.n;
        // SAFETY: the caller's.
        unsafe {
            match size {
                1 => collect::<u8>(source.ptr, nest, range, raw),
                2 => collect::<u16>(source.ptr.cast(), nest, range, raw.cast()),
                4 => collect::<u32>(source.ptr.cast(), nest, range, raw.cast()),
                _ => collect::<u64>(source.ptr.cast(), nest, range, raw.cast()),
            }
        }
        Some(raw)
    }

    /// # Safety
    /// As for [`Bound::run`].
    unsafe fn store(&self, store: &Store) {
        let (from, to) = (self.place(store.from), self.output(store.output));
        // An input of a half dtype is in register form, as a result is.
        // SAFETY: the caller's; both may be one place.
        unsafe {
            match store.dtype {
                DType::F16 => slice_mut(to.cast::<f16>(), self.n)
                    .convert_from_f32_slice(slice(from.cast(), self.n)),
                DType::BF16 => slice_mut(to.cast::<bf16>(), self.n)
                    .convert_from_f32_slice(slice(from.cast(), self.n)),
                other => std::ptr::copy(from, to, self.n * other.size()),
            }
        }
    }
}

/// # Safety
/// As for [`std::slice::from_raw_parts`].
unsafe fn slice<'a, T>(ptr: *const T, n: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(ptr, n) }
}

/// # Safety
/// As for [`std::slice::from_raw_parts_mut`].
unsafe fn slice_mut<'a, T>(ptr: *mut T, n: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(ptr, n) }
}

/// # Safety
/// The range of `nest` can be read from `src` and written to `dst`.
unsafe fn collect<T: Copy>(src: *const T, nest: &Nest, range: Range<usize>, dst: *mut T) {
    let step = nest.inner_stride(0);
    let mut dst = dst;
    nest.segments(range, |offsets, n| {
        // SAFETY: the caller's.
        unsafe {
            let src = src.offset(offsets[0]);
            match step {
                1 => dst.copy_from_nonoverlapping(src, n),
                0 => slice_mut(dst, n).fill(*src),
                _ => {
                    for i in 0..n {
                        *dst.add(i) = *src.offset(i as isize * step);
                    }
                }
            }
            dst = dst.add(n);
        }
    });
}
