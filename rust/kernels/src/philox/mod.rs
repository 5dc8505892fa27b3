//! Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror and Shaw,
//! "Parallel random numbers: as easy as 1, 2, 3", 2011).
//!
//! Word `i` of the stream of a key is word `i % 4` of the block with counter
//! `i / 4`; nothing depends on how a draw is cut or on what was drawn before.
//! f32 elements take one word each and f64 elements two; normals take the same
//! words two elements at a time (Box-Muller).

mod normal;
#[cfg(test)]
mod tests;

use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::{Kernel, Simd, dispatch};
use std::array::from_fn;
use std::marker::PhantomData;
use std::ops::Range;

/// Blocks made side by side.
const BLOCKS: usize = 16;
/// Words of these blocks.
const WORDS: usize = 4 * BLOCKS;
/// Elements a thread makes at least.
const MIN_CHUNK: usize = 1 << 14;
const ROUNDS: u32 = 10;

/// Words `start..start + out.len()` of the stream of `key`.
pub fn uniform_bits(key: [u32; 2], start: u64, out: &mut [u32]) {
    fill::<Bits>(Isa::current(), key, start, out);
}

/// Uniform in [0, 1): the upper 24 bits of a word.
pub fn uniform_f32(key: [u32; 2], start: u64, out: &mut [f32]) {
    fill::<Uniform32>(Isa::current(), key, start, out);
}

/// Uniform in [0, 1): the upper 53 bits of two words, the second on top.
pub fn uniform_f64(key: [u32; 2], start: u64, out: &mut [f64]) {
    fill::<Uniform64>(Isa::current(), key, start, out);
}

/// Normal with mean 0 and variance 1.  Elements 2j and 2j + 1 are
/// r cos(2 pi v) and r sin(2 pi v) with r = sqrt(-2 ln u), u in (0, 1] and
/// v in [0, 1) from the upper 24 bits of their words.
pub fn normal_f32(key: [u32; 2], start: u64, out: &mut [f32]) {
    fill::<normal::Normal32>(Isa::current(), key, start, out);
}

/// As [`normal_f32`], from the 53 bits of [`uniform_f64`].
pub fn normal_f64(key: [u32; 2], start: u64, out: &mut [f64]) {
    fill::<normal::Normal64>(Isa::current(), key, start, out);
}

/// What elements are made of words.
trait Draw: Send + Sync + 'static {
    type Out: Copy + Default + Send;
    /// Elements of [`WORDS`] words; a divisor of `WORDS`.
    const ELEMENTS: usize;
    fn draw<S: Simd>(s: S, words: &[u32; WORDS], out: &mut [Self::Out; WORDS]);
}

struct Bits;
struct Uniform32;
struct Uniform64;

impl Draw for Bits {
    type Out = u32;
    const ELEMENTS: usize = WORDS;
    #[inline(always)]
    fn draw<S: Simd>(_: S, words: &[u32; WORDS], out: &mut [u32; WORDS]) {
        *out = *words;
    }
}

impl Draw for Uniform32 {
    type Out = f32;
    const ELEMENTS: usize = WORDS;
    #[inline(always)]
    fn draw<S: Simd>(_: S, words: &[u32; WORDS], out: &mut [f32; WORDS]) {
        for (o, word) in out.iter_mut().zip(words) {
            *o = unit_f32(*word);
        }
    }
}

impl Draw for Uniform64 {
    type Out = f64;
    const ELEMENTS: usize = WORDS / 2;
    #[inline(always)]
    fn draw<S: Simd>(_: S, words: &[u32; WORDS], out: &mut [f64; WORDS]) {
        for (o, pair) in out.iter_mut().zip(words.as_chunks::<2>().0) {
            *o = unit_f64(*pair);
        }
    }
}

/// In [0, 1), in steps of 2^-24.
#[inline(always)]
fn unit_f32(word: u32) -> f32 {
    (word >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32)
}

/// In [0, 1), in steps of 2^-53.
#[inline(always)]
fn unit_f64([low, high]: [u32; 2]) -> f64 {
    let bits = u64::from(high) << 32 | u64::from(low);
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

fn fill<D: Draw>(isa: Isa, key: [u32; 2], start: u64, out: &mut [D::Out]) {
    let out_len = out.len();
    let out = DisjointMut::new(out);
    parallel_chunks(out_len, MIN_CHUNK, |range| {
        let Range { start: first, .. } = range;
        // SAFETY: the ranges do not overlap.
        let out = unsafe { out.slice(range) };
        let start = start.wrapping_add(first as u64);
        let draw = PhantomData::<D>;
        dispatch(
            isa,
            Fill {
                key,
                start,
                out,
                draw,
            },
        );
    });
}

struct Fill<'a, D: Draw> {
    key: [u32; 2],
    start: u64,
    out: &'a mut [D::Out],
    draw: PhantomData<D>,
}

impl<D: Draw> Kernel for Fill<'_, D> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut words = [0; WORDS];
        let mut elements = [D::Out::default(); WORDS];
        let mut out = self.out;
        let mut group = self.start / D::ELEMENTS as u64;
        let mut skip = (self.start % D::ELEMENTS as u64) as usize;
        while !out.is_empty() {
            let (now, later) = out.split_at_mut(out.len().min(D::ELEMENTS - skip));
            blocks(self.key, group.wrapping_mul(BLOCKS as u64), &mut words);
            D::draw(s, &words, &mut elements);
            now.copy_from_slice(&elements[skip..][..now.len()]);
            out = later;
            group = group.wrapping_add(1);
            skip = 0;
        }
    }
}

/// The words of the blocks with counters `first..first + BLOCKS`.
#[inline(always)]
fn blocks(key: [u32; 2], first: u64, words: &mut [u32; WORDS]) {
    let counter = |i: usize| first.wrapping_add(i as u64);
    let low = from_fn(|i| counter(i) as u32);
    let high = from_fn(|i| (counter(i) >> 32) as u32);
    let mut counters = [low, high, [0; BLOCKS], [0; BLOCKS]];
    philox(&mut counters, key);
    for (i, block) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *block = [0, 1, 2, 3].map(|word| counters[word][i]);
    }
}

/// The cipher on `N` counters: word `w` of counter `i` is `x[w][i]`.
#[inline(always)]
fn philox<const N: usize>(x: &mut [[u32; N]; 4], mut key: [u32; 2]) {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    for _ in 0..ROUNDS {
        let [a, b, c, d] = &mut *x;
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let (high0, low0) = product(0xD251_1F53, *a);
            let (high1, low1) = product(0xCD9E_8D57, *c);
            (*a, *b) = (high1 ^ *b ^ key[0], low1);
            (*c, *d) = (high0 ^ *d ^ key[1], low0);
        }
        key[0] = key[0].wrapping_add(0x9E37_79B9);
        key[1] = key[1].wrapping_add(0xBB67_AE85);
    }
}
