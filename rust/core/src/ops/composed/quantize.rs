//! Quantisation: real numbers as integers (or narrow floats) with a scale and a zero point,
//! x = (q - zero point) * scale, as ONNX defines it.

use crate::layout::resolve_axis;
use crate::op::{FLOATS, want_dtype};
use crate::ops::reduce::{Axes, reduce};
use crate::ops::{elementwise as e, stored, views};
use crate::{DType, Error, Result, Tensor, params};
use lamina_kernels::reduce::Reduction as Kind;
use lamina_kernels::stored::Round;
use lamina_kernels::{Func, Stored};

params! {
    /// `dtype` is the result's; `precision` that of the division.
    pub struct Quantize {
        axis: i64 = 1,
        block_size: usize = 0,
        dtype: Option<DType> = None,
        saturate: bool = true,
        precision: Option<DType> = None,
    }
}

params! {
    pub struct Dequantize {
        axis: i64 = 1,
        block_size: usize = 0,
        dtype: Option<DType> = None,
    }
}

/// A scale or zero point, in the shape that broadcasts over x.
fn spread(
    op: &str,
    what: &str,
    given: &Tensor,
    x: &[usize],
    axis: i64,
    block_size: usize,
) -> Result<Tensor> {
    if given.rank() == 0 || (block_size == 0 && given.shape() == [1]) {
        return views::reshape_to(given, &[]);
    }
    let axis = resolve_axis(op, axis, x.len())?;
    if block_size > 0 {
        return blocks(op, what, given, x, axis, block_size);
    }
    if given.shape() != [x[axis]] {
        return Err(Error::shape(format!(
            "{op}: {what} has shape {:?}, x {x:?}; wanted one number, or [{}] along axis {axis}, or a block_size",
            given.shape(),
            x[axis]
        )));
    }
    let mut shape = vec![1; x.len() - axis];
    shape[0] = x[axis];
    views::reshape_to(given, &shape)
}

/// Each number `size` times along the axis, of which the last block may be shorter.
fn blocks(
    op: &str,
    what: &str,
    given: &Tensor,
    x: &[usize],
    axis: usize,
    size: usize,
) -> Result<Tensor> {
    let mut wanted = x.to_vec();
    wanted[axis] = x[axis].div_ceil(size);
    if given.shape() != wanted {
        return Err(Error::shape(format!(
            "{op}: {what} has shape {:?}, x {x:?}; blocks of {size} along axis {axis} want {wanted:?}",
            given.shape()
        )));
    }
    // A block is never longer than the axis: nothing is made that is not used.
    let size = size.min(x[axis]).max(1);
    let mut apart = wanted.clone();
    apart.insert(axis + 1, 1);
    let mut grown = apart.clone();
    grown[axis + 1] = size;
    let mut whole = wanted.clone();
    whole[axis] *= size;
    let spread = views::expand(&views::reshape_to(given, &apart)?, &grown)?;
    views::narrow(&views::reshape_to(&spread, &whole)?, axis, 0, x[axis])
}

/// The least and largest code of a quantised integer; None for narrow floats.
fn range(op: &str, dtype: DType) -> Result<Option<(f64, f64)>> {
    let bits = match dtype {
        DType::U8 | DType::I8 => 8,
        DType::U16 | DType::I16 => 16,
        DType::Stored(s) if s.layout().is_some() => return Ok(None),
        DType::Stored(s) if s != Stored::F8E8M0 => s.bits(),
        other => {
            return Err(Error::unsupported(format!(
                "{op}: nothing is quantised as {other}; supported: int8, uint8, int16, uint16, int4, uint4, int2, uint2, float8 but for e8m0, float4_e2m1fn"
            )));
        }
    };
    let signed = matches!(
        dtype,
        DType::I8 | DType::I16 | DType::Stored(Stored::I4 | Stored::I2)
    );
    let codes = f64::from(1 << bits);
    let least = if signed { -codes / 2.0 } else { 0.0 };
    Ok(Some((least, least + codes - 1.0)))
}

/// The codes of `ratio`, which is in units of the scale: rounded to the nearest, halves to even,
/// moved by the zero point and cut to the dtype's range.
fn codes(
    op: &str,
    ratio: &Tensor,
    zero_point: Option<&Tensor>,
    dtype: DType,
    saturate: bool,
) -> Result<Tensor> {
    let range = range(op, dtype)?;
    let mut y = if range.is_some() {
        e::unary(Func::Round, ratio)?
    } else {
        ratio.clone()
    };
    if let Some(zero_point) = zero_point {
        y = e::add(&y, &e::cast(zero_point, y.dtype())?)?;
    }
    if let Some((lo, hi)) = range {
        y = e::unary(Func::Clip { lo, hi }, &y)?;
    }
    match dtype {
        DType::Stored(to) => stored::encode(&y, to, saturate, Round::Up),
        _ => e::cast(&y, dtype),
    }
}

/// In what a quotient or product of this precision is computed.
fn wide(precision: DType) -> DType {
    if precision == DType::F64 {
        precision
    } else {
        DType::F32
    }
}

fn same_dtype(op: &str, what: &str, got: DType, wanted: DType) -> Result<()> {
    if got == wanted {
        return Ok(());
    }
    Err(Error::dtype(format!(
        "{op}: {what} has dtype {got}, wanted {wanted}; cast it first"
    )))
}

/// saturate(round(x / scale) + zero point).
pub fn quantize_linear(
    op: &str,
    x: &Tensor,
    scale: &Tensor,
    zero_point: Option<&Tensor>,
    form: &Quantize,
) -> Result<Tensor> {
    let computed = [FLOATS, &[DType::I32]].concat();
    want_dtype(op, "x", x.dtype(), &computed)?;
    let scales = [&computed[..], &[DType::Stored(Stored::F8E8M0)]].concat();
    want_dtype(op, "scale", scale.dtype(), &scales)?;
    let dtype = match (form.dtype, zero_point) {
        (Some(dtype), Some(z)) => {
            same_dtype(op, "zero_point", z.dtype(), dtype)?;
            dtype
        }
        (Some(dtype), None) => dtype,
        (None, Some(z)) => z.dtype(),
        (None, None) => DType::U8,
    };
    let own = Some(scale.dtype()).filter(|d| d.is_float());
    let precision = form.precision.or(own).unwrap_or(DType::F32);
    want_dtype(op, "precision", precision, FLOATS)?;
    let place = |what, t| spread(op, what, t, x.shape(), form.axis, form.block_size);
    let narrow = |t: &Tensor| e::cast(&e::cast(t, precision)?, wide(precision));
    let scale = place("scale", scale)?;
    let zero_point = zero_point.map(|z| place("zero_point", z)).transpose()?;
    // Rounded as a quotient of that precision is: halves depend on it.
    let ratio = narrow(&e::div(&narrow(x)?, &narrow(&scale)?)?)?;
    codes(op, &ratio, zero_point.as_ref(), dtype, form.saturate)
}

/// (x - zero point) * scale.
pub fn dequantize_linear(
    op: &str,
    x: &Tensor,
    scale: &Tensor,
    zero_point: Option<&Tensor>,
    form: &Dequantize,
) -> Result<Tensor> {
    if x.dtype() != DType::I32 {
        range(op, x.dtype())?;
    }
    let scales = [FLOATS, &[DType::Stored(Stored::F8E8M0)]].concat();
    want_dtype(op, "scale", scale.dtype(), &scales)?;
    let own = Some(scale.dtype()).filter(|d| d.is_float());
    let dtype = form.dtype.or(own).unwrap_or(DType::F32);
    want_dtype(op, "dtype", dtype, FLOATS)?;
    let place = |what, t| spread(op, what, t, x.shape(), form.axis, form.block_size);
    let wide = wide(dtype);
    let mut numbers = x.clone();
    if let Some(zero_point) = zero_point {
        same_dtype(op, "zero_point", zero_point.dtype(), x.dtype())?;
        let zero_point = place("zero_point", zero_point)?;
        // int32 is wider than a float32's mantissa: there the difference is one of integers.
        let between = if x.dtype() == DType::I32 {
            DType::I32
        } else {
            wide
        };
        numbers = e::sub(&e::cast(x, between)?, &e::cast(&zero_point, between)?)?;
    }
    let scale = e::cast(&place("scale", scale)?, wide)?;
    e::cast(&e::mul(&e::cast(&numbers, wide)?, &scale)?, dtype)
}

/// uint8 codes over the range of x and 0, with the scale and the zero point that they got.
pub fn dynamic_quantize_linear(op: &str, x: &Tensor) -> Result<Vec<Tensor>> {
    want_dtype(op, "x", x.dtype(), &[DType::F32])?;
    let x = &x.detach()?;
    let zero = e::number_like(x, 0.0);
    let whole = || Axes {
        dim: None,
        keepdim: false,
    };
    let low = e::binary(Func::Minimum, &reduce(Kind::Min, x, whole())?, &zero)?;
    let high = e::binary(Func::Maximum, &reduce(Kind::Max, x, whole())?, &zero)?;
    let span = e::div(&e::sub(&high, &low)?, &e::number_like(x, 255.0))?;
    // Of zeros alone any scale will do.
    let none = e::compare(Func::Eq, &span, &zero)?;
    let scale = e::select(&none, &e::number_like(x, 1.0), &span)?;
    let zero_point = codes(op, &e::neg(&e::div(&low, &scale)?)?, None, DType::U8, true)?;
    let y = codes(op, &e::div(x, &scale)?, Some(&zero_point), DType::U8, true)?;
    Ok(vec![y, scale, zero_point])
}

/// A quantised operand less its zero point, in int16, which holds the difference.
pub fn centred(op: &str, what: &str, x: &Tensor, zero_point: Option<&Tensor>) -> Result<Tensor> {
    want_dtype(op, what, x.dtype(), &[DType::I8, DType::U8])?;
    let wide = e::cast(x, DType::I16)?;
    let Some(zero_point) = zero_point else {
        return Ok(wide);
    };
    let zero = format!("{what}_zero_point");
    same_dtype(op, &zero, zero_point.dtype(), x.dtype())?;
    e::sub(&wide, &e::cast(zero_point, DType::I16)?)
}

/// Scale times scale over scale, and the zero point: the codes of an int32 (or float) product.
pub fn requantize(
    op: &str,
    sums: &Tensor,
    [left, right, out]: [&Tensor; 3],
    zero_point: &Tensor,
) -> Result<Tensor> {
    for (what, scale) in [("a_scale", left), ("b_scale", right), ("y_scale", out)] {
        want_dtype(op, what, scale.dtype(), FLOATS)?;
    }
    // Where the sums are: a number of the CPU would make its quotient there.
    let wide = |t: &Tensor| e::cast(&t.to_device(sums.device())?, DType::F32);
    let factor = e::div(&e::mul(&wide(left)?, &wide(right)?)?, &wide(out)?)?;
    let ratio = e::mul(&wide(sums)?, &factor)?;
    codes(op, &ratio, Some(zero_point), zero_point.dtype(), true)
}
