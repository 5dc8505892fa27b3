//! y = x * w.

use super::depthwise;
use super::product::Product;
use super::shape::Conv2dShape;
use super::weight::{ConvWeight, for_forward};
use crate::isa::Isa;
use crate::matmul::Tail;

/// y[n, o, i, j] = sum over c, a, b of w[o, c, a, b] x[n, c, i * stride + a *
/// dilation - pad, ...], zero outside the image.
///
/// `tail` is called with final pieces of y.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn forward(
    isa: Isa,
    shape: &Conv2dShape,
    x: &[f32],
    w: ConvWeight<'_>,
    y: &mut [f32],
    tail: Option<Tail<'_>>,
) {
    shape.check(x.len(), w.len(), y.len());
    if y.is_empty() {
        return;
    }
    let mut scratch = None;
    let weight = for_forward(isa, shape, w, &mut scratch);
    if shape.is_depthwise() {
        depthwise::forward(isa, shape, x, weight, y, tail);
        return;
    }
    let product = Product {
        isa,
        batch: shape.batch,
        groups: shape.groups,
        m: shape.group_out(),
        channels: shape.group_in(),
        x,
        h: shape.in_h,
        w: shape.in_w,
        taps: &shape.taps(),
        grid: [shape.out_h(), shape.out_w()],
        step: shape.stride,
        weight,
    };
    product.run(y, tail);
}
