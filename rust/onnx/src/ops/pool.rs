//! Pooling.

use super::Handler;
use super::convolution::{Padding, Window, numbers, spatial, steps};
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("MaxPool", 1, max_pool),
    ("AveragePool", 1, average_pool),
    ("LpPool", 2, lp_pool),
    ("MaxUnpool", 9, max_unpool),
    ("GlobalAveragePool", 1, |call| global(call, "mean")),
    ("GlobalMaxPool", 1, |call| global(call, "max")),
    ("GlobalLpPool", 2, global_lp_pool),
];

/// The window of a pooling, as the core's ops have it.
fn window(call: &Call<'_, '_>, rank: usize) -> Traced<Attrs> {
    let window = Window::of(call, rank, None)?;
    if let Padding::Explicit(pads) = &window.padding
        && pads.iter().any(|&p| p < 0)
    {
        return call.wrong(format!("attribute 'pads' is {pads:?}, wanted numbers >= 0"));
    }
    Ok((window.attrs())
        .with("kernel_size", window.kernel)
        .with("ceil_mode", call.flag("ceil_mode", false)?))
}

fn max_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = spatial(call, &x)?;
    let (dtype, wants_places) = (call.dtype(&x)?, call.wants(1));
    // Every 8-bit integer is a float32.
    let small = matches!(dtype, DType::U8 | DType::I8);
    let wide = if small {
        call.cast(&x, DType::F32)?
    } else {
        x.clone()
    };
    let attrs = window(call, rank)?.with("return_indices", wants_places);
    let mut made = call.record(&format!("max_pool{rank}d"), &[&wide], &attrs)?;
    made[0] = call.cast(&made[0], dtype)?;
    if let Some(places) = made.get_mut(1) {
        *places = in_tensor(call, &call.shape(&x)?, places)?;
    }
    Ok(made)
}

/// Places in images of a tensor `x` as places in all of it: row after row, or
/// with `storage_order` 1 column after column of each image.
fn in_tensor(call: &Call<'_, '_>, x: &[usize], places: &Value) -> Traced<Value> {
    let count: usize = x[2..].iter().product();
    let turned = if call.int_or("storage_order", 0)? == 0 {
        places.clone()
    } else {
        let reversed: Vec<usize> = x[2..].iter().rev().copied().collect();
        let order: Vec<usize> = (0..reversed.len()).rev().collect();
        let table = call.reshape(&counted(call, count, 1)?, &reversed)?;
        let table = call.reshape(&call.transpose(&table, &order)?, &[count])?;
        call.take(&table, places, 0)?
    };
    call.add(&turned, &first_places(call, x, count)?)
}

/// 0, `step`, ... : so many of them.
fn counted(call: &Call<'_, '_>, count: usize, step: usize) -> Traced<Value> {
    let attrs = Attrs::new()
        .with("end", (count * step) as f64)
        .with("step", step as f64)
        .with("dtype", DType::I64)
        .with("device", call.tracer.device.to_string());
    call.record_one("arange", &[], attrs)
}

/// Where each image of `count` elements begins in a tensor of shape `x`.
fn first_places(call: &Call<'_, '_>, x: &[usize], count: usize) -> Traced<Value> {
    let mut shape = vec![1; x.len()];
    shape[..2].copy_from_slice(&x[..2]);
    call.reshape(&counted(call, x[0] * x[1], count.max(1))?, &shape)
}

fn average_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = spatial(call, &x)?;
    let include_pad = call.flag("count_include_pad", false)?;
    let attrs = window(call, rank)?.with("count_include_pad", include_pad);
    Ok(vec![call.record_one(
        &format!("avg_pool{rank}d"),
        &[&x],
        attrs,
    )?])
}

fn lp_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = spatial(call, &x)?;
    let attrs = window(call, rank)?.with("norm_type", call.int_or("p", 2)? as f64);
    Ok(vec![call.record_one(
        &format!("lp_pool{rank}d"),
        &[&x],
        attrs,
    )?])
}

/// Indices are places in all of the smallest result; zeros behind make up the
/// shape that is asked for.
fn max_unpool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, index) = (call.input(0)?, call.input(1)?);
    let rank = spatial(call, &x)?;
    let wanted = call.known_optional_ints(2)?;
    let Some(kernel) = numbers(call, "kernel_shape", rank, 1)? else {
        return call.wrong("attribute 'kernel_shape' is required and is missing");
    };
    let stride = steps(call, "strides", rank)?;
    let pads = numbers(call, "pads", 2 * rank, 0)?.unwrap_or_else(|| vec![0; 2 * rank]);
    let shape = call.shape(&x)?;
    let length = |i: usize| {
        let reach = (shape[i + 2] as i64 - 1) * stride[i] + kernel[i];
        usize::try_from(reach - pads[i] - pads[rank + i]).unwrap_or(0)
    };
    let sizes: Vec<usize> = (0..rank).map(length).collect();
    let first = first_places(call, &shape, sizes.iter().product())?;
    let index = call.sub(&call.cast(&index, DType::I64)?, &first)?;
    let attrs = Attrs::new()
        .with("kernel_size", kernel)
        .with("stride", stride)
        .with("padding", pads);
    let y = call.record_one(&format!("max_unpool{rank}d"), &[&x, &index], attrs)?;
    let Some(wanted) = wanted else {
        return Ok(vec![y]);
    };
    let own = call.shape(&y)?;
    if wanted.len() != own.len() {
        return call.wrong(format!(
            "output_shape is {wanted:?}, the result has {own:?}"
        ));
    }
    let more = wanted.iter().zip(&own).map(|(&n, &m)| n - m as i64);
    let pads: Vec<i64> = std::iter::repeat_n(0, own.len()).chain(more).collect();
    let attrs = Attrs::new()
        .with("pads", pads)
        .with("mode", "constant")
        .with("value", 0.0);
    Ok(vec![call.record_one("pad", &[&y], attrs)?])
}

/// Over all axes after batch and channel.
fn global(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let axes: Vec<usize> = (2..call.rank(&x)?).collect();
    Ok(vec![call.reduce(op, &x, &axes, true)?])
}

fn global_lp_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let axes: Vec<i64> = (2..call.rank(&x)? as i64).collect();
    let attrs = Attrs::new()
        .with("ord", call.int_or("p", 2)? as f64)
        .with("dim", axes)
        .with("keepdim", true);
    Ok(vec![call.record_one("norm", &[&x], attrs)?])
}
