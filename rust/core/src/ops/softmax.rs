//! Softmax and its logarithm along one axis, shifted by the largest element.
//! A row of nothing but -inf has softmax 0 and log-softmax -inf.

use super::elementwise as e;
use super::reduce;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Result, Tensor, params};
use lamina_kernels::{Func, Isa, softmax as kernel};

params! {
    /// Along which axis the results sum to one.
    pub struct Dim { dim: i64 = -1 }
}

#[derive(Debug)]
pub struct Softmax {
    dim: Dim,
    log: bool,
}

impl Softmax {
    pub fn from_attrs(name: &str, attrs: &Attrs) -> Result<Self> {
        Ok(Softmax {
            dim: Dim::from_attrs(name, attrs)?,
            log: name == "log_softmax",
        })
    }

    /// Whether it is the softmax, not its logarithm, along the last of `rank`
    /// axes.
    pub fn is_of_rows(&self, rank: usize) -> bool {
        !self.log && self.axis(rank).is_some_and(|axis| axis + 1 == rank)
    }

    /// The axis, of a tensor of so many; None where there is no such.
    pub(crate) fn axis(&self, rank: usize) -> Option<usize> {
        resolve_axis(self.name(), self.dim.dim, rank).ok()
    }

    /// Elements before, along and behind the axis.
    fn split(&self, shape: &[usize]) -> Result<[usize; 3]> {
        if shape.is_empty() {
            return Ok([1, 1, 1]);
        }
        let axis = resolve_axis(self.name(), self.dim.dim, shape.len())?;
        Ok([
            shape[..axis].iter().product(),
            shape[axis],
            shape[axis + 1..].iter().product(),
        ])
    }
}

impl Op for Softmax {
    fn name(&self) -> &str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn params(&self) -> Attrs {
        self.dim.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(self.name(), "x", x.dtype, FLOATS)?;
        self.split(&x.shape)?;
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[0],
        }
    }

    /// softmax: (g - sum(g y)) y; log-softmax: g - exp(y) sum(g).
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (g, y) = (vjp.grad(0)?, &vjp.outputs[0]);
        if y.rank() == 0 {
            return Ok(vec![Some(Tensor::zeros_like(y)?)]);
        }
        let axis = resolve_axis(self.name(), self.dim.dim, y.rank())?;
        let dx = if self.log {
            let total = reduce::sum(&g, &[axis], true)?;
            e::sub(&g, &e::mul(&e::unary(Func::Exp, y)?, &total)?)?
        } else {
            let total = reduce::sum(&e::mul(&g, y)?, &[axis], true)?;
            e::mul(&e::sub(&g, &total)?, y)?
        };
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
        let (isa, dims) = (Isa::current(), self.split(call.shape(0))?);
        match (call.dtype(0), self.log) {
            (DType::F64, false) => kernel::softmax::<f64>(isa, call.slice(0)?, dims, call.out(0)?),
            (DType::F64, true) => {
                kernel::log_softmax::<f64>(isa, call.slice(0)?, dims, call.out(0)?);
            }
            (_, false) => kernel::softmax::<f32>(isa, call.slice(0)?, dims, call.out(0)?),
            (_, true) => kernel::log_softmax::<f32>(isa, call.slice(0)?, dims, call.out(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let dims = self.split(&x.shape)?;
        let kernels = lamina_gpu::kernels::softmax(x, dims, self.log, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        5 * inputs[0].len() as u64
    }
}

pub fn softmax(x: &Tensor, dim: i64) -> Result<Tensor> {
    record_one(
        &OpRef::new(Softmax {
            dim: Dim { dim },
            log: false,
        }),
        std::slice::from_ref(x),
    )
}

pub fn log_softmax(x: &Tensor, dim: i64) -> Result<Tensor> {
    record_one(
        &OpRef::new(Softmax {
            dim: Dim { dim },
            log: true,
        }),
        std::slice::from_ref(x),
    )
}
