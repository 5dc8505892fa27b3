//! The gradients of `grid_sample` by its input and by its grid.

use super::{GridSample, by_grid, out_shape, shape_of};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::ops::composed;
use crate::{Attrs, DType, Error, Result, Tensor};
use lamina_kernels::Float;
use lamina_kernels::grid_sample as kernels;

/// (g, grid): g added where an input of shape `input` was read.
#[derive(Debug)]
pub(super) struct BackwardInput {
    pub op: GridSample,
    pub input: Vec<usize>,
}

/// (g, x, grid): how the result, times g, changes with the grid.
#[derive(Debug)]
pub(super) struct BackwardGrid {
    pub op: GridSample,
}

fn misfit(name: &str) -> Error {
    Error::internal(format!(
        "{name}: g does not have the output's shape and dtype"
    ))
}

impl BackwardInput {
    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let shape = shape_of(&self.input, call.shape(1));
        let (g, grid) = (call.slice::<T>(0)?, call.slice::<T>(1)?);
        kernels::grid_sample_backward_input(&shape, self.op.form()?, g, grid, call.out::<T>(0)?);
        Ok(())
    }
}

impl Op for BackwardInput {
    fn name(&self) -> &str {
        "grid_sample_backward_input"
    }

    fn params(&self) -> Attrs {
        let input: Vec<i64> = self.input.iter().map(|&n| n as i64).collect();
        self.op.to_attrs().with("input", input)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [g, grid] = arity(self, inputs)?;
        if g.shape != out_shape(&self.input, &grid.shape)? || g.dtype != grid.dtype {
            return Err(misfit(self.name()));
        }
        Ok(vec![Meta::new(g.dtype, self.input.clone())])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let ([g, grid], dx) = (vjp.inputs, vjp.grad(0)?) else {
            return Err(Error::internal(
                "grid_sample_backward_input: takes two tensors",
            ));
        };
        let again = OpRef::new(self.op.clone());
        Ok(vec![
            Some(record_one(&again, &[dx.clone(), grid.clone()])?),
            vjp.needs[1]
                .then(|| by_grid(&self.op, g, &dx, grid))
                .transpose()?,
        ])
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
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let form = self.op.gpu_form(&self.input)?;
        let [g, grid] = call.inputs else {
            return Err(Error::internal(
                "grid_sample_backward_input: takes two tensors",
            ));
        };
        let kernels = lamina_gpu::kernels::grid_sample_backward_input(g, grid, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.op.taps(self.input.len() - 2) * inputs[0].len() as u64
    }
}

impl BackwardGrid {
    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let shape = shape_of(call.shape(1), call.shape(2));
        let (g, x, grid) = (
            call.slice::<T>(0)?,
            call.slice::<T>(1)?,
            call.slice::<T>(2)?,
        );
        kernels::grid_sample_backward_grid(&shape, self.op.form()?, g, x, grid, call.out::<T>(0)?);
        Ok(())
    }
}

impl Op for BackwardGrid {
    fn name(&self) -> &str {
        "grid_sample_backward_grid"
    }

    fn params(&self) -> Attrs {
        self.op.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [g, x, grid] = arity(self, inputs)?;
        let fits = g.shape == out_shape(&x.shape, &grid.shape)?;
        if !fits || g.dtype != grid.dtype || x.dtype != grid.dtype {
            return Err(misfit(self.name()));
        }
        Ok(vec![grid])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1, 2],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        composed::twin_vjp(vjp, |inputs| {
            let [g, x, grid] = inputs else {
                return Err(Error::internal(
                    "grid_sample_backward_grid: takes three tensors",
                ));
            };
            let form = self.op.form()?;
            let y = composed::grid_sample::grid_sample(x, grid, form)?;
            let by = crate::grad(
                &[y],
                std::slice::from_ref(grid),
                Some(std::slice::from_ref(g)),
                true,
            )?;
            match by.into_iter().next().flatten() {
                Some(found) => Ok(vec![found]),
                None => Ok(vec![Tensor::zeros_like(grid)?]),
            }
        })
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
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [g, x, grid] = call.inputs else {
            return Err(Error::internal(
                "grid_sample_backward_grid: takes three tensors",
            ));
        };
        let form = self.op.gpu_form(&x.shape)?;
        let kernels = lamina_gpu::kernels::grid_sample_backward_grid(g, x, grid, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let rank = inputs[1].shape.len() - 2;
        rank as u64 * self.op.taps(rank) * inputs[0].len() as u64
    }
}
