//! Activations that are short formulas of elementwise functions, with which
//! they fuse, and those that are one such function with parameters.

use super::scaled;
use crate::layout::resolve_axis;
use crate::op::{FLOATS, want_dtype};
use crate::ops::{elementwise as e, inputs, softmax, views};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// `none`, or `tanh` for the approximation.
    pub struct Gelu { approximate: String = "none".to_owned() }
}

params! {
    pub struct Slope { negative_slope: f64 = 0.01 }
}

params! {
    /// As PyTorch's elu: scale x where x > 0, else scale alpha (e^(input_scale x) - 1).
    pub struct Elu { alpha: f64 = 1.0, scale: f64 = 1.0, input_scale: f64 = 1.0 }
}

params! {
    pub struct Celu { alpha: f64 = 1.0 }
}

params! {
    pub struct Selu { alpha: f64 = 1.673_263_242_354_377_2, scale: f64 = 1.050_700_987_355_480_5 }
}

params! {
    pub struct HardSigmoid { alpha: f64 = 1.0 / 6.0, beta: f64 = 0.5 }
}

params! {
    pub struct HardTanh { min_val: f64 = -1.0, max_val: f64 = 1.0 }
}

params! {
    pub struct Lambda { lambd: f64 = 0.5 }
}

params! {
    /// How sharp the bend is.
    pub struct Softplus { beta: f64 = 1.0 }
}

params! {
    pub struct Along { dim: i64 = -1 }
}

params! {
    pub struct Threshold { threshold: f64 = 0.0, value: f64 = 0.0 }
}

/// The only input, which must be of floats.
fn float(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    want_dtype(name, "x", x.dtype(), FLOATS)?;
    Ok(x)
}

fn with(f: fn(&Tensor, &Tensor) -> Result<Tensor>, x: &Tensor, number: f64) -> Result<Tensor> {
    f(x, &e::number_like(x, number))
}

fn compared(func: Func, x: &Tensor, number: f64) -> Result<Tensor> {
    e::compare(func, x, &e::number_like(x, number))
}

/// x where x > 0, else `negative_slope` x (Maas et al. 2013).
pub fn leaky_relu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let slope = Slope::from_attrs(name, attrs)?.negative_slope;
    e::unary(Func::LeakyRelu { slope }, &x)
}

/// x where x > 0, else a x with a of each channel's own (He et al. 2015).
pub fn prelu(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let [x, slope] = inputs(name, xs)?;
    let zero = e::number_like(&x, 0.0);
    e::select(&e::compare(Func::Lt, &x, &zero)?, &e::mul(&x, &slope)?, &x)
}

/// x where x > 0, else alpha (e^x - 1) (Clevert et al. 2016).
pub fn elu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let Elu {
        alpha,
        scale,
        input_scale,
    } = Elu::from_attrs(name, attrs)?;
    e::unary(
        Func::Elu {
            alpha,
            scale,
            input_scale,
        },
        &x,
    )
}

/// x where x > 0, else alpha (e^(x / alpha) - 1) (Barron 2017).
pub fn celu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let alpha = Celu::from_attrs(name, attrs)?.alpha;
    if alpha == 0.0 {
        return Err(Error::argument(format!(
            "{name}: alpha is 0, by which x is divided"
        )));
    }
    let input_scale = 1.0 / alpha;
    e::unary(
        Func::Elu {
            alpha,
            scale: 1.0,
            input_scale,
        },
        &x,
    )
}

/// scale times elu with the constants that keep mean 0 and variance 1
/// (Klambauer et al. 2017).
pub fn selu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let Selu { alpha, scale } = Selu::from_attrs(name, attrs)?;
    e::unary(
        Func::Elu {
            alpha,
            scale,
            input_scale: 1.0,
        },
        &x,
    )
}

/// x/2 (1 + erf(x / sqrt 2)), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
/// (Hendrycks and Gimpel 2016).
pub fn gelu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    match Gelu::from_attrs(name, attrs)?.approximate.as_str() {
        "none" => e::unary(Func::Gelu, &x),
        "tanh" => e::unary(Func::GeluTanh, &x),
        other => Err(Error::argument(format!(
            "{name}: approximate='{other}' is not 'none' or 'tanh'"
        ))),
    }
}

/// x sigmoid(x).
pub fn silu(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    e::mul(&x, &e::unary(Func::Sigmoid, &x)?)
}

/// ln(1 + e^(beta x)) / beta.
pub fn softplus(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let beta = Softplus::from_attrs(name, attrs)?.beta;
    match beta {
        1.0 => e::unary(Func::Softplus, &x),
        0.0 => Err(Error::argument(format!(
            "{name}: beta is 0, by which is divided"
        ))),
        _ => scaled(&e::unary(Func::Softplus, &scaled(&x, beta)?)?, 1.0 / beta),
    }
}

/// ln sigmoid(x) = -ln(1 + e^-x).
pub fn logsigmoid(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    e::neg(&e::unary(Func::Softplus, &e::neg(&x)?)?)
}

/// clip(alpha x + beta, 0, 1).
pub fn hardsigmoid(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let HardSigmoid { alpha, beta } = HardSigmoid::from_attrs(name, attrs)?;
    let line = with(e::add, &with(e::mul, &x, alpha)?, beta)?;
    e::unary(Func::Clip { lo: 0.0, hi: 1.0 }, &line)
}

/// x clip(x / 6 + 1/2, 0, 1) (Howard et al. 2019).
pub fn hardswish(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    let line = with(e::add, &with(e::mul, &x, 1.0 / 6.0)?, 0.5)?;
    e::mul(&x, &e::unary(Func::Clip { lo: 0.0, hi: 1.0 }, &line)?)
}

/// clip(x, `min_val`, `max_val`).
pub fn hardtanh(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let HardTanh { min_val, max_val } = HardTanh::from_attrs(name, attrs)?;
    e::unary(
        Func::Clip {
            lo: min_val,
            hi: max_val,
        },
        &x,
    )
}

/// clip(x, 0, 6) (Howard et al. 2017).
pub fn relu6(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    e::unary(Func::Clip { lo: 0.0, hi: 6.0 }, &x)
}

/// x - tanh(x).
pub fn tanhshrink(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    e::sub(&x, &e::unary(Func::Tanh, &x)?)
}

/// The first half of an axis times sigmoid of the second (Dauphin et al. 2017).
pub fn glu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let axis = resolve_axis(name, Along::from_attrs(name, attrs)?.dim, x.rank())?;
    let length = x.shape()[axis];
    if length % 2 != 0 {
        return Err(Error::shape(format!(
            "{name}: axis {axis} of x {:?} has {length} elements, wanted an even number",
            x.shape()
        )));
    }
    let value = views::narrow(&x, axis, 0, length / 2)?;
    let gate = views::narrow(&x, axis, length / 2, length)?;
    e::mul(&value, &e::unary(Func::Sigmoid, &gate)?)
}

/// softmax(-x).
pub fn softmin(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    softmax::softmax(&e::neg(&x)?, Along::from_attrs(name, attrs)?.dim)
}

/// x where |x| > lambd, else 0.
pub fn hardshrink(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let lambd = Lambda::from_attrs(name, attrs)?.lambd;
    // NaN is not within, and stays.
    let within = compared(Func::Le, &e::unary(Func::Abs, &x)?, lambd)?;
    e::select(&within, &e::number_like(&x, 0.0), &x)
}

/// x moved towards 0 by lambd, at most to 0: x - clip(x, -lambd, lambd).
pub fn softshrink(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let lambd = Lambda::from_attrs(name, attrs)?.lambd;
    if lambd < 0.0 {
        return Err(Error::argument(format!(
            "{name}: lambd is {lambd}, wanted 0 or more"
        )));
    }
    let within = e::unary(
        Func::Clip {
            lo: -lambd,
            hi: lambd,
        },
        &x,
    )?;
    e::sub(&x, &within)
}

/// x where x > threshold, else value.
pub fn threshold(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let Threshold { threshold, value } = Threshold::from_attrs(name, attrs)?;
    // NaN is not below, and stays.
    let below = compared(Func::Le, &x, threshold)?;
    e::select(&below, &e::number_like(&x, value), &x)
}

/// Whether x is infinite; never for integers.
pub fn isinf(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let x = floated(&x)?;
    compared(Func::Eq, &e::unary(Func::Abs, &x)?, f64::INFINITY)
}

/// Whether x is neither infinite nor NaN; always for integers.
pub fn isfinite(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let x = floated(&x)?;
    compared(Func::Lt, &e::unary(Func::Abs, &x)?, f64::INFINITY)
}

fn floated(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_float() {
        Ok(x.clone())
    } else {
        e::cast(x, DType::F32)
    }
}
