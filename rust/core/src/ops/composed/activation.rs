//! Activations that are short formulas of elementwise functions, with which
//! they fuse.

use crate::op::{FLOATS, want_dtype};
use crate::ops::{elementwise as e, inputs};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

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

/// x clip(x / 6 + 1/2, 0, 1) (Howard et al. 2019).
pub fn hardswish(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let x = float(name, xs)?;
    let line = with(e::add, &with(e::mul, &x, 1.0 / 6.0)?, 0.5)?;
    e::mul(&x, &e::unary(Func::Clip { lo: 0.0, hi: 1.0 }, &line)?)
}
