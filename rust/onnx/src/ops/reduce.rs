//! Reductions and running sums.

use super::Handler;
use crate::host::Host;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("ReduceSum", 1, |call| reduce(call, "sum", &same)),
    ("ReduceMean", 1, |call| reduce(call, "mean", &same)),
    ("ReduceProd", 1, |call| reduce(call, "prod", &same)),
    ("ReduceMax", 1, |call| extreme(call, "max")),
    ("ReduceMin", 1, |call| extreme(call, "min")),
    ("ReduceSumSquare", 1, |call| {
        reduce_with(call, &square, "sum", &same)
    }),
    ("ReduceL1", 1, |call| {
        reduce_with(call, &|c, x| c.unary("abs", x), "sum", &same)
    }),
    ("ReduceL2", 1, |call| {
        reduce_with(call, &square, "sum", &|c, x| c.unary("sqrt", x))
    }),
    ("ReduceLogSum", 1, |call| {
        reduce(call, "sum", &|c, x| c.unary("log", x))
    }),
    ("ReduceLogSumExp", 1, log_sum_exp),
    ("ArgMax", 1, |call| arg(call, "argmax")),
    ("ArgMin", 1, |call| arg(call, "argmin")),
    ("CumSum", 11, |call| running(call, "cumsum")),
    ("CumProd", 26, |call| running(call, "cumprod")),
];

type Map<'f> = &'f dyn Fn(&Call<'_, '_>, &Value) -> Traced<Value>;

#[allow(clippy::unnecessary_wraps)]
fn same(_: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    Ok(x.clone())
}

fn square(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    call.mul(x, x)
}

/// Which axes go; None: no reduction at all.
fn axes(call: &mut Call<'_, '_>, x: &Value) -> Traced<Option<Vec<usize>>> {
    let name = call.node.op_type.as_str();
    let as_input = call.version() >= if name == "ReduceSum" { 13 } else { 18 };
    let rank = call.rank(x)?;
    let given = if as_input {
        call.known_optional_ints(1)?
    } else {
        call.ints("axes")?
    };
    let given = given.filter(|axes| !(as_input && axes.is_empty()));
    match given {
        Some(axes) => Ok(Some(call.axes(&axes, rank)?)),
        None if call.flag("noop_with_empty_axes", false)? => Ok(None),
        None => Ok(Some((0..rank).collect())),
    }
}

fn reduce(call: &mut Call<'_, '_>, op: &str, after: Map<'_>) -> Traced<Vec<Value>> {
    reduce_with(call, &same, op, after)
}

fn reduce_with(
    call: &mut Call<'_, '_>,
    before: Map<'_>,
    op: &str,
    after: Map<'_>,
) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    // Before the axes are asked for: whether the dtype is there shows at load.
    let mapped = before(call, &x)?;
    let shape = call.shape(&x)?;
    if !shape.contains(&0) {
        call.reduce(op, &mapped, &(0..shape.len()).collect::<Vec<_>>(), true)?;
    }
    let keep = call.flag("keepdims", true)?;
    let reduced = match axes(call, &x)? {
        Some(axes) if empties(&shape, &axes) && matches!(op, "max" | "min") => {
            nothing(call, op, &mapped, &axes, keep)?
        }
        Some(axes) => call.reduce(op, &mapped, &axes, keep)?,
        None => mapped,
    };
    Ok(vec![after(call, &reduced)?])
}

fn empties(shape: &[usize], axes: &[usize]) -> bool {
    axes.iter().any(|&a| shape[a] == 0)
}

/// The largest (smallest) of nothing: the dtype's lowest (highest) number.
fn nothing(call: &Call<'_, '_>, op: &str, x: &Value, axes: &[usize], keep: bool) -> Traced<Value> {
    let (shape, dtype) = (call.shape(x)?, call.dtype(x)?);
    let left = |i: usize| {
        if axes.contains(&i) {
            keep.then_some(1)
        } else {
            Some(shape[i])
        }
    };
    let left: Vec<usize> = (0..shape.len()).filter_map(left).collect();
    // Integers saturate.
    let number = if op == "max" {
        f64::NEG_INFINITY
    } else {
        f64::INFINITY
    };
    call.full(dtype, &left, number)
}

/// Booleans reduce as the numbers 0 and 1.
fn extreme(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    if call.dtype(&x)? == DType::Bool {
        return reduce_with(call, &|c, x| c.cast(x, DType::U8), op, &|c, x| {
            c.cast(x, DType::Bool)
        });
    }
    reduce(call, op, &same)
}

fn log_sum_exp(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let attrs = |axes: &[usize], keep: bool| {
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64).collect();
        Attrs::new().with("dim", axes).with("keepdim", keep)
    };
    // Before the axes are asked for: whether the dtype is there shows at load.
    let all: Vec<usize> = (0..call.rank(&x)?).collect();
    call.record_one("logsumexp", &[&x], attrs(&all, true))?;
    let keep = call.flag("keepdims", true)?;
    Ok(vec![match axes(call, &x)? {
        Some(axes) => call.record_one("logsumexp", &[&x], attrs(&axes, keep))?,
        None => x,
    }])
}

fn arg(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let axis = call.axis(call.int_or("axis", 0)?, shape.len())?;
    let attrs = Attrs::new()
        .with("dim", axis)
        .with("keepdim", call.flag("keepdims", true)?);
    if !call.flag("select_last_index", false)? {
        return Ok(vec![call.record_one(op, &[&x], attrs)?]);
    }
    let mirrored = call.record_one(op, &[&call.flip(&x, axis)?], attrs)?;
    let last: Value = Host::ints(&[], vec![shape[axis] as i64 - 1]).into();
    Ok(vec![call.sub(&last, &mirrored)?])
}

/// Running sums or products, in the dtype of x itself.
fn running(call: &mut Call<'_, '_>, op: &str) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let dtype = call.dtype(&x)?;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    let attrs = |dim: usize| {
        Attrs::new()
            .with("dim", dim)
            .with("exclusive", exclusive)
            .with("reverse", reverse)
    };
    let rank = call.rank(&x)?;
    // Before the axis is asked for: whether the dtype is there shows at load.
    call.record_one(op, &[&x], attrs(rank.saturating_sub(1)))?;
    let axis = call.known_int(1)?;
    let axis = call.axis(axis, rank)?;
    let y = call.record_one(op, &[&x], attrs(axis))?;
    Ok(vec![call.cast(&y, dtype)?])
}
