//! Loops of one scalar expression over a block, for the compiler to
//! vectorise.
//!
//! Result and operands may be one memory, so chunks are read whole before
//! they are written; between them the loop is over local arrays.

use crate::isa::Isa;
use crate::simd::{Kernel, Portable, Simd, dispatch};

/// What a step works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub args: [*const u8; 3],
    pub out: *mut u8,
    pub n: usize,
}

const CHUNK: usize = 32;

/// # Safety
/// `n <= CHUNK` elements can be read at `src`.
#[inline(always)]
unsafe fn read<T: Copy + Default>(src: *const T, n: usize) -> [T; CHUNK] {
    let mut chunk = [T::default(); CHUNK];
    // SAFETY: the caller's.
    unsafe {
        if n == CHUNK {
            chunk = src.cast::<[T; CHUNK]>().read_unaligned();
        } else {
            std::ptr::copy_nonoverlapping(src, chunk.as_mut_ptr(), n);
        }
    }
    chunk
}

/// # Safety
/// `n <= CHUNK` elements can be written at `dst`.
#[inline(always)]
unsafe fn write<T: Copy>(dst: *mut T, chunk: &[T; CHUNK], n: usize) {
    // SAFETY: the caller's.
    unsafe {
        if n == CHUNK {
            dst.cast::<[T; CHUNK]>().write_unaligned(*chunk);
        } else {
            std::ptr::copy_nonoverlapping(chunk.as_ptr(), dst, n);
        }
    }
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
    A: Copy + Default,
    B: Copy + Default,
    C: Copy + Default,
    R: Copy + Default,
    F: Fn(A, B, C) -> R,
{
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let mut at = 0;
        while at < self.n {
            let n = CHUNK.min(self.n - at);
            // SAFETY: whoever made the call: `n` elements are there.
            unsafe {
                let a = read(self.a.add(at), n);
                let b = read(self.b.add(at), n);
                let c = read(self.c.add(at), n);
                let mut r = [R::default(); CHUNK];
                for i in 0..CHUNK {
                    r[i] = (self.f)(a[i], b[i], c[i]);
                }
                write(self.out.add(at), &r, n);
            }
            at += n;
        }
    }
}

/// Nothing is read for an operand that is not there.
type None = ();

/// # Safety
/// For this and the functions below: `call.n` elements of the types of `f`
/// can be read and written.
#[inline(always)]
unsafe fn make<A, B, C, R, F>(call: Call, f: F) -> Map<A, B, C, R, F> {
    Map {
        a: call.args[0].cast(),
        b: call.args[1].cast(),
        c: call.args[2].cast(),
        out: call.out.cast(),
        n: call.n,
        f,
    }
}

/// One operand, compiled for every instruction set.
pub(super) unsafe fn wide1<A: Copy + Default, R: Copy + Default>(
    isa: Isa,
    call: Call,
    f: impl Fn(A) -> R,
) {
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, (): None, (): None| f(a)) };
    dispatch(isa, map);
}

/// Two operands, compiled for every instruction set.
pub(super) unsafe fn wide2<A, B, R>(isa: Isa, call: Call, f: impl Fn(A, B) -> R)
where
    A: Copy + Default,
    B: Copy + Default,
    R: Copy + Default,
{
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, b: B, (): None| f(a, b)) };
    dispatch(isa, map);
}

/// Three operands, compiled for every instruction set.
pub(super) unsafe fn wide3<A, B, C, R>(isa: Isa, call: Call, f: impl Fn(A, B, C) -> R)
where
    A: Copy + Default,
    B: Copy + Default,
    C: Copy + Default,
    R: Copy + Default,
{
    // SAFETY: the caller's.
    dispatch(isa, unsafe { make(call, f) });
}

/// One operand, compiled once.
pub(super) unsafe fn plain1<A: Copy + Default, R: Copy + Default>(call: Call, f: impl Fn(A) -> R) {
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, (): None, (): None| f(a)) };
    map.run(Portable);
}

/// Two operands, compiled once.
pub(super) unsafe fn plain2<A, B, R>(call: Call, f: impl Fn(A, B) -> R)
where
    A: Copy + Default,
    B: Copy + Default,
    R: Copy + Default,
{
    // SAFETY: the caller's.
    let map = unsafe { make(call, |a: A, b: B, (): None| f(a, b)) };
    map.run(Portable);
}
