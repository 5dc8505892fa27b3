//! Indexing by arrays of integers and by masks, as NumPy has it: recorded as
//! one `take` along one axis, to which several indexed axes are joined.

use super::Item;
use crate::error::{raise, run, run_detached};
use crate::methods::one;
use crate::numpy_arrays::value_of;
use lamina_core::ops::elementwise as e;
use lamina_core::{Attrs, DType, Device, Error, Tensor, Value, kernels::Func};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

fn int_tensor(indices: &[i64], shape: &[usize], device: Device) -> PyResult<Tensor> {
    let bytes: Vec<u8> = indices.iter().flat_map(|i| i.to_le_bytes()).collect();
    run(|| Tensor::from_value(Value::from_bytes(DType::I64, shape, &bytes)?).to_device(device))
}

/// A list or NumPy array between the brackets: it goes to the tensor's device.
pub(super) fn from_array(
    x: &Tensor,
    axis: usize,
    array: &Bound<'_, PyUntypedArray>,
) -> PyResult<Vec<Item>> {
    let py = array.py();
    if array.len() == 0 && array.dtype().getattr("kind")?.eq("f")? {
        // An empty list has no dtype of its own.
        return Ok(vec![Item::Array(int_tensor(
            &[],
            array.shape(),
            x.device(),
        )?)]);
    }
    let index = Tensor::from_value(value_of("index", array)?);
    if index.dtype() == DType::Bool {
        return mask(x, axis, &index, py);
    }
    check_dtype(&index)?;
    check_range(x, axis, &index)?;
    let device = x.device();
    let index = run_detached(py, move || index.to_device(device))?;
    Ok(vec![Item::Array(index)])
}

/// A tensor between the brackets.
pub(super) fn from_tensor(
    x: &Tensor,
    axis: usize,
    index: &Tensor,
    py: Python<'_>,
) -> PyResult<Vec<Item>> {
    if index.dtype() == DType::Bool {
        return mask(x, axis, index, py);
    }
    check_dtype(index)?;
    if index.device() == Device::Cpu && !index.is_pending() {
        check_range(x, axis, index)?;
    }
    Ok(vec![Item::Array(index.clone())])
}

fn check_dtype(index: &Tensor) -> PyResult<()> {
    if index.dtype().is_int() {
        return Ok(());
    }
    raise(Error::dtype(format!(
        "index: an array of {} is no index; wanted integers or bool",
        index.dtype()
    )))
}

fn host_ints(index: &Tensor) -> PyResult<Vec<i64>> {
    run(|| e::cast(&index.detach()?, DType::I64)?.to_vec::<i64>())
}

/// Computed indices are checked at once.
fn check_range(x: &Tensor, axis: usize, index: &Tensor) -> PyResult<()> {
    let Some(&n) = x.shape().get(axis) else {
        return Ok(());
    };
    let n = n as i64;
    match host_ints(index)?.into_iter().find(|i| !(-n..n).contains(i)) {
        None => Ok(()),
        Some(bad) => raise(Error::index(format!(
            "index: {bad} is out of range for axis {axis} of length {n}"
        ))),
    }
}

/// The coordinates at which a mask is true, one array per axis.  How many
/// there are depends on its values, so it is computed now.
fn mask(x: &Tensor, axis: usize, mask: &Tensor, py: Python<'_>) -> PyResult<Vec<Item>> {
    let rank = mask.rank();
    if x.shape().get(axis..axis + rank) != Some(mask.shape()) {
        return raise(Error::index(format!(
            "index: a mask of shape {:?} does not fit axes {axis} to {} of a tensor of shape {:?}",
            mask.shape(),
            axis + rank,
            x.shape()
        )));
    }
    if rank == 0 {
        return raise(Error::argument("index: a 0-d mask is no index"));
    }
    let flags = run_detached(py, || mask.detach()?.to_vec::<u8>())?;
    let mut coordinates: Vec<Vec<i64>> = vec![Vec::new(); rank];
    for (flat, _) in flags.iter().enumerate().filter(|(_, f)| **f != 0) {
        let mut rest = flat;
        for (k, &n) in mask.shape().iter().enumerate().rev() {
            coordinates[k].push((rest % n) as i64);
            rest /= n;
        }
    }
    coordinates
        .into_iter()
        .map(|c| Ok(Item::Array(int_tensor(&c, &[c.len()], x.device())?)))
        .collect()
}

/// `x` at `arrays` (axis of x and indices), which broadcast together.  Their
/// common axes stand where the first indexed axis was, or in front.
pub(super) fn gather(x: &Tensor, arrays: &[(usize, Tensor)], together: bool) -> PyResult<Tensor> {
    let axes: Vec<usize> = arrays.iter().map(|(axis, _)| *axis).collect();
    let place = if together { axes[0] } else { 0 };
    if let [(axis, index)] = arrays {
        let taken = take(x, index, *axis)?;
        return if *axis == place {
            Ok(taken)
        } else {
            to_front(&taken, *axis, index.rank())
        };
    }
    // Bring the indexed axes side by side, join them, index the joint axis.
    let mut order: Vec<usize> = (0..x.rank()).filter(|a| !axes.contains(a)).collect();
    order.splice(place..place, axes.iter().copied());
    let lengths: Vec<usize> = axes.iter().map(|&a| x.shape()[a]).collect();
    let joined = run(|| {
        let x = lamina_core::ops::views::permute(x, &order)?;
        let mut shape = x.shape()[..place].to_vec();
        shape.push(lengths.iter().product());
        shape.extend(&x.shape()[place + axes.len()..]);
        lamina_core::ops::views::reshape_to(&x, &shape)
    })?;
    let indices: Vec<&Tensor> = arrays.iter().map(|(_, index)| index).collect();
    let flat = run(|| joint(&indices, &lengths))?;
    take(&joined, &flat, place)
}

fn take(x: &Tensor, index: &Tensor, axis: usize) -> PyResult<Tensor> {
    one(
        "take",
        &[x.clone(), index.clone()],
        &Attrs::new().with("dim", axis as i64),
    )
}

fn to_front(x: &Tensor, axis: usize, count: usize) -> PyResult<Tensor> {
    let moved = axis..axis + count;
    let mut order: Vec<usize> = moved.clone().collect();
    order.extend((0..x.rank()).filter(|a| !moved.contains(a)));
    run(|| lamina_core::ops::views::permute(x, &order))
}

/// sum(i_k * stride_k), negative indices counted from the end; where one is
/// out of range, so is the sum.
fn joint(indices: &[&Tensor], lengths: &[usize]) -> lamina_core::Result<Tensor> {
    let total: usize = lengths.iter().product();
    let number = |n: i64| {
        lamina_core::ops::number_tensor(lamina_core::promote::Number::Int(n), Some(DType::I64))
    };
    let mut sum: Option<Tensor> = None;
    let mut good: Option<Tensor> = None;
    let mut stride = total;
    for (index, &n) in indices.iter().zip(lengths) {
        stride /= n.max(1);
        let index = e::cast(index, DType::I64)?;
        let from_end = e::add(&index, &number(n as i64))?;
        let index = e::select(
            &e::compare(Func::Lt, &index, &number(0))?,
            &from_end,
            &index,
        )?;
        let above = e::compare(Func::Ge, &index, &number(0))?;
        let below = e::compare(Func::Lt, &index, &number(n as i64))?;
        let inside = e::binary(Func::And, &above, &below)?;
        let term = e::mul(&index, &number(stride as i64))?;
        sum = Some(match sum {
            Some(sum) => e::add(&sum, &term)?,
            None => term,
        });
        good = Some(match good {
            Some(good) => e::binary(Func::And, &good, &inside)?,
            None => inside,
        });
    }
    match (sum, good) {
        (Some(sum), Some(good)) => e::select(&good, &sum, &number(total as i64)),
        _ => Err(Error::internal("index: no arrays")),
    }
}
