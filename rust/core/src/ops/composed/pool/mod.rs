//! Pooling over any number of axes, by pooling over two: the largest and the
//! mean of a window are those of its axes, one after the other.

mod adaptive;
mod unpool;

pub use adaptive::{Adaptive, adaptive_avg_pool, adaptive_max_pool};
pub use unpool::{MaxUnpool, max_unpool};

use super::conv::{check_images, images, lift, lower};
use super::make::numbers;
use super::reduce::{power, root};
use crate::node::{record_one, record_op};
use crate::op::{FLOATS, OpRef, want_dtype};
use crate::ops::elementwise as e;
use crate::ops::gather::gather;
use crate::ops::iota::iota;
use crate::ops::padding::{Padding, Window, Windows};
use crate::ops::pool2d::{avg::AvgPool2d, max::MaxPool2d};
use crate::ops::views;
use crate::{DType, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// An entry for each axis or one for all; `stride` is `kernel_size` when None.
    pub struct MaxPool {
        kernel_size: Vec<usize>,
        stride: Option<Vec<usize>> = None,
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        dilation: Vec<usize> = vec![1],
        ceil_mode: bool = false,
        return_indices: bool = false,
    }
}

params! {
    /// As of [`MaxPool`].  The divisor counts the elements inside the image, or
    /// with `count_include_pad` inside the padded one, or is `divisor_override`.
    pub struct AvgPool {
        kernel_size: Vec<usize>,
        stride: Option<Vec<usize>> = None,
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        dilation: Vec<usize> = vec![1],
        ceil_mode: bool = false,
        count_include_pad: bool = true,
        divisor_override: Option<f64> = None,
    }
}

params! {
    /// As of [`MaxPool`].
    pub struct LpPool {
        norm_type: f64,
        kernel_size: Vec<usize>,
        stride: Option<Vec<usize>> = None,
        padding: Padding<Vec<i64>> = Padding::Explicit(vec![0]),
        dilation: Vec<usize> = vec![1],
        ceil_mode: bool = false,
    }
}

/// The checked window of a form with these fields, on `rank` axes of images `x`.
macro_rules! windows {
    ($op:expr, $rank:expr, $form:expr, $x:expr) => {{
        check_images($op, $rank, $x)?;
        let stride = $form.stride.as_ref().unwrap_or(&$form.kernel_size);
        let forms: [&[usize]; 3] = [&$form.kernel_size, stride, &$form.dilation];
        let windows = Windows::new($op, forms, &$form.padding, $form.ceil_mode, $rank)?;
        windows.out_size($op, &$x.shape()[2..])?;
        windows
    }};
}

/// A pooling over one or two axes, and how an image lies for it.
struct Pass {
    window: Window,
    /// Batch, channels with the axes in front, and two axes.
    view: [usize; 4],
    /// The image's sizes after it.
    out: Vec<usize>,
    /// Its first axis.
    axis: usize,
}

/// The last two axes first, then those in front of them, one by one.
fn passes(op: &str, windows: &Windows, x: &[usize]) -> Result<Vec<Pass>> {
    let rank = windows.axes.len();
    let after = windows.out_size(op, &x[2..])?;
    let last = rank.saturating_sub(2);
    let mut sizes = x.to_vec();
    let mut passes = Vec::with_capacity(last + 1);
    for axis in (0..=last).rev() {
        let (at, both) = (axis + 2, axis == last && rank > 1);
        let over = match (rank, both) {
            (1, _) => [None, Some(0)],
            (_, true) => [Some(axis), Some(axis + 1)],
            _ => [Some(axis), None],
        };
        let inner: usize = sizes[at + 1..].iter().product();
        let lengths = if rank == 1 {
            [1, sizes[at]]
        } else {
            [sizes[at], inner]
        };
        let channels = sizes[1..at].iter().product();
        let view = [sizes[0], channels, lengths[0], lengths[1]];
        let pooled = axis..axis + 1 + usize::from(both);
        sizes[2..][pooled.clone()].copy_from_slice(&after[pooled]);
        passes.push(Pass {
            window: windows.over(op, over)?,
            view,
            out: sizes.clone(),
            axis,
        });
    }
    Ok(passes)
}

impl Pass {
    fn enter(&self, x: &Tensor) -> Result<Tensor> {
        match x.rank() {
            3 => lift(x, 1),
            4 => Ok(x.clone()),
            _ => images(x, self.view[0], &self.view[1..]),
        }
    }

    fn leave(&self, y: &Tensor) -> Result<Tensor> {
        match self.out.len() {
            3 => lower(y, 1),
            4 => Ok(y.clone()),
            _ => images(y, self.out[0], &self.out[1..]),
        }
    }
}

fn max_op(window: &Window, return_indices: bool) -> OpRef {
    OpRef::new(MaxPool2d {
        kernel_size: window.kernel,
        stride: Some(window.stride),
        padding: window.padding.clone(),
        dilation: window.dilation,
        ceil_mode: window.ceil_mode,
        return_indices,
    })
}

/// Over `rank` axes; the second result, if asked for, is the place of each
/// largest in its image (without batch and channel), as int64: the first of
/// equals, -1 for a window in the padding alone.
pub fn max_pool(op: &str, rank: usize, form: &MaxPool, x: &Tensor) -> Result<Vec<Tensor>> {
    let windows = windows!(op, rank, form, x);
    let (mut y, mut found) = (x.clone(), None);
    for pass in passes(op, &windows, x.shape())? {
        let made = record_op(
            &max_op(&pass.window, form.return_indices),
            &[pass.enter(&y)?],
        )?;
        if let [_, places] = &made[..] {
            let places = match found {
                None => pass.leave(places)?,
                Some(inner) => pass.leave(&outer_places(&pass, x.shape(), &inner, places)?)?,
            };
            found = Some(places);
        }
        y = pass.leave(&made[0])?;
    }
    Ok(std::iter::once(y).chain(found).collect())
}

/// Places in the image from those that a pass gives in its view: which of the
/// places found before it, `inner`, is the first of the largest.
fn outer_places(pass: &Pass, x: &[usize], inner: &Tensor, places: &Tensor) -> Result<Tensor> {
    let [batch, channels, length, inside] = pass.view;
    let inner = images(inner, batch, &pass.view[1..])?;
    let apart: usize = x[pass.axis + 3..].iter().product();
    let steps = iota(length, DType::I64, inner.device())?;
    let steps = e::mul(&steps, &e::number_like(&steps, apart as f64))?;
    let steps = views::reshape_to(&steps, &[length, 1])?;
    let zero = e::number_like(&inner, 0.0);
    let none = e::number_like(&inner, -1.0);
    let known = e::compare(Func::Ge, &inner, &zero)?;
    let inner = e::select(&known, &e::add(&inner, &steps)?, &none)?;
    let flat = images(&inner, batch, &[channels, length * inside])?;
    let seen: usize = places.shape()[2..].iter().product();
    let rows = images(places, batch, &[channels, seen])?;
    let known = e::compare(Func::Ge, &rows, &zero)?;
    let picked = gather(&flat, &e::select(&known, &rows, &zero)?, 2)?;
    views::reshape_to(&e::select(&known, &picked, &none)?, places.shape())
}

fn average(op: &str, windows: &Windows, include_pad: bool, x: &Tensor) -> Result<Tensor> {
    let mut y = x.clone();
    for pass in passes(op, windows, x.shape())? {
        let window = &pass.window;
        let form = AvgPool2d {
            kernel_size: window.kernel,
            stride: Some(window.stride),
            padding: window.padding.clone(),
            dilation: window.dilation,
            ceil_mode: window.ceil_mode,
            count_include_pad: include_pad,
        };
        y = pass.leave(&record_one(&OpRef::new(form), &[pass.enter(&y)?])?)?;
    }
    Ok(y)
}

/// The sum of each window: its mean, times how many elements that counts.
fn window_sum(op: &str, windows: &Windows, x: &Tensor) -> Result<Tensor> {
    let size = &x.shape()[2..];
    let (pads, out) = (windows.pads(op, size)?, windows.out_size(op, size)?);
    let mut y = average(op, windows, true, x)?;
    let mut whole = 1;
    for (i, axis) in windows.axes.iter().enumerate() {
        let padded = pads[i].0 + size[i] + pads[i].1;
        let inside = |o: usize| (padded - o * axis.stride).div_ceil(axis.dilation);
        let counts: Vec<usize> = (0..out[i]).map(|o| inside(o).min(axis.kernel)).collect();
        if counts.iter().all(|&n| n == axis.kernel) {
            whole *= axis.kernel;
            continue;
        }
        let mut shape = vec![1; x.rank()];
        shape[i + 2] = out[i];
        let counts: Vec<f64> = counts.into_iter().map(|n| n as f64).collect();
        y = e::mul(&y, &numbers(x.dtype(), &shape, &counts, x.device())?)?;
    }
    e::mul(&y, &e::number_like(&y, whole as f64))
}

pub fn avg_pool(op: &str, rank: usize, form: &AvgPool, x: &Tensor) -> Result<Tensor> {
    let windows = windows!(op, rank, form, x);
    match form.divisor_override {
        None => average(op, &windows, form.count_include_pad, x),
        Some(0.0) => Err(Error::argument(format!(
            "{op}: divisor_override=0, wanted another number, or None for how many elements a window has"
        ))),
        Some(divisor) => {
            let sum = window_sum(op, &windows, x)?;
            e::mul(&sum, &e::number_like(&sum, 1.0 / divisor))
        }
    }
}

/// (sum |x|^p)^(1 / p) over each window's elements inside the image; in
/// float32 at least, since powers are summed.
pub fn lp_pool(op: &str, rank: usize, form: &LpPool, x: &Tensor) -> Result<Tensor> {
    let windows = windows!(op, rank, form, x);
    let p = norm_type(op, form.norm_type)?;
    let wide = widened(op, x)?;
    let sum = window_sum(op, &windows, &power(&wide, p)?)?;
    e::cast(&root(&sum, p)?, x.dtype())
}

fn norm_type(op: &str, p: f64) -> Result<f64> {
    if p > 0.0 && p.is_finite() {
        return Ok(p);
    }
    Err(Error::argument(format!(
        "{op}: norm_type={p}, wanted a finite number above 0; max_pool is what infinity comes to"
    )))
}

/// Halves as float32.
fn widened(op: &str, x: &Tensor) -> Result<Tensor> {
    want_dtype(op, "x", x.dtype(), FLOATS)?;
    let wide = match x.dtype() {
        DType::F64 => DType::F64,
        _ => DType::F32,
    };
    e::cast(x, wide)
}
