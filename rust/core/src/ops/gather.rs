//! Reading and writing by index along an axis: `take` of whole slices,
//! `gather` of single elements, their gradients, and `scatter`.

use super::elementwise::{self as e, cast};
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, no_gradient};
use crate::{Attrs, DType, Error, Result, Tensor};
use lamina_kernels::gather as kernels;
use lamina_kernels::{Element, Func, Number};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// (x, index): `x[index]` on an axis; index of any rank.
    Take,
    /// (x, index): an element of x for each index; as many axes as x.
    Gather,
    /// (g, index): the slices of g summed where `Take` found them.
    TakeBackward,
    /// (g, index): the elements of g summed where `Gather` found them.
    GatherBackward,
    /// (x, index, source): x with elements of source put where index says.
    Scatter(Put),
}

/// What becomes of an element that another one comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The last one stays.
    Last,
    Product,
    /// NaN wins.
    Largest,
    /// NaN wins.
    Smallest,
}

impl Put {
    const fn name(self) -> &'static str {
        match self {
            Put::Last => "last",
            Put::Product => "prod",
            Put::Largest => "amax",
            Put::Smallest => "amin",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Indexed {
    kind: Kind,
    dim: i64,
    /// Of the indexed axis, for the gradients' results.
    length: usize,
}

/// What elements are summed, multiplied and compared in.
const COMPUTED: &[DType] = &[
    DType::F32,
    DType::F64,
    DType::I32,
    DType::I64,
    DType::U32,
    DType::U64,
];

impl Indexed {
    fn backward(self) -> bool {
        matches!(self.kind, Kind::TakeBackward | Kind::GatherBackward)
    }

    /// Whether numbers are made, and not only moved.
    fn computes(self) -> bool {
        self.backward() || matches!(self.kind, Kind::Scatter(put) if put != Put::Last)
    }

    /// The indexed axis, on x's side.
    fn axis(self, inputs: &[&[usize]]) -> Result<usize> {
        let rank = match self.kind {
            Kind::TakeBackward => (inputs[0].len() + 1).saturating_sub(inputs[1].len()),
            _ => inputs[0].len(),
        };
        resolve_axis(self.name(), self.dim, rank)
    }

    /// (outer, axis, inner) of x, and how many indices on the axis.
    fn sizes(self, inputs: &[&[usize]]) -> Result<([usize; 3], usize)> {
        let axis = self.axis(inputs)?;
        let (data, index) = (inputs[0], inputs[1]);
        let (length, after) = match self.kind {
            Kind::TakeBackward => (self.length, axis + index.len()),
            Kind::GatherBackward => (self.length, axis + 1),
            _ => (data[axis], axis + 1),
        };
        let count = match self.kind {
            Kind::Take | Kind::TakeBackward => index.iter().product(),
            _ => index[axis],
        };
        let outer = data[..axis].iter().product();
        Ok(([outer, length, data[after..].iter().product()], count))
    }

    fn check(self, inputs: &[&Meta]) -> Result<()> {
        let (name, wanted) = (
            self.name(),
            if matches!(self.kind, Kind::Scatter(_)) {
                3
            } else {
                2
            },
        );
        if inputs.len() != wanted {
            return Err(Error::argument(format!(
                "{name}: takes {wanted} tensors, got {}",
                inputs.len()
            )));
        }
        let index = inputs[1];
        if !matches!(index.dtype, DType::I32 | DType::I64) {
            return Err(Error::dtype(format!(
                "{name}: index has dtype {}, wanted int64 or int32",
                index.dtype
            )));
        }
        if self.computes() && !COMPUTED.contains(&inputs[0].dtype) {
            return Err(Error::unsupported(format!(
                "{name}: does not compute with {}; cast it first",
                inputs[0].dtype
            )));
        }
        Ok(())
    }

    /// Index and data agree, but for the axis.
    fn check_each(self, inputs: &[&Meta]) -> Result<()> {
        let (x, index) = (&inputs[0].shape, &inputs[1].shape);
        let axis = self.axis(&[x, index])?;
        let fits = x.len() == index.len() && (0..x.len()).all(|i| i == axis || x[i] == index[i]);
        if !fits {
            return Err(Error::shape(format!(
                "{}: x has shape {x:?}, index {index:?}; they may differ on axis {axis} alone",
                self.name()
            )));
        }
        Ok(())
    }

    fn places(self, call: &CpuCall<'_>, length: usize) -> Result<Vec<usize>> {
        let found = match call.dtype(1) {
            DType::I32 => kernels::resolve(call.slice::<i32>(1)?, length),
            _ => kernels::resolve(call.slice::<i64>(1)?, length),
        };
        found.map_err(|index| out_of_range(self.name(), index, self.dim, length))
    }

    fn moves<T: Element>(self, call: &CpuCall<'_>) -> Result<()> {
        let shapes: Vec<&[usize]> = (0..call.inputs.len()).map(|i| call.shape(i)).collect();
        let (dims, count) = self.sizes(&shapes)?;
        let places = self.places(call, dims[1])?;
        let (x, out) = (call.slice::<T>(0)?, call.out::<T>(0)?);
        match self.kind {
            Kind::Take => kernels::take(x, dims, &places, out),
            Kind::Gather => kernels::gather(x, dims, count, &places, out),
            _ => {
                out.copy_from_slice(x);
                let source = call.slice::<T>(2)?;
                kernels::scatter(source, dims, count, &places, out, |_, new| new);
            }
        }
        Ok(())
    }

    fn sums<T: Number>(self, call: &CpuCall<'_>) -> Result<()> {
        let (dims, count) = self.sizes(&[call.shape(0), call.shape(1)])?;
        let places = self.places(call, dims[1])?;
        let (g, out) = (call.slice::<T>(0)?, call.out::<T>(0)?);
        if let Kind::Scatter(put) = self.kind {
            out.copy_from_slice(g);
            let join = |a: T, b: T| match put {
                Put::Last => b,
                Put::Product => a.times(b),
                Put::Largest if a > b || a.is_nan() => a,
                Put::Smallest if a < b || a.is_nan() => a,
                Put::Largest | Put::Smallest => b,
            };
            kernels::scatter(call.slice::<T>(2)?, dims, count, &places, out, join);
            return Ok(());
        }
        out.fill(T::ZERO);
        match self.kind {
            Kind::TakeBackward => kernels::take_sum(g, dims, &places, out),
            _ => kernels::scatter(g, dims, count, &places, out, T::plus),
        }
        Ok(())
    }
}

fn out_of_range(name: &str, index: i64, dim: i64, length: usize) -> Error {
    Error::index(format!(
        "{name}: index {index} is out of range for axis {dim}, which has {length} elements; wanted {} to {}",
        -(length as i64),
        length as i64 - 1
    ))
}

impl Op for Indexed {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Take => "take",
            Kind::Gather => "gather",
            Kind::TakeBackward => "take_backward",
            Kind::GatherBackward => "gather_backward",
            Kind::Scatter(Put::Last) => "scatter",
            Kind::Scatter(_) => "scatter_reduce",
        }
    }

    fn params(&self) -> Attrs {
        let attrs = Attrs::new().with("dim", self.dim);
        match self.kind {
            Kind::TakeBackward | Kind::GatherBackward => attrs.with("length", self.length),
            Kind::Scatter(put) if put != Put::Last => attrs.with("reduce", put.name()),
            _ => attrs,
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        self.check(inputs)?;
        let (data, index) = (inputs[0], inputs[1]);
        let axis = self.axis(&[&data.shape, &index.shape])?;
        let mut shape = data.shape.clone();
        match self.kind {
            Kind::Take => {
                shape.splice(axis..=axis, index.shape.iter().copied());
            }
            Kind::TakeBackward => {
                let end = axis + index.shape.len();
                if data.shape.get(axis..end) != Some(&index.shape[..]) {
                    return Err(Error::internal("take_backward: g does not fit the index"));
                }
                shape.splice(axis..end, [self.length]);
            }
            Kind::Gather | Kind::GatherBackward => {
                self.check_each(inputs)?;
                shape[axis] = if self.kind == Kind::Gather {
                    index.shape[axis]
                } else {
                    self.length
                };
            }
            Kind::Scatter(_) => {
                self.check_each(inputs)?;
                if inputs[2].shape != index.shape || inputs[2].dtype != data.dtype {
                    return Err(Error::shape(format!(
                        "{}: source is {} {:?}, wanted {} of the index's shape {:?}",
                        self.name(),
                        inputs[2].dtype,
                        inputs[2].shape,
                        data.dtype,
                        index.shape
                    )));
                }
            }
        }
        let out = Meta::new(data.dtype, shape);
        let length = if self.backward() {
            self.length
        } else {
            data.shape[axis]
        };
        if length == 0 && !index.is_empty() {
            return Err(Error::index(format!(
                "{}: axis {axis} of {:?} is empty and cannot be indexed",
                self.name(),
                data.shape
            )));
        }
        Ok(vec![out])
    }

    fn gradient(&self) -> Gradient {
        match self.kind {
            Kind::Scatter(Put::Product) => Gradient::None(
                "products of numbers that may be 0; exp(scatter_add(log(x))) has one where all are > 0",
            ),
            Kind::Scatter(Put::Largest | Put::Smallest) => Gradient::Vjp {
                inputs: &[0, 1, 2],
                outputs: &[0],
            },
            _ => Gradient::Vjp {
                inputs: &[1],
                outputs: &[],
            },
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (g, index) = (vjp.grad(0)?, &vjp.inputs[1]);
        let shapes = [vjp.inputs[0].shape(), index.shape()];
        let axis = self.axis(&shapes)?;
        let twin = |kind| Indexed {
            kind,
            dim: axis as i64,
            length: if self.backward() { 0 } else { shapes[0][axis] },
        };
        Ok(match self.kind {
            Kind::Take => vec![Some(summed(twin(Kind::TakeBackward), &g, index)?), None],
            Kind::Gather => vec![Some(summed(twin(Kind::GatherBackward), &g, index)?), None],
            Kind::TakeBackward => vec![Some(twin(Kind::Take).record(&[&g, index])?), None],
            Kind::GatherBackward => vec![Some(twin(Kind::Gather).record(&[&g, index])?), None],
            Kind::Scatter(Put::Product) => return Err(no_gradient(self)),
            Kind::Scatter(Put::Largest | Put::Smallest) => shared(vjp, &g, axis)?,
            Kind::Scatter(Put::Last) => {
                let nothing = Tensor::full(index.shape(), 0.0, g.dtype(), g.device())?;
                vec![
                    Some(twin(self.kind).record(&[&g, index, &nothing])?),
                    None,
                    Some(twin(Kind::Gather).record(&[&g, index])?),
                ]
            }
        })
    }

    fn class(&self) -> Class<'_> {
        if self.computes() {
            Class::Compute
        } else {
            Class::Move
        }
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        if self.computes() {
            return match call.dtype(0) {
                DType::F32 => self.sums::<f32>(call),
                DType::F64 => self.sums::<f64>(call),
                DType::I32 => self.sums::<i32>(call),
                DType::I64 => self.sums::<i64>(call),
                DType::U32 => self.sums::<u32>(call),
                _ => self.sums::<u64>(call),
            };
        }
        match call.dtype(0).size() {
            1 => self.moves::<u8>(call),
            2 => self.moves::<u16>(call),
            4 => self.moves::<u32>(call),
            _ => self.moves::<u64>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        use lamina_gpu::kernels as k;
        let (data, index, caps) = (&call.inputs[0], &call.inputs[1], call.caps);
        let axis = self.axis(&[&data.shape, &index.shape])?;
        Ok(Lowered::Kernels(match self.kind {
            Kind::Take => k::take(data, index, axis, caps)?,
            Kind::Gather => k::gather(data, index, axis, caps)?,
            Kind::TakeBackward => k::take_backward(data, index, axis, self.length, caps)?,
            Kind::GatherBackward => k::gather_backward(data, index, axis, self.length, caps)?,
            Kind::Scatter(put) => {
                let put = match put {
                    Put::Last => k::Put::Last,
                    Put::Product => k::Put::Product,
                    Put::Largest => k::Put::Largest,
                    Put::Smallest => k::Put::Smallest,
                };
                k::scatter(data, index, &call.inputs[2], axis, put, caps)?
            }
        }))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        if self.computes() {
            inputs[0].len() as u64
        } else {
            0
        }
    }
}

impl Indexed {
    fn new(kind: Kind, dim: i64) -> Self {
        Indexed {
            kind,
            dim,
            length: 0,
        }
    }

    fn record(self, inputs: &[&Tensor]) -> Result<Tensor> {
        let inputs: Vec<Tensor> = inputs.iter().map(|&t| t.clone()).collect();
        record_one(&OpRef::new(self), &inputs)
    }
}

/// Of the largest (smallest) at a place: all that are equal to it share alike.
fn shared(vjp: &Vjp<'_>, g: &Tensor, axis: usize) -> Result<Vec<Option<Tensor>>> {
    let ([x, index, source], y) = (vjp.inputs, &vjp.outputs[0]) else {
        return Err(Error::internal("scatter_reduce: takes three tensors"));
    };
    let dim = axis as i64;
    let read = |t: &Tensor| Indexed::new(Kind::Gather, dim).record(&[t, index]);
    let own = cast(&e::compare(Func::Eq, x, y)?, g.dtype())?;
    let theirs = cast(&e::compare(Func::Eq, source, &read(y)?)?, g.dtype())?;
    let count = e::add(&own, &sum_at(&theirs, index, axis, x.shape()[axis])?)?;
    let share = e::div(g, &count)?;
    Ok(vec![
        Some(e::mul(&own, &share)?),
        None,
        Some(e::mul(&theirs, &read(&share)?)?),
    ])
}

/// Sums in a dtype that holds them: halves in float32, narrow integers in
/// int32 (which wraps to them).
fn summed(op: Indexed, g: &Tensor, index: &Tensor) -> Result<Tensor> {
    let wide = match g.dtype() {
        DType::F16 | DType::BF16 => DType::F32,
        DType::U8 | DType::I8 | DType::U16 | DType::I16 => DType::I32,
        d => d,
    };
    cast(&op.record(&[&cast(g, wide)?, index])?, g.dtype())
}

/// The elements of `g` summed at `index` on an axis of `length`.
pub(crate) fn sum_at(g: &Tensor, index: &Tensor, axis: usize, length: usize) -> Result<Tensor> {
    let op = Indexed {
        kind: Kind::GatherBackward,
        dim: axis as i64,
        length,
    };
    summed(op, g, index)
}

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
    let form = super::pad::Pad {
        pads: vec![0; x.rank()].into_iter().chain(pads).collect(),
        mode: "constant".to_owned(),
        value: 0.0,
    };
    super::pad::pad(part, &form)
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
