//! Losses of each element by itself.

use super::{reduced, same_shape, total};
use crate::op::{FLOATS, want_dtype};
use crate::ops::composed::{plus, scaled};
use crate::ops::{elementwise as e, inputs};
use crate::{Attrs, Error, Result, Tensor, params};
use lamina_kernels::Func;

params! {
    /// `mean`, `sum` or `none`.
    pub struct Reduction { reduction: String = "mean".to_owned() }
}

params! {
    /// Where the square goes over into the line.
    pub struct SmoothL1 { reduction: String = "mean".to_owned(), beta: f64 = 1.0 }
}

params! {
    /// Where the square goes over into the line.
    pub struct Huber { reduction: String = "mean".to_owned(), delta: f64 = 1.0 }
}

params! {
    /// `batchmean` divides the sum by the length of axis 0.
    pub struct Divergence { reduction: String = "mean".to_owned(), log_target: bool = false }
}

params! {
    pub struct Margin { reduction: String = "mean".to_owned(), margin: f64 = 1.0 }
}

params! {
    pub struct Poisson {
        reduction: String = "mean".to_owned(),
        log_input: bool = true,
        full: bool = false,
        eps: f64 = 1e-8,
    }
}

params! {
    /// `eps` is the least variance.
    pub struct Gaussian {
        reduction: String = "mean".to_owned(),
        full: bool = false,
        eps: f64 = 1e-6,
    }
}

/// x and the target, of one shape; x of floats.
fn pair(name: &str, xs: &[Tensor]) -> Result<[Tensor; 2]> {
    let [x, target] = inputs(name, xs)?;
    want_dtype(name, "x", x.dtype(), FLOATS)?;
    same_shape(name, &x, "target", &target)?;
    Ok([x, target])
}

/// x, the target, and those that broadcast against them: `more`, by name.
fn several<const N: usize>(name: &str, xs: &[Tensor], more: [&str; N]) -> Result<[Tensor; 2]> {
    if !(2..=2 + N).contains(&xs.len()) {
        return Err(Error::argument(format!(
            "{name}: takes x, target and, where they are, {}, got {} tensors",
            more.join(", "),
            xs.len()
        )));
    }
    let [x, target] = pair(name, &xs[..2])?;
    for (what, given) in more.iter().zip(&xs[2..]) {
        let whole = crate::layout::broadcast(name, x.shape(), given.shape());
        if whole.map_or(true, |shape| *shape != *x.shape()) {
            return Err(Error::shape(format!(
                "{name}: {what} has shape {:?}, which does not broadcast to x, {:?}",
                given.shape(),
                x.shape()
            )));
        }
    }
    Ok([x, target])
}

/// (x - target)².
pub fn mse_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x, target] = pair(name, xs)?;
    let squares = e::unary(Func::Square, &e::sub(&x, &target)?)?;
    let form = Reduction::from_attrs(name, attrs)?;
    reduced(name, &form.reduction, &squares)
}

/// |x - target|.
pub fn l1_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Reduction::from_attrs(name, attrs)?;
    reduced(name, &form.reduction, &distance(name, xs)?)
}

fn distance(name: &str, xs: &[Tensor]) -> Result<Tensor> {
    let [x, target] = pair(name, xs)?;
    e::unary(Func::Abs, &e::sub(&x, &target)?)
}

/// d²/2 up to `knee`, a line of slope `knee` from there on: c (d - c/2) with c = min(d, knee).
fn square_then_line(d: &Tensor, knee: f64) -> Result<Tensor> {
    let c = e::unary(
        Func::Clip {
            lo: f64::NEG_INFINITY,
            hi: knee,
        },
        d,
    )?;
    e::mul(&c, &e::sub(d, &scaled(&c, 0.5)?)?)
}

/// (x - target)² / (2 beta) up to beta, then |x - target| - beta / 2 (Girshick 2015).
pub fn smooth_l1_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = SmoothL1::from_attrs(name, attrs)?;
    let d = distance(name, xs)?;
    let loss = match form.beta {
        0.0 => d,
        beta if beta > 0.0 => scaled(&square_then_line(&d, beta)?, 1.0 / beta)?,
        beta => {
            return Err(Error::argument(format!(
                "{name}: beta={beta}, wanted 0 or more"
            )));
        }
    };
    reduced(name, &form.reduction, &loss)
}

/// (x - target)² / 2 up to delta, then delta (|x - target| - delta / 2) (Huber 1964).
pub fn huber_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Huber::from_attrs(name, attrs)?;
    if form.delta.is_nan() || form.delta <= 0.0 {
        return Err(Error::argument(format!(
            "{name}: delta={}, wanted more than 0",
            form.delta
        )));
    }
    let loss = square_then_line(&distance(name, xs)?, form.delta)?;
    reduced(name, &form.reduction, &loss)
}

/// The logarithm, -100 where it is less: there the gradient is 0.
fn bounded_log(p: &Tensor) -> Result<Tensor> {
    const LEAST: f64 = -100.0;
    let nothing = e::compare(Func::Le, p, &e::number_like(p, 0.0))?;
    let safe = e::select(&nothing, &e::number_like(p, 1.0), p)?;
    let bounds = Func::Clip {
        lo: LEAST,
        hi: f64::INFINITY,
    };
    let log = e::unary(bounds, &e::unary(Func::Log, &safe)?)?;
    e::select(&nothing, &e::number_like(p, LEAST), &log)
}

/// 1 - x.
fn rest(x: &Tensor) -> Result<Tensor> {
    e::sub(&e::number_like(x, 1.0), x)
}

fn times(x: &Tensor, factor: Option<&Tensor>) -> Result<Tensor> {
    factor.map_or_else(|| Ok(x.clone()), |factor| e::mul(x, factor))
}

/// -(target ln x + (1 - target) ln(1 - x)), times the weight.
pub fn binary_cross_entropy(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Reduction::from_attrs(name, attrs)?;
    let [x, target] = several(name, xs, ["weight"])?;
    let hit = e::mul(&target, &bounded_log(&x)?)?;
    let miss = e::mul(&rest(&target)?, &bounded_log(&rest(&x)?)?)?;
    let loss = times(&e::neg(&e::add(&hit, &miss)?)?, xs.get(2))?;
    reduced(name, &form.reduction, &loss)
}

/// The same of sigmoid(x), computed as (1 - target) x + (1 + (pos - 1) target) ln(1 + e^-x).
pub fn binary_cross_entropy_with_logits(
    name: &str,
    xs: &[Tensor],
    attrs: &Attrs,
) -> Result<Tensor> {
    let form = Reduction::from_attrs(name, attrs)?;
    let [x, target] = several(name, xs, ["weight", "pos_weight"])?;
    let mut soft = e::unary(Func::Softplus, &e::neg(&x)?)?;
    if let Some(pos) = xs.get(3) {
        let more = e::mul(&plus(pos, -1.0)?, &target)?;
        soft = e::mul(&plus(&more, 1.0)?, &soft)?;
    }
    let loss = e::add(&e::mul(&rest(&target)?, &x)?, &soft)?;
    reduced(name, &form.reduction, &times(&loss, xs.get(2))?)
}

/// t ln t, 0 at 0.
fn entropy(t: &Tensor) -> Result<Tensor> {
    let nothing = e::compare(Func::Eq, t, &e::number_like(t, 0.0))?;
    let safe = e::select(&nothing, &e::number_like(t, 1.0), t)?;
    e::mul(t, &e::unary(Func::Log, &safe)?)
}

/// target (ln target - x), x being logarithms of probabilities (Kullback and Leibler 1951).
pub fn kl_div(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Divergence::from_attrs(name, attrs)?;
    let [x, target] = pair(name, xs)?;
    let loss = if form.log_target {
        e::mul(&e::unary(Func::Exp, &target)?, &e::sub(&target, &x)?)?
    } else {
        e::sub(&entropy(&target)?, &e::mul(&target, &x)?)?
    };
    match form.reduction.as_str() {
        "batchmean" => {
            let batch = loss.shape().first().copied().unwrap_or(1);
            scaled(&total(&loss)?, 1.0 / batch as f64)
        }
        "none" | "sum" | "mean" => reduced(name, &form.reduction, &loss),
        other => Err(Error::argument(format!(
            "{name}: reduction='{other}' is not 'mean', 'batchmean', 'sum' or 'none'"
        ))),
    }
}

/// x where the target is 1, max(0, margin - x) elsewhere.
pub fn hinge_embedding_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Margin::from_attrs(name, attrs)?;
    let [x, target] = pair(name, xs)?;
    let far = e::unary(Func::Relu, &e::sub(&e::number_like(&x, form.margin), &x)?)?;
    let alike = e::compare(Func::Eq, &target, &e::number_like(&target, 1.0))?;
    reduced(name, &form.reduction, &e::select(&alike, &x, &far)?)
}

/// ln(1 + e^(-target x)).
pub fn soft_margin_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Reduction::from_attrs(name, attrs)?;
    let [x, target] = pair(name, xs)?;
    let loss = e::unary(Func::Softplus, &e::neg(&e::mul(&target, &x)?)?)?;
    reduced(name, &form.reduction, &loss)
}

/// e^x - target x, or x - target ln(x + eps) of x itself; `full` adds Stirling's
/// target ln target - target + ln(2 pi target) / 2 for targets above 1.
pub fn poisson_nll_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Poisson::from_attrs(name, attrs)?;
    let [x, target] = pair(name, xs)?;
    let mut loss = if form.log_input {
        e::sub(&e::unary(Func::Exp, &x)?, &e::mul(&target, &x)?)?
    } else {
        let log = e::unary(Func::Log, &plus(&x, form.eps)?)?;
        e::sub(&x, &e::mul(&target, &log)?)?
    };
    if form.full {
        let one = e::number_like(&target, 1.0);
        let above = e::compare(Func::Gt, &target, &one)?;
        let t = e::select(&above, &target, &one)?;
        let root = scaled(
            &e::unary(Func::Log, &scaled(&t, std::f64::consts::TAU)?)?,
            0.5,
        )?;
        let stirling = e::add(&e::sub(&entropy(&t)?, &t)?, &root)?;
        let none = e::number_like(&stirling, 0.0);
        loss = e::add(&loss, &e::select(&above, &stirling, &none)?)?;
    }
    reduced(name, &form.reduction, &loss)
}

/// (ln var + (x - target)² / var) / 2 with var at least eps; `full` adds ln(2 pi) / 2.
pub fn gaussian_nll_loss(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let form = Gaussian::from_attrs(name, attrs)?;
    let [x, target, var] = inputs(name, xs)?;
    // One for each row, or for each element.
    let var = if var.rank() + 1 == x.rank() && var.shape() == &x.shape()[..var.rank()] {
        crate::ops::views::unsqueeze(&var, &[-1])?
    } else {
        var
    };
    let given = [x, target, var];
    let [x, target] = several(name, &given, ["var"])?;
    let var = at_least(&given[2], form.eps)?;
    let square = e::unary(Func::Square, &e::sub(&x, &target)?)?;
    let both = e::add(&e::unary(Func::Log, &var)?, &e::div(&square, &var)?)?;
    let mut loss = scaled(&both, 0.5)?;
    if form.full {
        loss = plus(&loss, 0.5 * std::f64::consts::TAU.ln())?;
    }
    reduced(name, &form.reduction, &loss)
}

/// max(x, bound), whose gradient is that of x: what is below the bound can come back.
fn at_least(x: &Tensor, bound: f64) -> Result<Tensor> {
    let bounds = Func::Clip {
        lo: bound,
        hi: f64::INFINITY,
    };
    let missing = e::sub(&e::unary(bounds, x)?, x)?;
    e::add(x, &missing.detach()?)
}
