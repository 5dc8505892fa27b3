//! Reductions over any axes: sum, mean, product, largest, smallest.

use super::elementwise as e;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axes;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels as gpu;
use lamina_kernels::Func;
use lamina_kernels::Isa;
use lamina_kernels::reduce::Reduction as Kind;

params! {
    /// Which axes go (all when None), and whether they stay with size 1.
    pub struct Axes { dim: Option<Vec<i64>> = None, keepdim: bool = false }
}

#[derive(Debug)]
pub struct Reduce {
    kind: Kind,
    axes: Axes,
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Sum => "sum",
        Kind::Mean => "mean",
        Kind::Prod => "prod",
        Kind::Max => "max",
        Kind::Min => "min",
    }
}

impl Reduce {
    fn resolved(&self, rank: usize) -> Result<Vec<usize>> {
        resolve_axes(name_of(self.kind), self.axes.dim.as_deref(), rank)
    }

    /// Whether the first of so many axes is none of those that go.
    pub(crate) fn keeps_first(&self, rank: usize) -> bool {
        self.resolved(rank).is_ok_and(|axes| !axes.contains(&0))
    }

    /// Over how many of the last axes this takes the mean, where they stay.
    pub(crate) fn mean_of_last(&self, rank: usize) -> Option<usize> {
        let mut axes = self.resolved(rank).ok()?;
        axes.sort_unstable();
        let count = axes.len();
        let last = count > 0 && axes.into_iter().eq(rank - count..rank);
        (last && self.kind == Kind::Mean && self.axes.keepdim).then_some(count)
    }

    /// Brings a reduced tensor back to the rank of `input`.
    fn with_axes(&self, reduced: &Tensor, input: &Tensor) -> Result<Tensor> {
        let mut shape = input.shape().to_vec();
        for axis in self.resolved(input.rank())? {
            shape[axis] = 1;
        }
        views::reshape_to(reduced, &shape)
    }
}

impl Op for Reduce {
    fn name(&self) -> &str {
        name_of(self.kind)
    }

    fn params(&self) -> Attrs {
        self.axes.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let name = self.name();
        if self.kind == Kind::Mean && !x.dtype.is_float() {
            return Err(Error::unsupported(format!(
                "mean: is not defined for {}; cast it first",
                x.dtype
            )));
        }
        let axes = self.resolved(x.shape.len())?;
        let count: usize = axes.iter().map(|&a| x.shape[a]).product();
        if count == 0 && matches!(self.kind, Kind::Max | Kind::Min) {
            return Err(Error::shape(format!(
                "{name}: the reduced axes of {:?} are empty and have no {name}",
                x.shape
            )));
        }
        let shape = x.shape.iter().enumerate().filter_map(|(i, &n)| {
            match (axes.contains(&i), self.axes.keepdim) {
                (false, _) => Some(n),
                (true, true) => Some(1),
                (true, false) => None,
            }
        });
        Ok(vec![Meta::new(x.dtype, shape.collect::<Vec<_>>())])
    }

    fn gradient(&self) -> Gradient {
        match self.kind {
            Kind::Sum | Kind::Mean => Gradient::Vjp {
                inputs: &[],
                outputs: &[],
            },
            _ => Gradient::Vjp {
                inputs: &[0],
                outputs: &[0],
            },
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let x = &vjp.inputs[0];
        let g = self.with_axes(&vjp.grad(0)?, x)?;
        let dx = match self.kind {
            Kind::Sum => views::expand(&g, x.shape())?,
            Kind::Mean => {
                let count = x.len() / vjp.outputs[0].len().max(1);
                let share = e::mul(&g, &e::number_like(&g, 1.0 / count.max(1) as f64))?;
                views::expand(&share, x.shape())?
            }
            // The product of the others: exact with at most one zero on the
            // axes where y / x is not; two zeros leave no gradient.
            Kind::Prod => product_gradient(&g, x, &self.resolved(x.rank())?)?,
            // Equal extremes share.
            Kind::Max | Kind::Min => {
                let y = self.with_axes(&vjp.outputs[0], x)?;
                let hit = e::cast(&e::compare(Func::Eq, x, &y)?, x.dtype())?;
                let axes = self.resolved(x.rank())?;
                let count = keep(Kind::Sum, &hit, &axes)?;
                e::mul(&e::div(&g, &count)?, &hit)?
            }
        };
        Ok(vec![Some(dx)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    /// Over batch, height or width, which keep their places.
    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let [x] = inputs else { return None };
        let axes = self.resolved(x.shape.len()).ok()?;
        let image = x.shape.len() == 4 && x.dtype == DType::F32;
        (image && self.axes.keepdim && !axes.contains(&1)).then(|| {
            let op = Reduce {
                kind: self.kind,
                axes: Axes {
                    dim: Some(axes.iter().map(|axis| *axis as i64).collect()),
                    keepdim: true,
                },
            };
            Blocked::keeping(OpRef::new(op), 0..1)
        })
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let axes = self.resolved(call.shape(0).len())?;
        if self.kind == Kind::Mean && call.shape(0).contains(&0) {
            // The mean of nothing, as NumPy has it.
            match call.dtype(0) {
                DType::F64 => call.out::<f64>(0)?.fill(f64::NAN),
                _ => call.out::<f32>(0)?.fill(f32::NAN),
            }
            return Ok(());
        }
        macro_rules! run {
            ($($dtype:ident => $ty:ty),*) => {
                match call.dtype(0) {
                    $(DType::$dtype => {
                        let (x, out) = (call.slice::<$ty>(0)?, call.out::<$ty>(0)?);
                        lamina_kernels::reduce::reduce(Isa::current(), self.kind, x, call.shape(0), &axes, out);
                    })*
                    other => return Err(Error::internal(format!("{}: no kernel for {other}", call.op))),
                }
            };
        }
        run!(F32 => f32, F64 => f64, I64 => i64, I32 => i32, I16 => i16, I8 => i8, U64 => u64, U32 => u32, U16 => u16, U8 => u8, Bool => u8);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let axes = self.resolved(x.shape.len())?;
        let kind = match self.kind {
            Kind::Sum => gpu::Reduction::Sum,
            Kind::Mean => gpu::Reduction::Mean,
            Kind::Prod => gpu::Reduction::Prod,
            Kind::Max => gpu::Reduction::Max,
            Kind::Min => gpu::Reduction::Min,
        };
        let kernels = gpu::reduce(kind, x, &axes, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

/// dx = g · (product of the other elements).
fn product_gradient(g: &Tensor, x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let (zero, one) = (e::number_like(x, 0.0), e::number_like(x, 1.0));
    let is_zero = e::compare(Func::Eq, x, &zero)?;
    let safe = e::select(&is_zero, &one, x)?;
    // Of all that are not zero, and how many are.
    let product = keep(Kind::Prod, &safe, axes)?;
    let zeros = keep(Kind::Sum, &e::cast(&is_zero, x.dtype())?, axes)?;
    let none = e::compare(Func::Eq, &zeros, &zero)?;
    let single = e::compare(Func::Eq, &zeros, &one)?;
    let elsewhere = e::select(&none, &e::div(&product, &safe)?, &zero)?;
    let at_zero = e::select(&single, &product, &zero)?;
    e::mul(g, &e::select(&is_zero, &at_zero, &elsewhere)?)
}

fn keep(kind: Kind, x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let axes = Axes {
        dim: Some(axes.iter().map(|&a| a as i64).collect()),
        keepdim: true,
    };
    record_one(&OpRef::new(Reduce { kind, axes }), std::slice::from_ref(x))
}

/// Reduces as asked; sums of bools and narrow integers are int64 (as NumPy
/// and PyTorch have it), means of integers are float32.
pub fn reduce(kind: Kind, x: &Tensor, axes: Axes) -> Result<Tensor> {
    let dtype = match (kind, x.dtype()) {
        (Kind::Sum | Kind::Prod, d) if !d.is_float() && d != DType::U64 => DType::I64,
        (Kind::Mean, d) if !d.is_float() => DType::F32,
        (_, d) => d,
    };
    record_one(&OpRef::new(Reduce { kind, axes }), &[e::cast(x, dtype)?])
}

/// In the dtype of `x`, whatever it is (ONNX's rule).
pub fn reduce_as_is(kind: Kind, x: &Tensor, axes: Axes) -> Result<Tensor> {
    record_one(&OpRef::new(Reduce { kind, axes }), std::slice::from_ref(x))
}

pub fn sum(x: &Tensor, axes: &[usize], keepdim: bool) -> Result<Tensor> {
    let axes = Axes {
        dim: Some(axes.iter().map(|&a| a as i64).collect()),
        keepdim,
    };
    reduce_as_is(Kind::Sum, x, axes)
}

/// Sums the broadcast axes away, so that the result has `shape`.
pub fn sum_to(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    let lead = x.rank() - shape.len();
    let axes: Vec<usize> = (0..x.rank())
        .filter(|&i| i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1))
        .collect();
    let summed = if axes.is_empty() {
        x.clone()
    } else {
        sum(x, &axes, true)?
    };
    views::reshape_to(&summed, shape)
}
