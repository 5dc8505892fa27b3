//! Pictures at another size, with the conventions of ONNX's Resize.

pub mod blocked;

use super::elementwise::cast;
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::AxisTable;
use lamina_kernels::Float;
use lamina_kernels::resize::{self as kernels, Coordinates, Interpolation, Nearest, Taps};

params! {
    /// The last two axes at `size`, or at floor(scale * length).
    pub struct Resize {
        size: Option<Vec<i64>> = None,
        scales: Option<Vec<f64>> = None,
        mode: String = "nearest".to_owned(),
        coordinate_mode: String = "half_pixel".to_owned(),
        nearest_mode: String = "round_prefer_floor".to_owned(),
        cubic_coeff_a: f64 = -0.75,
        exclude_outside: bool = false,
    }
}

fn choice<T: Copy>(name: &str, got: &str, known: &[(&str, T)]) -> Result<T> {
    known
        .iter()
        .find(|(n, _)| *n == got)
        .map(|(_, v)| *v)
        .ok_or_else(|| {
            let list: Vec<String> = known.iter().map(|(n, _)| format!("'{n}'")).collect();
            Error::argument(format!(
                "resize: {name}='{got}' is not one of {}",
                list.join(", ")
            ))
        })
}

impl Resize {
    fn coordinates(&self) -> Result<Coordinates> {
        choice(
            "coordinate_mode",
            &self.coordinate_mode,
            &[
                ("half_pixel", Coordinates::HalfPixel),
                ("half_pixel_symmetric", Coordinates::HalfPixelSymmetric),
                ("pytorch_half_pixel", Coordinates::PytorchHalfPixel),
                ("align_corners", Coordinates::AlignCorners),
                ("asymmetric", Coordinates::Asymmetric),
            ],
        )
    }

    fn interpolation(&self) -> Result<Interpolation> {
        let nearest = choice(
            "nearest_mode",
            &self.nearest_mode,
            &[
                ("round_prefer_floor", Nearest::RoundPreferFloor),
                ("round_prefer_ceil", Nearest::RoundPreferCeil),
                ("floor", Nearest::Floor),
                ("ceil", Nearest::Ceil),
            ],
        )?;
        let cubic = Interpolation::Cubic {
            a: self.cubic_coeff_a,
            exclude_outside: self.exclude_outside,
        };
        choice(
            "mode",
            &self.mode,
            &[
                ("nearest", Interpolation::Nearest(nearest)),
                ("linear", Interpolation::Linear),
                ("cubic", cubic),
            ],
        )
    }

    /// New lengths and scales of the last two axes.
    fn targets(&self, input: &[usize]) -> Result<[(usize, f64); 2]> {
        let &[.., height, width] = input else {
            return Err(Error::shape(format!(
                "resize: x has shape {input:?}, wanted (batch, channels, height, width)"
            )));
        };
        let old = [height, width];
        let wrong = || {
            Error::argument(format!(
                "resize: size={:?} and scales={:?} given; wanted one of them, two numbers, not negative (scales above 0)",
                self.size, self.scales
            ))
        };
        let new = match (&self.size, &self.scales) {
            (Some(size), None) if size.len() == 2 && size.iter().all(|&n| n >= 0) => {
                [0, 1].map(|i| (size[i] as usize, size[i] as f64 / old[i] as f64))
            }
            (None, Some(scales))
                if scales.len() == 2 && scales.iter().all(|&s| s > 0.0 && s.is_finite()) =>
            {
                [0, 1].map(|i| ((old[i] as f64 * scales[i]).floor() as usize, scales[i]))
            }
            _ => return Err(wrong()),
        };
        if (0..2).any(|i| old[i] == 0 && new[i].0 > 0) {
            return Err(Error::shape(format!(
                "resize: x has shape {input:?}, whose pictures are empty"
            )));
        }
        Ok(new)
    }

    fn taps(&self, input: &[usize]) -> Result<[Taps; 2]> {
        let (coordinates, interpolation) = (self.coordinates()?, self.interpolation()?);
        let targets = self.targets(input)?;
        let old = &input[input.len() - 2..];
        let taps = |i: usize| {
            Taps::new(
                old[i],
                targets[i].0,
                targets[i].1,
                coordinates,
                interpolation,
            )
        };
        Ok([taps(0), taps(1)])
    }

    fn out_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.coordinates()?;
        self.interpolation()?;
        let [height, width] = self.targets(input)?.map(|(n, _)| n);
        let mut shape = input.to_vec();
        let rank = shape.len();
        (shape[rank - 2], shape[rank - 1]) = (height, width);
        Ok(shape)
    }
}

fn planes(shape: &[usize]) -> usize {
    shape[..shape.len() - 2].iter().product()
}

/// The taps as the GPU's kernel reads them.
fn table(taps: &Taps) -> AxisTable {
    let mut table = AxisTable {
        input: taps.input(),
        starts: vec![0],
        ..AxisTable::default()
    };
    for o in 0..taps.output() {
        let (places, weights) = taps.of(o);
        table.places.extend(places.iter().map(|&p| p as u32));
        table.weights.extend(weights.iter().map(|&w| w as f32));
        table.starts.push(table.places.len() as u32);
    }
    table
}

impl Op for Resize {
    fn name(&self) -> &str {
        "resize"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        if self.mode != "nearest" {
            want_dtype("resize", "x", x.dtype, &[DType::F32, DType::F64])?;
        }
        Ok(vec![Meta::new(x.dtype, self.out_shape(&x.shape)?)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = vjp.grad(0)?;
        let back = ResizeBackward {
            resize: self.clone(),
            input: vjp.inputs[0].shape().to_vec(),
        };
        let wide = if g.dtype() == DType::F64 {
            DType::F64
        } else {
            DType::F32
        };
        let dx = record_one(&OpRef::new(back), &[cast(&g, wide)?])?;
        Ok(vec![Some(cast(&dx, g.dtype())?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        blocked::twin(self, None, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let [rows, columns] = self.taps(call.shape(0))?;
        let (count, taps) = (planes(call.shape(0)), [&rows, &columns]);
        macro_rules! run {
            ($kernel:ident, $ty:ty) => {
                kernels::$kernel(call.slice::<$ty>(0)?, count, taps, call.out::<$ty>(0)?)
            };
        }
        match (self.mode.as_str(), call.dtype(0)) {
            ("nearest", d) => match d.size() {
                1 => run!(resize2d_nearest, u8),
                2 => run!(resize2d_nearest, u16),
                4 => run!(resize2d_nearest, u32),
                _ => run!(resize2d_nearest, u64),
            },
            (_, DType::F64) => run!(resize2d, f64),
            _ => run!(resize2d, f32),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let [rows, columns] = self.taps(&x.shape)?;
        let nearest = self.mode == "nearest";
        let (rows, columns) = (table(&rows), table(&columns));
        let kernels = lamina_gpu::kernels::resize(x, &rows, &columns, nearest, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let taps = match self.mode.as_str() {
            "nearest" => 0,
            "linear" => 4,
            _ => 16,
        };
        2 * taps * outputs[0].len() as u64
    }
}

/// The gradient of [`Resize`] for an input of shape `input`.
#[derive(Debug)]
struct ResizeBackward {
    resize: Resize,
    input: Vec<usize>,
}

impl ResizeBackward {
    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let [rows, columns] = self.resize.taps(&self.input)?;
        let (g, dx) = (call.slice::<T>(0)?, call.out::<T>(0)?);
        kernels::resize2d_backward(g, planes(&self.input), [&rows, &columns], dx);
        Ok(())
    }
}

impl Op for ResizeBackward {
    fn name(&self) -> &str {
        "resize_backward"
    }

    fn params(&self) -> Attrs {
        let input: Vec<i64> = self.input.iter().map(|&n| n as i64).collect();
        self.resize.to_attrs().with("input", input)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [g] = arity(self, inputs)?;
        if g.shape != self.resize.out_shape(&self.input)? {
            return Err(Error::internal(
                "resize_backward: g does not have the output's shape",
            ));
        }
        Ok(vec![Meta::new(g.dtype, self.input.clone())])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let again = OpRef::new(self.resize.clone());
        Ok(vec![Some(record_one(&again, &[vjp.grad(0)?])?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let &[_, _, height, width] = &self.input[..] else {
            return None;
        };
        blocked::twin(&self.resize, Some([height, width]), inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0) {
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [rows, columns] = self.resize.taps(&self.input)?;
        let (rows, columns) = (table(&rows.turned()), table(&columns.turned()));
        let g = &call.inputs[0];
        let kernels = lamina_gpu::kernels::resize(g, &rows, &columns, false, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        8 * inputs[0].len() as u64
    }
}

/// Resizes; halves are weighed in float32.
pub fn resize(x: &Tensor, form: &Resize) -> Result<Tensor> {
    let half = matches!(x.dtype(), DType::F16 | DType::BF16) && form.mode != "nearest";
    let wide = if half { DType::F32 } else { x.dtype() };
    let y = record_one(&OpRef::new(form.clone()), &[cast(x, wide)?])?;
    cast(&y, x.dtype())
}
