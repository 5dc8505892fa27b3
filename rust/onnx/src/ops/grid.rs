//! Grids of positions, and images read there and in regions.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("AffineGrid", 20, affine_grid),
    ("GridSample", 16, grid_sample),
    ("MaxRoiPool", 1, max_roi_pool),
    ("RoiAlign", 10, roi_align),
];

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

/// The modes have two names each: before operator set 20, and since.
fn grid_sample(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let mode = match call.text("mode", "linear")?.as_str() {
        "linear" | "bilinear" => "bilinear",
        "cubic" | "bicubic" => "bicubic",
        "nearest" => "nearest",
        other => return call.wrong(format!("attribute 'mode' is '{other}'")),
    };
    let attrs = Attrs::new()
        .with("mode", mode)
        .with("padding_mode", call.text("padding_mode", "zeros")?)
        .with("align_corners", call.flag("align_corners", false)?);
    Ok(vec![call.record_one("grid_sample", &[&x, &grid], attrs)?])
}

fn roi_align(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, boxes, batch) = (call.input(0)?, call.input(1)?, call.input(2)?);
    // Before operator set 16 there was one mode.
    let usual = if call.version() < 16 {
        "output_half_pixel"
    } else {
        "half_pixel"
    };
    let aligned = match call.text("coordinate_transformation_mode", usual)?.as_str() {
        "half_pixel" => true,
        "output_half_pixel" => false,
        other => {
            return call.wrong(format!(
                "attribute 'coordinate_transformation_mode' is '{other}'"
            ));
        }
    };
    let size = ["output_height", "output_width"].map(|name| call.int_or(name, 1));
    let [rows, columns] = size;
    let attrs = Attrs::new()
        .with("output_size", vec![rows?, columns?])
        .with("spatial_scale", call.float_or("spatial_scale", 1.0)?)
        .with("sampling_ratio", call.int_or("sampling_ratio", 0)?)
        .with("aligned", aligned)
        .with("mode", call.text("mode", "avg")?);
    Ok(vec![call.record_one(
        "roi_align",
        &[&x, &boxes, &batch],
        attrs,
    )?])
}

fn max_roi_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, boxes) = (call.input(0)?, call.input(1)?);
    let Some(size) = call.ints("pooled_shape")? else {
        return call.wrong("attribute 'pooled_shape' is required and is missing");
    };
    let attrs = Attrs::new()
        .with("output_size", size)
        .with("spatial_scale", call.float_or("spatial_scale", 1.0)?);
    Ok(vec![call.record_one("roi_pool", &[&x, &boxes], attrs)?])
}
