//! Gradients of elementwise ops, each written in recorded ops.  With g the
//! gradient of y = f(a, b):

use super::{Elementwise, record as r};
use crate::op::{Gradient, Vjp};
use crate::{Result, Tensor};
use lamina_kernels::Func;
use std::f64::consts::{FRAC_1_PI, FRAC_1_SQRT_2, FRAC_2_PI};

pub(super) fn reads(func: Func) -> Gradient {
    const NONE: &[usize] = &[];
    let (inputs, outputs): (&'static [usize], &'static [usize]) = match func {
        Func::Add | Func::Sub | Func::Neg | Func::Cast { .. } => (NONE, NONE),
        Func::Mul | Func::Maximum | Func::Minimum | Func::Remainder | Func::Fmod => (&[0, 1], NONE),
        Func::Div => (&[1], &[0]),
        Func::Pow => (&[0, 1], &[0]),
        Func::Abs
        | Func::Square
        | Func::Log
        | Func::Sin
        | Func::Cos
        | Func::Erf
        | Func::Gelu
        | Func::GeluTanh
        | Func::LeakyRelu { .. }
        | Func::Elu { .. }
        | Func::Softplus
        | Func::Softsign
        | Func::Mish
        | Func::Log1p
        | Func::Asin
        | Func::Acos
        | Func::Atan
        | Func::Sinh
        | Func::Cosh
        | Func::Asinh
        | Func::Acosh
        | Func::Atanh
        | Func::Clip { .. }
        | Func::PowConst { .. } => (&[0], NONE),
        Func::Reciprocal | Func::Sqrt | Func::Exp | Func::Tanh | Func::Sigmoid | Func::Relu => {
            (NONE, &[0])
        }
        Func::Rsqrt | Func::Expm1 | Func::Tan => (NONE, &[0]),
        Func::Where => (&[0], NONE),
        Func::BitAnd
        | Func::BitOr
        | Func::BitXor
        | Func::BitNot
        | Func::ShiftLeft
        | Func::ShiftRight => return Gradient::None("its result is of integers"),
        Func::FloorDiv | Func::Sign | Func::Floor | Func::Ceil | Func::Round | Func::Trunc => {
            return Gradient::None("its result is constant between jumps");
        }
        _ => return Gradient::None("its result is boolean"),
    };
    Gradient::Vjp { inputs, outputs }
}

pub(super) fn vjp(op: &Elementwise, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
    let g = &vjp.grad(0)?;
    let y = &vjp.outputs[0];
    let grads = match vjp.inputs {
        [x] => vec![Some(unary(op.func, g, x, y)?)],
        [a, b] => binary(op.func, g, a, b, y)?,
        [condition, _, _] => {
            let zero = r::number_like(g, 0.0);
            vec![
                None,
                Some(r::select(condition, g, &zero)?),
                Some(r::select(condition, &zero, g)?),
            ]
        }
        _ => return Err(crate::op::no_gradient(op)),
    };
    // A broadcast operand gathers the gradients of all its copies.
    grads
        .into_iter()
        .zip(vjp.inputs)
        .zip(vjp.needs)
        .map(|((grad, input), &needed)| match grad {
            Some(grad) if needed => crate::ops::reduce::sum_to(&grad, input.shape()).map(Some),
            _ => Ok(None),
        })
        .collect()
}

fn unary(func: Func, g: &Tensor, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let n = |number: f64| r::number_like(g, number);
    let zero = n(0.0);
    let density = (0.5 * FRAC_1_PI).sqrt();
    match func {
        Func::Neg => r::neg(g),
        Func::Cast { .. } => r::cast(g, x.dtype()),
        Func::Abs => r::mul(g, &r::unary(Func::Sign, x)?),
        // 2 x g
        Func::Square => r::mul(&r::mul(g, &n(2.0))?, x),
        // -y^2 g
        Func::Reciprocal => r::neg(&r::mul(g, &r::unary(Func::Square, y)?)?),
        // g / (2 y)
        Func::Sqrt => r::div(&r::mul(g, &n(0.5))?, y),
        // -1/2 y^3 g
        Func::Rsqrt => r::mul(
            &r::mul(g, &n(-0.5))?,
            &r::mul(y, &r::unary(Func::Square, y)?)?,
        ),
        Func::Exp => r::mul(g, y),
        Func::Log => r::div(g, x),
        Func::Sin => r::mul(g, &r::unary(Func::Cos, x)?),
        Func::Cos => r::neg(&r::mul(g, &r::unary(Func::Sin, x)?)?),
        // (1 - y^2) g
        Func::Tanh => r::mul(g, &r::sub(&n(1.0), &r::unary(Func::Square, y)?)?),
        // y (1 - y) g
        Func::Sigmoid => r::mul(g, &r::mul(y, &r::sub(&n(1.0), y)?)?),
        // 2 / sqrt(pi) exp(-x^2) g
        Func::Erf => {
            let bell = r::unary(Func::Exp, &r::neg(&r::unary(Func::Square, x)?)?)?;
            r::mul(&r::mul(g, &n(std::f64::consts::FRAC_2_SQRT_PI))?, &bell)
        }
        // (P(x) + x p(x)) g, with p the density e^(-x^2/2) / sqrt(2 pi)
        Func::Gelu => {
            let below = r::unary(Func::Erf, &r::mul(x, &n(FRAC_1_SQRT_2))?)?;
            let below = r::add(&r::mul(&below, &n(0.5))?, &n(0.5))?;
            let bell = r::mul(&r::unary(Func::Square, x)?, &n(-0.5))?;
            let bell = r::mul(&r::unary(Func::Exp, &bell)?, &n(density))?;
            r::mul(g, &r::add(&below, &r::mul(x, &bell)?)?)
        }
        // s (1 + x (1 - s) u') g, with s = sigmoid u,
        // u = 2 sqrt(2/pi) (x + 0.044715 x^3)
        Func::GeluTanh => {
            let square = r::unary(Func::Square, x)?;
            let scale = 2.0 * FRAC_2_PI.sqrt();
            let line = |cubic: f64| r::add(&r::mul(&square, &n(cubic * scale))?, &n(scale));
            let s = r::unary(Func::Sigmoid, &r::mul(x, &line(0.044_715)?)?)?;
            let rest = r::mul(&r::mul(x, &r::sub(&n(1.0), &s)?)?, &line(3.0 * 0.044_715)?)?;
            r::mul(g, &r::mul(&s, &r::add(&rest, &n(1.0))?)?)
        }
        Func::Relu => r::select(&r::compare(Func::Gt, y, &zero)?, g, &zero),
        Func::LeakyRelu { slope } => {
            r::select(&r::compare(Func::Gt, x, &zero)?, g, &r::mul(g, &n(slope))?)
        }
        // Inside the bounds, the bounds themselves included.
        Func::Clip { lo, hi } => {
            let above = r::compare(Func::Ge, x, &n(lo))?;
            let below = r::compare(Func::Le, x, &n(hi))?;
            r::select(&r::compare(Func::And, &above, &below)?, g, &zero)
        }
        // p x^(p-1) g
        Func::PowConst { exponent } => {
            r::mul(&r::mul(g, &n(exponent))?, &r::pow_const(x, exponent - 1.0)?)
        }
        other => match circular(other, g, x, y)? {
            Some(gradient) => Ok(gradient),
            None => Err(crate::op::no_gradient(&Elementwise { func: other })),
        },
    }
}

/// Of e^x - 1, ln(1 + x), functions of the circle and the hyperbola, and what is
/// made of them.
fn circular(func: Func, g: &Tensor, x: &Tensor, y: &Tensor) -> Result<Option<Tensor>> {
    let n = |number: f64| r::number_like(g, number);
    let square = |x: &Tensor| r::unary(Func::Square, x);
    let inverse_root = |x: &Tensor| r::unary(Func::Rsqrt, x);
    let less_square = |x: &Tensor| r::sub(&n(1.0), &square(x)?);
    let slope = match func {
        Func::Expm1 => r::add(y, &n(1.0))?,
        Func::Log1p => r::unary(Func::Reciprocal, &r::add(x, &n(1.0))?)?,
        Func::Tan => r::add(&square(y)?, &n(1.0))?,
        Func::Asin => inverse_root(&less_square(x)?)?,
        Func::Acos => r::neg(&inverse_root(&less_square(x)?)?)?,
        Func::Atan => r::unary(Func::Reciprocal, &r::add(&square(x)?, &n(1.0))?)?,
        Func::Sinh => r::unary(Func::Cosh, x)?,
        Func::Cosh => r::unary(Func::Sinh, x)?,
        Func::Asinh => inverse_root(&r::add(&square(x)?, &n(1.0))?)?,
        // 1 / sqrt((x - 1) (x + 1))
        Func::Acosh => inverse_root(&r::mul(&r::sub(x, &n(1.0))?, &r::add(x, &n(1.0))?)?)?,
        Func::Atanh => r::unary(Func::Reciprocal, &less_square(x)?)?,
        Func::Softplus => r::unary(Func::Sigmoid, x)?,
        Func::Softsign => {
            let below = r::add(&r::unary(Func::Abs, x)?, &n(1.0))?;
            r::unary(Func::Reciprocal, &square(&below)?)?
        }
        // t + x sigmoid(x) (1 - t^2), t = tanh(ln(1 + e^x))
        Func::Mish => {
            let t = r::unary(Func::Tanh, &r::unary(Func::Softplus, x)?)?;
            let bend = r::mul(&r::mul(x, &r::unary(Func::Sigmoid, x)?)?, &less_square(&t)?)?;
            r::add(&t, &bend)?
        }
        // scale alpha input_scale e^(input_scale x) below 0; no exponential of x > 0 is taken,
        // where it may overflow.
        Func::Elu {
            alpha,
            scale,
            input_scale,
        } => {
            let negative = r::compare(Func::Lt, x, &n(0.0))?;
            let low = r::select(&negative, x, &n(0.0))?;
            let e = r::unary(Func::Exp, &r::mul(&low, &n(input_scale))?)?;
            let bent = r::mul(&e, &n(alpha * scale * input_scale))?;
            r::select(&negative, &bent, &n(scale))?
        }
        _ => return Ok(None),
    };
    r::mul(g, &slope).map(Some)
}

fn binary(
    func: Func,
    g: &Tensor,
    a: &Tensor,
    b: &Tensor,
    y: &Tensor,
) -> Result<Vec<Option<Tensor>>> {
    let n = |number: f64| r::number_like(g, number);
    let (da, db) = match func {
        Func::Add => (g.clone(), Some(g.clone())),
        Func::Sub => (g.clone(), Some(r::neg(g)?)),
        Func::Mul => (r::mul(g, b)?, Some(r::mul(g, a)?)),
        // g / b, -(g / b) y
        Func::Div => {
            let da = r::div(g, b)?;
            let db = r::neg(&r::mul(&da, y)?)?;
            (da, Some(db))
        }
        // y = a - b floor(a / b), or with trunc: the quotient is constant.
        Func::Remainder | Func::Fmod => {
            let quotient = r::div(&r::sub(a, &r::binary_same(func, a, b)?)?, b)?;
            (
                g.clone(),
                Some(r::neg(&r::mul(g, &r::unary(Func::Round, &quotient)?)?)?),
            )
        }
        // b a^(b-1) g; y ln a g, 0 where a = 0
        Func::Pow => {
            let da = r::mul(
                &r::mul(g, b)?,
                &r::binary_same(Func::Pow, a, &r::sub(b, &n(1.0))?)?,
            )?;
            let safe = r::select(&r::compare(Func::Gt, a, &n(0.0))?, a, &n(1.0))?;
            let db = r::mul(&r::mul(g, y)?, &r::unary(Func::Log, &safe)?)?;
            (da, Some(db))
        }
        // At equality each takes half.
        Func::Maximum | Func::Minimum => {
            let first = if func == Func::Maximum {
                Func::Gt
            } else {
                Func::Lt
            };
            let half = r::mul(g, &n(0.5))?;
            let tie = r::compare(Func::Eq, a, b)?;
            let zero = n(0.0);
            let da = r::select(
                &tie,
                &half,
                &r::select(&r::compare(first, a, b)?, g, &zero)?,
            )?;
            let db = r::select(
                &tie,
                &half,
                &r::select(&r::compare(first, b, a)?, g, &zero)?,
            )?;
            (da, Some(db))
        }
        other => return Err(crate::op::no_gradient(&Elementwise { func: other })),
    };
    Ok(vec![Some(da), db])
}
