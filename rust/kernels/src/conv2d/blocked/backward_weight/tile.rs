//! The micro-kernel: sources by vectors of output channels held in registers
//! while pixels run by.

use super::super::tile::{PLAIN, VECTORS};
use crate::isa::Isa;
use crate::matmul::tile::unroll;
use crate::simd::{Kernel, Simd};

/// Sources of the largest tile.
pub(super) const fn sources(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 2,
        Isa::Avx2 | Isa::Neon => 6,
        Isa::Avx512 => 8,
    }
}

/// sums[source, o] = (or +=) the sum over pixels of x[source] dy[o].
pub(super) struct Tile<'a> {
    /// The first pixel.
    pub x: *const f32,
    /// Where the sources lie, from a pixel on.
    pub places: &'a [u32],
    /// Images, rows, pixels side by side.
    pub pixels: [usize; 3],
    pub x_image: usize,
    pub x_row: usize,
    pub dy: *const f32,
    /// From a vector of output channels to the next one.
    pub dy_block: usize,
    pub dy_image: usize,
    pub dy_row: usize,
    /// \[source\]\[`VECTORS` vectors of output channels\]
    pub sums: *mut f32,
    pub add: bool,
}

struct TileKernel<'t, 'a, const SOURCES: usize, const VECS: usize, const SOURCE: bool>(
    &'t Tile<'a>,
);

impl<const SOURCES: usize, const VECS: usize, const SOURCE: bool> Kernel
    for TileKernel<'_, '_, SOURCES, VECS, SOURCE>
{
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let t = self.0;
        let unit = if SOURCE == PLAIN { 1 } else { S::LANES };
        let mut places = [0; SOURCES];
        for (place, at) in places.iter_mut().zip(t.places) {
            *place = *at as usize;
        }
        let [images, rows, width] = t.pixels;
        let mut acc = [[s.zero(); VECS]; SOURCES];
        // SAFETY: `tile`'s caller vouches for all operands.
        unsafe {
            for image in 0..images {
                for row in 0..rows {
                    let mut x = t.x.add(image * t.x_image + row * t.x_row);
                    let mut dy = t.dy.add(image * t.dy_image + row * t.dy_row);
                    for _ in 0..width {
                        let mut lanes = [s.zero(); VECS];
                        for (v, lane) in lanes.iter_mut().enumerate() {
                            *lane = s.load_ptr(dy.add(v * t.dy_block));
                        }
                        unroll!(I < SOURCES, {
                            let x = s.splat(*x.add(places[I]));
                            for v in 0..VECS {
                                acc[I][v] = s.fma(x, lanes[v], acc[I][v]);
                            }
                        });
                        x = x.add(unit);
                        dy = dy.add(S::LANES);
                    }
                }
            }
            unroll!(I < SOURCES, {
                for (v, sum) in acc[I].into_iter().enumerate() {
                    let to = t.sums.add((I * VECTORS + v) * S::LANES);
                    let sum = if t.add {
                        s.add(s.load_ptr(to), sum)
                    } else {
                        sum
                    };
                    s.store_ptr(to, sum);
                }
            });
        }
    }
}

/// A tile of as many sources as there are places by `vectors`.
///
/// # Safety
/// All operands can be accessed as `t` says.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const SOURCE: bool>(s: S, vectors: usize, t: &Tile<'_>) {
    macro_rules! by_sources {
        ($vecs:literal; $($sources:literal)*) => {
            match t.places.len() {
                $($sources if const { $sources <= sources(S::ISA) } => {
                    if const { $sources <= sources(S::ISA) } {
                        s.call(TileKernel::<$sources, $vecs, SOURCE>(t));
                    }
                })*
                n => debug_assert_eq!(n, 0),
            }
        };
    }
    if vectors == 2 {
        by_sources!(2; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    } else {
        by_sources!(1; 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}
