//! Tensors made from nothing.

use crate::ops::elementwise::{self as e, cast};
use crate::ops::iota::iota;
use crate::ops::views;
use crate::{DType, Device, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// `start`, `start + step`, ... before `end`.
    pub struct Arange {
        start: f64 = 0.0,
        end: f64,
        step: f64 = 1.0,
        dtype: Option<DType> = None,
        device: Option<String> = None,
    }
}

/// The device that a maker's argument names; None is the default one.
pub fn device_of(name: Option<&str>) -> Result<Device> {
    name.map_or_else(Device::current, Device::parse)
}

pub fn arange(form: &Arange) -> Result<Tensor> {
    let Arange {
        start, end, step, ..
    } = *form;
    let dtype = form.dtype.unwrap_or_else(|| {
        let whole = [start, end, step].iter().all(|x| x.fract() == 0.0);
        if whole { DType::I64 } else { DType::F32 }
    });
    let count = ((end - start) / step).ceil();
    if step == 0.0 || !count.is_finite() {
        return Err(Error::argument(format!(
            "arange: start={start}, end={end}, step={step}; wanted finite numbers, and a step that is not 0"
        )));
    }
    let counted = match dtype {
        DType::F32 | DType::F64 | DType::I32 | DType::I64 => dtype,
        d if d.is_float() => DType::F32,
        d if d.is_int() => DType::I64,
        d => {
            return Err(Error::unsupported(format!(
                "arange: is not defined for {d}; cast its result"
            )));
        }
    };
    let mut made = iota(
        count.max(0.0) as usize,
        counted,
        device_of(form.device.as_deref())?,
    )?;
    if step != 1.0 {
        made = e::mul(&made, &e::number_like(&made, step))?;
    }
    if start != 0.0 {
        made = e::add(&made, &e::number_like(&made, start))?;
    }
    cast(&made, dtype)
}

params! {
    /// One value everywhere.
    pub struct Full {
        shape: Vec<i64>,
        value: Option<f64> = None,
        dtype: Option<DType> = None,
        device: Option<String> = None,
    }
}

/// Lengths that are not negative.
pub fn lengths(op: &str, shape: &[i64]) -> Result<Vec<usize>> {
    if let Some(bad) = shape.iter().find(|&&n| n < 0) {
        return Err(Error::shape(format!(
            "{op}: shape={shape:?} holds {bad}; wanted 0 or more"
        )));
    }
    Ok(shape.iter().map(|&n| n as usize).collect())
}

/// The value is the input, if there is one, else the parameter `value`.
pub fn full(name: &str, xs: &[Tensor], form: &Full, default: f64) -> Result<Tensor> {
    let shape = lengths(name, &form.shape)?;
    let device = device_of(form.device.as_deref())?;
    let value = match xs {
        [] => Tensor::scalar(
            form.dtype.unwrap_or(DType::F32),
            form.value.unwrap_or(default),
        ),
        [x] if x.shape().is_empty() => cast(x, form.dtype.unwrap_or(x.dtype()))?,
        _ => {
            return Err(Error::argument(format!(
                "{name}: the value is one number or 0-d tensor"
            )));
        }
    };
    let value = value.to_device(device)?;
    if shape.is_empty() {
        Ok(value)
    } else {
        views::expand(&value, &shape)
    }
}

params! {
    /// 1 where column - row is `diagonal`, 0 elsewhere.
    pub struct Eye {
        rows: usize,
        columns: Option<usize> = None,
        diagonal: i64 = 0,
        dtype: DType = DType::F32,
        device: Option<String> = None,
    }
}

/// Whether `func(column, row + diagonal)`, for each place.
fn compared(
    func: Func,
    rows: usize,
    columns: usize,
    diagonal: i64,
    device: Device,
) -> Result<Tensor> {
    let row = iota(rows, DType::I64, device)?;
    let shifted = e::add(&row, &e::number_like(&row, diagonal as f64))?;
    e::compare(
        func,
        &iota(columns, DType::I64, device)?,
        &views::unsqueeze(&shifted, &[1])?,
    )
}

pub fn eye(form: &Eye) -> Result<Tensor> {
    let device = device_of(form.device.as_deref())?;
    let columns = form.columns.unwrap_or(form.rows);
    cast(
        &compared(Func::Eq, form.rows, columns, form.diagonal, device)?,
        form.dtype,
    )
}

params! {
    /// Which diagonal is the last that stays.
    pub struct Triangle { diagonal: i64 = 0 }
}

/// The last two axes with 0 above (`lower`) or below a diagonal.
pub fn triangle(name: &str, x: &Tensor, diagonal: i64, lower: bool) -> Result<Tensor> {
    let &[.., rows, columns] = x.shape() else {
        return Err(Error::shape(format!(
            "{name}: x has shape {:?}, wanted at least 2 axes",
            x.shape()
        )));
    };
    let func = if lower { Func::Le } else { Func::Ge };
    let stays = compared(func, rows, columns, diagonal, x.device())?;
    e::select(&stays, x, &e::number_like(x, 0.0))
}

params! {
    pub struct OneHot { num_classes: usize, dtype: DType = DType::F32 }
}

/// 1 at each index along a new last axis; all 0 for one out of range.
pub fn one_hot(index: &Tensor, form: &OneHot) -> Result<Tensor> {
    if !index.dtype().is_int() {
        return Err(Error::dtype(format!(
            "one_hot: index has dtype {}, wanted integers; cast it first",
            index.dtype()
        )));
    }
    let index = cast(index, DType::I64)?;
    let classes = iota(form.num_classes, DType::I64, index.device())?;
    cast(
        &e::compare(Func::Eq, &views::unsqueeze(&index, &[-1])?, &classes)?,
        form.dtype,
    )
}

/// A constant of these numbers.
pub fn numbers(dtype: DType, shape: &[usize], values: &[f64], device: Device) -> Result<Tensor> {
    let bytes = |dtype| -> Vec<u8> {
        match dtype {
            DType::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            DType::I64 => (values.iter())
                .flat_map(|v| (*v as i64).to_le_bytes())
                .collect(),
            _ => (values.iter())
                .flat_map(|v| (*v as f32).to_le_bytes())
                .collect(),
        }
    };
    let stored = match dtype {
        DType::F64 | DType::I64 => dtype,
        _ => DType::F32,
    };
    let made = Tensor::from_bytes(stored, shape, &bytes(stored), device)?;
    cast(&made, dtype)
}
