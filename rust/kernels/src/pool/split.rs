//! Ways to cut work into tasks, and writing to one slice from several.

use super::{parallel_for, threads_here};
use std::marker::PhantomData;
use std::ops::Range;

/// Tasks a thread gets at least, so that a slow one can be relieved.
const TASKS_PER_THREAD: usize = 4;
/// Least chunks in a task at most: some milliseconds, so that a computation
/// that is stopped ends soon.
const LONGEST: usize = 256;

/// Cuts `0..len` into ranges of at least `min_chunk` (the last may be
/// shorter) and runs `body` on each.  The cut follows the number of threads:
/// not for sums of floats, whose result would follow it too.
pub fn parallel_chunks(len: usize, min_chunk: usize, body: impl Fn(Range<usize>) + Sync) {
    let threads = threads_here();
    let most = if threads == 1 {
        1
    } else {
        threads * TASKS_PER_THREAD
    };
    let least = min_chunk.max(1);
    let chunk = len
        .div_ceil(most)
        .clamp(least, least.saturating_mul(LONGEST));
    parallel_blocks(len, chunk, |_, range| body(range));
}

/// Cuts `0..len` into ranges of exactly `block` (the last may be shorter) and
/// runs `body(index, range)` on each: a cut by shape alone.
pub fn parallel_blocks(len: usize, block: usize, body: impl Fn(usize, Range<usize>) + Sync) {
    let block = block.max(1);
    let run = |i: usize| body(i, i * block..len.min((i + 1) * block));
    match len.div_ceil(block) {
        0 => {}
        1 => run(0),
        tasks => parallel_for(tasks, &run),
    }
}

/// Cuts `data` into pieces of `block` (the last may be shorter) and runs
/// `body(index, piece)` on each.
pub fn parallel_chunks_mut<T: Send>(
    data: &mut [T],
    block: usize,
    body: impl Fn(usize, &mut [T]) + Sync,
) {
    let len = data.len();
    let data = DisjointMut::new(data);
    // SAFETY: the ranges of one cut do not overlap.
    parallel_blocks(len, block, |i, range| body(i, unsafe { data.slice(range) }));
}

/// A mutable slice of which several tasks write different parts.
#[derive(Clone, Copy)]
pub struct DisjointMut<'a, T> {
    start: *mut T,
    len: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: handing out parts is unsafe; the parts themselves are `&mut [T]`.
unsafe impl<T: Send> Send for DisjointMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for DisjointMut<'_, T> {}

impl<'a, T> DisjointMut<'a, T> {
    pub fn new(data: &'a mut [T]) -> Self {
        DisjointMut {
            start: data.as_mut_ptr(),
            len: data.len(),
            life: PhantomData,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part `range`; panics where it does not lie in the slice.
    ///
    /// # Safety
    /// No other part handed out and still in use overlaps it.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice; not overlapping by the caller's word.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start)
        }
    }

    /// Where the slice begins.
    #[inline]
    pub fn as_mut_ptr(&self) -> *mut T {
        self.start
    }
}
