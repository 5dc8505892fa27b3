//! Working memory that threads keep from call to call: fresh memory costs a
//! page fault every 4 KiB.

use std::cell::RefCell;

/// One cache line; as wide as the widest vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Buffers longer than this (in f32) are not kept.
const KEEP: usize = 16 << 20;

/// A growing buffer of f32, aligned to a cache line.
#[derive(Clone, Default)]
pub struct AlignedBuf(Vec<Line>);

impl AlignedBuf {
    pub fn zeroed(len: usize) -> AlignedBuf {
        AlignedBuf(vec![Line([0.0; LINE]); len.div_ceil(LINE)])
    }

    /// At least `len` values, of any content.
    fn grow(&mut self, len: usize) {
        let lines = len.div_ceil(LINE);
        if self.0.len() < lines {
            // The old content is not needed: a fresh vector is not copied.
            *self = AlignedBuf::zeroed(len);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len() * LINE
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen f32 without padding.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.len()) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        let len = self.len();
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
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
            at.map(|at| free.remove(at)).unwrap_or_default()
        });
        buf.grow(len);
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
        let buf = std::mem::take(&mut self.buf);
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
