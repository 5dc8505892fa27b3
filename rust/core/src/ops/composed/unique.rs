//! Distinct values.  How many there are depends on the data: the input is
//! computed at the call, on the CPU, and the results go back to its device.

use super::data_dependent::indices;
use crate::layout::resolve_axis;
use crate::op::want_dtype;
use crate::ops::{comparable, gather, views};
use crate::{DType, Result, Tensor, params};
use lamina_kernels::sort::Ordered;
use lamina_kernels::unique::groups;

params! {
    /// In rising order, or as they first come; of the slices along `dim`, or of
    /// single elements if None.
    pub struct Unique { sorted: bool = true, dim: Option<i64> = None }
}

const DTYPES: &[DType] = &[
    DType::F32,
    DType::F64,
    DType::I64,
    DType::I32,
    DType::I16,
    DType::I8,
    DType::U64,
    DType::U32,
    DType::U16,
    DType::U8,
];

fn keys(x: &Tensor) -> Result<Vec<u64>> {
    fn of<T: Ordered>(x: &Tensor) -> Result<Vec<u64>> {
        Ok(x.to_vec::<T>()?.into_iter().map(T::key).collect())
    }
    match x.dtype() {
        DType::F32 => of::<f32>(x),
        DType::F64 => of::<f64>(x),
        DType::I64 => of::<i64>(x),
        DType::I32 => of::<i32>(x),
        DType::I16 => of::<i16>(x),
        DType::I8 => of::<i8>(x),
        DType::U64 => of::<u64>(x),
        DType::U32 => of::<u32>(x),
        DType::U16 => of::<u16>(x),
        _ => of::<u8>(x),
    }
}

/// Values, then int64: where each was first, which of them each element is, and
/// how often each is there.  NaN equals NaN, as NumPy has it, and -0 equals 0.
pub fn unique(op: &str, x: &Tensor, form: &Unique) -> Result<Vec<Tensor>> {
    let x = x.detach()?;
    let (axis, flat) = match form.dim {
        Some(dim) => (resolve_axis(op, dim, x.rank())?, x.clone()),
        None => (0, views::reshape_to(&x, &[x.len()])?),
    };
    let rows = flat.shape()[axis];
    let mut order: Vec<usize> = (0..flat.rank()).collect();
    order[..=axis].rotate_right(1);
    let compared = comparable(&views::permute(&flat, &order)?)?;
    want_dtype(op, "x", compared.dtype(), DTYPES)?;
    // Keys, their order and the groups beside the elements themselves.
    let work = x
        .len()
        .saturating_mul(16)
        .saturating_add(rows.saturating_mul(64));
    crate::memory::check_budget(work).map_err(|e| e.within(op))?;
    let width = flat.len().checked_div(rows).unwrap_or(0);
    let found = groups(&keys(&compared)?, rows, width, form.sorted);
    let list = |places: Vec<usize>| -> Result<Tensor> {
        let places: Vec<i64> = places.into_iter().map(|n| n as i64).collect();
        indices(&places, &[places.len()], x.device())
    };
    let first = list(found.first)?;
    let values = gather::take(&flat, &first, axis as i64)?;
    Ok(vec![
        values,
        first,
        list(found.inverse)?,
        list(found.counts)?,
    ])
}
