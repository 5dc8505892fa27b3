//! Images read at the places that a grid names.

mod backward;

use super::elementwise::cast;
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use backward::{BackwardGrid, BackwardInput};
use lamina_kernels::Float;
use lamina_kernels::grid_sample::{self as kernels, Form, MAX_AXES, Mode, Padding, Shape};

params! {
    /// PyTorch's meaning and names.
    pub struct GridSample {
        mode: String = "bilinear".to_owned(),
        padding_mode: String = "zeros".to_owned(),
        align_corners: bool = false,
    }
}

const NAME: &str = "grid_sample";

fn choice<T: Copy>(name: &str, got: &str, known: &[(&str, T)]) -> Result<T> {
    let found = known.iter().find(|(n, _)| *n == got);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let list: Vec<String> = known.iter().map(|(n, _)| format!("'{n}'")).collect();
        let list = list.join(", ");
        Error::argument(format!("{NAME}: {name}='{got}' is not one of {list}"))
    })
}

impl GridSample {
    pub(crate) fn form(&self) -> Result<Form> {
        let modes = [
            ("bilinear", Mode::Linear),
            ("nearest", Mode::Nearest),
            ("bicubic", Mode::Cubic),
        ];
        let paddings = [
            ("zeros", Padding::Zeros),
            ("border", Padding::Border),
            ("reflection", Padding::Reflection),
        ];
        Ok(Form {
            mode: choice("mode", &self.mode, &modes)?,
            padding: choice("padding_mode", &self.padding_mode, &paddings)?,
            align_corners: self.align_corners,
        })
    }

    fn gpu_form<'a>(&self, images: &'a [usize]) -> Result<lamina_gpu::kernels::GridSample<'a>> {
        let form = self.form()?;
        Ok(lamina_gpu::kernels::GridSample {
            mode: match form.mode {
                Mode::Nearest => "nearest",
                Mode::Linear => "linear",
                Mode::Cubic => "cubic",
            },
            padding: match form.padding {
                Padding::Zeros => "zeros",
                Padding::Border => "border",
                Padding::Reflection => "reflection",
            },
            align_corners: form.align_corners,
            images,
        })
    }

    fn run<T: Float>(&self, call: &CpuCall<'_>, nearest: bool) -> Result<()> {
        let shape = shape_of(call.shape(0), call.shape(1));
        let (form, grid) = (self.form()?, call.slice::<T>(1)?);
        macro_rules! pick {
            ($ty:ty) => {
                kernels::grid_sample_nearest(
                    &shape,
                    form,
                    call.slice::<$ty>(0)?,
                    grid,
                    call.out::<$ty>(0)?,
                )
            };
        }
        match (nearest, call.dtype(0).size()) {
            (false, _) => {
                kernels::grid_sample(&shape, form, call.slice::<T>(0)?, grid, call.out::<T>(0)?);
            }
            (true, 1) => pick!(u8),
            (true, 2) => pick!(u16),
            (true, 4) => pick!(u32),
            (true, _) => pick!(u64),
        }
        Ok(())
    }

    /// Operations on one result.
    fn taps(&self, rank: usize) -> u64 {
        let taps = match self.mode.as_str() {
            "nearest" => 0,
            "bilinear" => 1 << rank,
            _ => 1 << (2 * rank),
        };
        2 * taps
    }
}

/// Of images (batch, channels, axes) and a grid (batch, positions.., axes)
/// that fit.
fn shape_of(x: &[usize], grid: &[usize]) -> Shape {
    Shape {
        batch: x[0],
        channels: x[1],
        axes: x[2..].to_vec(),
        positions: grid[1..grid.len() - 1].iter().product(),
    }
}

/// The result's shape for images and a grid of these.
fn out_shape(x: &[usize], grid: &[usize]) -> Result<Vec<usize>> {
    let axes = x.get(2..).unwrap_or_default();
    if !(1..=MAX_AXES).contains(&axes.len()) || axes.contains(&0) {
        return Err(Error::shape(format!(
            "{NAME}: input has shape {x:?}, wanted (batch, channels) and one to {MAX_AXES} axes that are not empty"
        )));
    }
    let fits = grid.len() == x.len() && grid[0] == x[0] && grid.last() == Some(&axes.len());
    if !fits {
        return Err(Error::shape(format!(
            "{NAME}: grid has shape {grid:?}, wanted ({}, *, {}) with {} axes for an input {x:?}",
            x[0],
            axes.len(),
            x.len()
        )));
    }
    let sizes = &grid[1..grid.len() - 1];
    Ok(x[..2].iter().chain(sizes).copied().collect())
}

impl Op for GridSample {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, grid] = arity(self, inputs)?;
        let nearest = self.form()?.mode == Mode::Nearest;
        if !nearest {
            want_dtype(NAME, "input", x.dtype, FLOATS)?;
        }
        let wide = if x.dtype == DType::F64 {
            &[DType::F64]
        } else {
            &[DType::F32]
        };
        want_dtype(NAME, "grid", grid.dtype, wide)?;
        Ok(vec![Meta::new(x.dtype, out_shape(&x.shape, &grid.shape)?)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let ([x, grid], g) = (vjp.inputs, vjp.grad(0)?) else {
            return Err(Error::internal("grid_sample: takes two tensors"));
        };
        Ok(vec![
            vjp.needs[0]
                .then(|| by_input(self, &g, grid, x.shape()))
                .transpose()?,
            vjp.needs[1]
                .then(|| by_grid(self, &g, x, grid))
                .transpose()?,
        ])
    }

    fn class(&self) -> Class<'_> {
        if self.mode == "nearest" {
            Class::Move
        } else {
            Class::Compute
        }
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let nearest = self.form()?.mode == Mode::Nearest;
        match call.dtype(1) {
            DType::F64 => self.run::<f64>(call, nearest),
            _ => self.run::<f32>(call, nearest),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let (x, grid) = (&call.inputs[0], &call.inputs[1]);
        let form = self.gpu_form(&x.shape)?;
        let kernels = lamina_gpu::kernels::grid_sample(x, grid, form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        self.taps(inputs[0].shape.len() - 2) * outputs[0].len() as u64
    }
}

/// The gradient by the input, in the dtype of `g`.
fn by_input(op: &GridSample, g: &Tensor, grid: &Tensor, input: &[usize]) -> Result<Tensor> {
    let back = BackwardInput {
        op: op.clone(),
        input: input.to_vec(),
    };
    let dx = record_one(&OpRef::new(back), &[cast(g, grid.dtype())?, grid.clone()])?;
    cast(&dx, g.dtype())
}

/// The gradient by the grid; zeros where its values only pick elements.
fn by_grid(op: &GridSample, g: &Tensor, x: &Tensor, grid: &Tensor) -> Result<Tensor> {
    if op.form()?.mode == Mode::Nearest {
        return Tensor::zeros_like(grid);
    }
    let wide = [cast(g, grid.dtype())?, cast(x, grid.dtype())?, grid.clone()];
    record_one(&OpRef::new(BackwardGrid { op: op.clone() }), &wide)
}

/// `x` where `grid` says; places are found in float32, in float64 for an input
/// of it.
pub fn grid_sample(x: &Tensor, grid: &Tensor, form: &GridSample) -> Result<Tensor> {
    want_dtype(NAME, "grid", grid.dtype(), FLOATS)?;
    let wide = if x.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    record_one(&OpRef::new(form.clone()), &[x.clone(), cast(grid, wide)?])
}
