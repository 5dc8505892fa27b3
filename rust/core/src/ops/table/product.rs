//! Products and convolutions.

use super::{Builder, NoParams, sample};
use crate::ops::{composed, conv2d, inputs, matmul};
use crate::{DType, Error, Result, Tensor, params};

params! {
    pub struct OutputPadding { output_padding: [usize; 2] = [0, 0] }
}

/// Two tensors, and a third if given.
fn two_or_three<'a>(
    name: &str,
    xs: &'a [Tensor],
) -> Result<(&'a Tensor, &'a Tensor, Option<&'a Tensor>)> {
    match xs {
        [a, b] => Ok((a, b, None)),
        [a, b, c] => Ok((a, b, Some(c))),
        _ => Err(Error::argument(format!(
            "{name}: takes x, weight and perhaps bias, got {} tensors",
            xs.len()
        ))),
    }
}

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
    let image: &[&[usize]] = &[&[1, 2, 5, 5], &[2, 2, 3, 3], &[2]];
    b.composed("conv2d", sample(image), |name, xs, attrs| {
        let (x, w, bias) = two_or_three(name, xs)?;
        Ok(vec![conv2d::conv2d(
            &conv2d::Conv2d::from_attrs(name, attrs)?,
            x,
            w,
            bias,
        )?])
    });
    b.composed("conv_transpose2d", sample(image), |name, xs, attrs| {
        let (x, w, bias) = two_or_three(name, xs)?;
        let (own, rest) = attrs.split(&["output_padding"]);
        let output_padding = OutputPadding::from_attrs(name, &own)?.output_padding;
        let form = conv2d::Conv2d::from_attrs(name, &rest)?;
        Ok(vec![conv2d::conv_transpose2d(
            &form,
            output_padding,
            x,
            w,
            bias,
        )?])
    });
    b.op(
        "conv2d_backward_input",
        sample(&[&[1, 2, 3, 3], &[2, 2, 3, 3]]).with("size", vec![5i64, 5]),
        conv2d::Conv2dBackwardInput::from_attrs,
    );
    b.op(
        "conv2d_backward_weight",
        sample(&[&[1, 2, 5, 5], &[1, 2, 3, 3]]).with("size", vec![3i64, 3]),
        conv2d::Conv2dBackwardWeight::from_attrs,
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
