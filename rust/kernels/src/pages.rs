//! Blocks of memory, aligned for vectors; the large ones on large pages where
//! the system gives them for the asking.  A core's table of pages covers a few
//! hundred KiB by pages of 4 KiB, and a miss in a virtual machine walks two
//! tables.

use crate::cache::LINE_BYTES;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// A large page of x86-64, and of AArch64 with small ones of 4 KiB.
const LARGE: usize = 2 << 20;

/// A block of any content; `None` where there is none.  It goes back by
/// [`free`].
pub fn take(bytes: usize) -> Option<NonNull<u8>> {
    if bytes >= LARGE && cfg!(target_os = "linux") {
        return mapped::take(bytes);
    }
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc(layout(bytes)?) })
}

/// A block of zeros.
pub fn take_zeroed(bytes: usize) -> Option<NonNull<u8>> {
    if bytes >= LARGE && cfg!(target_os = "linux") {
        return mapped::take(bytes);
    }
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
}

/// Gives a block back.
///
/// # Safety
/// It was taken here with these `bytes` and is not used again.
pub unsafe fn free(block: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's.
    unsafe {
        if bytes >= LARGE && cfg!(target_os = "linux") {
            mapped::free(block, bytes);
        } else if let Some(layout) = layout(bytes) {
            dealloc(block.as_ptr(), layout);
        }
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(LINE_BYTES), LINE_BYTES).ok()
}

#[cfg(target_os = "linux")]
mod mapped {
    use super::LARGE;
    use libc::{
        MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, madvise,
        mmap, munmap,
    };
    use std::ptr::{NonNull, null_mut};

    /// A multiple of every system's small pages.
    const PAGE: usize = 64 << 10;

    /// Fresh memory, which the system has zeroed.
    pub(super) fn take(bytes: usize) -> Option<NonNull<u8>> {
        // So much longer that a large page starts inside.
        let kept = bytes.checked_next_multiple_of(PAGE)?;
        let long = kept.checked_add(LARGE)?;
        let (access, kind) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        // SAFETY: new memory, of which the ends that nobody has seen go back.
        // Advice is whole large pages, so that nothing is taken beyond the
        // block; a system that refuses it gives small pages.
        unsafe {
            let start = mmap(null_mut(), long, access, kind, -1, 0);
            if start == MAP_FAILED {
                return None;
            }
            let before = start.cast::<u8>().align_offset(LARGE);
            let block = start.cast::<u8>().add(before);
            if before > 0 {
                munmap(start, before);
            }
            if before < LARGE {
                munmap(block.add(kept).cast(), LARGE - before);
            }
            madvise(block.cast(), bytes / LARGE * LARGE, MADV_HUGEPAGE);
            NonNull::new(block)
        }
    }

    /// # Safety
    /// As [`super::free`].
    pub(super) unsafe fn free(block: NonNull<u8>, bytes: usize) {
        // SAFETY: mapped with this length.
        unsafe { munmap(block.as_ptr().cast(), bytes.next_multiple_of(PAGE)) };
    }
}

#[cfg(not(target_os = "linux"))]
mod mapped {
    use std::ptr::NonNull;

    pub(super) fn take(_: usize) -> Option<NonNull<u8>> {
        None
    }

    pub(super) unsafe fn free(_: NonNull<u8>, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::{LARGE, LINE_BYTES, free, take, take_zeroed};

    #[test]
    fn blocks_are_aligned_zero_and_whole() {
        for bytes in [0, 1, LINE_BYTES, LARGE - 1, LARGE, 3 * LARGE + 5] {
            for _ in 0..2 {
                let block = take_zeroed(bytes).expect("memory for a test");
                assert_eq!(block.align_offset(LINE_BYTES), 0);
                // SAFETY: so long.
                unsafe {
                    let content = std::slice::from_raw_parts_mut(block.as_ptr(), bytes);
                    assert!(content.iter().all(|b| *b == 0));
                    content.fill(1);
                    free(block, bytes);
                }
            }
        }
        assert_eq!(take(usize::MAX), None);
        assert_eq!(take(usize::MAX / 2), None);
    }
}
