//! Steps of optimizers.

use super::{Builder, sample};
use crate::ops::optimizer::{AdamStep, SgdStep};

pub(super) fn entries(b: &mut Builder) {
    let adam: &[&[usize]] = &[&[4], &[4], &[4], &[4], &[], &[], &[], &[], &[], &[]];
    b.op("adam_step", sample(adam), AdamStep::from_attrs);
    b.op("sgd_step", sample(&[&[4], &[4], &[]]), SgdStep::from_attrs);
}
