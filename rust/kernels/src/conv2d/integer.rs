//! Convolution of 16-bit integers, summed in 32 bits: exact, but that sums wrap.
//!
//! A product on the micro-kernel of integer matrix products: rows are output channels, columns
//! pixels, whose patches each task packs for itself.  Where a group has but a channel or two
//! (depthwise above all) packing would cost more than it saves, and taps are added directly.

use super::shape::{Conv2dShape, inside};
use crate::isa::Isa;
use crate::matmul::integer::{DEPTH, Product, Tiles, width, word};
use crate::pool::{DisjointMut, parallel_for};
use crate::simd::{Kernel, Simd, dispatch};
use std::ops::Range;

/// Panels of pixels in a task.
const WIDE: usize = 4;
/// Output channels in a task where there are few pixels.
const TALL: usize = 48;
/// Tasks that make it worth packing patches once alone.
const BUSY: usize = 16;
/// Output channels in a group up to which taps are added directly.
const FEW: usize = 2;

/// A weight, packed: for each output channel the words of its terms.
pub struct PackedRows {
    words: Vec<i32>,
}

impl PackedRows {
    /// # Panics
    /// Where the weight has another size than `shape` says.
    pub fn new(shape: &Conv2dShape, w: &[i16]) -> PackedRows {
        assert_eq!(w.len(), shape.weight_len());
        let terms = shape.group_in() * shape.kernel();
        let rows = w.chunks_exact(terms.max(1));
        let pair = |p: &[i16]| word(p[0], p.get(1).copied().unwrap_or(0));
        PackedRows {
            words: rows.flat_map(|row| row.chunks(2).map(pair)).collect(),
        }
    }
}

/// y[n, o, i, j] = sum over c, a, b of w[o, c, a, b] x[n, c, i * stride + a * dilation - pad, ...],
/// zero outside the image.
///
/// `packed` is the weight's, if there is one already.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn forward_integer(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[i16],
    w: &[i16],
    packed: Option<&PackedRows>,
    y: &mut [i32],
) {
    shape.check(x.len(), w.len(), y.len());
    let (pixels, outs) = (shape.out_plane(), shape.group_out());
    if y.is_empty() {
        return;
    }
    let y = DisjointMut::new(y);
    let taps = &shape.taps();
    if outs <= FEW {
        parallel_for(shape.batch * shape.out_c, &|plane| {
            // SAFETY: the planes do not overlap.
            let y = unsafe { y.slice(plane * pixels..(plane + 1) * pixels) };
            dispatch(
                isa,
                Direct {
                    shape,
                    taps,
                    x,
                    w,
                    plane,
                    y,
                },
            );
        });
        return;
    }
    let own;
    let weight = if let Some(packed) = packed {
        packed
    } else {
        own = PackedRows::new(shape, w);
        &own
    };
    let block = WIDE * width(isa);
    let across = pixels.div_ceil(block);
    let lots = shape.batch * shape.groups * across >= BUSY;
    let tall = if lots { outs } else { TALL.min(outs) };
    let down = outs.div_ceil(tall);
    parallel_for(shape.batch * shape.groups * down * across, &|task| {
        let (rest, at) = (task / across, task % across);
        let (plane, part) = (rest / down, rest % down);
        let part = Part {
            shape,
            taps,
            x,
            weight: &weight.words,
            image: plane / shape.groups,
            group: plane % shape.groups,
            rows: part * tall..outs.min((part + 1) * tall),
            pixels: at * block..pixels.min((at + 1) * block),
            y,
        };
        dispatch(isa, part);
    });
}

/// A block of pixels of some channels of one group.
struct Part<'a> {
    shape: &'a Conv2dShape,
    taps: &'a [[isize; 2]],
    x: &'a [i16],
    weight: &'a [i32],
    image: usize,
    group: usize,
    rows: Range<usize>,
    pixels: Range<usize>,
    y: DisjointMut<'a, i32>,
}

impl Kernel for Part<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.shape;
        let (width, plane) = (2 * S::LANES, shape.out_plane());
        let pairs = (shape.group_in() * shape.kernel()).div_ceil(2);
        let panels = self.pixels.len().div_ceil(width);
        let first_row = self.group * shape.group_out() + self.rows.start;
        let first = (self.image * shape.out_c + first_row) * plane + self.pixels.start;
        let mut words = vec![0; panels * width * DEPTH.min(pairs)];
        let mut terms = [vec![0; panels * width], vec![0; panels * width]];
        for from in (0..pairs.max(1)).step_by(DEPTH) {
            let depth = DEPTH.min(pairs - from);
            for pair in 0..depth {
                for (odd, to) in terms.iter_mut().enumerate() {
                    self.gather(2 * (from + pair) + odd, to);
                }
                let [even, odd] = &terms;
                for panel in 0..panels {
                    let lanes = panel * width..(panel + 1) * width;
                    let to = &mut words[(panel * depth + pair) * width..][..width];
                    let both = even[lanes.clone()].iter().zip(&odd[lanes]);
                    for (to, (even, odd)) in to.iter_mut().zip(both) {
                        *to = word(*even, *odd);
                    }
                }
            }
            for panel in 0..panels {
                let product = Product {
                    left: self
                        .weight
                        .get(first_row * pairs + from..)
                        .unwrap_or_default(),
                    left_stride: pairs,
                    right: &words[panel * depth * width..][..depth * width],
                    depth,
                    adds: from > 0,
                };
                let tiles = Tiles {
                    rows: self.rows.len(),
                    cols: width.min(self.pixels.len() - panel * width),
                    start: first + panel * width,
                    stride: plane,
                };
                // SAFETY: tasks write different channels and pixels.
                unsafe { product.run(s, &tiles, &self.y) };
            }
        }
    }
}

impl Part<'_> {
    /// What term `term` of the sum finds under each of the pixels.
    #[inline(always)]
    fn gather(&self, term: usize, to: &mut [i16]) {
        let shape = self.shape;
        let (channel, tap) = (term / self.taps.len(), term % self.taps.len());
        if channel >= shape.group_in() {
            to.fill(0);
            return;
        }
        let [tap_y, tap_x] = self.taps[tap];
        let plane = self.image * shape.in_c + self.group * shape.group_in() + channel;
        let source = &self.x[plane * shape.in_plane()..][..shape.in_plane()];
        let (out_w, [down, right]) = (shape.out_w(), shape.stride);
        let seen = inside(out_w, right, tap_x, shape.in_w);
        let mut rest = to;
        let mut pixel = self.pixels.start;
        while pixel < self.pixels.end {
            let (row, x0) = (pixel / out_w, pixel % out_w);
            let x1 = out_w.min(x0 + self.pixels.end - pixel);
            let (line, next) = rest.split_at_mut(x1 - x0);
            (rest, pixel) = (next, pixel + (x1 - x0));
            let y = (row * down) as isize + tap_y;
            let (a, b) = (seen.start.clamp(x0, x1), seen.end.clamp(x0, x1));
            if y < 0 || y as usize >= shape.in_h || a >= b {
                line.fill(0);
                continue;
            }
            line[..a - x0].fill(0);
            line[b - x0..].fill(0);
            let start = y as usize * shape.in_w + ((a * right) as isize + tap_x) as usize;
            let line = &mut line[a - x0..b - x0];
            if right == 1 {
                line.copy_from_slice(&source[start..start + line.len()]);
            } else {
                for (to, from) in line.iter_mut().zip(source[start..].iter().step_by(right)) {
                    *to = *from;
                }
            }
        }
        rest.fill(0);
    }
}

/// One output channel of one image, tap by tap.
struct Direct<'a> {
    shape: &'a Conv2dShape,
    taps: &'a [[isize; 2]],
    x: &'a [i16],
    w: &'a [i16],
    plane: usize,
    y: &'a mut [i32],
}

impl Kernel for Direct<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let shape = self.shape;
        let (image, out) = (self.plane / shape.out_c, self.plane % shape.out_c);
        let (ins, [down, right]) = (shape.group_in(), shape.stride);
        self.y.fill(0);
        for (row, sums) in self.y.chunks_exact_mut(shape.out_w()).enumerate() {
            for channel in 0..ins {
                let plane = image * shape.in_c + out / shape.group_out() * ins + channel;
                let source = &self.x[plane * shape.in_plane()..][..shape.in_plane()];
                let weights = &self.w[(out * ins + channel) * shape.kernel()..];
                for (&[tap_y, tap_x], &weight) in self.taps.iter().zip(weights) {
                    let y = (row * down) as isize + tap_y;
                    let seen = inside(sums.len(), right, tap_x, shape.in_w);
                    if y < 0 || y as usize >= shape.in_h || seen.is_empty() {
                        continue;
                    }
                    let start =
                        y as usize * shape.in_w + ((seen.start * right) as isize + tap_x) as usize;
                    add_line(&mut sums[seen], &source[start..], right, weight);
                }
            }
        }
    }
}

/// Adds `weight` times every `step`th element.
#[inline(always)]
fn add_line(sums: &mut [i32], from: &[i16], step: usize, weight: i16) {
    let weight = i32::from(weight);
    let product = |x: i16| weight.wrapping_mul(i32::from(x));
    if step == 1 {
        for (sum, x) in sums.iter_mut().zip(from) {
            *sum = sum.wrapping_add(product(*x));
        }
    } else {
        for (sum, x) in sums.iter_mut().zip(from.iter().step_by(step)) {
            *sum = sum.wrapping_add(product(*x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Conv2dShape, PackedRows, forward_integer};
    use crate::conv2d::forward_generic;
    use crate::isa::Isa;

    /// Against sums in int64 of what defines a convolution.
    fn check(shape: &Conv2dShape) {
        let noise = |n: usize, seed: i64| -> Vec<i64> {
            (0..n as i64)
                .map(|i| (i * 7919 + seed) * 104_729 % 511 - 255)
                .collect()
        };
        let (x, w) = (noise(shape.input_len(), 3), noise(shape.weight_len(), 5));
        let mut wanted = vec![0i64; shape.output_len()];
        forward_generic(shape, &x, &w, &mut wanted);
        let narrow = |v: &[i64]| v.iter().map(|&x| x as i16).collect::<Vec<i16>>();
        let (x, w) = (narrow(&x), narrow(&w));
        let packed = PackedRows::new(shape, &w);
        for isa in Isa::available() {
            for packed in [None, Some(&packed)] {
                let mut y = vec![-7; wanted.len()];
                forward_integer(isa, shape, &x, &w, packed, &mut y);
                assert!(
                    y.iter().map(|&v| i64::from(v)).eq(wanted.iter().copied()),
                    "{isa} {shape:?}"
                );
            }
        }
    }

    fn plain([batch, in_c, out_c, groups]: [usize; 4], [in_h, in_w]: [usize; 2]) -> Conv2dShape {
        Conv2dShape {
            batch,
            in_c,
            in_h,
            in_w,
            out_c,
            kernel_h: 3,
            kernel_w: 3,
            stride: [1, 1],
            dilation: [1, 1],
            pads: [1; 4],
            groups,
        }
    }

    #[test]
    fn kernels_strides_pads_and_dilations() {
        for counts in [
            [2, 3, 5, 1],
            [1, 6, 12, 2],
            [2, 6, 6, 6],
            [1, 4, 4, 2],
            [1, 2, 1, 1],
        ] {
            let base = plain(counts, [9, 13]);
            for stride in [[1, 1], [2, 2], [3, 1]] {
                for dilation in [[1, 1], [2, 3]] {
                    for pads in [[0; 4], [0, 1, 2, 3], [5, 6, 4, 7]] {
                        for [kernel_h, kernel_w] in [[3, 3], [1, 1], [2, 4]] {
                            check(&Conv2dShape {
                                kernel_h,
                                kernel_w,
                                stride,
                                dilation,
                                pads,
                                ..base
                            });
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_astride_the_tiles() {
        for image in [[1, 1], [3, 31], [8, 8], [5, 33], [23, 47]] {
            check(&plain([1, 3, 7, 1], image));
            check(&plain([3, 61, 50, 1], image));
        }
        // More terms than are taken at a time.
        check(&plain([1, 120, 13, 1], [5, 7]));
    }
}
