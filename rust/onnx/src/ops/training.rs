//! Steps of optimizers, as operators of the domain ai.onnx.preview.training: the rate, the number
//! of steps so far, then parameters, gradients and states, each as many times as there are
//! parameters.

use super::Handler;
use crate::trace::{Call, Traced, Value};

pub(super) const DOMAIN: &str = "ai.onnx.preview.training";

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Adagrad", 1, adagrad),
    ("Adam", 1, adam),
    ("Momentum", 1, momentum),
];

/// The inputs of parameter after parameter, `each` of them.
fn grouped(call: &Call<'_, '_>, each: usize) -> Traced<Vec<Vec<Value>>> {
    let all = call.all_inputs()?;
    let count = all.len().saturating_sub(2) / each;
    if count == 0 || all.len() != 2 + each * count {
        return call.wrong(format!(
            "{} inputs, wanted 2 and {each} for each parameter",
            all.len()
        ));
    }
    let own = |i: usize| (0..each).map(|k| all[2 + k * count + i].clone()).collect();
    Ok((0..count).map(own).collect())
}

/// Results of parameter after parameter as the node lists them: all first ones, all second ones.
fn listed(results: &[Vec<Value>]) -> Vec<Value> {
    let each = results.first().map_or(0, Vec::len);
    let column = |k: usize| results.iter().map(move |own| own[k].clone());
    (0..each).flat_map(column).collect()
}

/// a + factor b.
fn plus(call: &Call<'_, '_>, a: &Value, b: &Value, factor: f64) -> Traced<Value> {
    call.add(a, &call.with_number("mul", b, factor)?)
}

/// a - b c.
fn minus(call: &Call<'_, '_>, a: &Value, b: &Value, c: &Value) -> Traced<Value> {
    call.sub(a, &call.mul(b, c)?)
}

/// The gradient with that of the penalty norm/2 x^2.
fn regularized(call: &Call<'_, '_>, g: &Value, x: &Value) -> Traced<Value> {
    plus(call, g, x, call.float_or("norm_coefficient", 0.0)?)
}

/// Duchi et al. 2011.
fn adagrad(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (rate, steps) = (call.input(0)?, call.input(1)?);
    let (decay, epsilon) = (
        call.float_or("decay_factor", 0.0)?,
        call.float_or("epsilon", 1e-6)?,
    );
    let steps = call.cast(&steps, call.dtype(&rate)?)?;
    let slower = call.with_number("add", &call.with_number("mul", &steps, decay)?, 1.0)?;
    let rate = call.div(&rate, &slower)?;
    let mut results = Vec::new();
    for own in grouped(call, 3)? {
        let [x, g, h] = &own[..] else { continue };
        let g = regularized(call, g, x)?;
        let h = call.add(h, &call.mul(&g, &g)?)?;
        let below = call.with_number("add", &call.unary("sqrt", &h)?, epsilon)?;
        let x = minus(call, x, &rate, &call.div(&g, &below)?)?;
        results.push(vec![x, h]);
    }
    Ok(listed(&results))
}

/// Kingma and Ba 2015.
fn adam(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (rate, steps) = (call.input(0)?, call.input(1)?);
    let (alpha, beta) = (call.float_or("alpha", 0.9)?, call.float_or("beta", 0.999)?);
    let epsilon = call.float_or("epsilon", 1e-6)?;
    let shrink = 1.0 - call.float_or("norm_coefficient_post", 0.0)?;
    let exponent = call.cast(&steps, call.dtype(&rate)?)?;
    // 1 - base^t
    let rest = |base: f64| -> Traced<Value> {
        let power = call.binary("pow", &call.number(&exponent, base)?, &exponent)?;
        call.sub(&call.number(&exponent, 1.0)?, &power)
    };
    let scale = call.div(&call.unary("sqrt", &rest(beta)?)?, &rest(alpha)?)?;
    let begun = call.with_number("gt", &exponent, 0.0)?;
    let rate = call.select(&begun, &call.mul(&rate, &scale)?, &rate)?;
    let mut results = Vec::new();
    for own in grouped(call, 4)? {
        let [x, g, v, h] = &own[..] else { continue };
        let g = regularized(call, g, x)?;
        let v = plus(call, &call.with_number("mul", v, alpha)?, &g, 1.0 - alpha)?;
        let squares = call.mul(&g, &g)?;
        let h = plus(
            call,
            &call.with_number("mul", h, beta)?,
            &squares,
            1.0 - beta,
        )?;
        let below = call.with_number("add", &call.unary("sqrt", &h)?, epsilon)?;
        let x = minus(call, x, &rate, &call.div(&v, &below)?)?;
        results.push(vec![call.with_number("mul", &x, shrink)?, v, h]);
    }
    Ok(listed(&results))
}

/// With `nesterov` the step looks ahead (Sutskever et al. 2013).
fn momentum(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (rate, steps) = (call.input(0)?, call.input(1)?);
    let (alpha, beta) = (call.float_or("alpha", 0.0)?, call.float_or("beta", 0.0)?);
    let ahead = match call.text("mode", "standard")?.as_str() {
        "standard" => false,
        "nesterov" => true,
        other => {
            return call.wrong(format!(
                "attribute 'mode' is '{other}', wanted 'standard' or 'nesterov'"
            ));
        }
    };
    let begun = call.with_number("gt", &steps, 0.0)?;
    // The first gradient counts whole.
    let share = call.select(
        &begun,
        &call.number(&rate, beta)?,
        &call.number(&rate, 1.0)?,
    )?;
    let mut results = Vec::new();
    for own in grouped(call, 3)? {
        let [x, g, v] = &own[..] else { continue };
        let g = regularized(call, g, x)?;
        let v = call.add(&call.with_number("mul", v, alpha)?, &call.mul(&share, &g)?)?;
        let step = if ahead {
            plus(call, &g, &v, alpha)?
        } else {
            v.clone()
        };
        results.push(vec![minus(call, x, &rate, &step)?, v]);
    }
    Ok(listed(&results))
}
