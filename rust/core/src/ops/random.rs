//! Random values: Philox 4x32-10 (Salmon et al. 2011), keyed by seed and
//! counter, so that element i is the same on every device and any number of
//! threads.  The state comes in as a tensor (see [`crate::random`]).

use super::elementwise as e;
use super::views;
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
    want_dtype,
};
use crate::{Attrs, DType, Device, Error, Result, Tensor, params};
use lamina_kernels::philox;

params! {
    /// Values of this shape and dtype (float32 or float64).
    pub struct Draw { shape: Vec<i64>, dtype: DType = DType::F32 }
}

#[derive(Debug)]
pub struct Random {
    draw: Draw,
    normal: bool,
}

impl Random {
    /// `name` is `random_uniform` or `random_normal`.
    pub fn from_attrs(name: &str, attrs: &Attrs) -> Result<Self> {
        Ok(Random {
            draw: Draw::from_attrs(name, attrs)?,
            normal: name == "random_normal",
        })
    }

    fn shape(&self) -> Result<Vec<usize>> {
        self.draw
            .shape
            .iter()
            .map(|&n| {
                usize::try_from(n).map_err(|_| {
                    Error::shape(format!(
                        "{}: shape {:?} has a negative size",
                        self.name(),
                        self.draw.shape
                    ))
                })
            })
            .collect()
    }
}

impl Op for Random {
    fn name(&self) -> &str {
        if self.normal {
            "random_normal"
        } else {
            "random_uniform"
        }
    }

    fn params(&self) -> Attrs {
        self.draw.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [state] = arity(self, inputs)?;
        if state != Meta::new(DType::U32, [4]) {
            return Err(Error::shape(format!(
                "{}: the state is {} of shape {:?}, wanted uint32 of shape [4]",
                self.name(),
                state.dtype,
                state.shape
            )));
        }
        want_dtype(
            self.name(),
            "dtype",
            self.draw.dtype,
            &[DType::F32, DType::F64],
        )?;
        Ok(vec![Meta::new(self.draw.dtype, self.shape()?)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("random values do not depend on their seed smoothly")
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
        let state = call.slice::<u32>(0)?;
        let key = [state[0], state[1]];
        // In elements: four words a block, one word a float, two a double.
        let block = u64::from(state[2]) | (u64::from(state[3]) << 32);
        match (self.draw.dtype, self.normal) {
            (DType::F64, false) => philox::uniform_f64(key, block.wrapping_mul(2), call.out(0)?),
            (DType::F64, true) => philox::normal_f64(key, block.wrapping_mul(2), call.out(0)?),
            (_, false) => philox::uniform_f32(key, block.wrapping_mul(4), call.out(0)?),
            (_, true) => philox::normal_f32(key, block.wrapping_mul(4), call.out(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let kernels =
            lamina_gpu::kernels::philox(&call.inputs[0], &call.outputs[0], self.normal, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        40 * outputs[0].len() as u64
    }
}

fn draw(normal: bool, shape: &[i64], dtype: DType, device: Device) -> Result<Tensor> {
    // Halves are drawn as floats and rounded.
    let wide = if dtype == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    if !dtype.is_float() {
        return Err(Error::unsupported(format!(
            "random: dtype {dtype} is not a floating-point dtype"
        )));
    }
    let op = Random {
        draw: Draw {
            shape: shape.to_vec(),
            dtype: wide,
        },
        normal,
    };
    let len = crate::layout::checked_len(&op.shape()?)? as u64;
    let words = if wide == DType::F64 { 2 * len } else { len };
    let state = crate::random::next(words.div_ceil(4))?.to_device(device)?;
    e::cast(&record_one(&OpRef::new(op), &[state])?, dtype)
}

/// Every value in [low, high) equally likely.
pub fn uniform(shape: &[i64], low: f64, high: f64, dtype: DType, device: Device) -> Result<Tensor> {
    if low > high || !(high - low).is_finite() {
        return Err(Error::argument(format!(
            "uniform: low={low} and high={high} bound no interval; wanted low <= high"
        )));
    }
    let unit = draw(false, shape, dtype, device)?;
    scaled(&unit, high - low, low)
}

/// Of the normal distribution (Box and Muller 1958).
pub fn normal(shape: &[i64], mean: f64, std: f64, dtype: DType, device: Device) -> Result<Tensor> {
    if std < 0.0 {
        return Err(Error::argument(format!("normal: std={std} is negative")));
    }
    scaled(&draw(true, shape, dtype, device)?, std, mean)
}

fn scaled(x: &Tensor, factor: f64, offset: f64) -> Result<Tensor> {
    let x = if factor == 1.0 {
        x.clone()
    } else {
        e::mul(x, &e::number_like(x, factor))?
    };
    if offset == 0.0 {
        Ok(x)
    } else {
        e::add(&x, &e::number_like(&x, offset))
    }
}

/// Where an element (or each that broadcasts to `shape`) stays: with probability 1 - p.
fn stays(name: &str, shape: &[usize], p: f64, device: Device) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::argument(format!(
            "{name}: p={p} is not a probability between 0 and 1"
        )));
    }
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    let chance = draw(false, &shape, DType::F32, device)?;
    let p = Tensor::scalar(DType::F32, p);
    e::compare(lamina_kernels::Func::Ge, &chance, &p)
}

/// 0 where it does not stay, else x / (1 - p).
fn dropped(name: &str, x: &Tensor, shape: &[usize], p: f64) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(x.clone());
    }
    let kept = stays(name, shape, p, x.device())?;
    let zero = e::number_like(x, 0.0);
    if p == 1.0 {
        return views::expand(&zero, x.shape());
    }
    e::select(&kept, &scaled(x, 1.0 / (1.0 - p), 0.0)?, &zero)
}

/// Inverted dropout: each element is 0 with probability p, else x / (1 - p).
pub fn dropout(x: &Tensor, p: f64) -> Result<Tensor> {
    dropped("dropout", x, x.shape(), p)
}

/// Whole channels (batch, channels, ...) at a time (Tompson et al. 2015).
pub fn feature_dropout(x: &Tensor, p: f64) -> Result<Tensor> {
    const NAME: &str = "feature_dropout";
    if x.rank() < 2 {
        return Err(Error::shape(format!(
            "{NAME}: x has shape {:?}, wanted (batch, channels, ...)",
            x.shape()
        )));
    }
    let mut channels = x.shape().to_vec();
    channels[2..].fill(1);
    dropped(NAME, x, &channels, p)
}

/// With probability p what SELU tends to, then scaled and shifted so that mean 0 and variance 1
/// stay (Klambauer et al. 2017).
pub fn alpha_dropout(x: &Tensor, p: f64) -> Result<Tensor> {
    // -scale alpha of SELU.
    const FLOOR: f64 = -1.758_099_340_847_376_6;
    if p == 0.0 {
        return Ok(x.clone());
    }
    let kept = stays("alpha_dropout", x.shape(), p, x.device())?;
    if p == 1.0 {
        return views::expand(&e::number_like(x, 0.0), x.shape());
    }
    let scale = ((1.0 - p) * (1.0 + p * FLOOR * FLOOR)).powf(-0.5);
    let y = e::select(&kept, x, &e::number_like(x, FLOOR))?;
    scaled(&y, scale, -scale * p * FLOOR)
}
