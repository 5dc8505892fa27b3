//! Weights packed for the blocked kernels.

use super::Algorithm;
use super::tile::VECTORS;
use super::winograd::{self, Size};
use crate::blocked;
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::pack::transpose;
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::{AlignedBuf, Scratch};

/// A weight packed once for many calls, for one way to compute.
pub struct BlockedConvWeight {
    isa: Isa,
    algorithm: Algorithm,
    /// out_c, in_c, kernel_h, kernel_w.
    sizes: [usize; 4],
    data: AlignedBuf,
}

fn sizes_of(shape: &Conv2dShape) -> [usize; 4] {
    [shape.out_c, shape.in_c, shape.kernel_h, shape.kernel_w]
}

impl BlockedConvWeight {
    /// Packs `w` (out_c, in_c / groups, kernel_h, kernel_w); of `shape` only
    /// channels and kernel matter.
    ///
    /// # Panics
    /// Where `w` has another size.
    pub fn new(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape, w: &[f32]) -> Self {
        assert_eq!(
            w.len(),
            shape.weight_len(),
            "conv2d: the weight has another size"
        );
        let columns = blocked::blocks(isa, shape.out_c) * isa.lanes();
        let data = match algorithm {
            Algorithm::Depthwise => depthwise(isa, shape, w),
            _ => {
                let k = match algorithm {
                    Algorithm::WinogradF2 => shape.in_c * Size::F2.products(),
                    Algorithm::WinogradF4 => shape.in_c * Size::F4.products(),
                    _ => shape.in_c * shape.kernel(),
                };
                let mut data = AlignedBuf::zeroed(columns * k);
                pack(isa, algorithm, shape, w, k, data.as_mut_slice());
                data
            }
        };
        BlockedConvWeight {
            isa,
            algorithm,
            sizes: sizes_of(shape),
            data,
        }
    }

    /// As [`BlockedConvWeight::new`], of a weight (in_c, out_c, kernel_h,
    /// kernel_w) turned around: its taps in reverse.  Without groups.
    ///
    /// # Panics
    /// Where `w` has another size.
    pub fn transposed(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape, w: &[f32]) -> Self {
        let (taps, in_c, out_c) = (shape.kernel(), shape.in_c, shape.out_c);
        assert!(w.len() == shape.weight_len() && shape.groups == 1);
        let mut turned = Scratch::take(w.len());
        for (i, w) in w.chunks_exact(out_c * taps).enumerate() {
            for (o, w) in w.chunks_exact(taps).enumerate() {
                let to = &mut turned[(o * in_c + i) * taps..][..taps];
                for (to, w) in to.iter_mut().rev().zip(w) {
                    *to = *w;
                }
            }
        }
        BlockedConvWeight::new(isa, algorithm, shape, &turned)
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
            sizes_of(shape),
            "conv2d: packed for other sizes"
        );
    }
}

/// \[block\]\[tap\]\[lane\]
fn depthwise(isa: Isa, shape: &Conv2dShape, w: &[f32]) -> AlignedBuf {
    let (lanes, taps) = (isa.lanes(), shape.kernel());
    let mut data = AlignedBuf::zeroed(blocked::blocks(isa, shape.out_c) * taps * lanes);
    let to = data.as_mut_slice();
    for (channel, w) in w.chunks_exact(taps.max(1)).enumerate() {
        for (tap, w) in w.iter().enumerate() {
            to[(channel / lanes * taps + tap) * lanes + channel % lanes] = *w;
        }
    }
    data
}

/// Pairs of vectors of output channels one after the other, each by the order
/// in which its kernel reads; `k` values for an output channel.
fn pack(
    isa: Isa,
    algorithm: Algorithm,
    shape: &Conv2dShape,
    w: &[f32],
    k: usize,
    data: &mut [f32],
) {
    let (lanes, taps, in_c) = (isa.lanes(), shape.kernel(), shape.in_c);
    let blocks = blocked::blocks(isa, shape.out_c);
    let data = DisjointMut::new(data);
    parallel_for(blocks.div_ceil(VECTORS), &|pair| {
        let first = pair * VECTORS;
        let width = VECTORS.min(blocks - first) * lanes;
        let start = first * lanes * k;
        // SAFETY: pairs lie one after the other.
        let to = unsafe { data.slice(start..start + width * k) };
        let channels = first * lanes..shape.out_c.min(first * lanes + width);
        // The channels' weights as columns: [in channel][tap][width].
        let mut rows = Scratch::take(in_c * taps * width);
        rows.fill(0.0);
        // SAFETY: both have these sizes.
        unsafe {
            let w = &w[channels.start * in_c * taps..channels.end * in_c * taps];
            transpose(
                w.as_ptr(),
                in_c * taps,
                rows.as_mut_ptr(),
                width,
                channels.len(),
                in_c * taps,
            );
        }
        let size = match algorithm {
            Algorithm::WinogradF2 => Some(Size::F2),
            Algorithm::WinogradF4 => Some(Size::F4),
            _ => None,
        };
        if let Some(size) = size {
            winograd::weights(isa, size, &rows, [in_c, width], to);
            return;
        }
        // To [block][tap][lane]: the order in which places are listed.
        let order = (0..in_c.div_ceil(lanes)).flat_map(|block| {
            let here = block * lanes..in_c.min((block + 1) * lanes);
            (0..taps).flat_map(move |tap| here.clone().map(move |channel| channel * taps + tap))
        });
        let plain = algorithm == Algorithm::Stem;
        for (at, (to, row)) in to.chunks_exact_mut(width.max(1)).zip(order).enumerate() {
            let row = if plain { at } else { row };
            to.copy_from_slice(&rows[row * width..][..width]);
        }
    });
}
