//! Quantised tensors.

use super::{Builder, NoParams, sample};
use crate::ops::composed::quantize::{self as q, Dequantize, Quantize};
use crate::ops::composed::quantized;
use crate::ops::conv2d::Conv2d;
use crate::ops::inputs;
use crate::{DType, Error, Result, Tensor};

/// `least` tensors, and as many more as are given, up to `N`.
fn some<'a, const N: usize>(
    name: &str,
    xs: &'a [Tensor],
    least: usize,
) -> Result<[Option<&'a Tensor>; N]> {
    if xs.len() < least || xs.len() > N {
        return Err(Error::argument(format!(
            "{name}: takes {least} to {N} tensors, got {}",
            xs.len()
        )));
    }
    Ok(std::array::from_fn(|i| xs.get(i)))
}

pub(super) fn entries(b: &mut Builder) {
    b.composed(
        "quantize_linear",
        sample(&[&[2, 3], &[]]).typed(1, DType::F32),
        |name, xs, attrs| {
            let [_, _, zero_point] = some(name, xs, 2)?;
            let form = Quantize::from_attrs(name, attrs)?;
            let y = q::quantize_linear(name, &xs[0], &xs[1], zero_point, &form)?;
            Ok(vec![y])
        },
    );
    b.composed(
        "dequantize_linear",
        sample(&[&[2, 3], &[]]).typed(1, DType::F32),
        |name, xs, attrs| {
            let [_, _, zero_point] = some(name, xs, 2)?;
            let form = Dequantize::from_attrs(name, attrs)?;
            let y = q::dequantize_linear(name, &xs[0], &xs[1], zero_point, &form)?;
            Ok(vec![y])
        },
    );
    b.composed(
        "dynamic_quantize_linear",
        sample(&[&[2, 3]]),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            q::dynamic_quantize_linear(name, &x)
        },
    );
    b.composed(
        "matmul_integer",
        sample(&[&[4, 8], &[8, 4]]),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [_, _, zeros @ ..]: [_; 4] = some(name, xs, 2)?;
            Ok(vec![quantized::matmul_integer(
                name, &xs[0], &xs[1], zeros,
            )?])
        },
    );
    let image: &[&[usize]] = &[&[1, 2, 5, 5], &[2, 2, 3, 3]];
    b.composed("conv2d_integer", sample(image), |name, xs, attrs| {
        let [_, _, zeros @ ..]: [_; 4] = some(name, xs, 2)?;
        let form = Conv2d::from_attrs(name, attrs)?;
        let y = quantized::conv2d_integer(name, &form, &xs[0], &xs[1], zeros, None)?;
        Ok(vec![y])
    });
    let scales = |mut shapes: crate::ops::Sample| {
        for scale in [1, 4, 6] {
            shapes = shapes.typed(scale, DType::F32);
        }
        shapes
    };
    let matrices: &[&[usize]] = &[&[4, 8], &[], &[], &[8, 4], &[], &[], &[], &[]];
    b.composed(
        "qlinear_matmul",
        scales(sample(matrices)),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero] = &inputs(name, xs)?;
            let (a, b) = ([a, a_scale, a_zero], [b, b_scale, b_zero]);
            Ok(vec![quantized::qlinear_matmul(
                name,
                a,
                b,
                [y_scale, y_zero],
            )?])
        },
    );
    let images: &[&[usize]] = &[&[1, 2, 5, 5], &[], &[], &[2, 2, 3, 3], &[], &[], &[], &[]];
    b.composed(
        "qlinear_conv2d",
        scales(sample(images)),
        |name, xs, attrs| {
            let [.., bias]: [_; 9] = some(name, xs, 8)?;
            let [x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, ..] = xs else {
                return Err(Error::internal("qlinear_conv2d: counted above"));
            };
            let form = Conv2d::from_attrs(name, attrs)?;
            let (x, w) = ([x, x_scale, x_zero], [w, w_scale, w_zero]);
            let y = quantized::qlinear_conv2d(name, &form, x, w, [y_scale, y_zero], bias)?;
            Ok(vec![y])
        },
    );
}
