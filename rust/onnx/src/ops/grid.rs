//! Grids of positions.

use super::Handler;
use crate::trace::{Call, Traced, Value};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[("AffineGrid", 20, affine_grid)];

/// Pixel `i` of `n` from -1 to 1, at the centres of pixels or from the first to the last.
fn position(i: usize, n: usize, align_corners: bool) -> f64 {
    if align_corners {
        // One pixel is in the middle of nothing: at the start.
        2.0 * i as f64 / (n.max(2) - 1) as f64 - 1.0
    } else {
        (2 * i + 1) as f64 / n as f64 - 1.0
    }
}

/// theta (batch, axes, axes + 1) on each position (x, y, ..., 1): (batch, sizes..., axes).
fn affine_grid(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let theta = call.input(0)?;
    let [batch, axes, _] = call.dims(&theta, "theta")?;
    let dims = call.known_ints(1)?;
    if dims.len() != axes + 2 || !matches!(axes, 2 | 3) {
        return call.wrong(format!("a size of {dims:?} for theta over {axes} axes"));
    }
    let sizes = super::make::sizes(call, &dims)?[2..].to_vec();
    let aligned = call.flag("align_corners", false)?;
    let count: usize = sizes.iter().product();
    // One row for each coordinate, the last axis' first, and ones.
    let places = super::make::numbers(call, call.dtype(&theta)?, &[axes + 1, count], |i| {
        let Some(axis) = (axes - 1).checked_sub(i / count) else {
            return 1.0;
        };
        let inner: usize = sizes[axis + 1..].iter().product();
        position(i % count / inner % sizes[axis], sizes[axis], aligned)
    })?;
    let grid = call.transpose(&call.matmul(&theta, &places)?, &[0, 2, 1])?;
    let mut shape = vec![batch];
    shape.extend(&sizes);
    shape.push(axes);
    Ok(vec![call.reshape(&grid, &shape)?])
}
