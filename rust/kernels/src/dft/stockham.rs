//! Transforms of lengths made of 2, 3 and 5: Stockham's passes (Cochran et al.
//! 1967), which need no reordering at the end.
//!
//! A pass of radix r takes a transform of n points, s of them side by side,
//! to r transforms of n / r points, r s of them side by side.  Lines that are
//! transformed together are where s begins, so vectors run over lines first
//! and over neighbouring transforms later.

use super::arith::Arith;
use crate::number::Float;

/// Numbers apart: real parts, imaginary parts.
pub(super) type Pair<'a, T> = [&'a mut [T]; 2];
type Complex<V> = [V; 2];

/// exp(-2 pi i t / n) for every t below n.
pub(super) struct Turns<T> {
    cos: Vec<T>,
    sin: Vec<T>,
}

/// cos and sin of the part `t / n` of a turn, `t < n`.  Whole quarters are
/// taken off first, so that the angle is at most an eighth of a turn.
pub(super) fn turn(t: usize, n: usize) -> [f64; 2] {
    let (quarters, rest) = (4 * t / n, 4 * t % n);
    let angle = |r: usize| std::f64::consts::FRAC_PI_2 * r as f64 / n as f64;
    let (sin, cos) = if 2 * rest > n {
        let (sin, cos) = angle(n - rest).sin_cos();
        (cos, sin)
    } else {
        angle(rest).sin_cos()
    };
    match quarters {
        0 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        _ => [sin, -cos],
    }
}

impl<T: Float> Turns<T> {
    pub(super) fn new(n: usize) -> Self {
        let all = |part: usize| (0..n).map(|t| T::from_f64(turn(t, n)[part])).collect();
        Turns {
            cos: all(0),
            sin: all(1),
        }
    }

    /// cos and sin of `t` points' turn.
    #[inline(always)]
    pub(super) fn at(&self, t: usize) -> [T; 2] {
        [self.cos[t], self.sin[t]]
    }
}

pub(super) struct Stockham<T> {
    pub(super) length: usize,
    radices: Vec<usize>,
    turns: Turns<T>,
}

/// The radices whose product is `length`; None where 2, 3 and 5 do not do.
pub(super) fn radices(length: usize) -> Option<Vec<usize>> {
    let (mut rest, mut all) = (length, Vec::new());
    for radix in [4, 2, 3, 5] {
        while rest > 1 && rest.is_multiple_of(radix) {
            rest /= radix;
            all.push(radix);
        }
    }
    (rest == 1).then_some(all)
}

impl<T: Float> Stockham<T> {
    /// Of the length that is the product of `radices`.
    pub(super) fn new(radices: Vec<usize>) -> Self {
        let length = radices.iter().product();
        Stockham {
            length,
            radices,
            turns: Turns::new(length),
        }
    }

    /// Transforms `lines` lines in `data` (point by point, lines side by side);
    /// the result, and the pair that is left.
    #[inline(always)]
    pub(super) fn run<'a, A: Arith<T = T>>(
        &self,
        a: A,
        lines: usize,
        data: Pair<'a, T>,
        spare: Pair<'a, T>,
    ) -> [Pair<'a, T>; 2] {
        let (mut from, mut to) = (data, spare);
        let (mut n, mut s) = (self.length, lines);
        for &radix in &self.radices {
            let pass = Pass {
                m: n / radix,
                s,
                step: self.length / n,
                turns: &self.turns,
            };
            match radix {
                2 => pass.run::<A, 2>(a, &from, &mut to),
                3 => pass.run::<A, 3>(a, &from, &mut to),
                4 => pass.run::<A, 4>(a, &from, &mut to),
                _ => pass.run::<A, 5>(a, &from, &mut to),
            }
            std::mem::swap(&mut from, &mut to);
            (n, s) = (n / radix, s * radix);
        }
        [from, to]
    }
}

struct Pass<'a, T> {
    m: usize,
    s: usize,
    step: usize,
    turns: &'a Turns<T>,
}

impl<T: Float> Pass<'_, T> {
    /// Of radix `R`, at most 5.  (Loops and no closures: those would be
    /// compiled for the baseline where they are not inlined.)
    #[inline(always)]
    fn run<A: Arith<T = T>, const R: usize>(&self, a: A, from: &Pair<'_, T>, to: &mut Pair<'_, T>) {
        let (m, s) = (self.m, self.s);
        let zero = [a.splat(T::ZERO); 2];
        for p in 0..m {
            let mut turns = [zero; 5];
            let mut ins: [[&[T]; 2]; 5] = [[&[]; 2]; 5];
            for k in 0..R {
                let [cos, sin] = self.turns.at(p * k * self.step);
                turns[k] = [a.splat(cos), a.splat(sin)];
                let at = s * (p + m * k);
                ins[k] = [&from[0][at..at + s], &from[1][at..at + s]];
            }
            let block = s * R * p..s * R * (p + 1);
            let [re, im] = to;
            let (re, im) = (&mut re[block.clone()], &mut im[block]);
            let mut q = 0;
            while q < s {
                let end = s.min(q + A::WIDTH);
                let mut x = [zero; 5];
                for j in 0..R {
                    x[j] = [a.load(&ins[j][0][q..end]), a.load(&ins[j][1][q..end])];
                }
                let mut y = butterfly::<A, R>(a, x);
                for k in 0..R {
                    if k > 0 {
                        y[k] = back(a, y[k], turns[k]);
                    }
                    a.store(&mut re[k * s + q..k * s + end], y[k][0]);
                    a.store(&mut im[k * s + q..k * s + end], y[k][1]);
                }
                q = end;
            }
        }
    }
}

type Points<A> = [Complex<<A as Arith>::V>; 5];

/// The transform of the first `R` points.
#[inline(always)]
fn butterfly<A: Arith, const R: usize>(a: A, x: Points<A>) -> Points<A> {
    match R {
        2 => two(a, x),
        3 => three(a, x),
        4 => four(a, x),
        _ => five(a, x),
    }
}

/// y (cos - i sin).
#[inline(always)]
fn back<A: Arith>(a: A, [r, i]: Complex<A::V>, [cos, sin]: [A::V; 2]) -> Complex<A::V> {
    [a.fma(i, sin, a.mul(r, cos)), a.fnma(r, sin, a.mul(i, cos))]
}

#[inline(always)]
fn add<A: Arith>(a: A, x: Complex<A::V>, y: Complex<A::V>) -> Complex<A::V> {
    [a.add(x[0], y[0]), a.add(x[1], y[1])]
}

#[inline(always)]
fn sub<A: Arith>(a: A, x: Complex<A::V>, y: Complex<A::V>) -> Complex<A::V> {
    [a.sub(x[0], y[0]), a.sub(x[1], y[1])]
}

/// x - i y and x + i y.
#[inline(always)]
fn turned<A: Arith>(a: A, x: Complex<A::V>, y: Complex<A::V>) -> [Complex<A::V>; 2] {
    [
        [a.add(x[0], y[1]), a.sub(x[1], y[0])],
        [a.sub(x[0], y[1]), a.add(x[1], y[0])],
    ]
}

/// x + factor y.
#[inline(always)]
fn more<A: Arith>(a: A, x: Complex<A::V>, factor: f64, y: Complex<A::V>) -> Complex<A::V> {
    let factor = a.splat(A::T::from_f64(factor));
    [a.fma(y[0], factor, x[0]), a.fma(y[1], factor, x[1])]
}

#[inline(always)]
fn times<A: Arith>(a: A, factor: f64, y: Complex<A::V>) -> Complex<A::V> {
    let factor = a.splat(A::T::from_f64(factor));
    [a.mul(y[0], factor), a.mul(y[1], factor)]
}

#[inline(always)]
fn two<A: Arith>(a: A, [x, y, ..]: Points<A>) -> Points<A> {
    [add(a, x, y), sub(a, x, y), x, x, x]
}

#[inline(always)]
fn three<A: Arith>(a: A, [x, y, z, ..]: Points<A>) -> Points<A> {
    const SIN: f64 = 0.866_025_403_784_438_6; // of a third of a turn
    let sum = add(a, y, z);
    let [second, third] = turned(a, more(a, x, -0.5, sum), times(a, SIN, sub(a, y, z)));
    [add(a, x, sum), second, third, x, x]
}

#[inline(always)]
fn four<A: Arith>(a: A, [x, y, z, w, _]: Points<A>) -> Points<A> {
    let (even, odd) = (add(a, x, z), add(a, y, w));
    let [second, fourth] = turned(a, sub(a, x, z), sub(a, y, w));
    [add(a, even, odd), second, sub(a, even, odd), fourth, x]
}

#[inline(always)]
fn five<A: Arith>(a: A, [x, y, z, v, w]: Points<A>) -> Points<A> {
    // cos and sin of one and two fifths of a turn.
    const COS: [f64; 2] = [0.309_016_994_374_947_45, -0.809_016_994_374_947_5];
    const SIN: [f64; 2] = [0.951_056_516_295_153_5, 0.587_785_252_292_473_1];
    let (outer, inner) = (add(a, y, w), add(a, z, v));
    let (across, between) = (sub(a, y, w), sub(a, z, v));
    let near = more(a, more(a, x, COS[0], outer), COS[1], inner);
    let far = more(a, more(a, x, COS[1], outer), COS[0], inner);
    let near_turned = more(a, times(a, SIN[0], across), SIN[1], between);
    let far_turned = more(a, times(a, SIN[1], across), -SIN[0], between);
    let [second, fifth] = turned(a, near, near_turned);
    let [third, fourth] = turned(a, far, far_turned);
    let first = add(a, x, add(a, outer, inner));
    [first, second, third, fourth, fifth]
}
