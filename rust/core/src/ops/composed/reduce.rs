//! Reductions that are short formulas of others.

use crate::layout::resolve_axes;
use crate::op::{FLOATS, want_dtype};
use crate::ops::reduce::{Axes, reduce_as_is, sum};
use crate::ops::{elementwise as e, inputs, views};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Func;
use lamina_kernels::reduce::Reduction as Kind;

params! {
    /// Divided by the count less `correction` (1: Bessel's).
    pub struct Variance { dim: Option<Vec<i64>> = None, correction: f64 = 1.0, keepdim: bool = false }
}

params! {
    pub struct Norm { ord: f64 = 2.0, dim: Option<Vec<i64>> = None, keepdim: bool = false }
}

/// The only input, which must be of floats; halves are widened, since squares and exponentials
/// are summed, and the dtype of the result.
fn wide(name: &str, xs: &[Tensor]) -> Result<(Tensor, DType)> {
    let [x] = inputs(name, xs)?;
    want_dtype(name, "x", x.dtype(), FLOATS)?;
    let own = x.dtype();
    let wide = if own == DType::F64 { own } else { DType::F32 };
    Ok((e::cast(&x, wide)?, own))
}

fn extreme(kind: Kind, x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let axes = Axes {
        dim: Some(axes.iter().map(|&a| a as i64).collect()),
        keepdim: true,
    };
    reduce_as_is(kind, x, axes)
}

/// With the reduced axes gone, unless they are kept, in the dtype asked for.
fn finished(y: &Tensor, axes: &[usize], keepdim: bool, dtype: DType) -> Result<Tensor> {
    let left = (0..y.rank()).filter(|i| keepdim || !axes.contains(i));
    let shape: Vec<usize> = left.map(|i| y.shape()[i]).collect();
    e::cast(&views::reshape_to(y, &shape)?, dtype)
}

/// `var` or `std`: in two passes, so that a large mean drowns nothing.
pub fn variance(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (x, dtype) = wide(name, xs)?;
    let form = Variance::from_attrs(name, attrs)?;
    let axes = resolve_axes(name, form.dim.as_deref(), x.rank())?;
    let count: usize = axes.iter().map(|&a| x.shape()[a]).product();
    let mean = e::mul(
        &sum(&x, &axes, true)?,
        &e::number_like(&x, 1.0 / count as f64),
    )?;
    let squares = e::unary(Func::Square, &e::sub(&x, &mean)?)?;
    let share = 1.0 / (count as f64 - form.correction).max(0.0);
    let mut y = e::mul(&sum(&squares, &axes, true)?, &e::number_like(&x, share))?;
    if name == "std" {
        y = root(&y, 2.0)?;
    }
    finished(&y, &axes, form.keepdim, dtype)
}

/// x^(1 / ord), with gradient 0 at 0.
pub(super) fn root(x: &Tensor, ord: f64) -> Result<Tensor> {
    if ord == 1.0 {
        return Ok(x.clone());
    }
    let zero = e::number_like(x, 0.0);
    let nothing = e::compare(Func::Eq, x, &zero)?;
    let safe = e::select(&nothing, &e::number_like(x, 1.0), x)?;
    e::select(&nothing, &zero, &e::pow_const(&safe, 1.0 / ord)?)
}

/// |x|^ord
pub(super) fn power(x: &Tensor, ord: f64) -> Result<Tensor> {
    match ord {
        1.0 => e::unary(Func::Abs, x),
        2.0 => e::unary(Func::Square, x),
        _ => e::pow_const(&e::unary(Func::Abs, x)?, ord),
    }
}

/// m + ln(sum e^(x - m)), m the largest where that is finite.
pub fn logsumexp(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (x, dtype) = wide(name, xs)?;
    let form = Axes::from_attrs(name, attrs)?;
    let axes = resolve_axes(name, form.dim.as_deref(), x.rank())?;
    if axes.iter().any(|&a| x.shape()[a] == 0) {
        let y = e::unary(Func::Log, &sum(&x, &axes, true)?)?;
        return finished(&y, &axes, form.keepdim, dtype);
    }
    let top = extreme(Kind::Max, &x.detach()?, &axes)?;
    let bound = e::number_like(&top, f64::INFINITY);
    let finite = e::compare(Func::Lt, &e::unary(Func::Abs, &top)?, &bound)?;
    let top = e::select(&finite, &top, &e::number_like(&top, 0.0))?;
    let total = sum(&e::unary(Func::Exp, &e::sub(&x, &top)?)?, &axes, true)?;
    let y = e::add(&e::unary(Func::Log, &total)?, &top)?;
    finished(&y, &axes, form.keepdim, dtype)
}

/// (sum |x|^ord)^(1 / ord); the largest |x| for infinity, how many are not 0 for 0.
pub fn norm(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let (x, dtype) = wide(name, xs)?;
    let form = Norm::from_attrs(name, attrs)?;
    let axes = resolve_axes(name, form.dim.as_deref(), x.rank())?;
    let size = e::unary(Func::Abs, &x)?;
    let y = match form.ord {
        0.0 => {
            let some = e::compare(Func::Ne, &size, &e::number_like(&x, 0.0))?;
            sum(&e::cast(&some, x.dtype())?, &axes, true)?
        }
        f64::INFINITY => extreme(Kind::Max, &size, &axes)?,
        f64::NEG_INFINITY => extreme(Kind::Min, &size, &axes)?,
        ord if ord > 0.0 => root(&sum(&power(&x, ord)?, &axes, true)?, ord)?,
        ord => {
            return Err(Error::argument(format!(
                "{name}: ord is {ord}, wanted 0 or more, or minus infinity"
            )));
        }
    };
    finished(&y, &axes, form.keepdim, dtype)
}
