//! `grid_sample` written out: the twin by which its gradient by the grid has
//! gradients.  And grids of affine maps.

use super::make::numbers;
use crate::ops::elementwise as e;
use crate::ops::{gather, matmul, views};
use crate::{Error, Result, Tensor, params};
use lamina_kernels::Func;
use lamina_kernels::grid_sample::{Form, Mode, Padding};

/// a x + b.
fn line(x: &Tensor, a: f64, b: f64) -> Result<Tensor> {
    let scaled = e::mul(x, &e::number_like(x, a))?;
    e::add(&scaled, &e::number_like(x, b))
}

fn clip(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    let above = e::binary(Func::Maximum, x, &e::number_like(x, low))?;
    e::binary(Func::Minimum, &above, &e::number_like(x, high))
}

/// Places after padding, in an axis of `n`.
fn inside(form: Form, at: &Tensor, n: f64) -> Result<Tensor> {
    let (low, span) = if form.align_corners {
        (0.0, n - 1.0)
    } else {
        (-0.5, n)
    };
    match form.padding {
        Padding::Zeros => Ok(at.clone()),
        Padding::Border => clip(at, 0.0, n - 1.0),
        Padding::Reflection if span == 0.0 => line(at, 0.0, 0.0),
        Padding::Reflection => {
            let from = e::unary(Func::Abs, &line(at, 1.0, -low)?)?;
            let turns = e::unary(Func::Floor, &line(&from, 1.0 / span, 0.0)?)?;
            let pairs = e::unary(Func::Floor, &line(&turns, 0.5, 0.0)?)?;
            let odd = e::sub(&turns, &line(&pairs, 2.0, 0.0)?)?;
            let rest = e::sub(&from, &line(&turns, span, 0.0)?)?;
            // rest where it is even, span - rest where it is odd.
            let back = e::mul(&odd, &line(&rest, -2.0, span)?)?;
            let at = line(&e::add(&rest, &back)?, 1.0, low)?;
            clip(&at, 0.0, n - 1.0)
        }
    }
}

/// Places of each tap along an axis of `n`, and their weights.
fn taps(form: Form, coordinate: &Tensor, n: f64) -> Result<Vec<(Tensor, Tensor)>> {
    let span = if form.align_corners { n - 1.0 } else { n };
    let shift = if form.align_corners { 0.0 } else { 0.5 };
    let at = line(coordinate, span / 2.0, span / 2.0 - shift)?;
    if form.mode == Mode::Cubic {
        let low = e::unary(Func::Floor, &at)?;
        let t = e::sub(&at, &low)?;
        return (-1..3)
            .map(|tap| {
                let place = inside(form, &line(&low, 1.0, f64::from(tap))?, n)?;
                let distance = match tap {
                    -1 | 0 => line(&t, 1.0, f64::from(-tap))?,
                    _ => line(&t, -1.0, f64::from(tap))?,
                };
                let near = matches!(tap, 0 | 1);
                Ok((place, keys(&distance, near)?))
            })
            .collect();
    }
    let at = inside(form, &at, n)?;
    let low = e::unary(Func::Floor, &at)?;
    let t = e::sub(&at, &low)?;
    Ok(vec![
        (low.clone(), line(&t, -1.0, 1.0)?),
        (line(&low, 1.0, 1.0)?, t),
    ])
}

/// Keys' kernel with a = -0.75, within a distance of 1 or beyond.
fn keys(d: &Tensor, near: bool) -> Result<Tensor> {
    let horner = if near {
        [1.25, -2.25, 0.0, 1.0]
    } else {
        [-0.75, 3.75, -6.0, 3.0]
    };
    let mut sum = line(d, horner[0], horner[1])?;
    for c in &horner[2..] {
        sum = line(&e::mul(&sum, d)?, 1.0, *c)?;
    }
    Ok(sum)
}

/// As the op, but for coordinates that are NaN or far away.
pub fn grid_sample(x: &Tensor, grid: &Tensor, form: Form) -> Result<Tensor> {
    let &[batch, channels, ref axes @ ..] = x.shape() else {
        return Err(Error::internal(
            "grid_sample: images have at least two axes",
        ));
    };
    let rank = axes.len();
    let sizes = grid.shape()[1..=rank].to_vec();
    let positions: usize = sizes.iter().product();
    let flat = views::reshape_to(grid, &[batch, 1, positions, rank])?;
    let planes = views::reshape_to(x, &[batch, channels, axes.iter().product()])?;
    let each = [batch, channels, positions];
    // Row-major places so far, with weights and whether they are inside.
    let mut found: Vec<(Tensor, Tensor)> = Vec::new();
    for (axis, &size) in axes.iter().enumerate() {
        let n = size as f64;
        let coordinate = views::narrow(&flat, 3, rank - 1 - axis, rank - axis)?;
        let coordinate = views::reshape_to(&coordinate, &[batch, 1, positions])?;
        let mut next = Vec::new();
        for (place, weight) in taps(form, &coordinate, n)? {
            let above = e::compare(Func::Ge, &place, &e::number_like(&place, 0.0))?;
            let below = e::compare(Func::Le, &place, &e::number_like(&place, n - 1.0))?;
            let nothing = e::number_like(&weight, 0.0);
            let weight = e::select(&above, &weight, &nothing)?;
            let weight = e::select(&below, &weight, &nothing)?;
            let place = clip(&place, 0.0, n - 1.0)?;
            if found.is_empty() || axis == 0 {
                next.push((place, weight));
                continue;
            }
            for (row, product) in &found {
                next.push((
                    e::add(&line(row, n, 0.0)?, &place)?,
                    e::mul(product, &weight)?,
                ));
            }
        }
        found = next;
    }
    let mut sum: Option<Tensor> = None;
    for (place, weight) in &found {
        let index = e::cast(place, crate::DType::I64)?;
        let read = gather::gather(&planes, &views::expand(&index, &each)?, 2)?;
        let part = e::mul(&read, weight)?;
        sum = Some(match sum {
            None => part,
            Some(sum) => e::add(&sum, &part)?,
        });
    }
    let sum = sum.ok_or_else(|| Error::internal("grid_sample: no taps"))?;
    let out: Vec<usize> = [batch, channels].into_iter().chain(sizes).collect();
    views::reshape_to(&sum, &out)
}

params! {
    /// The images' size (batch, channels, axes).
    pub struct AffineGrid {
        size: Vec<usize>,
        align_corners: bool = false,
    }
}

/// Element `i` of `n` from -1 to 1: centres of elements, which begin and end
/// there (`align_corners`) or half an element inside.
fn position(i: usize, n: usize, align_corners: bool) -> f64 {
    match (align_corners, n) {
        (true, 0 | 1) => 0.0,
        (true, _) => 2.0 * i as f64 / (n - 1) as f64 - 1.0,
        (false, _) => (2 * i + 1) as f64 / n as f64 - 1.0,
    }
}

/// theta (batch, axes, axes + 1) on each position (x, y, .., 1).
pub fn affine_grid(name: &str, theta: &Tensor, form: &AffineGrid) -> Result<Tensor> {
    let size = &form.size;
    let axes = size.len().saturating_sub(2);
    if !matches!(axes, 2 | 3) {
        return Err(Error::argument(format!(
            "{name}: size={size:?}, wanted (batch, channels, height, width) or (batch, channels, depth, height, width)"
        )));
    }
    if theta.shape() != [size[0], axes, axes + 1] {
        return Err(Error::shape(format!(
            "{name}: theta has shape {:?}, wanted {:?} for size={size:?}",
            theta.shape(),
            [size[0], axes, axes + 1]
        )));
    }
    crate::op::want_dtype(name, "theta", theta.dtype(), crate::op::FLOATS)?;
    let sizes = &size[2..];
    let count = crate::layout::checked_len(&[axes + 1, crate::layout::checked_len(sizes)?])
        .map_err(|error| error.within(name))?;
    crate::memory::check_budget(count.saturating_mul(8))?;
    let count = count / (axes + 1);
    // A row for each coordinate, the last axis' first, and ones.
    let mut places = Vec::with_capacity(count * (axes + 1));
    for axis in (0..axes).rev() {
        let inner: usize = sizes[axis + 1..].iter().product();
        places.extend(
            (0..count).map(|i| position(i / inner % sizes[axis], sizes[axis], form.align_corners)),
        );
    }
    places.resize(count * (axes + 1), 1.0);
    let places = numbers(theta.dtype(), &[axes + 1, count], &places, theta.device())?;
    let grid = views::transpose_last(&matmul::matmul(theta, &places)?)?;
    let shape: Vec<usize> = [size[0]]
        .into_iter()
        .chain(sizes.iter().copied())
        .chain([axes])
        .collect();
    views::reshape_to(&grid, &shape)
}
