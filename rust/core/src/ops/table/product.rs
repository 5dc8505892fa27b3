//! Products and convolutions.

use super::{Builder, sample};
use crate::ops::{inputs, matmul};

pub(super) fn entries(b: &mut Builder) {
    b.composed("matmul", sample(&[&[4, 8], &[8, 4]]), |name, xs, attrs| {
        matmul::Matmul::from_attrs(name, attrs)?;
        let [a, b] = inputs(name, xs)?;
        Ok(vec![matmul::matmul(&a, &b)?])
    });
}
