//! Normalisation.

use super::{Builder, sample};
use crate::ops::{batch_norm, layer_norm};

pub(super) fn entries(b: &mut Builder) {
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
