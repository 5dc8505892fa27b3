//! Winograd's F(4x4, 3x3): tiles of 6 x 6 pixels and the kernel are
//! transformed so that 36 products of channels give 4 x 4 results (Lavin and
//! Gray, "Fast Algorithms for Convolutional Neural Networks", 2015; points 0,
//! 1, -1, 2, -2 and infinity).  And F(2x2, 3x3), 16 products for 2 x 2 results
//! (points 0, 1, -1 and infinity), whose weights are less than half as large:
//! many channels and few pixels wait for memory.
//!
//! ```text
//! Y = A' [(G g G') * (B' d B)] A
//! ```
//!
//! A group of tiles is transformed, multiplied and transformed back by one
//! task, so that it stays in the second-level cache; where tiles are too few for
//! that, threads share the output channels of a group.

mod transform;

use super::tile::{Ahead, Tile, VECTORS, tile, tiles};
use super::weight::BlockedConvWeight;
use super::{Algorithm, Conv2dShape, Epilogue, Shape};
use crate::activation::Activation;
use crate::cache;
use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_for, threads_here};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;
pub(super) use transform::weights;
use transform::{input, output};

/// Results along a side of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    F2,
    F4,
}

impl Size {
    const fn out(self) -> usize {
        match self {
            Size::F2 => 2,
            Size::F4 => 4,
        }
    }

    pub const fn products(self) -> usize {
        let side = self.out() + 2;
        side * side
    }

    /// Multiply-adds in whose time a channel of a tile is transformed, there and
    /// back.
    const fn transforms(self) -> [f64; 2] {
        match self {
            Size::F2 => [60.0, 50.0],
            Size::F4 => [160.0, 130.0],
        }
    }
}

/// Multiply-adds in whose time a weight arrives: more than one thread alone waits
/// (about 5), since threads share the way to memory, and weights take memory.
const WEIGHT_COST: f64 = 9.0;
/// More bytes of a layer's transformed weights are not worth their memory.
const MOST_WEIGHTS: usize = 128 << 20;

/// What the direct kernel and these cost, the cheapest first, in multiply-adds
/// of one lane: fewer multiplications, for two transforms and larger weights.
/// None where only the direct kernel computes it.
pub(super) fn costs(isa: Isa, shape: &Conv2dShape) -> Option<Vec<(Algorithm, f64)>> {
    let plain = shape.stride == [1, 1] && shape.dilation == [1, 1] && shape.groups == 1;
    let three = shape.kernel_h == 3 && shape.kernel_w == 3;
    if !plain || !three || shape.in_c < isa.lanes() || shape.out_c < isa.lanes() {
        return None;
    }
    let (in_c, out_c) = (shape.in_c as f64, shape.out_c as f64);
    let weights = |each: usize| each as f64 * in_c * out_c * WEIGHT_COST;
    let direct = (shape.batch * shape.out_plane() * 9) as f64 * in_c * out_c + weights(9);
    let mut costs = vec![(Algorithm::plain(isa, shape), direct)];
    for (way, size) in [
        (Algorithm::WinogradF2, Size::F2),
        (Algorithm::WinogradF4, Size::F4),
    ] {
        let down = shape.out_h().div_ceil(size.out());
        let tiles = (shape.batch * down * shape.out_w().div_ceil(size.out())) as f64;
        let [before, after] = size.transforms();
        let products = size.products() as f64 * in_c * out_c;
        let cost = tiles * (products + before * in_c + after * out_c) + weights(size.products());
        let bytes = size.products() * shape.in_c * shape.out_c * size_of::<f32>();
        if size == Size::F2 || bytes <= MOST_WEIGHTS {
            costs.push((way, cost));
        }
    }
    costs.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    Some(costs)
}

/// What all tasks share.
struct Work<'a> {
    isa: Isa,
    size: Size,
    shape: &'a Conv2dShape,
    sizes: Shape,
    /// Tiles down and across an image.
    grid: [usize; 2],
    x: &'a [f32],
    weight: &'a [f32],
    y: DisjointMut<'a, f32>,
    epilogue: &'a Epilogue<'a>,
}

impl Work<'_> {
    /// Image, and first row and column of the results of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.grid;
        let (x, rest) = (tile % across, tile / across);
        let out = self.size.out();
        (rest / down, rest % down * out, x * out)
    }
}

/// Blocks `blocks` of the input of tiles `tiles`: v \[product\]\[block\]\[tile\].
struct Input<'a, const SIDE: usize> {
    work: &'a Work<'a>,
    tiles: Range<usize>,
    blocks: Range<usize>,
    v: *mut f32,
}

impl<const SIDE: usize> Kernel for Input<'_, SIDE> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Work { shape, sizes, .. } = self.work;
        let count = self.tiles.len();
        let plane = shape.in_plane() * S::LANES;
        let [height, width] = [shape.in_h as isize, shape.in_w as isize];
        for (t, tile) in self.tiles.clone().enumerate() {
            let (image, y, x) = self.work.place(tile);
            let (top, left) = (
                y as isize - shape.pads[0] as isize,
                x as isize - shape.pads[1] as isize,
            );
            let rows = (-top).max(0)..(height - top).clamp(0, SIDE as isize);
            let columns = (-left).max(0)..(width - left).clamp(0, SIDE as isize);
            let side = SIDE as isize;
            let whole = rows == (0..side) && columns == (0..side);
            for block in self.blocks.clone() {
                let from = &self.work.x[(image * sizes.in_blocks + block) * plane..][..plane];
                let at = |y: usize, x: usize| {
                    let pixel = (top + y as isize) * width + left + x as isize;
                    // SAFETY: only asked for pixels of the image.
                    unsafe { s.load_ptr(from.as_ptr().offset(pixel * S::LANES as isize)) }
                };
                let mut half = [[s.zero(); SIDE]; SIDE];
                for (x, half) in half.iter_mut().enumerate() {
                    let mut d = [s.zero(); SIDE];
                    if whole {
                        for (y, d) in d.iter_mut().enumerate() {
                            *d = at(y, x);
                        }
                    } else if columns.contains(&(x as isize)) {
                        for (y, d) in d.iter_mut().enumerate() {
                            if rows.contains(&(y as isize)) {
                                *d = at(y, x);
                            }
                        }
                    }
                    *half = input(s, d);
                }
                for y in 0..SIDE {
                    let row = half.map(|column| column[y]);
                    for (x, value) in input(s, row).into_iter().enumerate() {
                        let product = (y * SIDE + x) * sizes.in_blocks + block;
                        // SAFETY: `v` has room for all products.
                        unsafe {
                            let to = self.v.add((product * count + t) * S::LANES);
                            s.store_ptr(to, value);
                        }
                    }
                }
            }
        }
    }
}

/// Pairs `pairs` of output blocks of tiles `tiles`.
struct Products<'a, const SIDE: usize, const OUT: usize> {
    work: &'a Work<'a>,
    tiles: Range<usize>,
    pairs: Range<usize>,
    v: *const f32,
    places: &'a [u32],
}

impl<const SIDE: usize, const OUT: usize> Kernel for Products<'_, SIDE, OUT> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Work { sizes, shape, .. } = self.work;
        let count = self.tiles.len();
        let in_c = shape.in_c;
        let product = sizes.in_blocks * count * S::LANES;
        let line = VECTORS * count * S::LANES;
        // [product][vector][tile]
        let products = SIDE * SIDE;
        let mut m = Scratch::take(products * line);
        for pair in self.pairs.clone() {
            let first = pair * VECTORS;
            let vectors = VECTORS.min(sizes.out_blocks - first);
            let width = vectors * S::LANES;
            let weight = &self.work.weight[first * S::LANES * in_c * products..];
            let parts = tiles(S::ISA, count).len();
            for i in 0..products {
                let weight = &weight[i * in_c * width..];
                for (part, (at, pixels)) in tiles(S::ISA, count).enumerate() {
                    // SAFETY: inside v and m.
                    unsafe {
                        let t = Tile {
                            x: self.v.add(i * product + at * S::LANES),
                            places: self.places,
                            full: in_c / S::LANES,
                            last: in_c % S::LANES,
                            w: weight.as_ptr(),
                            out: m.as_mut_ptr().add(i * line + at * S::LANES),
                            out_block: count * S::LANES,
                            bias: std::ptr::null(),
                            residual: std::ptr::null(),
                            activation: Activation::NONE,
                            ahead: Ahead::panel(
                                S::ISA,
                                weight,
                                in_c * width,
                                (part, parts),
                                self.places.len(),
                            ),
                        };
                        tile::<S, false>(s, pixels, vectors, &t);
                    }
                }
            }
            for v in 0..vectors {
                for t in 0..count {
                    let from = &m[(v * count + t) * S::LANES..];
                    self.back(s, first + v, self.tiles.start + t, from, line);
                }
            }
        }
    }
}

impl<const SIDE: usize, const OUT: usize> Products<'_, SIDE, OUT> {
    /// The results of one tile and output block; products `line` apart.
    #[inline(always)]
    fn back<S: Simd>(&self, s: S, block: usize, tile: usize, m: &[f32], line: usize) {
        let Work {
            sizes,
            shape,
            epilogue,
            ..
        } = self.work;
        let (image, top, left) = self.work.place(tile);
        let mut half = [[s.zero(); OUT]; SIDE];
        for (x, half) in half.iter_mut().enumerate() {
            let mut d = [s.zero(); SIDE];
            for (y, d) in d.iter_mut().enumerate() {
                *d = s.load(&m[(y * SIDE + x) * line..]);
            }
            *half = output::<S, SIDE, OUT>(s, d);
        }
        let bias = epilogue.bias_at(block * S::LANES);
        let bias = if bias.is_null() {
            s.zero()
        } else {
            // SAFETY: a bias for every lane, checked by `forward`.
            unsafe { s.load_ptr(bias) }
        };
        let (height, width) = (shape.out_h(), shape.out_w());
        let start = (image * sizes.out_blocks + block) * sizes.plane;
        for y in 0..OUT.min(height - top) {
            let row = output::<S, SIDE, OUT>(s, half.map(|column| column[y]));
            for (x, value) in row.into_iter().enumerate().take(width - left) {
                let at = (start + (top + y) * width + left + x) * S::LANES;
                let mut value = s.add(value, bias);
                // SAFETY: inside y, which tasks write in different places.
                unsafe {
                    if let Some(residual) = epilogue.residual {
                        value = s.add(value, s.load_ptr(residual.as_ptr().add(at)));
                    }
                    let to = self.work.y.as_mut_ptr().add(at);
                    s.store_ptr(to, epilogue.activation.apply(s, value));
                }
            }
        }
    }
}

/// Tiles of a group: as many as let their transformed inputs and one pair's
/// products stay in most of the second-level cache, at least two of the
/// largest micro-tiles.
fn group(isa: Isa, size: Size, in_blocks: usize) -> usize {
    let pixels = super::tile::pixels(isa);
    let vector = isa.lanes() * size_of::<f32>();
    let each = size.products() * (in_blocks + VECTORS) * vector;
    let fit = cache::l2() / 4 * 3 / each;
    (fit / pixels).clamp(2, 8) * pixels
}

pub(super) fn forward(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let sizes = Shape::new(isa, shape);
    let size = match weight.algorithm() {
        Algorithm::WinogradF2 => Size::F2,
        _ => Size::F4,
    };
    let grid = [shape.out_h(), shape.out_w()].map(|n| n.div_ceil(size.out()));
    let all = shape.batch * grid[0] * grid[1];
    let lanes = isa.lanes();
    let (in_blocks, out_blocks) = (sizes.in_blocks, sizes.out_blocks);
    let pairs = out_blocks.div_ceil(VECTORS);
    let work = Work {
        isa,
        size,
        shape,
        sizes,
        grid,
        x,
        weight: weight.data(),
        y: DisjointMut::new(y),
        epilogue,
    };
    let most = group(isa, size, in_blocks);
    let threads = threads_here();
    // As many for each thread, where those are not too small for a micro-tile.
    let even = all.div_ceil(most).next_multiple_of(threads);
    let apart = threads == 1 || all / even >= super::tile::pixels(isa);
    let groups = if apart { even } else { all.div_ceil(most) };
    let part = |i: usize| all * i / groups..all * (i + 1) / groups;
    let places =
        |count: usize| -> Vec<u32> { (0..in_blocks).map(|b| (b * count * lanes) as u32).collect() };
    let len = |count: usize| size.products() * in_blocks * count * lanes;
    if apart {
        parallel_for(groups, &|i| {
            let tiles = part(i);
            let mut v = Scratch::take(len(tiles.len()));
            work.transform(tiles.clone(), 0..in_blocks, v.as_mut_ptr());
            work.multiply(tiles.clone(), 0..pairs, v.as_ptr(), &places(tiles.len()));
        });
        return;
    }
    for i in 0..groups {
        let tiles = part(i);
        let mut v = Scratch::take(len(tiles.len()));
        let shared = DisjointMut::new(&mut v);
        let places = places(tiles.len());
        let cuts = (4 * threads).min(in_blocks);
        parallel_for(cuts, &|cut| {
            let blocks = in_blocks * cut / cuts..in_blocks * (cut + 1) / cuts;
            work.transform(tiles.clone(), blocks, shared.as_mut_ptr());
        });
        let cuts = (4 * threads).min(pairs);
        parallel_for(cuts, &|cut| {
            let pairs = pairs * cut / cuts..pairs * (cut + 1) / cuts;
            work.multiply(tiles.clone(), pairs, shared.as_mut_ptr(), &places);
        });
    }
}

impl Work<'_> {
    /// Tasks write different blocks of `v`, which has room for all.
    fn transform(&self, tiles: Range<usize>, blocks: Range<usize>, v: *mut f32) {
        macro_rules! run {
            ($side:literal) => {
                dispatch(
                    self.isa,
                    Input::<$side> {
                        work: self,
                        tiles,
                        blocks,
                        v,
                    },
                )
            };
        }
        match self.size {
            Size::F2 => run!(4),
            Size::F4 => run!(6),
        }
    }

    fn multiply(&self, tiles: Range<usize>, pairs: Range<usize>, v: *const f32, places: &[u32]) {
        macro_rules! run {
            ($side:literal, $out:literal) => {
                dispatch(
                    self.isa,
                    Products::<$side, $out> {
                        work: self,
                        tiles,
                        pairs,
                        v,
                        places,
                    },
                )
            };
        }
        match self.size {
            Size::F2 => run!(4, 2),
            Size::F4 => run!(6, 4),
        }
    }
}
