//! Weights as the left operand of the products.

use super::phase::Phase;
use super::shape::Conv2dShape;
use crate::isa::Isa;
use crate::matmul::block::{k_range, k_ranges, row_panel, row_panels};
use crate::matmul::pack::{Raw, transpose};
use crate::matmul::pack_all::{Job, pack_all};
use crate::pool::{DisjointMut, parallel_for};
use crate::scratch::{AlignedBuf, Scratch};

/// A weight, packed or as it is (out_c, in_c / groups, kernel_h, kernel_w).
#[derive(Clone, Copy)]
pub enum ConvWeight<'a> {
    Plain(&'a [f32]),
    Packed(&'a PackedConvWeight),
}

impl ConvWeight<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            ConvWeight::Plain(w) => w.len(),
            ConvWeight::Packed(w) => w.len,
        }
    }
}

/// Which product a packed weight is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    Forward,
    /// The taps' places depend on these.
    BackwardInput {
        stride: [usize; 2],
        dilation: [usize; 2],
        pads: [usize; 4],
    },
}

/// A weight packed once for many calls.
pub struct PackedConvWeight {
    isa: Isa,
    purpose: Purpose,
    /// out_c, in_c, groups, kernel_h, kernel_w.
    sizes: [usize; 5],
    len: usize,
    data: AlignedBuf,
}

impl PackedConvWeight {
    /// For [`super::forward`]; of `shape` only channels, groups and kernel
    /// matter, so one packing serves every image size.
    pub fn forward(isa: Isa, shape: &Conv2dShape, w: &[f32]) -> PackedConvWeight {
        Self::new(isa, shape, w, Purpose::Forward, pack_forward)
    }

    /// For [`super::backward_input`] (a transposed convolution); of `shape`
    /// all but batch and image size matter.
    pub fn backward_input(isa: Isa, shape: &Conv2dShape, w: &[f32]) -> PackedConvWeight {
        Self::new(isa, shape, w, input_purpose(shape), pack_backward_input)
    }

    fn new(
        isa: Isa,
        shape: &Conv2dShape,
        w: &[f32],
        purpose: Purpose,
        pack: fn(Isa, &Conv2dShape, &[f32], &mut [f32]),
    ) -> PackedConvWeight {
        assert_eq!(
            w.len(),
            shape.weight_len(),
            "conv2d: the weight has another size"
        );
        let mut data = AlignedBuf::zeroed(w.len());
        // The direct kernel takes depthwise weights as they are.
        if shape.is_depthwise() {
            data.as_mut_slice()[..w.len()].copy_from_slice(w);
        } else {
            pack(isa, shape, w, data.as_mut_slice());
        }
        PackedConvWeight {
            isa,
            purpose,
            sizes: sizes(shape),
            len: w.len(),
            data,
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.data.len() * size_of::<f32>()
    }

    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn checked(&self, isa: Isa, shape: &Conv2dShape, purpose: &Purpose) -> &[f32] {
        assert_eq!(self.isa, isa, "conv2d: packed for another instance");
        assert_eq!(
            self.sizes,
            sizes(shape),
            "conv2d: packed for another weight"
        );
        assert_eq!(&self.purpose, purpose, "conv2d: packed for another use");
        &self.data.as_slice()[..self.len]
    }
}

fn sizes(shape: &Conv2dShape) -> [usize; 5] {
    [
        shape.out_c,
        shape.in_c,
        shape.groups,
        shape.kernel_h,
        shape.kernel_w,
    ]
}

fn input_purpose(shape: &Conv2dShape) -> Purpose {
    let Conv2dShape {
        stride,
        dilation,
        pads,
        ..
    } = *shape;
    Purpose::BackwardInput {
        stride,
        dilation,
        pads,
    }
}

/// The packed values: the weight's own, or packed now into `scratch`.
pub(super) fn for_forward<'a>(
    isa: Isa,
    shape: &Conv2dShape,
    w: ConvWeight<'a>,
    scratch: &'a mut Option<Scratch>,
) -> &'a [f32] {
    match w {
        ConvWeight::Packed(w) => w.checked(isa, shape, &Purpose::Forward),
        ConvWeight::Plain(w) if shape.is_depthwise() => w,
        ConvWeight::Plain(w) => packed_now(isa, shape, w, scratch, pack_forward),
    }
}

/// As [`for_forward`].
pub(super) fn for_backward_input<'a>(
    isa: Isa,
    shape: &Conv2dShape,
    w: ConvWeight<'a>,
    scratch: &'a mut Option<Scratch>,
) -> &'a [f32] {
    match w {
        ConvWeight::Packed(w) => w.checked(isa, shape, &input_purpose(shape)),
        ConvWeight::Plain(w) if shape.is_depthwise() => w,
        ConvWeight::Plain(w) => packed_now(isa, shape, w, scratch, pack_backward_input),
    }
}

fn packed_now<'a>(
    isa: Isa,
    shape: &Conv2dShape,
    w: &[f32],
    scratch: &'a mut Option<Scratch>,
    pack: fn(Isa, &Conv2dShape, &[f32], &mut [f32]),
) -> &'a [f32] {
    let buf = scratch.insert(Scratch::take(w.len()));
    pack(isa, shape, w, buf);
    buf
}

/// Group after group: rows output channels, columns (input channel, tap).
fn pack_forward(isa: Isa, shape: &Conv2dShape, w: &[f32], dst: &mut [f32]) {
    let (m, k) = (shape.group_out(), shape.group_in() * shape.kernel());
    if m * k == 0 {
        return;
    }
    for (w, dst) in w.chunks_exact(m * k).zip(dst.chunks_exact_mut(m * k)) {
        let raw = Raw {
            start: w.as_ptr(),
            row_stride: k,
            col_stride: 1,
        };
        pack_all(
            isa,
            k,
            Some(Job {
                raw,
                range: 0..m,
                dst,
            }),
            None,
        );
    }
}

/// Group after group, phase after phase of the stride: rows input channels,
/// columns (output channel, tap of the phase).
fn pack_backward_input(isa: Isa, shape: &Conv2dShape, w: &[f32], dst: &mut [f32]) {
    let (m, taps, outs) = (shape.group_in(), shape.kernel(), shape.group_out());
    let group = m * taps * outs;
    if group == 0 {
        return;
    }
    let phases = Phase::all(shape);
    for (w, mut dst) in w.chunks_exact(group).zip(dst.chunks_exact_mut(group)) {
        for phase in &phases {
            let (this, rest) = dst.split_at_mut(m * outs * phase.kernel.len());
            dst = rest;
            if let [tap] = phase.kernel[..] {
                let raw = Raw {
                    start: w[tap..].as_ptr(),
                    row_stride: taps,
                    col_stride: m * taps,
                };
                pack_all(
                    isa,
                    outs,
                    Some(Job {
                        raw,
                        range: 0..m,
                        dst: this,
                    }),
                    None,
                );
            } else {
                pack_phase(isa, w, m, taps, &phase.kernel, this);
            }
        }
    }
}

/// A phase of one group: for every output channel, the tile's input channels
/// by taps turned into taps by input channels.
fn pack_phase(isa: Isa, w: &[f32], m: usize, taps: usize, kernel: &[usize], dst: &mut [f32]) {
    if dst.is_empty() {
        return;
    }
    let (len, k) = (kernel.len(), dst.len() / m);
    let all = row_panels(isa, m);
    let dst = DisjointMut::new(dst);
    parallel_for(all, &|tile| {
        let rows = row_panel(all, m, tile);
        let height = rows.len();
        for block in 0..k_ranges(k) {
            let range = k_range(k, block);
            let start = range.start * m + rows.start * range.len();
            // SAFETY: panels do not overlap.
            let panel = unsafe { dst.slice(start..start + height * range.len()) };
            let mut at = range.start;
            while at < range.end {
                let (out, tap) = (at / len, at % len);
                let count = (len - tap).min(range.end - at);
                let from = &w[(out * m + rows.start) * taps..][..height * taps];
                let to = &mut panel[(at - range.start) * height..][..count * height];
                if len == taps {
                    // SAFETY: `height` rows of `taps`, of which `count` from
                    // `tap` on; `to` is as long as the result.
                    unsafe {
                        let from = from[tap..].as_ptr();
                        transpose(from, taps, to.as_mut_ptr(), height, height, count);
                    }
                } else {
                    for (tap, line) in kernel[tap..].iter().zip(to.chunks_exact_mut(height)) {
                        for (row, value) in line.iter_mut().enumerate() {
                            *value = from[row * taps + tap];
                        }
                    }
                }
                at += count;
            }
        }
    });
}
