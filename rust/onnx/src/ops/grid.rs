//! Grids of positions.

use super::Handler;
use crate::host::{Data, Host};
use crate::trace::{Call, Traced, Value};
use lamina_core::DType;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[("AffineGrid", 20, affine_grid)];

/// Positions from -1 to 1 along an axis, at the centres of pixels or from the first to the last.
fn positions(n: usize, align_corners: bool) -> Vec<f64> {
    let at = |i: usize| {
        if align_corners {
            // One pixel is in the middle of nothing: at the start.
            2.0 * i as f64 / (n.max(2) - 1) as f64 - 1.0
        } else {
            (2 * i + 1) as f64 / n as f64 - 1.0
        }
    };
    (0..n).map(at).collect()
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
    let dtype = call.dtype(&theta)?;
    // One row for each coordinate, the last axis' first, and ones.
    let mut rows = Vec::with_capacity((axes + 1) * count);
    for axis in (0..axes).rev() {
        let own = positions(sizes[axis], aligned);
        let inner: usize = sizes[axis + 1..].iter().product();
        rows.extend((0..count).map(|i| own[i / inner % sizes[axis]]));
    }
    rows.extend(std::iter::repeat_n(1.0, count));
    let places = Host {
        dtype: DType::F64,
        shape: vec![axes + 1, count],
        data: Data::Float(rows),
    };
    let places = match crate::host::cast(&places, dtype) {
        Some(places) => super::make::made(call, &places)?.remove(0),
        None => return call.unsupported(format!("theta of {dtype}")),
    };
    let grid = call.transpose(&call.matmul(&theta, &places)?, &[0, 2, 1])?;
    let mut shape = vec![batch];
    shape.extend(&sizes);
    shape.push(axes);
    Ok(vec![call.reshape(&grid, &shape)?])
}
