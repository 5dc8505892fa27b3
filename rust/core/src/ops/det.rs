//! Determinants.

use super::elementwise as e;
use super::reduce;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::ops::matmul::matmul;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Float, det as kernels};

params! {
    /// Of each matrix of the last two axes.
    pub struct Det {}
}

/// (x, g): g, one number for each matrix, times the matrix' cofactors.
#[derive(Debug)]
struct DetBackward;

/// Rows of square matrices.
fn rows(name: &str, x: &Meta) -> Result<usize> {
    want_dtype(name, "x", x.dtype, FLOATS)?;
    match x.shape[..] {
        [.., rows, columns] if rows == columns => Ok(rows),
        _ => Err(Error::shape(format!(
            "{name}: x has shape {:?}, wanted square matrices (*, n, n)",
            x.shape
        ))),
    }
}

impl Op for Det {
    fn name(&self) -> &str {
        "det"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        rows("det", &x)?;
        let shape = x.shape[..x.shape.len() - 2].to_vec();
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let inputs = [vjp.inputs[0].clone(), vjp.grad(0)?];
        Ok(vec![Some(record_one(&OpRef::new(DetBackward), &inputs)?)])
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
        let n = call.shape(0).last().copied().unwrap_or(0);
        match call.dtype(0) {
            DType::F64 => kernels::det(call.slice::<f64>(0)?, n, call.out(0)?),
            _ => kernels::det(call.slice::<f32>(0)?, n, call.out(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let kernels = lamina_gpu::kernels::det(&call.inputs[0], call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let rows = inputs[0].shape.last().copied().unwrap_or(0);
        2 * (rows as u64 * inputs[0].len() as u64) / 3
    }
}

impl Op for DetBackward {
    fn name(&self) -> &str {
        "det_backward"
    }

    fn params(&self) -> Attrs {
        Attrs::new()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, g] = arity(self, inputs)?;
        rows("det_backward", &x)?;
        if g.shape[..] != x.shape[..x.shape.len() - 2] || g.dtype != x.dtype {
            return Err(Error::internal(
                "det_backward: g is not one number for each matrix",
            ));
        }
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    /// With C the cofactors, h the gradient and <h, C> its sum of products:
    /// g (<h, C> C - C hᵀ C) / det by x, which wants an inverse.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let ([x, g], h) = (vjp.inputs, vjp.grad(0)?) else {
            return Err(Error::internal("det_backward: takes two tensors"));
        };
        let one = Tensor::full(g.shape(), 1.0, g.dtype(), g.device())?;
        let cofactors = record_one(&OpRef::new(DetBackward), &[x.clone(), one])?;
        let axes = [x.rank() - 2, x.rank() - 1];
        let along = reduce::sum(&e::mul(&h, &cofactors)?, &axes, false)?;
        let by_x = if vjp.needs[0] {
            let det = record_one(&OpRef::new(Det {}), std::slice::from_ref(x))?;
            let own = views::unsqueeze(&along, &[-1, -2])?;
            let across = matmul(
                &matmul(&cofactors, &views::transpose_last(&h)?)?,
                &cofactors,
            )?;
            let rest = e::sub(&e::mul(&own, &cofactors)?, &across)?;
            let scale = views::unsqueeze(&e::div(g, &det)?, &[-1, -2])?;
            Some(e::mul(&scale, &rest)?)
        } else {
            None
        };
        Ok(vec![by_x, Some(along)])
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
        fn run<T: Float>(call: &CpuCall<'_>) -> Result<()> {
            let n = call.shape(0).last().copied().unwrap_or(0);
            kernels::det_backward(call.slice::<T>(0)?, n, call.slice(1)?, call.out(0)?);
            Ok(())
        }
        match call.dtype(0) {
            DType::F64 => run::<f64>(call),
            _ => run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let (x, g) = (&call.inputs[0], &call.inputs[1]);
        Ok(Lowered::Kernels(lamina_gpu::kernels::det_backward(
            x, g, call.caps,
        )?))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let rows = inputs[0].shape.last().copied().unwrap_or(0);
        3 * rows as u64 * inputs[0].len() as u64
    }
}
