//! Products and losses.

use super::window::two_or_three;
use super::{Builder, NoParams, sample};
use crate::DType;
use crate::ops::{composed, inputs, matmul};

pub(super) fn entries(b: &mut Builder) {
    let products = sample(&[&[2, 3], &[3, 4]]).with("equation", "ij,jk->ik");
    b.composed("einsum", products, |name, xs, attrs| {
        Ok(vec![crate::ops::composed::einsum::einsum(name, xs, attrs)?])
    });
    b.composed("matmul", sample(&[&[4, 8], &[8, 4]]), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        let [a, b] = inputs(name, xs)?;
        Ok(vec![matmul::matmul(&a, &b)?])
    });
    b.composed(
        "linear",
        sample(&[&[4, 8], &[5, 8], &[5]]),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let (x, w, bias) = two_or_three(name, xs)?;
            Ok(vec![composed::linear(x, w, bias)?])
        },
    );
    b.composed("mse_loss", sample(&[&[4], &[4]]), |name, xs, attrs| {
        Ok(vec![composed::losses::mse_loss(name, xs, attrs)?])
    });
    b.composed(
        "cross_entropy",
        sample(&[&[4, 3], &[4]]).typed(1, DType::I64),
        |name, xs, attrs| Ok(vec![composed::losses::cross_entropy(name, xs, attrs)?]),
    );
}
