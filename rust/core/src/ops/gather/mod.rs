//! Reading and writing by index along an axis: `take` of whole slices,
//! `gather` of single elements, their gradients, and `scatter`.

mod record;

pub use record::{gather, index_add, index_put, scatter, scatter_add, scatter_reduce, take};

use super::elementwise::{self as e, cast};
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
