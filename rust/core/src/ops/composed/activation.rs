//! Activations that are short formulas of elementwise functions, with which
//! they fuse.

use crate::op::{FLOATS, want_dtype};
use crate::ops::{elementwise as e, inputs};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

params! {
    /// `none`, or `tanh` for the approximation.
    pub struct Gelu { approximate: String = "none".to_owned() }
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

/// x/2 (1 + erf(x / sqrt 2)), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
/// (Hendrycks and Gimpel 2016).
pub fn gelu(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let x = float(name, xs)?;
    let bell = match Gelu::from_attrs(name, attrs)?.approximate.as_str() {
        "none" => e::unary(Func::Erf, &with(e::mul, &x, FRAC_1_SQRT_2)?)?,
        "tanh" => {
            let cube = e::mul(&e::unary(Func::Square, &x)?, &x)?;
            let inner = e::add(&x, &with(e::mul, &cube, 0.044_715)?)?;
            e::unary(Func::Tanh, &with(e::mul, &inner, FRAC_2_PI.sqrt())?)?
        }
        other => {
            return Err(Error::argument(format!(
                "{name}: approximate='{other}' is not 'none' or 'tanh'"
            )));
        }
    };
    e::mul(&x, &with(e::mul, &with(e::add, &bell, 1.0)?, 0.5)?)
}

/// x sigmoid(x).
pub fn silu(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    e::mul(&x, &e::unary(Func::Sigmoid, &x)?)
}

/// x clip(x / 6 + 1/2, 0, 1) (Howard et al. 2019).
pub fn hardswish(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    let line = with(e::add, &with(e::mul, &x, 1.0 / 6.0)?, 0.5)?;
    e::mul(&x, &e::unary(Func::Clip { lo: 0.0, hi: 1.0 }, &line)?)
}
