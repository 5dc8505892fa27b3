//! Sequences and optionals: lists of values whose length is known while
//! tracing, so that nothing of them is left in a plan.

use super::{Handler, move_::given_sizes};
use crate::host::Host;
use crate::trace::{Call, Entry, Stop, Traced, Value, graph_of};
use lamina_core::DType;
use std::sync::Arc;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("SequenceEmpty", 11, |_| Ok(vec![Vec::new().into()])),
    ("SequenceConstruct", 11, |call| {
        Ok(vec![call.all_inputs()?.into()])
    }),
    ("SequenceInsert", 11, insert),
    ("SequenceErase", 11, erase),
    ("SequenceAt", 11, at),
    ("SequenceLength", 11, length),
    ("SplitToSequence", 11, split),
    ("ConcatFromSequence", 11, concat),
    ("SequenceMap", 17, map),
    ("Optional", 15, |call| {
        Ok(vec![call.optional(0).unwrap_or(Value::Nothing)])
    }),
    ("OptionalHasElement", 15, has_element),
    ("OptionalGetElement", 15, get_element),
];

fn list(call: &Call<'_, '_>, index: usize) -> Traced<Arc<[Value]>> {
    match call.input(index)? {
        Value::List(values) => Ok(values),
        Value::Later => Err(Stop::Later),
        Value::Nothing => call.wrong(format!(
            "input {index} is an optional that holds nothing, wanted a sequence"
        )),
        Value::Tensor(_) | Value::Host(_) => {
            call.wrong(format!("input {index} is a tensor, wanted a sequence"))
        }
    }
}

/// Input `index` as a place in a sequence, counted from either end; `places`
/// of them.
fn position(call: &mut Call<'_, '_>, index: usize, places: usize) -> Traced<usize> {
    let wanted = call.known_int(index)?;
    let n = places as i64;
    let from_start = if wanted < 0 { wanted + n } else { wanted };
    match usize::try_from(from_start) {
        Ok(at) if at < places => Ok(at),
        _ => call.wrong(format!(
            "position {wanted} is out of range for a sequence with {places} places"
        )),
    }
}

fn insert(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let mut values = list(call, 0)?.to_vec();
    let value = call.input(1)?;
    let n = values.len();
    let at = if call.has(2) {
        // Counted from the end, -1 stands before the last: of n, not of n + 1.
        match call.known_int(2)? {
            wanted if wanted < 0 => position(call, 2, n)?,
            _ => position(call, 2, n + 1)?,
        }
    } else {
        n
    };
    values.insert(at, value);
    Ok(vec![values.into()])
}

fn erase(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let mut values = list(call, 0)?.to_vec();
    if values.is_empty() {
        return call.wrong("the sequence is empty: there is nothing to erase");
    }
    let at = if call.has(1) {
        position(call, 1, values.len())?
    } else {
        values.len() - 1
    };
    values.remove(at);
    Ok(vec![values.into()])
}

fn at(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let values = list(call, 0)?;
    let at = position(call, 1, values.len())?;
    Ok(vec![values[at].clone()])
}

fn length(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let n = list(call, 0)?.len();
    Ok(vec![Host::ints(&[], vec![n as i64]).into()])
}

/// Parts of one size (the last may be smaller), or of the sizes given.
fn split(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    let axis = call.axis(call.int_or("axis", 0)?, shape.len())?;
    let n = shape[axis];
    let chunks =
        |size: usize| -> Vec<usize> { (0..n).step_by(size).map(|at| size.min(n - at)).collect() };
    let whole = !call.has(1);
    let sizes = if whole {
        chunks(1)
    } else {
        let given = call.known_ints(1)?;
        match (&given[..], call.known(1)?.shape.is_empty()) {
            (&[size], true) if size > 0 => chunks(size as usize),
            (_, true) => return call.wrong(format!("parts of {given:?}, wanted 1 or more")),
            _ => given_sizes(call, &given, n)?,
        }
    };
    let keep = !whole || call.flag("keepdims", true)?;
    let mut rest = shape.clone();
    rest.remove(axis);
    let mut at = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let part = call.narrow(&x, axis, at, at + size)?;
        parts.push(if keep {
            part
        } else {
            call.reshape(&part, &rest)?
        });
        at += size;
    }
    Ok(vec![parts.into()])
}

fn concat(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let values = list(call, 0)?;
    let Some(first) = values.first() else {
        return call.wrong("the sequence is empty: there is nothing to join");
    };
    let new = call.flag("new_axis", false)?;
    let Some(axis) = call.int("axis")? else {
        return call.wrong("attribute 'axis' is required and is missing");
    };
    let axis = call.axis(axis, call.rank(first)? + usize::from(new))?;
    let parts = values.iter().map(|value| {
        if new {
            call.unsqueeze(value, &[axis])
        } else {
            Ok(value.clone())
        }
    });
    let parts = parts.collect::<Traced<Vec<_>>>()?;
    Ok(vec![call.concat(&parts, axis)?])
}

/// The body for each element of the first input; further sequences go
/// along, tensors are given whole each time.
fn map(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let n = list(call, 0)?.len();
    let body = graph_of(call.node, "body")?;
    let inputs = call.all_inputs()?;
    let outputs = call.outputs();
    if body.inputs.len() != inputs.len() || body.outputs.len() < outputs {
        return call.wrong(format!(
            "the body takes {} inputs and gives {} outputs, the node has {} and {outputs}",
            body.inputs.len(),
            body.outputs.len(),
            inputs.len(),
        ));
    }
    let mut lists = vec![Vec::with_capacity(n); outputs];
    for at in 0..n {
        let mut given = Vec::with_capacity(inputs.len());
        for (index, value) in inputs.iter().enumerate() {
            let value = match value {
                Value::List(values) if values.len() == n => values[at].clone(),
                Value::List(values) => {
                    return call.wrong(format!(
                        "input {index} is a sequence of {}, the first is one of {n}",
                        values.len()
                    ));
                }
                whole => whole.clone(),
            };
            let from = call.from(index);
            given.push(Entry { value, from });
        }
        let (values, from) = call.tracer.subgraph(body, given)?;
        call.inner_sources |= from;
        for (list, value) in lists.iter_mut().zip(values) {
            list.push(value);
        }
    }
    Ok(lists.into_iter().map(Value::from).collect())
}

fn has_element(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let has = match call.optional(0) {
        Some(Value::Later) => return Err(Stop::Later),
        Some(Value::Nothing) | None => 0.0,
        Some(_) => 1.0,
    };
    Ok(vec![Host::scalar(DType::Bool, has).into()])
}

fn get_element(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    match call.input(0)? {
        Value::Later => Err(Stop::Later),
        Value::Nothing => call.wrong("the optional holds nothing"),
        value => Ok(vec![value]),
    }
}
