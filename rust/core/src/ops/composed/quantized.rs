//! Products of quantised operands: exact int32 sums of what the codes are from their zero points.

use super::quantize::{centred, requantize};
use crate::ops::conv2d::{self, Conv2d};
use crate::ops::{elementwise as e, matmul, views};
use crate::{DType, Error, Result, Tensor};

/// What belongs to the rows of a product's left operand (`of_rows`) or the columns of its right
/// one: one number, a vector, or an array of as many axes with 1 along the sum.
fn along(op: &str, what: &str, t: &Tensor, of: &Tensor, of_rows: bool) -> Result<Tensor> {
    if t.rank() == 0 || t.shape() == [1] {
        return views::reshape_to(t, &[]);
    }
    let shape = of.shape();
    let (summed, kept) = match shape.len() {
        0 | 1 => (0, None),
        rank if of_rows => (rank - 1, Some(rank - 2)),
        rank => (rank - 2, Some(rank - 1)),
    };
    let lines = kept.map(|axis| shape[axis]);
    if let [n] = *t.shape()
        && Some(n) == lines
    {
        return if of_rows {
            views::unsqueeze(t, &[-1])
        } else {
            Ok(t.clone())
        };
    }
    let fits = t.rank() == shape.len()
        && (t.shape().iter().zip(shape).enumerate())
            .all(|(axis, (&n, &full))| n == 1 || (axis != summed && n == full));
    if fits {
        return Ok(t.clone());
    }
    Err(Error::shape(format!(
        "{op}: {what} has shape {:?}; wanted one number{}, for an operand {shape:?}",
        t.shape(),
        lines.map_or_else(String::new, |n| format!(
            " or one for each of {n} {}",
            if of_rows { "rows" } else { "columns" }
        )),
    )))
}

/// (a - a's zero points) (b - b's), summed in int32.
pub fn matmul_integer(
    op: &str,
    a: &Tensor,
    b: &Tensor,
    zero_points: [Option<&Tensor>; 2],
) -> Result<Tensor> {
    let centre = |what: &str, x: &Tensor, zero: Option<&Tensor>, of_rows| {
        let name = format!("{what}_zero_point");
        let zero = zero.map(|z| along(op, &name, z, x, of_rows)).transpose()?;
        centred(op, what, x, zero.as_ref())
    };
    let [a_zero, b_zero] = zero_points;
    matmul::matmul_integer(
        &centre("a", a, a_zero, true)?,
        &centre("b", b, b_zero, false)?,
    )
}

/// An operand of a quantised product: codes, scale, zero point.
pub type Quantized<'a> = [&'a Tensor; 3];

/// The product of quantised matrices, quantised.  Narrow floats are multiplied in float32.
pub fn qlinear_matmul(
    op: &str,
    [a, a_scale, a_zero]: Quantized<'_>,
    [b, b_scale, b_zero]: Quantized<'_>,
    [y_scale, y_zero]: [&Tensor; 2],
) -> Result<Tensor> {
    let narrow = |t: &Tensor| matches!(t.dtype(), DType::Stored(s) if s.layout().is_some());
    let sums = if narrow(a) && narrow(b) {
        let wide = |what: &str, x: &Tensor, zero: &Tensor, of_rows| {
            let zero = along(op, what, zero, x, of_rows)?;
            e::sub(&e::cast(x, DType::F32)?, &e::cast(&zero, DType::F32)?)
        };
        matmul::matmul(
            &wide("a_zero_point", a, a_zero, true)?,
            &wide("b_zero_point", b, b_zero, false)?,
        )?
    } else {
        matmul_integer(op, a, b, [Some(a_zero), Some(b_zero)])?
    };
    let scales = [
        &along(op, "a_scale", a_scale, a, true)?,
        &along(op, "b_scale", b_scale, b, false)?,
        &along(op, "y_scale", y_scale, &sums, true)?,
    ];
    requantize(
        op,
        &sums,
        scales,
        &along(op, "y_zero_point", y_zero, &sums, true)?,
    )
}

/// One number, or one for each output channel of a weight: as [out, 1, 1, 1], or [out, 1, 1].
fn channels(op: &str, what: &str, t: &Tensor, w: &Tensor, rank: usize) -> Result<Tensor> {
    if t.rank() == 0 || t.shape() == [1] {
        return views::reshape_to(t, &[]);
    }
    let out = w.shape().first().copied().unwrap_or(0);
    if t.shape() != [out] {
        return Err(Error::shape(format!(
            "{op}: {what} has shape {:?}; wanted one number, or [{out}] for the output channels",
            t.shape()
        )));
    }
    let mut shape = vec![1; rank];
    shape[0] = out;
    views::reshape_to(t, &shape)
}

fn one(op: &str, what: &str, t: &Tensor) -> Result<Tensor> {
    if t.shape().iter().all(|&n| n == 1) {
        return views::reshape_to(t, &[]);
    }
    Err(Error::shape(format!(
        "{op}: {what} has shape {:?}; wanted one number",
        t.shape()
    )))
}

/// The convolution of (x - x's zero point) with (w - w's), summed in int32; x is padded with its
/// zero point, which stands for 0.
pub fn conv2d_integer(
    op: &str,
    form: &Conv2d,
    x: &Tensor,
    w: &Tensor,
    [x_zero, w_zero]: [Option<&Tensor>; 2],
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    if let Some(bias) = bias.filter(|b| b.dtype() != DType::I32) {
        return Err(Error::dtype(format!(
            "{op}: bias has dtype {}, wanted int32, in units of x_scale * w_scale",
            bias.dtype()
        )));
    }
    let x_zero = x_zero.map(|z| one(op, "x_zero_point", z)).transpose()?;
    let w_zero = w_zero
        .map(|z| channels(op, "weight_zero_point", z, w, 4))
        .transpose()?;
    conv2d::conv2d_integer(
        form,
        &centred(op, "x", x, x_zero.as_ref())?,
        &centred(op, "weight", w, w_zero.as_ref())?,
        bias,
    )
}

/// The convolution of quantised images, quantised.
pub fn qlinear_conv2d(
    op: &str,
    form: &Conv2d,
    [x, x_scale, x_zero]: Quantized<'_>,
    [w, w_scale, w_zero]: Quantized<'_>,
    [y_scale, y_zero]: [&Tensor; 2],
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let sums = conv2d_integer(op, form, x, w, [Some(x_zero), Some(w_zero)], bias)?;
    let scales = [
        &one(op, "x_scale", x_scale)?,
        &channels(op, "weight_scale", w_scale, w, 3)?,
        &one(op, "y_scale", y_scale)?,
    ];
    requantize(op, &sums, scales, &one(op, "y_zero_point", y_zero)?)
}
