//! The functions that record these ops.

use super::{Indexed, Kind, Put, summed};
use crate::layout::resolve_axis;
use crate::ops::elementwise::{self as e, cast};
use crate::ops::views;
use crate::{DType, Error, Result, Tensor};

/// Indices as the kernels read them.
fn index_of(name: &str, index: &Tensor) -> Result<Tensor> {
    match index.dtype() {
        DType::I32 | DType::I64 => Ok(index.clone()),
        d if d.is_int() => cast(index, DType::I64),
        d => Err(Error::dtype(format!(
            "{name}: index has dtype {d}, wanted integers; cast it first"
        ))),
    }
}

/// `x[index]` on axis `dim`: the axis is replaced by the axes of `index`.
pub fn take(x: &Tensor, index: &Tensor, dim: i64) -> Result<Tensor> {
    Indexed::new(Kind::Take, dim).record(&[x, &index_of("take", index)?])
}

/// The corner of `x` that an index reaches on the other axes.
fn corner(name: &str, x: &Tensor, index: &Tensor, dim: i64) -> Result<Tensor> {
    let axis = resolve_axis(name, dim, x.rank())?;
    let fits = x.rank() == index.rank()
        && (0..x.rank()).all(|i| i == axis || index.shape()[i] <= x.shape()[i]);
    if !fits {
        return Err(Error::shape(format!(
            "{name}: x has shape {:?}, index {:?}; index needs as many axes, none longer than x's but for axis {axis}",
            x.shape(),
            index.shape()
        )));
    }
    let mut cut = x.clone();
    for i in (0..x.rank()).filter(|&i| i != axis) {
        if index.shape()[i] != x.shape()[i] {
            cut = views::narrow(&cut, i, 0, index.shape()[i])?;
        }
    }
    Ok(cut)
}

/// `out[i][j] = x[index[i][j]][j]` for `dim` 0, and so on.
pub fn gather(x: &Tensor, index: &Tensor, dim: i64) -> Result<Tensor> {
    let index = index_of("gather", index)?;
    Indexed::new(Kind::Gather, dim).record(&[&corner("gather", x, &index, dim)?, &index])
}

/// Something the size of `x` that is `part` in its first corner, 0 elsewhere.
fn grown(part: &Tensor, x: &Tensor) -> Result<Tensor> {
    if part.shape() == x.shape() {
        return Ok(part.clone());
    }
    let pads = x
        .shape()
        .iter()
        .zip(part.shape())
        .map(|(&n, &m)| (n - m) as i64);
    let form = crate::ops::pad::Pad {
        pads: vec![0; x.rank()].into_iter().chain(pads).collect(),
        mode: "constant".to_owned(),
        value: 0.0,
    };
    crate::ops::pad::pad(part, &form)
}

/// `source` cut to the shape of `index` and cast to the dtype of `x`.
fn source_of(name: &str, x: &Tensor, index: &Tensor, source: &Tensor) -> Result<Tensor> {
    let fits = source.rank() == index.rank()
        && (source.shape().iter().zip(index.shape())).all(|(n, m)| n >= m);
    if !fits {
        return Err(Error::shape(format!(
            "{name}: source has shape {:?}, wanted at least the index's {:?}",
            source.shape(),
            index.shape()
        )));
    }
    let mut cut = cast(source, x.dtype())?;
    for (i, &n) in index.shape().iter().enumerate() {
        if cut.shape()[i] != n {
            cut = views::narrow(&cut, i, 0, n)?;
        }
    }
    Ok(cut)
}

/// x with `out[index[i][j]][j] += source[i][j]` for `dim` 0, and so on.
pub fn scatter_add(x: &Tensor, index: &Tensor, source: &Tensor, dim: i64) -> Result<Tensor> {
    let name = "scatter_add";
    let index = index_of(name, index)?;
    let part = corner(name, x, &index, dim)?;
    let axis = resolve_axis(name, dim, x.rank())?;
    let op = Indexed {
        kind: Kind::GatherBackward,
        dim: axis as i64,
        length: part.shape()[axis],
    };
    let sums = summed(op, &source_of(name, x, &index, source)?, &index)?;
    e::add(x, &grown(&sums, x)?)
}

/// x with `out[index[k]] += source[k]` for `dim` 0: whole slices.
pub fn index_add(x: &Tensor, index: &Tensor, source: &Tensor, dim: i64) -> Result<Tensor> {
    let name = "index_add";
    let index = index_of(name, index)?;
    let axis = resolve_axis(name, dim, x.rank())?;
    let mut wanted = x.shape().to_vec();
    wanted.splice(axis..=axis, index.shape().iter().copied());
    if source.shape() != wanted {
        return Err(Error::shape(format!(
            "{name}: source has shape {:?}, wanted {wanted:?}: x's with axis {axis} replaced by the index's",
            source.shape()
        )));
    }
    let op = Indexed {
        kind: Kind::TakeBackward,
        dim: axis as i64,
        length: x.shape()[axis],
    };
    e::add(x, &summed(op, &cast(source, x.dtype())?, &index)?)
}

/// x with `out[index[i][j]][j] = source[i][j]` for `dim` 0, and so on; of
/// several for one place the last stays.
pub fn scatter(x: &Tensor, index: &Tensor, source: &Tensor, dim: i64) -> Result<Tensor> {
    scatter_put("scatter", x, index, source, dim, Put::Last)
}

/// x with `out[index[i][j]][j]` made one with `source[i][j]` for `dim` 0, and so
/// on: `sum`, `prod`, `amax` or `amin`, x itself included.
pub fn scatter_reduce(
    x: &Tensor,
    index: &Tensor,
    source: &Tensor,
    dim: i64,
    reduce: &str,
) -> Result<Tensor> {
    let name = "scatter_reduce";
    let put = match reduce {
        "sum" => return scatter_add(x, index, source, dim),
        "prod" => Put::Product,
        "amax" => Put::Largest,
        "amin" => Put::Smallest,
        other => {
            return Err(Error::argument(format!(
                "{name}: reduce='{other}' is not 'sum', 'prod', 'amax' or 'amin'"
            )));
        }
    };
    // Halves in float32, bools and narrow integers in int32.
    let wide = match x.dtype() {
        DType::F16 | DType::BF16 => DType::F32,
        d if d.size() < 4 => DType::I32,
        d => d,
    };
    let (x_wide, source) = (cast(x, wide)?, cast(source, wide)?);
    let y = scatter_put(name, &x_wide, index, &source, dim, put)?;
    cast(&y, x.dtype())
}

fn scatter_put(
    name: &str,
    x: &Tensor,
    index: &Tensor,
    source: &Tensor,
    dim: i64,
    put: Put,
) -> Result<Tensor> {
    let index = index_of(name, index)?;
    let part = corner(name, x, &index, dim)?;
    let source = source_of(name, x, &index, source)?;
    let put = Indexed::new(Kind::Scatter(put), dim).record(&[&part, &index, &source])?;
    if part.shape() == x.shape() {
        return Ok(put);
    }
    let inside = Tensor::full(part.shape(), 1.0, DType::Bool, x.device())?;
    e::select(&grown(&inside, x)?, &grown(&put, x)?, x)
}

/// x with slices `index` of axis `dim` replaced by those of `source`, which
/// broadcasts to them.
pub fn index_put(x: &Tensor, index: &Tensor, source: &Tensor, dim: i64) -> Result<Tensor> {
    let name = "index_put";
    let index = index_of(name, index)?;
    let axis = resolve_axis(name, dim, x.rank())?;
    let mut wanted = x.shape().to_vec();
    wanted.splice(axis..=axis, index.shape().iter().copied());
    let source = views::expand(&cast(source, x.dtype())?, &wanted)?;
    let mut flat = x.shape().to_vec();
    flat[axis] = index.len();
    let mut beside = vec![1; x.rank()];
    beside[axis] = index.len();
    let places = views::expand(&views::reshape_to(&index, &beside)?, &flat)?;
    scatter(x, &places, &views::reshape_to(&source, &flat)?, axis as i64)
}
