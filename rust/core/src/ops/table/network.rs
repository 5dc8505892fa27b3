//! Pooling and normalisation.

use super::{Builder, NoParams, sample};
use crate::ops::pool2d::{self, avg, max};
use crate::ops::{batch_norm, inputs, layer_norm};
use lamina_kernels::reduce::Reduction;

pub(super) fn entries(b: &mut Builder) {
    let image = || sample(&[&[1, 2, 4, 4]]);
    let halves = || image().with("kernel_size", vec![2i64, 2]);
    b.op("max_pool2d", halves(), max::MaxPool2d::from_attrs);
    b.op(
        "max_pool2d_backward",
        sample(&[&[1, 2, 4, 4], &[1, 2, 2, 2]]).with("kernel_size", vec![2i64, 2]),
        max::MaxPool2dBackward::from_attrs,
    );
    b.op("avg_pool2d", halves(), avg::AvgPool2d::from_attrs);
    b.op(
        "avg_pool2d_backward",
        sample(&[&[1, 2, 2, 2]])
            .with("size", vec![4i64, 4])
            .with("kernel_size", vec![2i64, 2]),
        avg::AvgPool2dBackward::from_attrs,
    );
    for (name, kind) in [
        ("global_avg_pool2d", Reduction::Mean),
        ("global_max_pool2d", Reduction::Max),
    ] {
        b.composed(name, image(), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            Ok(vec![pool2d::global(name, kind, &x)?])
        });
    }
    b.composed(
        "batch_norm",
        sample(&[&[3, 2, 4], &[2], &[2]]).with("training", true),
        batch_norm::batch_norm,
    );
    b.op(
        "batch_norm_backward",
        sample(&[&[3, 2, 4], &[3, 2, 4], &[2], &[2], &[2]]),
        batch_norm::BatchNormBackward::from_attrs,
    );
    b.composed(
        "layer_norm",
        sample(&[&[3, 4], &[4], &[4]]).with("normalized_shape", vec![4i64]),
        layer_norm::layer_norm,
    );
    b.op(
        "layer_norm_backward",
        sample(&[&[3, 4], &[3, 4], &[4], &[3, 1], &[3, 1]]),
        layer_norm::LayerNormBackward::from_attrs,
    );
}
