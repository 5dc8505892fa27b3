//! Matrix products and determinants.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::Attrs;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("MatMul", 1, matmul),
    ("Gemm", 1, gemm),
    ("Einsum", 12, einsum),
    ("Det", 11, |call| {
        let x = call.input(0)?;
        Ok(vec![call.record_one("det", &[&x], Attrs::new())?])
    }),
];

fn matmul(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    Ok(vec![call.matmul(&a, &b)?])
}

fn einsum(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let inputs = call.all_inputs()?;
    let attrs = Attrs::new().with("equation", call.text("equation", "")?);
    let refs: Vec<&Value> = inputs.iter().collect();
    Ok(vec![call.record_one("einsum", &refs, attrs)?])
}

/// alpha A' B' + beta C, with C broadcast.
fn gemm(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (mut a, mut b) = (call.input(0)?, call.input(1)?);
    for (x, flag) in [(&mut a, "transA"), (&mut b, "transB")] {
        let rank = call.rank(x)?;
        if rank != 2 {
            return call.wrong(format!("a factor has {rank} axes, wanted 2"));
        }
        if call.flag(flag, false)? {
            *x = call.transpose(x, &[1, 0])?;
        }
    }
    let (alpha, beta) = (call.float_or("alpha", 1.0)?, call.float_or("beta", 1.0)?);
    let mut y = call.matmul(&a, &b)?;
    if alpha != 1.0 {
        y = call.with_number("mul", &y, alpha)?;
    }
    let Some(mut c) = call.optional(2).filter(|_| beta != 0.0) else {
        return Ok(vec![y]);
    };
    if beta != 1.0 {
        c = call.with_number("mul", &c, beta)?;
    }
    Ok(vec![call.add(&y, &c)?])
}
