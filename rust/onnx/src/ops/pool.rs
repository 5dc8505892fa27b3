//! Pooling.

use super::Handler;
use super::convolution::{Padding, Window, lift, lower};
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("MaxPool", 1, max_pool),
    ("AveragePool", 1, average_pool),
    ("LpPool", 2, lp_pool),
    ("GlobalAveragePool", 1, |call| global(call, "mean")),
    ("GlobalMaxPool", 1, |call| global(call, "max")),
    ("GlobalLpPool", 2, global_lp_pool),
];

fn pooled(
    call: &Call<'_, '_>,
    op: &str,
    x: &Value,
    attrs: &dyn Fn(&Window) -> Attrs,
) -> Traced<Value> {
    let rank = call.rank(x)?;
    if !matches!(rank, 3 | 4) {
        return call.unsupported(format!("pooling of {rank} axes; 1-d and 2-d exist"));
    }
    let window = Window::of(call, rank - 2, None)?;
    if let Padding::Explicit(pads) = window.padding
        && pads.iter().any(|&p| p < 0)
    {
        return call.wrong(format!("attribute 'pads' is {pads:?}, wanted numbers >= 0"));
    }
    let x = lift(call, x)?;
    let y = call.record_one(op, &[&x], attrs(&window))?;
    lower(call, &y, rank)
}

fn kernel(window: &Window) -> Vec<i64> {
    window.kernel.iter().map(|&k| k as i64).collect()
}

fn max_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    if call.wants(1) {
        return call.unsupported("the indices of the maxima");
    }
    let dtype = call.dtype(&x)?;
    // Every 8-bit integer is a float32.
    let small = matches!(dtype, DType::U8 | DType::I8);
    let x = if small { call.cast(&x, DType::F32)? } else { x };
    let ceil = call.flag("ceil_mode", false)?;
    let y = pooled(call, "max_pool2d", &x, &|w| {
        w.attrs()
            .with("kernel_size", kernel(w))
            .with("ceil_mode", ceil)
    })?;
    Ok(vec![call.cast(&y, dtype)?])
}

fn average(call: &Call<'_, '_>, x: &Value, include_pad: bool) -> Traced<Value> {
    let ceil = call.flag("ceil_mode", false)?;
    let rank = call.rank(x)?;
    if matches!(rank, 3 | 4) && Window::of(call, rank - 2, None)?.dilation != [1, 1] {
        return dilated_average(call, x, include_pad);
    }
    pooled(call, "avg_pool2d", x, &|w| {
        Attrs::new()
            .with("stride", w.stride)
            .with("padding", w.padding.attr())
            .with("kernel_size", w.kernel)
            .with("ceil_mode", ceil)
            .with("count_include_pad", include_pad)
    })
}

/// The sum over taps that lie apart, as a convolution of each channel with
/// ones, over how many of the taps count.
fn dilated_average(call: &Call<'_, '_>, x: &Value, include_pad: bool) -> Traced<Value> {
    if call.flag("ceil_mode", false)? {
        return call.unsupported("an average over taps that lie apart, with ceil_mode");
    }
    let rank = call.rank(x)?;
    let window = Window::of(call, rank - 2, None)?;
    let x = lift(call, x)?;
    let [_, channels, height, width] = call.dims(&x, "the input")?;
    let dtype = call.dtype(&x)?;
    let [kernel_h, kernel_w] = window.kernel;
    let sums = |x: &Value, channels: usize| {
        let ones = call.full(dtype, &[channels, 1, kernel_h, kernel_w], 1.0)?;
        let attrs = window.attrs().with("groups", channels);
        call.record_one("conv2d", &[x, &ones], attrs)
    };
    let sum = sums(&x, channels)?;
    let count = if include_pad {
        call.number(&x, (kernel_h * kernel_w) as f64)?
    } else {
        sums(&call.full(dtype, &[1, 1, height, width], 1.0)?, 1)?
    };
    let mean = call.div(&sum, &count)?;
    lower(call, &mean, rank)
}

fn average_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let include_pad = call.flag("count_include_pad", false)?;
    Ok(vec![average(call, &x, include_pad)?])
}

/// (sum |x|^p)^(1/p) over each window: the mean, with padding counted, times
/// the window's size.
fn lp_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let p = call.int_or("p", 2)? as f64;
    if call.flag("ceil_mode", false)? {
        return call.unsupported("ceil_mode of LpPool");
    }
    let powered = call.with_number("pow", &call.unary("abs", &x)?, p)?;
    let mean = average(call, &powered, true)?;
    let size: usize = Window::of(call, call.rank(&x)? - 2, None)?
        .kernel
        .iter()
        .product();
    let sum = call.with_number("mul", &mean, size as f64)?;
    Ok(vec![call.with_number("pow", &sum, 1.0 / p)?])
}

/// Over all axes after batch and channel.
fn global(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let rank = call.rank(&x)?;
    if rank == 4 && call.dtype(&x)?.is_float() {
        let name = if op == "mean" {
            "global_avg_pool2d"
        } else {
            "global_max_pool2d"
        };
        return Ok(vec![call.record_one(name, &[&x], Attrs::new())?]);
    }
    let axes: Vec<usize> = (2..rank).collect();
    Ok(vec![call.reduce(op, &x, &axes, true)?])
}

fn global_lp_pool(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let p = call.int_or("p", 2)? as f64;
    let axes: Vec<usize> = (2..call.rank(&x)?).collect();
    let powered = call.with_number("pow", &call.unary("abs", &x)?, p)?;
    let sum = call.reduce("sum", &powered, &axes, true)?;
    Ok(vec![call.with_number("pow", &sum, 1.0 / p)?])
}
