//! Other looks at the same elements, and their copy.

use super::{Builder, sample};
use crate::ops::{copy, views};

pub(super) fn entries(b: &mut Builder) {
    let x = || sample(&[&[2, 3, 4]]);
    b.op(
        "reshape",
        x().with("shape", vec![6i64, 4]),
        views::Reshape::from_attrs,
    );
    b.op("flatten", x(), views::Flatten::from_attrs);
    b.op("permute", x(), views::Permute::from_attrs);
    b.op(
        "expand",
        x().with("shape", vec![5i64, 2, 3, 4]),
        views::Expand::from_attrs,
    );
    b.op(
        "slice",
        x().with("starts", vec![1i64]).with("ends", vec![2i64]),
        views::Slice::from_attrs,
    );
    b.op("squeeze", sample(&[&[2, 1, 4]]), views::Squeeze::from_attrs);
    b.op(
        "unsqueeze",
        x().with("dim", vec![0i64]),
        views::Unsqueeze::from_attrs,
    );
    b.op("detach", x(), views::Detach::from_attrs);
    b.op("copy", sample(&[&[4, 4]]), copy::Copy::from_attrs);
}
