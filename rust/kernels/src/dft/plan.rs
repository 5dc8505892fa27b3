//! What is computed once for a length: factors, turns, chirps.

use super::arith::{Arith, Scalars};
use super::stockham::{Pair, Stockham, Turns, radices, turn};
use crate::number::Float;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

/// Plans that a thread keeps, and of what length at most.
const KEPT: usize = 8;
const LONGEST_KEPT: usize = 1 << 20;

pub struct Plan<T> {
    length: usize,
    /// Of this length, or of the convolution's.
    stockham: Stockham<T>,
    chirp: Option<Chirp<T>>,
    /// The turns of twice the length, for real lines that are transformed as
    /// complex ones of half their length.
    pub(super) doubled: Option<Turns<T>>,
}

/// Any length as a convolution (Bluestein 1970): with jk = (j² + k² - (k - j)²) / 2
/// the transform is the convolution of x c with 1 / c, times c, where
/// c[j] = exp(-pi i j² / n).
struct Chirp<T> {
    chirp: [Vec<T>; 2],
    /// The transform of 1 / c, over the length of the convolution.
    kernel: [Vec<T>; 2],
}

/// The radices of the least length made of 2, 3 and 5 that is at least `n`:
/// a power of two at the latest.
fn smooth_from(n: usize) -> Vec<usize> {
    (n..).find_map(radices).unwrap_or_default()
}

impl<T: Float> Plan<T> {
    pub(super) fn new(length: usize, doubled: bool) -> Self {
        let own = radices(length);
        let smooth = own.is_some();
        let radices = own.unwrap_or_else(|| smooth_from(2 * length - 1));
        Plan {
            length,
            chirp: (!smooth).then(|| Chirp::new(length, &radices)),
            stockham: Stockham::new(radices),
            doubled: doubled.then(|| Turns::new(2 * length)),
        }
    }

    /// Points of working memory for a line, `length` or more.
    pub(super) fn points(&self) -> usize {
        self.stockham.length
    }

    /// Transforms the first `length` points of `data`; the pair that holds the
    /// result there.
    #[inline(always)]
    pub(super) fn run<'a, A: Arith<T = T>>(
        &self,
        a: A,
        lines: usize,
        mut data: Pair<'a, T>,
        mut spare: Pair<'a, T>,
    ) -> Pair<'a, T> {
        if let Some(chirp) = &self.chirp {
            scale(a, lines, &mut data, &chirp.chirp, true);
            for half in &mut data {
                half[lines * self.length..].fill(T::ZERO);
            }
        }
        let rounds = 1 + usize::from(self.chirp.is_some());
        for round in 0..rounds {
            [data, spare] = self.stockham.run(a, lines, data, spare);
            if let Some(chirp) = &self.chirp {
                if round == 0 {
                    scale(a, lines, &mut data, &chirp.kernel, false);
                }
                // There and back: the inverse is the transform with real and
                // imaginary parts exchanged.
                data.swap(0, 1);
            }
        }
        if let Some(chirp) = &self.chirp {
            scale(a, lines, &mut data, &chirp.chirp, true);
        }
        data
    }
}

impl<T: Float> Chirp<T> {
    /// For a convolution whose length is the product of `radices`.
    fn new(length: usize, radices: &[usize]) -> Self {
        let inner: usize = radices.iter().product();
        // j² modulo 2 n, from square to square.
        let (mut square, modulus) = (0, 2 * length);
        let chirp: Vec<[f64; 2]> = (0..length)
            .map(|j| {
                let at = square;
                square = (square + 2 * j + 1) % modulus;
                turn(at, modulus)
            })
            .collect();
        let mut kernel = [vec![0.0; inner], vec![0.0; inner]];
        for (j, [cos, sin]) in chirp.iter().enumerate() {
            for at in [j, (inner - j) % inner] {
                kernel[0][at] = cos / inner as f64;
                kernel[1][at] = sin / inner as f64;
            }
        }
        transform(radices.to_vec(), &mut kernel);
        let of = |part: usize| chirp.iter().map(|c| T::from_f64(c[part])).collect();
        Chirp {
            chirp: [of(0), of(1)],
            kernel: kernel.map(|half| half.into_iter().map(T::from_f64).collect()),
        }
    }
}

/// Point j of every line times factor j, or its conjugate.
#[inline(always)]
fn scale<A: Arith>(
    a: A,
    lines: usize,
    [re, im]: &mut Pair<'_, A::T>,
    factors: &[Vec<A::T>; 2],
    conjugate: bool,
) {
    for (j, (cos, sin)) in factors[0].iter().zip(&factors[1]).enumerate() {
        let sin = if conjugate { -*sin } else { *sin };
        let (cos, sin) = (a.splat(*cos), a.splat(sin));
        let mut at = j * lines;
        let last = at + lines;
        while at < last {
            let end = last.min(at + A::WIDTH);
            let (r, i) = (a.load(&re[at..end]), a.load(&im[at..end]));
            a.store(&mut re[at..end], a.fnma(i, sin, a.mul(r, cos)));
            a.store(&mut im[at..end], a.fma(i, cos, a.mul(r, sin)));
            at = end;
        }
    }
}

/// One line, in double precision.
fn transform(radices: Vec<usize>, [re, im]: &mut [Vec<f64>; 2]) {
    let stockham = Stockham::<f64>::new(radices);
    let mut data = [re.clone(), im.clone()];
    let [from_re, from_im] = &mut data;
    let [result, _] = stockham.run(Scalars(PhantomData), 1, [from_re, from_im], [re, im]);
    let [result_re, result_im] = [result[0].to_vec(), result[1].to_vec()];
    (*re, *im) = (result_re, result_im);
}

/// Where a thread keeps the plans and the working memory of a dtype.
pub trait Keeps: Sized + 'static {
    fn plan(length: usize, doubled: bool) -> Arc<Plan<Self>>;
    /// `body` on `len` numbers of any content.
    fn with_memory<R>(len: usize, body: impl FnOnce(&mut [Self]) -> R) -> R;
}

/// Longer working memory than this is given back.
const MEMORY_KEPT: usize = 1 << 20;

macro_rules! keeps {
    ($($t:ty: $plans:ident, $memory:ident;)*) => {$(
        thread_local! {
            static $plans: RefCell<Vec<Arc<Plan<$t>>>> = const { RefCell::new(Vec::new()) };
            static $memory: RefCell<Vec<$t>> = const { RefCell::new(Vec::new()) };
        }

        impl Keeps for $t {
            fn plan(length: usize, doubled: bool) -> Arc<Plan<$t>> {
                $plans.with_borrow_mut(|kept| {
                    let same = |p: &Arc<Plan<$t>>| p.length == length && p.doubled.is_some() == doubled;
                    let plan = match kept.iter().position(same) {
                        Some(at) => kept.remove(at),
                        None => Arc::new(Plan::new(length, doubled)),
                    };
                    // The last used in front; the one not used for longest goes.
                    if length <= LONGEST_KEPT {
                        kept.insert(0, plan.clone());
                        kept.truncate(KEPT);
                    }
                    plan
                })
            }

            #[inline(always)]
            fn with_memory<R>(len: usize, body: impl FnOnce(&mut [$t]) -> R) -> R {
                let mut memory = $memory.take();
                if memory.len() < len {
                    memory.resize(len, 0.0);
                }
                let result = body(&mut memory[..len]);
                if memory.len() <= MEMORY_KEPT {
                    $memory.set(memory);
                }
                result
            }
        }
    )*};
}

keeps! {
    f32: PLANS32, MEMORY32;
    f64: PLANS64, MEMORY64;
}
