//! What becomes of a product's elements before they are written.

#[cfg(test)]
mod tests;

use super::Tail;
use crate::activation::Activation;
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// c\[r, n\] = activation(scale sum + bias\[n\] + residual\[r, n\]), then the
/// tail.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    pub scale: f32,
    /// One for each column.
    pub bias: Option<&'a [f32]>,
    /// Lies as the result.
    pub residual: Option<&'a [f32]>,
    pub activation: Activation,
    pub tail: Option<Tail<'a>>,
}

impl<'a> Epilogue<'a> {
    pub const NONE: Epilogue<'static> = Epilogue {
        scale: 1.0,
        bias: None,
        residual: None,
        activation: Activation::NONE,
        tail: None,
    };

    /// A tail alone.
    pub fn tail(tail: Option<Tail<'a>>) -> Epilogue<'a> {
        Epilogue {
            tail,
            ..Epilogue::NONE
        }
    }

    /// Whether there is more than the tail.
    pub(super) fn finishes(&self) -> bool {
        self.scale != 1.0
            || self.bias.is_some()
            || self.residual.is_some()
            || self.activation != Activation::NONE
    }

    pub(super) fn check(&self, n: usize, len: usize) {
        assert!(
            self.bias.is_none_or(|b| b.len() == n),
            "matmul: the bias has another size"
        );
        assert!(
            self.residual.is_none_or(|r| r.len() == len),
            "matmul: the residual has another size"
        );
    }

    /// Of the elements from (`row`, `col`) on, in a result of `n` columns.
    pub(super) fn at(&self, n: usize, row: usize, col: usize) -> Finish {
        let from = |values: Option<&[f32]>, at: usize| {
            values.map_or(std::ptr::null(), |v| v[at..].as_ptr())
        };
        Finish {
            scale: self.scale,
            bias: from(self.bias, col),
            residual: from(self.residual, row * n + col),
            activation: self.activation,
        }
    }

    /// Finishes a piece of one row that a kernel has written as it is.
    pub(super) fn pass(&self, isa: Isa, n: usize, start: usize, piece: &mut [f32]) {
        if self.finishes() {
            let finish = self.at(n, start / n, start % n);
            dispatch(isa, Pass { finish, piece });
        }
        if let Some(tail) = self.tail {
            tail(start, piece);
        }
    }
}

/// An [`Epilogue`] from one element on.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    scale: f32,
    /// Null: none.
    bias: *const f32,
    /// Null: none.
    residual: *const f32,
    activation: Activation,
}

impl Finish {
    /// What becomes of the `n` sums at (`row`, `col`) of a result whose rows
    /// are `step` apart.
    ///
    /// # Safety
    /// They lie in the result.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(
        &self,
        s: S,
        sums: S::F,
        row: usize,
        step: usize,
        col: usize,
        n: usize,
    ) -> S::F {
        let load = |from: *const f32| {
            if n == S::LANES {
                // SAFETY: the caller's.
                unsafe { s.load_ptr(from) }
            } else {
                // SAFETY: the caller's.
                unsafe { s.load_ptr_part(from, n) }
            }
        };
        // SAFETY: the caller's.
        unsafe {
            let bias = if self.bias.is_null() {
                s.zero()
            } else {
                load(self.bias.add(col))
            };
            let mut y = s.fma(sums, s.splat(self.scale), bias);
            if !self.residual.is_null() {
                y = s.add(y, load(self.residual.add(row * step + col)));
            }
            self.activation.apply(s, y)
        }
    }
}

struct Pass<'a> {
    finish: Finish,
    piece: &'a mut [f32],
}

impl Kernel for Pass<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pass { finish, piece } = self;
        for col in (0..piece.len()).step_by(S::LANES) {
            let n = S::LANES.min(piece.len() - col);
            // SAFETY: inside the piece, for which `finish` was made.
            unsafe {
                let at = piece.as_mut_ptr().add(col);
                let y = finish.apply(s, s.load_ptr_part(at, n), 0, 0, col, n);
                s.store_ptr_part(at, n, y);
            }
        }
    }
}
