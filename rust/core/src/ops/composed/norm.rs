//! Normalisation over a window of neighbouring channels.

use crate::op::{FLOATS, want_dtype};
use crate::ops::composed::{plus, scaled};
use crate::ops::{elementwise as e, inputs, views};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// The mean is over a window of `size` channels, `before` of them in front of its own: size / 2
    /// as PyTorch has it, (size - 1) / 2 as ONNX has it.
    pub struct LocalResponseNorm {
        size: usize,
        alpha: f64 = 1e-4,
        beta: f64 = 0.75,
        k: f64 = 1.0,
        before: Option<usize> = None,
    }
}

/// x / (k + alpha mean)^beta, with the mean of the squares of the `size` channels around, zeros
/// beyond the ends (Krizhevsky et al. 2012).
pub fn local_response_norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let form = LocalResponseNorm::from_attrs(name, attrs)?;
    want_dtype(name, "x", x.dtype(), FLOATS)?;
    let [batch, channels, rest @ ..] = x.shape() else {
        return Err(Error::shape(format!(
            "{name}: x has shape {:?}, wanted (batch, channels, ...)",
            x.shape()
        )));
    };
    if form.size == 0 || form.size > i32::MAX as usize {
        return Err(Error::argument(format!(
            "{name}: size={}, wanted 1 or more",
            form.size
        )));
    }
    let squares = e::unary(Func::Square, &x)?;
    let rest = rest.iter().product();
    let squares = views::reshape_to(&squares, &[*batch, 1, *channels, rest])?;
    let before = form.before.unwrap_or(form.size / 2);
    let Some(after) = (form.size - 1).checked_sub(before) else {
        return Err(Error::argument(format!(
            "{name}: before={before} leaves none of the {} channels for its own",
            form.size
        )));
    };
    let window = Attrs::new()
        .with("kernel_size", vec![form.size as i64, 1])
        .with("stride", vec![1i64, 1])
        .with("padding", vec![before as i64, 0, after as i64, 0])
        .with("count_include_pad", true);
    let mean = crate::ops::record("avg_pool2d", &[squares], &window)?;
    let mean = views::reshape_to(&mean[0], x.shape())?;
    let base = plus(&scaled(&mean, form.alpha)?, form.k)?;
    let power = e::pow_const(&base, form.beta)?;
    e::div(&x, &power)
}
