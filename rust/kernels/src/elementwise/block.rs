//! One block of elements of a bound chain.

use super::bound::{Bound, Mode};
use super::map::Call;
use super::prepare::{Place, SLOT_BYTES, Store};
use super::step::step;
use crate::dtype::DType;
use crate::scratch::Scratch;
use crate::view::Nest;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::cell::OnceCell;
use std::ops::Range;

/// Tails come in small pieces: for so many inputs no memory comes from the heap.
pub(super) const FEW: usize = 12;

/// What is known of an input while blocks run.
#[derive(Clone, Copy)]
pub(super) struct Held {
    /// Where its block lies.
    block: *const u8,
    /// The element that fills its slot, and how far.
    element: *const u8,
    filled: usize,
}

impl Held {
    pub const NONE: Held = Held {
        block: std::ptr::null(),
        element: std::ptr::null(),
        filled: 0,
    };
}

/// Where values lie that are neither in an input nor in an output.
struct Slots {
    first: *mut u8,
    _memory: Scratch,
}

/// One block of elements at a time.
pub(super) struct Block<'a> {
    bound: &'a Bound<'a>,
    /// Taken when first asked for: many tails work where the result lies.
    slots: OnceCell<Slots>,
    outputs: &'a [*mut u8],
    inputs: &'a mut [Held],
    first: Option<*mut u8>,
    /// The block's first element and how many there are.
    pub at: usize,
    pub n: usize,
}

impl<'a> Block<'a> {
    /// An empty one at `at`; `first` stands for a contiguous input 0.
    pub fn new(
        bound: &'a Bound<'a>,
        at: usize,
        outputs: &'a [*mut u8],
        inputs: &'a mut [Held],
        first: Option<*mut u8>,
    ) -> Self {
        Block {
            bound,
            slots: OnceCell::new(),
            outputs,
            inputs,
            first,
            at,
            n: 0,
        }
    }

    fn slot(&self, slot: usize) -> *mut u8 {
        let count = self.bound.prepared.slots;
        let slots = self.slots.get_or_init(|| {
            let mut memory = Scratch::take(count * SLOT_BYTES / 4);
            Slots {
                first: memory.as_mut_ptr().cast(),
                _memory: memory,
            }
        });
        slots.first.wrapping_add(slot * SLOT_BYTES)
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
    pub unsafe fn run(&mut self) {
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
        let half = matches!(source.dtype, DType::F16 | DType::BF16);
        let raw = match self.in_place(i) {
            Some(raw) => raw,
            None => {
                let to = if half { self.staging() } else { self.slot(i) };
                // SAFETY: the caller's; a block fits a slot.
                match unsafe { self.collect(i, to) } {
                    Some(raw) => raw,
                    None => return self.slot(i),
                }
            }
        };
        if !half {
            return raw;
        }
        let slot = self.slot(i);
        // SAFETY: the caller's; a block fits a slot.
        unsafe {
            let to = slice_mut(slot.cast(), self.n);
            if source.dtype == DType::F16 {
                slice(raw.cast::<f16>(), self.n).convert_to_f32_slice(to);
            } else {
                slice(raw.cast::<bf16>(), self.n).convert_to_f32_slice(to);
            }
        }
        slot
    }

    /// Where the block of input `i` lies in a row, if it does.
    fn in_place(&self, i: usize) -> Option<*const u8> {
        let source = &self.bound.sources[i];
        let (nest, size) = (&source.nest, source.dtype.size());
        let from = match source.mode {
            Mode::Flat => self.at as isize,
            Mode::Splat => return None,
            Mode::Strided => {
                let inside = self.at % nest.inner() + self.n <= nest.inner();
                let offset = nest.offset(0, self.at);
                (inside && nest.inner_stride(0) == 1).then_some(offset)?
            }
        };
        Some(source.ptr.wrapping_offset(from * size as isize))
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

    /// Collects a block that does not lie as it is wanted; None: the slot
    /// holds it already.
    ///
    /// # Safety
    /// As for [`Block::load`].
    unsafe fn collect(&mut self, i: usize, raw: *mut u8) -> Option<*const u8> {
        let bound = self.bound;
        let source = &bound.sources[i];
        let (nest, size) = (&source.nest, source.dtype.size());
        let inside = self.at % nest.inner() + self.n <= nest.inner();
        if inside && nest.inner_stride(0) == 0 {
            let from = nest.offset(0, self.at) * size as isize;
            // SAFETY: the caller's.
            return unsafe { self.fill(i, source.ptr.wrapping_offset(from), raw) };
        }
        self.inputs[i].element = std::ptr::null();
        let range = self.at..self.at + self.n;
        // SAFETY: the caller's.
        unsafe {
            match size {
                1 => gather::<u8>(source.ptr, nest, range, raw),
                2 => gather::<u16>(source.ptr.cast(), nest, range, raw.cast()),
                4 => gather::<u32>(source.ptr.cast(), nest, range, raw.cast()),
                _ => gather::<u64>(source.ptr.cast(), nest, range, raw.cast()),
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
unsafe fn gather<T: Copy>(src: *const T, nest: &Nest, range: Range<usize>, dst: *mut T) {
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
