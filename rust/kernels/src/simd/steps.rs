//! A row of any length, vector after vector.

use super::Simd;

/// Vector after vector of `len`, as (start, lanes); only the last has fewer
/// than all lanes.  (An iterator, since a closure would be compiled for the
/// baseline where it is not inlined.)
pub struct Steps {
    at: usize,
    len: usize,
    lanes: usize,
}

impl Iterator for Steps {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let at = self.at;
        if at >= self.len {
            return None;
        }
        self.at += self.lanes;
        Some((at, self.lanes.min(self.len - at)))
    }
}

/// The [`Steps`] of a row.
#[inline(always)]
pub fn vectors<S: Simd>(len: usize) -> Steps {
    Steps {
        at: 0,
        len,
        lanes: S::LANES,
    }
}

/// # Safety
/// `n` values can be read at `p`.
#[inline(always)]
pub unsafe fn load<S: Simd>(s: S, p: *const f32, n: usize) -> S::F {
    // SAFETY: the caller's.
    unsafe {
        if n == S::LANES {
            s.load_ptr(p)
        } else {
            s.load_ptr_part(p, n)
        }
    }
}

/// # Safety
/// `n` values can be written at `p`.
#[inline(always)]
pub unsafe fn store<S: Simd>(s: S, p: *mut f32, n: usize, v: S::F) {
    // SAFETY: the caller's.
    unsafe {
        if n == S::LANES {
            s.store_ptr(p, v);
        } else {
            s.store_ptr_part(p, n, v);
        }
    }
}

/// Lanes from `n` on become `value`.
#[inline(always)]
pub fn keep<S: Simd>(s: S, v: S::F, n: usize, value: f32) -> S::F {
    if n == S::LANES {
        v
    } else {
        s.select(s.mask_from_bits((1u32 << n) - 1), v, s.splat(value))
    }
}
