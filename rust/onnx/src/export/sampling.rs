//! Images read at places and in regions; determinants.

use super::emit::Emit;
use crate::ir::Attribute;
use crate::write::elem_type;
use lamina_core::{DType, Error, Result};

pub(super) fn emit(e: &mut Emit<'_>, name: &str) -> Result<bool> {
    match name {
        "det" => e.direct("Det", &[]),
        "grid_sample" => grid_sample(e)?,
        "roi_align" => roi_align(e)?,
        "roi_pool" => roi_pool(e)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The modes got other names when more than two axes came.
fn grid_sample(e: &mut Emit<'_>) -> Result<()> {
    let mode = e.text("mode")?;
    let mode = match mode.as_str() {
        "bilinear" if e.builder.edition.opset >= 20 => "linear",
        "bicubic" if e.builder.edition.opset >= 20 => "cubic",
        other => other,
    };
    let attributes = [
        ("mode", Attribute::Str(mode.into())),
        ("padding_mode", Attribute::Str(e.text("padding_mode")?)),
        ("align_corners", Attribute::Int(e.int("align_corners")?)),
    ];
    e.direct("GridSample", &attributes);
    Ok(())
}

fn output_size(e: &Emit<'_>) -> Result<Vec<i64>> {
    Ok(e.ints("output_size")?.unwrap_or_default())
}

fn roi_align(e: &mut Emit<'_>) -> Result<()> {
    let size = output_size(e)?;
    let coordinates = if e.flag("aligned")? {
        "half_pixel"
    } else {
        "output_half_pixel"
    };
    let attributes = [
        ("output_height", Attribute::Int(size[0])),
        ("output_width", Attribute::Int(size[1])),
        (
            "sampling_ratio",
            Attribute::Int(e.int("sampling_ratio")?.max(0)),
        ),
        (
            "spatial_scale",
            Attribute::Float(e.float("spatial_scale")? as f32),
        ),
        ("mode", Attribute::Str(e.text("mode")?)),
        (
            "coordinate_transformation_mode",
            Attribute::Str(coordinates.into()),
        ),
    ];
    let mut inputs = e.inputs.to_vec();
    if e.dtype(2) != DType::I64 {
        let to = [("to", Attribute::Int(elem_type(DType::I64) as i64))];
        inputs[2] = e.make("Cast", &[&inputs[2]], &to);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    e.finish("RoiAlign", &inputs, &attributes);
    Ok(())
}

/// Boxes begin with their image's number.
fn roi_pool(e: &mut Emit<'_>) -> Result<()> {
    if e.wants(1) {
        return Err(Error::unsupported(
            "onnx.save: the places that roi_pool finds have no counterpart",
        ));
    }
    let attributes = [
        ("pooled_shape", Attribute::Ints(output_size(e)?)),
        (
            "spatial_scale",
            Attribute::Float(e.float("spatial_scale")? as f32),
        ),
    ];
    let (x, corners, batch) = (
        e.inputs[0].clone(),
        e.inputs[1].clone(),
        e.inputs[2].clone(),
    );
    let to = [("to", Attribute::Int(elem_type(e.dtype(1)) as i64))];
    let batch = e.make("Cast", &[&batch], &to);
    let column = e.numbers(&[-1, 1]);
    let batch = e.make("Reshape", &[&batch, &column], &[]);
    let boxes = e.make(
        "Concat",
        &[&batch, &corners],
        &[("axis", Attribute::Int(1))],
    );
    e.finish("MaxRoiPool", &[&x, &boxes], &attributes);
    Ok(())
}
