//! Where the largest or the smallest element of an axis lies.

use super::elementwise::cast;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Isa, Number};

params! {
    /// Along `dim`, which stays with size 1 where `keepdim`; None: of all
    /// elements in row-major order.
    pub struct Arg { dim: Option<i64> = None, keepdim: bool = false }
}

#[derive(Debug)]
pub struct ArgExtreme {
    largest: bool,
    dim: i64,
    keepdim: bool,
}

impl ArgExtreme {
    fn run<T: Number>(&self, call: &CpuCall<'_>) -> Result<()> {
        let shape = call.shape(0);
        let axis = resolve_axis(self.name(), self.dim, shape.len())?;
        let dims = super::around(shape, axis);
        let (x, out) = (call.slice::<T>(0)?, call.out::<i64>(0)?);
        lamina_kernels::reduce::arg_reduce(Isa::current(), self.largest, x, dims, out);
        Ok(())
    }
}

impl Op for ArgExtreme {
    fn name(&self) -> &str {
        if self.largest { "argmax" } else { "argmin" }
    }

    fn params(&self) -> Attrs {
        Attrs::new()
            .with("dim", self.dim)
            .with("keepdim", self.keepdim)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let name = self.name();
        let axis = resolve_axis(name, self.dim, x.shape.len())?;
        let mut shape = x.shape.clone();
        shape[axis] = 1;
        let lines: usize = shape.iter().product();
        if x.shape[axis] == 0 && lines > 0 {
            return Err(Error::shape(format!(
                "{name}: axis {axis} of {:?} is empty and has no {}",
                x.shape,
                &name[3..]
            )));
        }
        if !self.keepdim {
            shape.remove(axis);
        }
        Ok(vec![Meta::new(DType::I64, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("its result is integers")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
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
        let axis = resolve_axis(self.name(), self.dim, x.shape.len())?;
        let kernels = lamina_gpu::kernels::argmax(x, axis, !self.largest, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

/// int64 places of the largest (or smallest) elements: the first of equals,
/// NaN before all.
pub fn arg_extreme(largest: bool, x: &Tensor, form: &Arg) -> Result<Tensor> {
    let comparable = super::comparable(x)?;
    let op = |dim, keepdim| ArgExtreme {
        largest,
        dim,
        keepdim,
    };
    if let Some(dim) = form.dim {
        return record_one(&OpRef::new(op(dim, form.keepdim)), &[comparable]);
    }
    let flat = views::reshape(&comparable, &[-1])?;
    let found = record_one(&OpRef::new(op(0, false)), &[flat])?;
    if form.keepdim {
        return views::reshape_to(&found, &vec![1; x.rank()]);
    }
    cast(&found, DType::I64)
}
