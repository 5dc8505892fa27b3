//! The micro-kernel: a tile of C held in registers while K runs by.

use super::epilogue::Finish;
use crate::isa::Isa;
use crate::simd::{Kernel, Simd};

/// Rows of the largest tile.
pub(crate) const fn tile_rows(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 4,
        Isa::Avx2 | Isa::Neon => 6,
        Isa::Avx512 => 14,
    }
}

/// Rows of the largest tile of any instance.
pub(crate) const MOST_TILE_ROWS: usize = tile_rows(Isa::Avx512);

/// Vectors in a row of the largest tile.
const fn tile_vectors(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 1,
        Isa::Avx2 | Isa::Avx512 | Isa::Neon => 2,
    }
}

/// Columns of the largest tile: the width of a packed panel.
pub(crate) const fn tile_cols(isa: Isa) -> usize {
    tile_vectors(isa) * isa.lanes()
}

/// The width of a panel of `cols` columns: whole vectors.
pub(crate) const fn panel_width(isa: Isa, cols: usize) -> usize {
    cols.div_ceil(isa.lanes()) * isa.lanes()
}

/// Where the rows of a right operand's panel are.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// One every so many elements.
    Every(usize),
    /// Each at its own place.
    At(&'a [u32]),
}

/// C (rows x cols) = or += A (rows x k) B (k x cols).
pub(crate) struct Tile<'a> {
    pub a: *const f32,
    /// Step from row to row of A; a packed panel has 1.
    pub a_row: usize,
    /// Step from column to column of A; a packed panel has its row count, rows
    /// in place have 1.
    pub a_k: usize,
    pub b: *const f32,
    pub b_rows: Rows<'a>,
    pub k: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub cols: usize,
    /// Add to C instead of replacing it.
    pub add: bool,
    /// What becomes of the sums, if these are final.
    pub finish: Option<Finish>,
}

/// Repeats the block for each index below the constant, with the index a
/// constant: LLVM keeps accumulators in memory when a loop indexes them.
macro_rules! unroll {
    ($i:ident < $n:ident, $body:block) => {
        unroll!(@ $i, $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $i:ident, $n:ident, $body:block, $($lit:literal)*) => {
        $(if $lit < $n { const $i: usize = $lit; $body })*
    };
}

/// How a tile's A lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    /// A packed panel.
    Packed,
    /// Rows of their own, each contiguous.
    InPlace,
    /// Any strides.
    Strided,
}

/// A is a packed panel.
const PACKED: u8 = 1;
/// A's rows are contiguous.
const IN_PLACE: u8 = 2;
/// B's rows have each their own place.
const PLACED: u8 = 4;
/// B's rows lie one after the other.
const DENSE: u8 = 8;

struct TileKernel<'t, const ROWS: usize, const VECS: usize, const MODE: u8>(&'t Tile<'t>);

impl<const ROWS: usize, const VECS: usize, const MODE: u8> Kernel
    for TileKernel<'_, ROWS, VECS, MODE>
{
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let t = self.0;
        let packed = MODE & PACKED != 0;
        // Worth a longer loop.
        let in_order = MODE & (PACKED | IN_PLACE) != 0;
        let a_row = if packed { 1 } else { t.a_row };
        let a_k = match (packed, in_order) {
            (true, _) => ROWS,
            (_, true) => 1,
            _ => t.a_k,
        };
        let (b_k, mut places) = match t.b_rows {
            Rows::Every(_) if MODE & DENSE != 0 => (VECS * S::LANES, [].as_ptr()),
            Rows::Every(step) => (step, [].as_ptr()),
            Rows::At(places) => (0, places.as_ptr()),
        };
        // Every third row's own pointer; the two after it are a step and two
        // steps away, which an address can say: more pointers would spill.
        let mut a: [*const f32; MOST_TILE_ROWS.div_ceil(3)] =
            std::array::from_fn(|i| t.a.wrapping_add(3 * i * a_row));
        let mut b = t.b;
        let mut acc = [[s.zero(); VECS]; ROWS];
        macro_rules! step {
            ($k:expr) => {
                let mut row = [s.zero(); VECS];
                let place = if MODE & PLACED != 0 {
                    *places.add($k) as usize
                } else {
                    $k * b_k
                };
                for (v, lane) in row.iter_mut().enumerate() {
                    *lane = s.load_ptr(b.add(place + v * S::LANES));
                }
                unroll!(R < ROWS, {
                    let x = s.splat(*a[R / 3].add(R % 3 * a_row + $k * a_k));
                    for v in 0..VECS {
                        acc[R][v] = s.fma(x, row[v], acc[R][v]);
                    }
                });
            };
        }
        if in_order {
            // C is not needed before K has run by.
            unroll!(R < ROWS, {
                for v in 0..VECS {
                    prefetch::<L1>(t.c.wrapping_add(R * t.c_row + v * S::LANES));
                }
            });
        }
        // SAFETY: `tile`'s caller vouches for all of A, B and C.
        unsafe {
            let four = packed || MODE & (IN_PLACE | DENSE) == IN_PLACE | DENSE;
            if four {
                for _ in 0..t.k / 4 {
                    step!(0);
                    if !packed {
                        a = a.map(apart);
                    }
                    step!(1);
                    if !packed {
                        a = a.map(apart);
                    }
                    step!(2);
                    if !packed {
                        a = a.map(apart);
                    }
                    step!(3);
                    a = a.map(|a| a.wrapping_add(4 * a_k));
                    b = b.add(4 * b_k);
                    places = places.wrapping_add(4);
                }
            }
            for _ in 0..if four { t.k % 4 } else { t.k } {
                step!(0);
                a = a.map(|a| a.wrapping_add(a_k));
                b = b.add(b_k);
                places = places.wrapping_add(1);
            }
            if let Some(finish) = &t.finish {
                unroll!(R < ROWS, {
                    let c = t.c.add(R * t.c_row);
                    for (v, sum) in acc[R].into_iter().enumerate() {
                        let n = (t.cols - v * S::LANES).min(S::LANES);
                        let c = c.add(v * S::LANES);
                        let mut sum = sum;
                        if t.add {
                            sum = s.add(s.load_ptr_part(c, n), sum);
                        }
                        let y = finish.apply(s, sum, R, t.c_row, v * S::LANES, n);
                        s.store_ptr_part(c, n, y);
                    }
                });
            } else if t.cols == VECS * S::LANES {
                unroll!(R < ROWS, {
                    let c = t.c.add(R * t.c_row);
                    for (v, sum) in acc[R].into_iter().enumerate() {
                        let c = c.add(v * S::LANES);
                        let sum = if t.add {
                            s.add(s.load_ptr(c), sum)
                        } else {
                            sum
                        };
                        s.store_ptr(c, sum);
                    }
                });
            } else {
                unroll!(R < ROWS, {
                    let c = t.c.add(R * t.c_row);
                    for (v, sum) in acc[R].into_iter().enumerate() {
                        // The narrower kernel takes tiles of fewer vectors, so
                        // only the last vector is ever a part.
                        let n = (t.cols - v * S::LANES).min(S::LANES);
                        let c = c.add(v * S::LANES);
                        let old = if t.add {
                            s.load_ptr_part(c, n)
                        } else {
                            s.zero()
                        };
                        s.store_ptr_part(c, n, s.add(old, sum));
                    }
                });
            }
        }
    }
}

/// The same address, of which LLVM no longer knows that it is: it would load
/// four columns of a row at once and run out of registers taking them apart.
#[inline(always)]
fn apart(p: *const f32) -> *const f32 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut p = p;
        // SAFETY: no instruction.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) p, options(pure, readonly, nostack, preserves_flags));
        }
        p
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    p
}

/// The caches that [`prefetch`] can fetch into.
pub(crate) const L1: u8 = 1;
pub(crate) const L2: u8 = 2;

/// Asks for a cache line ahead of its use.
#[inline(always)]
pub(crate) fn prefetch<const LEVEL: u8>(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which no address makes fault; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if LEVEL == L1 {
            _mm_prefetch::<_MM_HINT_T0>(p.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T1>(p.cast());
        }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint, which no address makes fault.
    unsafe {
        if LEVEL == L1 {
            std::arch::asm!("prfm pstl1keep, [{p}]", p = in(reg) p, options(readonly, nostack, preserves_flags));
        } else {
            std::arch::asm!("prfm pldl2keep, [{p}]", p = in(reg) p, options(readonly, nostack, preserves_flags));
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// Computes a tile of `rows` by `t.cols`, at most [`tile_rows`] by
/// [`tile_cols`], with A as `a` says.
///
/// # Safety
/// A and C can be accessed as `t` says, and B in whole vectors: the last one
/// of a row may lie partly beyond `cols`.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd>(s: S, rows: usize, a: Lies, t: &Tile<'_>) {
    macro_rules! by_rows {
        ($vecs:literal, $mode:expr) => {
            by_rows!($vecs, $mode; 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        };
        ($vecs:literal, $mode:expr; $($rows:literal)*) => {
            match rows {
                $($rows if const { $rows <= tile_rows(S::ISA) } => {
                    if const { $rows <= tile_rows(S::ISA) && $vecs <= tile_vectors(S::ISA) } {
                        s.call(TileKernel::<$rows, $vecs, { $mode }>(t));
                    }
                })*
                _ => debug_assert_eq!(rows, 0),
            }
        };
    }
    debug_assert!(rows <= tile_rows(S::ISA) && t.cols <= tile_cols(S::ISA));
    let placed = matches!(t.b_rows, Rows::At(_));
    let width = panel_width(S::ISA, t.cols);
    let dense = matches!(t.b_rows, Rows::Every(step) if step == width);
    debug_assert!(a == Lies::Packed || !placed);
    match (t.cols > S::LANES, a, placed) {
        (true, Lies::Packed, true) => by_rows!(2, PACKED | PLACED),
        (true, Lies::Packed, false) => by_rows!(2, PACKED),
        (true, Lies::InPlace, _) if dense => by_rows!(2, IN_PLACE | DENSE),
        (true, Lies::InPlace, _) => by_rows!(2, IN_PLACE),
        (true, Lies::Strided, _) => by_rows!(2, 0),
        (false, Lies::Packed, true) => by_rows!(1, PACKED | PLACED),
        (false, Lies::Packed, false) => by_rows!(1, PACKED),
        (false, Lies::InPlace, _) => by_rows!(1, IN_PLACE),
        (false, Lies::Strided, _) => by_rows!(1, 0),
    }
}

pub(crate) use unroll;
