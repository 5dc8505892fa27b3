//! Working memory that threads keep from call to call: fresh memory costs a
//! page fault every 4 KiB.

use crate::cache::LINE;
use crate::pages;
use std::alloc::{Layout, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Buffers longer than this (in f32) are not kept.
const KEEP: usize = 16 << 20;

/// f32 values, aligned to a cache line.
pub struct AlignedBuf {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: memory that the buffer alone owns.
unsafe impl Send for AlignedBuf {}
// SAFETY: written only through a unique borrow.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    const EMPTY: AlignedBuf = AlignedBuf {
        start: NonNull::dangling(),
        len: 0,
    };

    /// Zeros, up to a whole cache line.
    pub fn zeroed(len: usize) -> AlignedBuf {
        if len == 0 {
            return AlignedBuf::EMPTY;
        }
        let len = len.next_multiple_of(LINE);
        let bytes = len.saturating_mul(size_of::<f32>());
        match pages::take_zeroed(bytes) {
            Some(start) => AlignedBuf {
                start: start.cast(),
                len,
            },
            None => handle_alloc_error(Layout::new::<f32>()),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: so many values, initialised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The same memory as 16-bit words.
    pub fn as_halves(&self) -> &[u16] {
        // SAFETY: any bits are u16, of which two take the place of an f32.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), 2 * self.len) }
    }

    pub fn as_mut_halves(&mut self) -> &mut [u16] {
        // SAFETY: as above, for f32 too.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), 2 * self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: taken with this size; nobody has it now.
            unsafe { pages::free(self.start.cast(), self.len * size_of::<f32>()) };
        }
    }
}

thread_local! {
    static FREE: RefCell<Vec<AlignedBuf>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on loan from this thread's store; returns when dropped.
pub struct Scratch {
    buf: AlignedBuf,
    len: usize,
}

impl Scratch {
    /// `len` values of any content, aligned to 64 bytes.
    pub fn take(len: usize) -> Scratch {
        let mut buf = FREE.with_borrow_mut(|free| {
            // The smallest that is long enough, else the longest, which grows.
            let fit = free.iter().position(|b| b.len() >= len);
            let at = fit.or(free.len().checked_sub(1));
            at.map_or(AlignedBuf::EMPTY, |at| free.remove(at))
        });
        if buf.len() < len {
            // The old content is not needed: it is not copied.
            drop(buf);
            buf = AlignedBuf::zeroed(len);
        }
        Scratch { buf, len }
    }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.buf.as_slice()[..self.len]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = self.len;
        &mut self.buf.as_mut_slice()[..len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buf = std::mem::replace(&mut self.buf, AlignedBuf::EMPTY);
        if buf.len() <= KEEP {
            // A thread that is ending has no store left.
            let _ = FREE.try_with(|free| {
                let mut free = free.borrow_mut();
                let at = free.partition_point(|b| b.len() < buf.len());
                free.insert(at, buf);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scratch;

    #[test]
    fn buffers_come_back() {
        let first = Scratch::take(1000);
        let start = first.as_ptr();
        assert_eq!(start.align_offset(64), 0);
        let second = Scratch::take(10);
        assert_eq!((first.len(), second.len()), (1000, 10));
        drop(first);
        drop(second);
        assert_eq!(Scratch::take(900).as_ptr(), start);
    }
}
