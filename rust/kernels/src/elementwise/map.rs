//! Loops of one scalar expression over a block, for the compiler to
//! vectorise.
//!
//! The result may lie over one operand.  The compiler sees that such a loop is
//! safe only where both go by one pointer, so that has a loop of its own.

use crate::isa::Isa;
use crate::simd::{Kernel, Portable, Simd, dispatch};

/// What a step works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub args: [*const u8; 3],
    pub out: *mut u8,
    pub n: usize,
    /// Bit i: operand i is one element for all.  Only steps that
    /// [`super::vector::takes_one`] names are asked so.
    pub ones: u8,
}

struct Map<A, B, C, R, F> {
    a: *const A,
    b: *const B,
    c: *const C,
    out: *mut R,
    n: usize,
    f: F,
}

impl<A, B, C, R, F> Kernel for Map<A, B, C, R, F>
where
    A: Copy,
    B: Copy,
    C: Copy,
    R: Copy,
    F: Fn(A, B, C) -> R,
{
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Map { a, b, c, out, n, f } = self;
        // SAFETY: whoever made the call: `n` elements are there.
        unsafe {
            if over(out, a) {
                each(out.cast::<A>().cast_const(), b, c, out, n, f);
            } else if over(out, b) {
                each(a, out.cast::<B>().cast_const(), c, out, n, f);
            } else if over(out, c) {
                each(a, b, out.cast::<C>().cast_const(), out, n, f);
            } else {
                each(a, b, c, out, n, f);
            }
        }
    }
}

/// Whether results lie over these operands, element for element.
#[inline(always)]
fn over<R, A>(out: *mut R, operand: *const A) -> bool {
    size_of::<R>() == size_of::<A>() && std::ptr::eq(out.cast::<u8>(), operand.cast::<u8>())
}

/// # Safety
/// `n` elements of each operand can be read, and of the result written.
#[inline(always)]
unsafe fn each<A: Copy, B: Copy, C: Copy, R>(
    a: *const A,
    b: *const B,
    c: *const C,
    out: *mut R,
    n: usize,
    f: impl Fn(A, B, C) -> R,
) {
    for i in 0..n {
        // SAFETY: the caller's.
        unsafe { *out.add(i) = f(*a.add(i), *b.add(i), *c.add(i)) };
    }
}

/// Nothing is read for an operand that is not there.
type None = ();

#[inline(always)]
fn operand<T>(bytes: *const u8) -> *const T {
    if size_of::<T>() == 0 {
        std::ptr::dangling()
    } else {
        bytes.cast()
    }
}

/// # Safety
/// For this and the functions below: `call.n` elements of the types of `f`
/// can be read and written.
#[inline(always)]
unsafe fn make<A, B, C, R, F>(call: Call, f: F) -> Map<A, B, C, R, F> {
    Map {
        a: operand(call.args[0]),
        b: operand(call.args[1]),
        c: operand(call.args[2]),
        out: call.out.cast(),
        n: call.n,
        f,
    }
}

/// One operand, compiled for every instruction set.
pub(super) unsafe fn wide1<A: Copy, R: Copy>(isa: Isa, call: Call, f: impl Fn(A) -> R) {
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, (): None, (): None| f(a)) };
    dispatch(isa, map);
}

/// Two operands, compiled for every instruction set.
pub(super) unsafe fn wide2<A, B, R>(isa: Isa, call: Call, f: impl Fn(A, B) -> R)
where
    A: Copy,
    B: Copy,
    R: Copy,
{
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, b: B, (): None| f(a, b)) };
    dispatch(isa, map);
}

/// Three operands, compiled for every instruction set.
pub(super) unsafe fn wide3<A, B, C, R>(isa: Isa, call: Call, f: impl Fn(A, B, C) -> R)
where
    A: Copy,
    B: Copy,
    C: Copy,
    R: Copy,
{
    // SAFETY: the caller's.
    dispatch(isa, unsafe { make(call, f) });
}

/// One operand, compiled once.
pub(super) unsafe fn plain1<A: Copy, R: Copy>(call: Call, f: impl Fn(A) -> R) {
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, (): None, (): None| f(a)) };
    map.run(Portable);
}

/// Two operands, compiled once.
pub(super) unsafe fn plain2<A, B, R>(call: Call, f: impl Fn(A, B) -> R)
where
    A: Copy,
    B: Copy,
    R: Copy,
{
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, b: B, (): None| f(a, b)) };
    map.run(Portable);
}
