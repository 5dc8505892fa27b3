//! What the passes compute on: vectors of f32, or single numbers of any float.

use crate::number::Float;
use crate::simd::{MAX_LANES, Simd};
use std::marker::PhantomData;

/// Arithmetic on some numbers side by side.
pub trait Arith: Copy {
    type T: Float;
    type V: Copy;
    const WIDTH: usize;

    fn splat(self, x: Self::T) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// c - a * b.
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// At most [`Arith::WIDTH`] numbers.
    fn load(self, from: &[Self::T]) -> Self::V;
    fn store(self, to: &mut [Self::T], v: Self::V);
}

#[derive(Clone, Copy)]
pub struct Vectors<S>(pub S);

impl<S: Simd> Arith for Vectors<S> {
    type T = f32;
    type V = S::F;
    const WIDTH: usize = S::LANES;

    #[inline(always)]
    fn splat(self, x: f32) -> S::F {
        self.0.splat(x)
    }
    #[inline(always)]
    fn add(self, a: S::F, b: S::F) -> S::F {
        self.0.add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: S::F, b: S::F) -> S::F {
        self.0.sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: S::F, b: S::F) -> S::F {
        self.0.mul(a, b)
    }
    #[inline(always)]
    fn fma(self, a: S::F, b: S::F, c: S::F) -> S::F {
        self.0.fma(a, b, c)
    }
    #[inline(always)]
    fn fnma(self, a: S::F, b: S::F, c: S::F) -> S::F {
        self.0.fnma(a, b, c)
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> S::F {
        if from.len() == S::LANES {
            self.0.load(from)
        } else {
            self.0.load_part(from)
        }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: S::F) {
        if to.len() == S::LANES {
            self.0.store(to, v);
        } else {
            self.0.store_part(to, v);
        }
    }
}

#[derive(Clone, Copy)]
pub struct Scalars<T>(pub PhantomData<T>);

impl<T: Float> Arith for Scalars<T> {
    type T = T;
    type V = T;
    const WIDTH: usize = 1;

    #[inline(always)]
    fn splat(self, x: T) -> T {
        x
    }
    #[inline(always)]
    fn add(self, a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: T, b: T) -> T {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: T, b: T) -> T {
        a * b
    }
    #[inline(always)]
    fn fma(self, a: T, b: T, c: T) -> T {
        a * b + c
    }
    #[inline(always)]
    fn fnma(self, a: T, b: T, c: T) -> T {
        c - a * b
    }
    #[inline(always)]
    fn load(self, from: &[T]) -> T {
        from[0]
    }
    #[inline(always)]
    fn store(self, to: &mut [T], v: T) {
        to[0] = v;
    }
}

/// Floats that are transformed: how many lines go side by side, and on what.
pub trait Real: Float {
    const LINES: usize;
    type Arith<S: Simd>: Arith<T = Self>;
    fn arith<S: Simd>(s: S) -> Self::Arith<S>;
}

impl Real for f32 {
    const LINES: usize = MAX_LANES;
    type Arith<S: Simd> = Vectors<S>;
    #[inline(always)]
    fn arith<S: Simd>(s: S) -> Vectors<S> {
        Vectors(s)
    }
}

impl Real for f64 {
    const LINES: usize = 8;
    type Arith<S: Simd> = Scalars<f64>;
    #[inline(always)]
    fn arith<S: Simd>(_: S) -> Scalars<f64> {
        Scalars(PhantomData)
    }
}
