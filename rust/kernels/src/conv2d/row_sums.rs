//! The weight's gradient as sums along rows.
//!
//! dw[o, (c, t)] is the product of output plane o's gradient with what tap t
//! finds in input plane c, summed over both.  Where rows fill vectors, a few
//! output planes and a few taps are summed at once, lanes along the row: the
//! gradient is read as it is and the input from a copy with its surroundings,
//! and nothing is transposed as the packed product would need.

use super::halo::{Fill, Halo, SLACK};
use super::product::tasks_wanted;
use super::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::tile::unroll;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::Scratch;
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Output planes summed at once.
const OUTS: usize = 4;
/// Elements of the copies of images that are summed together, if there are
/// several.
const TOGETHER: usize = 1 << 16;
/// The largest copy of one image.
const ONE_IMAGE: usize = 1 << 18;
/// Vectors along which a sum runs at least: adding up its lanes costs some.
const LEAST_STEPS: usize = 96;
/// The most room for partial sums.
const PARTIAL: usize = 1 << 22;

/// Taps summed at once.
const fn taps_at_once(isa: Isa) -> usize {
    match isa {
        // No operand comes from memory: three would fill every register.
        Isa::Neon => 2,
        Isa::Portable | Isa::Avx2 => 3,
        Isa::Avx512 => 6,
    }
}

pub(super) struct RowSums<'a> {
    isa: Isa,
    shape: &'a Conv2dShape,
    halo: Halo,
    /// Images summed together; the others' sums are added.
    images: usize,
}

impl<'a> RowSums<'a> {
    /// Where it is the better way; a matter of shape and instance alone.
    pub fn new(isa: Isa, shape: &'a Conv2dShape, taps: &[[isize; 2]]) -> Option<RowSums<'a>> {
        let grid = [shape.out_h(), shape.out_w()];
        let halo = Halo::new([shape.in_h, shape.in_w], 0, grid, shape.stride, taps);
        let size = (halo.len() * shape.group_in()).max(1);
        let images = (TOGETHER / size).clamp(1, shape.batch);
        let lanes = isa.lanes();
        let vectors = grid[1].div_ceil(lanes);
        let fills = grid[1] * 5 >= vectors * lanes * 4;
        let steps = images * grid[0] * vectors;
        let partial = shape.batch.div_ceil(images) * shape.weight_len();
        let fits = size <= ONE_IMAGE && partial <= PARTIAL;
        (fills && fits && steps >= LEAST_STEPS).then_some(RowSums {
            isa,
            shape,
            halo,
            images,
        })
    }

    pub fn run(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let shape = self.shape;
        let parts = shape.batch.div_ceil(self.images);
        if parts == 1 {
            self.sums(x, dy, dw);
            return;
        }
        let mut sums = Scratch::take(parts * dw.len());
        self.sums(x, dy, &mut sums);
        let (first, rest) = sums.split_at(dw.len());
        dw.copy_from_slice(first);
        for part in rest.chunks_exact(dw.len()) {
            dw.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }

    /// The sums of each part of the batch, one after the other.
    fn sums(&self, x: &[f32], dy: &[f32], sums: &mut [f32]) {
        let shape = self.shape;
        let (m, n) = (shape.group_out(), shape.group_in() * shape.kernel());
        let units = sums.len() / (m * n);
        let work = shape.output_len() * n;
        let tiles = n.div_ceil(taps_at_once(self.isa));
        let cuts = tasks_wanted(work, units).min(tiles);
        let sums = DisjointMut::new(sums);
        parallel_for(units * cuts, &|task| {
            let (cut, unit) = (task % cuts, task / cuts);
            let edge = |cut: usize| n.min(tiles * cut / cuts * taps_at_once(self.isa));
            self.part(unit, edge(cut)..edge(cut + 1), x, dy, &sums);
        });
    }

    /// Columns `cols` of one group of one part of the batch.
    fn part(
        &self,
        unit: usize,
        cols: Range<usize>,
        x: &[f32],
        dy: &[f32],
        sums: &DisjointMut<'_, f32>,
    ) {
        let shape = self.shape;
        let (group, part) = (unit % shape.groups, unit / shape.groups);
        let images = part * self.images..shape.batch.min((part + 1) * self.images);
        let (m, taps) = (shape.group_out(), shape.kernel());
        let n = shape.group_in() * taps;
        let channels = cols.start / taps..(cols.end - 1) / taps + 1;
        let (size, len) = (shape.in_plane(), self.halo.len());
        let mut copy = Scratch::take(images.len() * channels.len() * len + SLACK);
        let mut at = 0;
        for image in images.clone() {
            let first = image * shape.in_c + group * shape.group_in();
            for channel in channels.clone() {
                let plane = &x[(first + channel) * size..][..size];
                let copy = &mut copy[at..at + len + SLACK];
                dispatch(
                    self.isa,
                    Fill {
                        halo: &self.halo,
                        plane,
                        copy,
                    },
                );
                at += len;
            }
        }
        let place = |col: usize| {
            (col / taps - channels.start) * len + self.halo.places[col % taps] as usize
        };
        let places: Vec<usize> = cols.clone().map(place).collect();
        let plane = shape.out_plane();
        let dy = &dy[(images.start * shape.out_c + group * m) * plane..];
        // SAFETY: tasks write different columns of the unit's matrix.
        let out = unsafe { sums.as_mut_ptr().add(unit * m * n + cols.start) };
        dispatch(
            self.isa,
            Sums {
                copy: &copy,
                copy_image: channels.len() * len,
                line: self.halo.line,
                places: &places,
                dy,
                dy_image: shape.out_c * plane,
                grid: self.halo.grid,
                images: images.len(),
                m,
                out,
                out_row: n,
            },
        );
    }
}

/// `out[o, i]` = sum over images, rows and columns of `dy[o]` times the copy
/// from `places[i]` on.
struct Sums<'a> {
    copy: &'a [f32],
    copy_image: usize,
    line: usize,
    places: &'a [usize],
    dy: &'a [f32],
    dy_image: usize,
    grid: [usize; 2],
    images: usize,
    m: usize,
    out: *mut f32,
    out_row: usize,
}

impl Kernel for Sums<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let at_once = taps_at_once(S::ISA);
        for first in (0..self.places.len()).step_by(at_once) {
            let places = &self.places[first..self.places.len().min(first + at_once)];
            let mut o = 0;
            while o < self.m {
                let many = self.m - o >= OUTS;
                macro_rules! tile {
                    ($planes:expr, $taps:literal) => {
                        s.call(Tile::<{ $planes }, $taps> {
                            job: &self,
                            o,
                            first,
                            places,
                        })
                    };
                }
                match (many, places.len()) {
                    (true, 4..) => tile!(OUTS, 6),
                    (true, _) if at_once == 2 => tile!(OUTS, 2),
                    (true, _) => tile!(OUTS, 3),
                    (false, 4..) => tile!(1, 6),
                    (false, _) if at_once == 2 => tile!(1, 2),
                    (false, _) => tile!(1, 3),
                }
                o += if many { OUTS } else { 1 };
            }
        }
    }
}

/// Output planes from `o` on, taps `places`, the last one repeated where there
/// are fewer than TAPS.
struct Tile<'a, const PLANES: usize, const TAPS: usize> {
    job: &'a Sums<'a>,
    o: usize,
    first: usize,
    places: &'a [usize],
}

impl<const PLANES: usize, const TAPS: usize> Kernel for Tile<'_, PLANES, TAPS> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let job = self.job;
        let [rows, width] = job.grid;
        let plane = rows * width;
        let last = self.places.len() - 1;
        let places: [usize; TAPS] = std::array::from_fn(|i| self.places[i.min(last)]);
        let mut acc = [[s.zero(); TAPS]; PLANES];
        macro_rules! step {
            ($dy:ident, $x:ident, $load:ident $(, $n:ident)?) => {
                let mut x = [s.zero(); TAPS];
                for (x, place) in x.iter_mut().zip(places) {
                    *x = s.$load($x.add(place) $(, $n)?);
                }
                unroll!(O < PLANES, {
                    let dy = s.$load($dy.add(O * plane) $(, $n)?);
                    for t in 0..TAPS {
                        acc[O][t] = s.fma(dy, x[t], acc[O][t]);
                    }
                });
            };
        }
        let whole = width / S::LANES * S::LANES;
        let rest = width - whole;
        for image in 0..job.images {
            for row in 0..rows {
                let dy = &job.dy[image * job.dy_image + self.o * plane + row * width..];
                let x = &job.copy[image * job.copy_image + row * job.line..];
                // SAFETY: `dy` has PLANES planes from here on, the copy a row
                // of `width` from every place.
                unsafe {
                    let (mut dy, mut x_at) = (dy.as_ptr(), x.as_ptr());
                    for _ in 0..width / S::LANES {
                        step!(dy, x_at, load_ptr);
                        dy = dy.add(S::LANES);
                        x_at = x_at.add(S::LANES);
                    }
                    // Lanes beyond the row stay 0: what lies there may be NaN.
                    if rest > 0 {
                        step!(dy, x_at, load_ptr_part, rest);
                    }
                }
            }
        }
        for (o, acc) in acc.into_iter().enumerate() {
            for (t, acc) in acc.into_iter().enumerate().take(self.places.len()) {
                // SAFETY: the matrix has row o + `self.o`, column `first` + t.
                unsafe {
                    let row = job.out.add((self.o + o) * job.out_row);
                    *row.add(self.first + t) = s.sum(acc);
                }
            }
        }
    }
}
