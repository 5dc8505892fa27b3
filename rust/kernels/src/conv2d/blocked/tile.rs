//! The micro-kernel: pixels by vectors of output channels held in registers
//! while input channels and taps run by.

use crate::activation::Activation;
use crate::cache::LINE;
use crate::isa::Isa;
use crate::matmul::tile::{L1, L2, prefetch, tile_rows, unroll};
use crate::simd::{Kernel, Simd};

/// Vectors of output channels of the largest tile.
pub(super) const VECTORS: usize = 2;

/// Pixels of the largest tile.
pub(super) const fn pixels(isa: Isa) -> usize {
    match isa {
        // Two vectors each: the accumulators fill half of the registers.
        Isa::Portable => 4,
        // A pixel's steps are loaded in pairs, and wait in a register each:
        // with six pixels sums would move out to memory.
        Isa::Neon => 5,
        _ => tile_rows(isa),
    }
}

/// Cuts `len` pixels into tiles of nearly one size: where each begins, and how
/// many it has.
pub(super) fn tiles(isa: Isa, len: usize) -> impl ExactSizeIterator<Item = (usize, usize)> {
    let parts = len.div_ceil(pixels(isa));
    let (size, larger) = (len / parts.max(1), len % parts.max(1));
    (0..parts).map(move |i| (i * size + i.min(larger), size + usize::from(i < larger)))
}

/// out\[p, o\] = activation(bias\[o\] + sum over k of x\[p, k\] w\[k, o\] +
/// residual\[p, o\]) for pixels p side by side and vectors of channels o.
pub(super) struct Tile<'a> {
    /// The first pixel.
    pub x: *const f32,
    /// Where the channels of each step begin, from a pixel on.
    pub places: &'a [u32],
    /// Steps that take a vector of channels; the others take `last`.
    pub full: usize,
    pub last: usize,
    /// \[step\]\[channel\]\[vectors of output channels\]
    pub w: *const f32,
    pub out: *mut f32,
    /// From a vector of output channels to the next one.
    pub out_block: usize,
    /// Null: none.
    pub bias: *const f32,
    /// Lies as `out`; null: none.
    pub residual: *const f32,
    pub activation: Activation,
    pub ahead: Ahead,
}

/// What a tile asks memory for while it computes, where the instance has room
/// for that between its products.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// How far from a pixel the next tile's lies, where that may not be in the
    /// first-level cache yet; else 0.
    x: usize,
    /// Weights of the next panel.
    w: *const f32,
    /// Lines of them for each place.
    lines: usize,
}

impl Ahead {
    pub const NOTHING: Ahead = Ahead {
        x: 0,
        w: std::ptr::null(),
        lines: 0,
    };

    /// The share of tile `i` of `tiles` in asking for the panel behind the one
    /// of `len` weights that they all use, at the beginning of `weights`.
    #[inline(always)]
    pub fn panel(
        isa: Isa,
        weights: &[f32],
        len: usize,
        (i, tiles): (usize, usize),
        places: usize,
    ) -> Ahead {
        if !asks(isa) {
            return Ahead::NOTHING;
        }
        let lines = (len / LINE).div_ceil((places * tiles).max(1));
        let at = len + i * lines * places * LINE;
        let far = at < (2 * len).min(weights.len());
        Ahead {
            x: 0,
            w: weights.as_ptr().wrapping_add(at),
            lines: if far { lines } else { 0 },
        }
    }

    /// And for the pixels of the next tile, so far away.
    pub fn pixels(self, x: usize) -> Ahead {
        Ahead { x, ..self }
    }
}

/// With AVX-512 a tile's products leave no time for it.
const fn asks(isa: Isa) -> bool {
    matches!(isa, Isa::Avx2)
}

/// Pixels are single values (of one channel), not vectors of channels.
pub(super) const PLAIN: bool = true;

struct TileKernel<'t, 'a, const PIXELS: usize, const VECS: usize, const SOURCE: bool>(&'t Tile<'a>);

impl<const PIXELS: usize, const VECS: usize, const SOURCE: bool> Kernel
    for TileKernel<'_, '_, PIXELS, VECS, SOURCE>
{
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let t = self.0;
        let pixel = if SOURCE == PLAIN { 1 } else { S::LANES };
        let mut w = t.w;
        if SOURCE == PLAIN {
            // A few steps only, and a large image.
            unroll!(P < PIXELS, {
                for v in 0..VECS {
                    prefetch::<L1>(t.out.wrapping_add(P * S::LANES + v * t.out_block));
                }
            });
        }
        // SAFETY: `tile`'s caller vouches for all operands.
        unsafe {
            let mut acc = [[s.zero(); VECS]; PIXELS];
            if !t.bias.is_null() {
                let mut bias = [s.zero(); VECS];
                for (v, bias) in bias.iter_mut().enumerate() {
                    *bias = s.load_ptr(t.bias.add(v * S::LANES));
                }
                acc = [bias; PIXELS];
            }
            macro_rules! step {
                ($x:expr, $k:expr) => {
                    let mut row = [s.zero(); VECS];
                    for (v, lane) in row.iter_mut().enumerate() {
                        *lane = s.load_ptr(w.add(($k * VECS + v) * S::LANES));
                    }
                    unroll!(P < PIXELS, {
                        let x = s.splat(*$x.add(P * pixel + $k));
                        for v in 0..VECS {
                            acc[P][v] = s.fma(x, row[v], acc[P][v]);
                        }
                    });
                };
            }
            let mut later = t.ahead.w;
            for (i, place) in t.places.iter().enumerate() {
                let mut x = t.x.add(*place as usize);
                if asks(S::ISA) {
                    if t.ahead.x > 0 {
                        for line in 0..(PIXELS * pixel).div_ceil(LINE) {
                            prefetch::<L1>(x.wrapping_add(t.ahead.x + line * LINE));
                        }
                    }
                    for _ in 0..t.ahead.lines {
                        prefetch::<L2>(later);
                        later = later.wrapping_add(LINE);
                    }
                }
                if SOURCE == PLAIN {
                    step!(x, 0);
                    w = w.add(VECS * S::LANES);
                    continue;
                }
                let channels = if i < t.full { S::LANES } else { t.last };
                for _ in 0..channels / 4 {
                    step!(x, 0);
                    step!(x, 1);
                    step!(x, 2);
                    step!(x, 3);
                    w = w.add(4 * VECS * S::LANES);
                    x = x.add(4);
                }
                for _ in 0..channels % 4 {
                    step!(x, 0);
                    w = w.add(VECS * S::LANES);
                    x = x.add(1);
                }
            }
            unroll!(P < PIXELS, {
                for (v, sum) in acc[P].into_iter().enumerate() {
                    let at = P * S::LANES + v * t.out_block;
                    let mut sum = sum;
                    if !t.residual.is_null() {
                        sum = s.add(sum, s.load_ptr(t.residual.add(at)));
                    }
                    s.store_ptr(t.out.add(at), t.activation.apply(s, sum));
                }
            });
        }
    }
}

/// A tile of `pixels` by `vectors`.
///
/// # Safety
/// All operands can be accessed as `t` says.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const SOURCE: bool>(
    s: S,
    count: usize,
    vectors: usize,
    t: &Tile<'_>,
) {
    macro_rules! by_pixels {
        ($vecs:literal; $($pixels:literal)*) => {
            match count {
                $($pixels if const { $pixels <= pixels(S::ISA) } => {
                    if const { $pixels <= pixels(S::ISA) } {
                        s.call(TileKernel::<$pixels, $vecs, SOURCE>(t));
                    }
                })*
                _ => debug_assert_eq!(count, 0),
            }
        };
    }
    debug_assert!(count <= pixels(S::ISA) && (1..=VECTORS).contains(&vectors));
    if vectors == 2 {
        by_pixels!(2; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    } else {
        by_pixels!(1; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}
