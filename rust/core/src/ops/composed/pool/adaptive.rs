//! Pooling to an output of a given size: window i of n reaches from
//! floor(i size / n) to ceil((i + 1) size / n), as PyTorch has it.

use super::{AvgPool, MaxPool, avg_pool, max_pool, widened};
use crate::memory::check_budget;
use crate::ops::composed::conv::check_images;
use crate::ops::composed::make::numbers;
use crate::ops::gather::take;
use crate::ops::matmul::matmul;
use crate::ops::padding::{Padding, each};
use crate::ops::reduce::{Axes, reduce_as_is};
use crate::ops::{elementwise as e, views};
use crate::{DType, Error, Result, Tensor, params};
use lamina_kernels::reduce::Reduction;
use std::ops::Range;

params! {
    /// An entry for each axis or one for all; -1 leaves an axis as it is.
    pub struct Adaptive { output_size: Vec<i64>, return_indices: bool = false }
}

/// One axis.
#[derive(Clone, Copy)]
struct Target {
    size: usize,
    out: usize,
}

impl Target {
    fn window(self, i: usize) -> Range<usize> {
        i * self.size / self.out..((i + 1) * self.size).div_ceil(self.out)
    }

    /// Whether its windows are alike and lie side by side.
    fn is_even(self) -> bool {
        self.size.is_multiple_of(self.out)
    }

    /// Of its largest window.
    fn longest(self) -> usize {
        (0..self.out)
            .map(|i| self.window(i).len())
            .max()
            .unwrap_or(0)
    }
}

impl Adaptive {
    fn targets(&self, op: &str, rank: usize, x: &Tensor) -> Result<Vec<Target>> {
        check_images(op, rank, x)?;
        let sizes = each(op, "output_size", &self.output_size, rank)?;
        let target = |(i, &out): (usize, &i64)| {
            let size = x.shape()[i + 2];
            let out = if out == -1 { size as i64 } else { out };
            if out < 1 || size == 0 {
                return Err(Error::argument(format!(
                    "{op}: output_size={sizes:?} of {:?}, wanted at least 1 (or -1 for an axis as it is) of axes that are not empty",
                    x.shape()
                )));
            }
            let out = out as usize;
            Ok(Target { size, out })
        };
        let targets: Vec<Target> = sizes
            .iter()
            .enumerate()
            .map(target)
            .collect::<Result<_>>()?;
        check_budget(tables(&targets).saturating_mul(16)).map_err(|e| e.within(op))?;
        Ok(targets)
    }
}

/// Numbers that tables of windows hold: of an axis with uneven ones a share for
/// each element, and for all axes a place for each element of each window.
fn tables(targets: &[Target]) -> usize {
    let uneven = targets.iter().filter(|t| !t.is_even());
    let shares = uneven.map(|t| t.out.saturating_mul(t.size)).max();
    let drawn = |t: &Target| t.out.saturating_mul(t.size / t.out + 2);
    let places = targets.iter().map(drawn).fold(1, usize::saturating_mul);
    shares.unwrap_or(0).saturating_add(places)
}

/// The mean of each window.
pub fn adaptive_avg_pool(op: &str, rank: usize, form: &Adaptive, x: &Tensor) -> Result<Tensor> {
    let targets = form.targets(op, rank, x)?;
    if targets.iter().all(|t| t.out == 1) {
        return global(Reduction::Mean, rank, x);
    }
    let kernel = targets
        .iter()
        .map(|t| if t.is_even() { t.size / t.out } else { 1 });
    let even = AvgPool {
        kernel_size: kernel.collect(),
        stride: None,
        padding: Padding::Explicit(vec![0]),
        dilation: vec![1],
        ceil_mode: false,
        count_include_pad: true,
        divisor_override: None,
    };
    let mut y = avg_pool(op, rank, &even, x)?;
    if targets.iter().all(|t| t.is_even()) {
        return Ok(y);
    }
    y = widened(op, &y)?;
    for (i, target) in targets.iter().enumerate().filter(|(_, t)| !t.is_even()) {
        y = weighed(&y, i + 2, *target)?;
    }
    e::cast(&y, x.dtype())
}

/// Largest or mean of each channel, with axes of 1.
fn global(kind: Reduction, rank: usize, x: &Tensor) -> Result<Tensor> {
    let axes = Axes {
        dim: Some((2..rank as i64 + 2).collect()),
        keepdim: true,
    };
    reduce_as_is(kind, x, axes)
}

/// The means along an axis, as a product with the share of each element in
/// each window.
fn weighed(x: &Tensor, axis: usize, target: Target) -> Result<Tensor> {
    let Target { size, out } = target;
    let last = axis + 1 == x.rank();
    let mut shares = vec![0.0; out * size];
    for i in 0..out {
        let window = target.window(i);
        let share = 1.0 / window.len() as f64;
        for at in window {
            shares[if last { at * out + i } else { i * size + at }] = share;
        }
    }
    let shape = if last { [size, out] } else { [out, size] };
    let shares = numbers(x.dtype(), &shape, &shares, x.device())?;
    let mut sizes = x.shape().to_vec();
    sizes[axis] = out;
    let outer: usize = x.shape()[..axis].iter().product();
    let y = if last {
        matmul(&views::reshape_to(x, &[outer, size])?, &shares)?
    } else {
        let inner: usize = x.shape()[axis + 1..].iter().product();
        matmul(&shares, &views::reshape_to(x, &[outer, size, inner])?)?
    };
    views::reshape_to(&y, &sizes)
}

/// The largest of each window and, if asked for, its place in the image: of
/// windows that overlap, drawn apart, where the shorter ones repeat their last
/// element.
pub fn adaptive_max_pool(
    op: &str,
    rank: usize,
    form: &Adaptive,
    x: &Tensor,
) -> Result<Vec<Tensor>> {
    let targets = form.targets(op, rank, x)?;
    if targets.iter().all(|t| t.out == 1) && !form.return_indices {
        return Ok(vec![global(Reduction::Max, rank, x)?]);
    }
    let drawn = |t: &Target| -> Vec<usize> {
        if t.is_even() {
            return (0..t.size).collect();
        }
        let window = |i| {
            let window = t.window(i);
            (0..t.longest()).map(move |k| (window.start + k).min(window.end - 1))
        };
        (0..t.out).flat_map(window).collect()
    };
    let places: Vec<Vec<usize>> = targets.iter().map(drawn).collect();
    let mut wide = x.clone();
    for (i, places) in places
        .iter()
        .enumerate()
        .filter(|(i, _)| !targets[*i].is_even())
    {
        wide = take(&wide, &indices(places, x)?, i as i64 + 2)?;
    }
    let even = MaxPool {
        kernel_size: targets.iter().map(|t| t.longest()).collect(),
        stride: None,
        padding: Padding::Explicit(vec![0]),
        dilation: vec![1],
        ceil_mode: false,
        return_indices: form.return_indices,
    };
    let mut made = max_pool(op, rank, &even, &wide)?;
    if let Some(found) = made.get_mut(1)
        && targets.iter().any(|t| !t.is_even())
    {
        // From places among those drawn apart to places in the image.
        let mut table = vec![0];
        for (target, places) in targets.iter().zip(&places) {
            let row = |before: &usize| {
                let before = before * target.size;
                places.iter().map(move |place| before + place)
            };
            table = table.iter().flat_map(row).collect();
        }
        *found = take(&indices(&table, x)?, found, 0)?;
    }
    Ok(made)
}

fn indices(places: &[usize], like: &Tensor) -> Result<Tensor> {
    let values: Vec<f64> = places.iter().map(|&p| p as f64).collect();
    numbers(DType::I64, &[values.len()], &values, like.device())
}
