//! Normalisation.

use super::{Builder, Sample, sample};
use crate::ops::composed::norm;
use crate::ops::{batch_norm, group_norm, layer_norm};
use crate::{Attrs, Result, Tensor};

type Formed = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;

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
    let channels = || sample(&[&[2, 4, 3], &[4], &[4]]);
    let formed: [(&str, Sample, Formed); 4] = [
        (
            "rms_norm",
            sample(&[&[3, 4], &[4]]).with("normalized_shape", vec![4i64]),
            layer_norm::rms_norm,
        ),
        (
            "group_norm",
            channels().with("num_groups", 2i64),
            group_norm::group_norm,
        ),
        ("instance_norm", channels(), group_norm::instance_norm),
        (
            "local_response_norm",
            sample(&[&[2, 4, 3]]).with("size", 3i64),
            norm::local_response_norm,
        ),
    ];
    for (name, sample, record) in formed {
        b.composed(name, sample, move |name, xs, attrs| {
            Ok(vec![record(name, xs, attrs)?])
        });
    }
    b.op(
        "group_norm_backward",
        sample(&[&[2, 4, 3], &[2, 4, 3], &[4], &[2, 2], &[2, 2]]),
        group_norm::GroupNormBackward::from_attrs,
    );
}
