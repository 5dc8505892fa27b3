//! Fourier transforms; complex numbers are a last axis of two.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("DFT", 17, dft),
    ("STFT", 17, stft),
    ("MelWeightMatrix", 17, mel_weight_matrix),
];

/// Input `index`, a length.
fn length(call: &mut Call<'_, '_>, index: usize, name: &str) -> Traced<Option<usize>> {
    if !call.has(index) {
        return Ok(None);
    }
    let given = call.known_int(index)?;
    match usize::try_from(given) {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => call.wrong(format!("{name} is {given}, wanted 1 or more")),
    }
}

/// As [`Call::record_one`] for op `name`, which computes in float32 or float64.
fn in_floats(call: &Call<'_, '_>, name: &str, x: &Value, attrs: Attrs) -> Traced<Value> {
    let dtype = call.dtype(x)?;
    let wide = match dtype {
        DType::F64 => DType::F64,
        _ => DType::F32,
    };
    let y = call.record_one(name, &[&call.cast(x, wide)?], attrs)?;
    call.cast(&y, dtype)
}

/// How many components x has: 1 if it is real, 2 if complex.
fn components(call: &Call<'_, '_>, shape: &[usize]) -> Traced<usize> {
    match shape {
        [_, .., n @ (1 | 2)] => Ok(*n),
        _ => call.wrong(format!(
            "the signal has shape {shape:?}; its last axis must be 1 (real) or 2 (complex)"
        )),
    }
}

fn dft(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let parts = components(call, &shape)?;
    let axis = if call.version() >= 20 {
        if call.has(2) { call.known_int(2)? } else { -2 }
    } else {
        call.int_or("axis", 1)?
    };
    let axis = call.axis(axis, shape.len())?;
    if axis + 1 == shape.len() {
        return call.wrong(format!("axis {axis} is that of real and imaginary parts"));
    }
    let (inverse, onesided) = (call.flag("inverse", false)?, call.flag("onesided", false)?);
    let given = length(call, 1, "dft_length")?;
    if onesided && parts != 1 + usize::from(inverse) {
        return call.wrong(format!(
            "onesided is 1: the signal must be {}, its shape is {shape:?}",
            if inverse { "complex" } else { "real" }
        ));
    }
    let attrs = Attrs::new().with("dim", axis);
    if onesided && inverse {
        let y = in_floats(call, "irfft", &x, attrs.with("n", given))?;
        return Ok(vec![call.unsqueeze(&y, &[shape.len() - 1])?]);
    }
    let n = given.unwrap_or(shape[axis]);
    let attrs = attrs
        .with("length", given)
        .with("output", onesided.then_some(n / 2 + 1))
        .with("inverse", inverse)
        .with("scale", if inverse { 1.0 / n as f64 } else { 1.0 });
    Ok(vec![in_floats(call, "dft", &x, attrs)?])
}

/// Frames of the signal, each times the window, transformed.
fn stft(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let signal = call.input(0)?;
    let shape = call.shape(&signal)?;
    let parts = components(call, &shape)?;
    let [_, time, _] = call.dims(&signal, "the signal")?;
    let Some(step) = length(call, 1, "frame_step")? else {
        return call.wrong("input 'frame_step' is required and is missing");
    };
    let window = call.optional(2);
    let mut size = length(call, 3, "frame_length")?;
    if let Some(window) = &window {
        let [length] = call.dims(window, "window")?;
        if size.is_some_and(|size| size != length) {
            return call.wrong(format!(
                "window has {length} elements, frame_length is {}",
                size.unwrap_or(0)
            ));
        }
        size = Some(length);
    }
    let size = size.unwrap_or(time);
    let frame = Attrs::new()
        .with("dim", 1i64)
        .with("size", size)
        .with("step", step);
    let mut frames = call.record_one("frame", &[&signal], frame)?;
    if let Some(window) = &window {
        frames = call.mul(&frames, &call.reshape(window, &[size, 1])?)?;
    }
    // Only real signals have a second half that mirrors the first.
    let onesided = call.flag("onesided", true)? && parts == 1;
    let attrs = Attrs::new()
        .with("dim", 2i64)
        .with("output", onesided.then_some(size / 2 + 1));
    Ok(vec![in_floats(call, "dft", &frames, attrs)?])
}

/// The single number in input `index`.
fn number(call: &mut Call<'_, '_>, index: usize) -> Traced<f64> {
    match call.known(index)?.to_floats()[..] {
        [one] => Ok(one),
        ref many => call.wrong(format!(
            "input {index} has {} elements, wanted one",
            many.len()
        )),
    }
}

fn mel_weight_matrix(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let [bands, points, rate] = [call.known_int(0)?, call.known_int(1)?, call.known_int(2)?];
    let attrs = Attrs::new()
        .with("num_mel_bins", bands)
        .with("dft_length", points)
        .with("sample_rate", rate)
        .with("lower_edge_hertz", number(call, 3)?)
        .with("upper_edge_hertz", number(call, 4)?)
        .with(
            "dtype",
            call.dtype_attribute("output_datatype")?
                .unwrap_or(DType::F32),
        )
        .with("device", call.tracer.device.to_string());
    Ok(vec![call.record_one("mel_weight_matrix", &[], attrs)?])
}
