//! Weights packed for the blocked kernels.

use super::Algorithm;
use super::tile::VECTORS;
use super::winograd::{self, Size};
use crate::blocked;
use crate::conv2d::phase::Phase;
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::pack::transpose;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::{AlignedBuf, Scratch};
use std::ops::Range;
use std::slice;

/// A weight packed once for many calls, for one way to compute.
pub struct BlockedConvWeight {
    isa: Isa,
    algorithm: Algorithm,
    sizes: [usize; 13],
    data: AlignedBuf,
}

/// What a packing depends on.
fn sizes_of(algorithm: Algorithm, shape: &Conv2dShape) -> [usize; 13] {
    let mut sizes = [0; 13];
    sizes[..4].copy_from_slice(&[shape.out_c, shape.in_c, shape.kernel_h, shape.kernel_w]);
    if algorithm == Algorithm::Phases {
        sizes[4..6].copy_from_slice(&shape.stride);
        sizes[6..8].copy_from_slice(&shape.dilation);
        sizes[8..12].copy_from_slice(&shape.pads);
    }
    sizes[12] = shape.groups;
    sizes
}

/// Values packed for each output channel.
fn each(algorithm: Algorithm, shape: &Conv2dShape) -> usize {
    match algorithm {
        Algorithm::WinogradF2 => shape.in_c * Size::F2.products(),
        Algorithm::WinogradF4 => shape.in_c * Size::F4.products(),
        _ => shape.group_in() * shape.kernel(),
    }
}

impl BlockedConvWeight {
    /// Packs `w` (out_c, in_c / groups, kernel_h, kernel_w); of `shape` only
    /// channels and kernel matter.
    ///
    /// # Panics
    /// Where `w` has another size.
    pub fn new(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape, w: &[f32]) -> Self {
        check_len(shape, w);
        let data = match algorithm {
            Algorithm::Depthwise => depthwise(isa, shape, w, false),
            _ => dense(isa, algorithm, shape, w, false),
        };
        BlockedConvWeight {
            isa,
            algorithm,
            sizes: sizes_of(algorithm, shape),
            data,
        }
    }

    /// As [`BlockedConvWeight::new`], of a weight (in_c, out_c / groups,
    /// kernel_h, kernel_w) turned around: its taps in reverse.
    ///
    /// # Panics
    /// Where `w` has another size.
    pub fn turned(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape, w: &[f32]) -> Self {
        check_len(shape, w);
        let data = match algorithm {
            Algorithm::Depthwise => depthwise(isa, shape, w, true),
            _ => dense(isa, algorithm, shape, w, true),
        };
        BlockedConvWeight {
            isa,
            algorithm,
            sizes: sizes_of(algorithm, shape),
            data,
        }
    }

    /// Packs `w` (out_c, in_c, kernel_h, kernel_w) for the gradient to the
    /// input, by phases of the stride.  Without groups.
    ///
    /// # Panics
    /// Where `w` has another size.
    pub fn phases(isa: Isa, shape: &Conv2dShape, w: &[f32]) -> Self {
        check_len(shape, w);
        assert_eq!(shape.groups, 1, "conv2d: one group");
        let columns = blocked::blocks(isa, shape.in_c) * isa.lanes();
        let mut data = AlignedBuf::zeroed(columns * shape.out_c * shape.kernel());
        let source = Source {
            w,
            out_c: shape.in_c,
            in_c: shape.out_c,
            taps: shape.kernel(),
            outputs_last: true,
        };
        let phases = Phase::all(shape);
        let orders = phases.iter().map(|phase| Order::Blocks(&phase.kernel));
        source.pack(isa, &orders.collect::<Vec<_>>(), data.as_mut_slice());
        let algorithm = Algorithm::Phases;
        BlockedConvWeight {
            isa,
            algorithm,
            sizes: sizes_of(algorithm, shape),
            data,
        }
    }

    /// Of any values, for a trial of how long they take.
    pub(super) fn made_up(isa: Isa, shape: &Conv2dShape, data: AlignedBuf) -> Self {
        BlockedConvWeight {
            isa,
            algorithm: Algorithm::Direct,
            sizes: sizes_of(Algorithm::Direct, shape),
            data,
        }
    }

    /// Takes what is there as packed for `algorithm`, which is as long or less.
    pub(super) fn pretend(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Values of a weight packed for `algorithm`.
    pub(super) fn len(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape) -> usize {
        blocked::blocks(isa, shape.out_c) * isa.lanes() * each(algorithm, shape)
    }

    pub fn isa(&self) -> Isa {
        self.isa
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn data(&self) -> &[f32] {
        self.data.as_slice()
    }

    pub(super) fn check(&self, shape: &Conv2dShape) {
        assert_eq!(
            self.sizes,
            sizes_of(self.algorithm, shape),
            "conv2d: packed for other sizes"
        );
    }
}

/// \[block\]\[tap\]\[lane\]; `turned`: the taps in reverse.
fn depthwise(isa: Isa, shape: &Conv2dShape, w: &[f32], turned: bool) -> AlignedBuf {
    let (lanes, taps) = (isa.lanes(), shape.kernel());
    let mut data = AlignedBuf::zeroed(blocked::blocks(isa, shape.out_c) * taps * lanes);
    let to = data.as_mut_slice();
    for (channel, w) in w.chunks_exact(taps.max(1)).enumerate() {
        for (tap, w) in w.iter().enumerate() {
            let tap = if turned { taps - 1 - tap } else { tap };
            to[(channel / lanes * taps + tap) * lanes + channel % lanes] = *w;
        }
    }
    data
}

fn check_len(shape: &Conv2dShape, w: &[f32]) {
    let len = shape.weight_len();
    assert_eq!(w.len(), len, "conv2d: the weight has another size");
}

/// Group by group; `turned` of (in_c, out_c / groups, ...), the taps in reverse.
fn dense(
    isa: Isa,
    algorithm: Algorithm,
    shape: &Conv2dShape,
    w: &[f32],
    turned: bool,
) -> AlignedBuf {
    let taps = shape.kernel();
    let kernel: Vec<usize> = if turned {
        (0..taps).rev().collect()
    } else {
        (0..taps).collect()
    };
    let order = match algorithm {
        Algorithm::WinogradF2 => Order::Winograd(Size::F2, &kernel),
        Algorithm::WinogradF4 => Order::Winograd(Size::F4, &kernel),
        Algorithm::Stem => Order::Plain(&kernel),
        _ => Order::Blocks(&kernel),
    };
    let mut data = AlignedBuf::zeroed(BlockedConvWeight::len(isa, algorithm, shape));
    let each = |len: usize| (len / shape.groups).max(1);
    let packed = data.as_mut_slice();
    let (from, to) = (each(w.len()), each(packed.len()));
    for (w, packed) in w.chunks_exact(from).zip(packed.chunks_exact_mut(to)) {
        let source = Source {
            w,
            out_c: shape.group_out(),
            in_c: shape.group_in(),
            taps,
            outputs_last: turned,
        };
        source.pack(isa, slice::from_ref(&order), packed);
    }
    data
}

/// How a kernel reads the taps that it names.
enum Order<'a> {
    /// \[channel\]\[tap\]
    Plain(&'a [usize]),
    /// \[block\]\[tap\]\[lane\]: the order in which places are listed.
    Blocks(&'a [usize]),
    /// Transformed, of a 3x3 window.
    Winograd(Size, &'a [usize]),
}

impl Order<'_> {
    /// Values for a pair of channels.
    fn products(&self) -> usize {
        match self {
            Order::Plain(kernel) | Order::Blocks(kernel) => kernel.len(),
            Order::Winograd(size, _) => size.products(),
        }
    }
}

/// A weight as it lies.
struct Source<'a> {
    w: &'a [f32],
    out_c: usize,
    in_c: usize,
    taps: usize,
    /// (in_c, out_c, taps), else (out_c, in_c, taps).
    outputs_last: bool,
}

impl Source<'_> {
    /// One order after the other: pairs of vectors of output channels, each as
    /// its kernel reads.
    fn pack(&self, isa: Isa, orders: &[Order<'_>], data: &mut [f32]) {
        let (lanes, in_c) = (isa.lanes(), self.in_c);
        let blocks = blocked::blocks(isa, self.out_c);
        let data = DisjointMut::new(data);
        parallel_for(blocks.div_ceil(VECTORS), &|pair| {
            let first = pair * VECTORS;
            let width = VECTORS.min(blocks - first) * lanes;
            let channels = first * lanes..self.out_c.min(first * lanes + width);
            let mut rows = Scratch::take(in_c * self.taps * width);
            rows.fill(0.0);
            self.columns(channels, width, &mut rows);
            let mut start = 0;
            for order in orders {
                let k = in_c * order.products();
                let own = start + first * lanes * k..start + (first * lanes + width) * k;
                start += blocks * lanes * k;
                // SAFETY: pairs lie one after the other.
                let to = unsafe { data.slice(own) };
                self.arrange(isa, order, &rows, width, to);
            }
        });
    }

    /// Columns of some channels, \[in channel\]\[tap\]\[width\], in an order.
    fn arrange(&self, isa: Isa, order: &Order<'_>, rows: &[f32], width: usize, to: &mut [f32]) {
        let (lanes, in_c, taps) = (isa.lanes(), self.in_c, self.taps);
        let (group, kernel) = match *order {
            Order::Winograd(size, kernel) => {
                return winograd::weights(isa, size, rows, kernel, [in_c, width], to);
            }
            Order::Plain(kernel) => (1, kernel),
            Order::Blocks(kernel) => (lanes, kernel),
        };
        let mut to = to.chunks_exact_mut(width);
        for first in (0..in_c).step_by(group) {
            for tap in kernel {
                let channels = first..in_c.min(first + group);
                for (channel, to) in channels.zip(&mut to) {
                    to.copy_from_slice(&rows[(channel * taps + tap) * width..][..width]);
                }
            }
        }
    }

    /// The channels' weights as columns: \[in channel\]\[tap\]\[width\].
    fn columns(&self, channels: Range<usize>, width: usize, rows: &mut [f32]) {
        let (in_c, taps) = (self.in_c, self.taps);
        // SAFETY: all have these sizes.
        unsafe {
            if !self.outputs_last {
                let k = in_c * taps;
                let w = self.w[channels.start * k..channels.end * k].as_ptr();
                transpose(w, k, rows.as_mut_ptr(), width, channels.len(), k);
                return;
            }
            for (channel, rows) in rows.chunks_exact_mut(taps * width).enumerate() {
                let start = channel * self.out_c;
                let w = &self.w[(start + channels.start) * taps..(start + channels.end) * taps];
                transpose(
                    w.as_ptr(),
                    taps,
                    rows.as_mut_ptr(),
                    width,
                    channels.len(),
                    taps,
                );
            }
        }
    }
}
