//! Sorting along an axis, and the first k of what is sorted.

use super::elementwise::cast;
use super::gather;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_op;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::sort::Ordered;

params! {
    /// Rising, or falling with `descending`; equal elements keep their order,
    /// and NaN counts as larger than every number.
    pub struct Sort { dim: i64 = -1, descending: bool = false }
}

params! {
    /// The `k` largest (or smallest) elements in order; of equals the first.
    pub struct Topk { k: usize, dim: i64 = -1, largest: bool = true, sorted: bool = true }
}

/// Both ops: two outputs, the values and their int64 places.
#[derive(Debug)]
struct Order {
    dim: i64,
    descending: bool,
    /// None: all, which is `sort`.
    k: Option<usize>,
}

impl Order {
    /// The axis and how many of its elements are kept.
    fn resolved(&self, shape: &[usize]) -> Result<(usize, usize)> {
        let name = self.name();
        let axis = resolve_axis(name, self.dim, shape.len())?;
        let length = shape[axis];
        let k = self.k.unwrap_or(length);
        if k > length {
            return Err(Error::shape(format!(
                "{name}: k={k} is more than axis {axis} has, which is {length}"
            )));
        }
        Ok((axis, k))
    }

    fn run<T: Ordered>(&self, call: &CpuCall<'_>) -> Result<()> {
        let shape = call.shape(0);
        let (axis, k) = self.resolved(shape)?;
        let dims = super::around(shape, axis);
        let (values, places) = (call.out::<T>(0)?, call.out::<i64>(1)?);
        lamina_kernels::sort::topk(
            call.slice::<T>(0)?,
            dims,
            k,
            self.descending,
            values,
            places,
        );
        Ok(())
    }
}

impl Op for Order {
    fn name(&self) -> &str {
        if self.k.is_some() { "topk" } else { "sort" }
    }

    fn params(&self) -> Attrs {
        let (dim, descending) = (self.dim, self.descending);
        match self.k {
            None => Sort { dim, descending }.to_attrs(),
            Some(k) => Topk {
                k,
                dim,
                largest: descending,
                sorted: true,
            }
            .to_attrs(),
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let (axis, k) = self.resolved(&x.shape)?;
        let mut shape = x.shape.clone();
        shape[axis] = k;
        Ok(vec![
            Meta::new(x.dtype, shape.clone()),
            Meta::new(DType::I64, shape),
        ])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[1],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let shape = vjp.inputs[0].shape();
        let (axis, _) = self.resolved(shape)?;
        let dx = gather::sum_at(&vjp.grad(0)?, &vjp.outputs[1], axis, shape[axis])?;
        Ok(vec![Some(dx)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0) {
            DType::F32 => self.run::<f32>(call),
            DType::F64 => self.run::<f64>(call),
            DType::I64 => self.run::<i64>(call),
            DType::I32 => self.run::<i32>(call),
            DType::I16 => self.run::<i16>(call),
            DType::I8 => self.run::<i8>(call),
            DType::U64 => self.run::<u64>(call),
            DType::U32 => self.run::<u32>(call),
            DType::U16 => self.run::<u16>(call),
            DType::U8 => self.run::<u8>(call),
            other => Err(Error::internal(format!(
                "{}: no kernel for {other}",
                call.op
            ))),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let (axis, k) = self.resolved(&x.shape)?;
        let kernels = lamina_gpu::kernels::sort(x, axis, k, self.descending, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

fn record(op: Order, x: &Tensor) -> Result<Vec<Tensor>> {
    let mut outputs = record_op(&OpRef::new(op), &[super::comparable(x)?])?;
    outputs[0] = cast(&outputs[0], x.dtype())?;
    Ok(outputs)
}

/// Values in order and where they were.
pub fn sort(x: &Tensor, form: &Sort) -> Result<Vec<Tensor>> {
    let op = Order {
        dim: form.dim,
        descending: form.descending,
        k: None,
    };
    record(op, x)
}

/// As [`sort`], the first k.  With `sorted` off any order would do: this one
/// is one.
pub fn topk(x: &Tensor, form: &Topk) -> Result<Vec<Tensor>> {
    let op = Order {
        dim: form.dim,
        descending: form.largest,
        k: Some(form.k),
    };
    record(op, x)
}
