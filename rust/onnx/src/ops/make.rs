//! Tensors made from nothing but attributes and shapes.

use super::Handler;
use crate::host::{self, Data, Host};
use crate::ir::Attribute;
use crate::trace::{Call, Traced, Value, upload};
use lamina_core::DType;

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Constant", 1, constant),
    ("ConstantOfShape", 9, constant_of_shape),
    ("Range", 11, range),
    ("EyeLike", 9, eye_like),
    ("HannWindow", 17, |call| window(call, [0.5, 0.5, 0.0])),
    ("HammingWindow", 17, |call| {
        window(call, [25.0 / 46.0, 21.0 / 46.0, 0.0])
    }),
    ("BlackmanWindow", 17, |call| window(call, [0.42, 0.5, 0.08])),
    ("Shape", 1, shape),
    ("Size", 1, size),
];

/// The value of a `Constant` node, as far as it is a tensor.
pub(crate) fn constant_value(node: &crate::ir::Node) -> Option<crate::ir::Constant> {
    let (name, attribute) = node
        .attributes
        .iter()
        .next()
        .filter(|_| node.attributes.len() == 1)?;
    let make = |dtype, shape: Vec<usize>, bytes: Vec<u8>| {
        Some(crate::ir::Constant {
            dtype,
            shape,
            bytes: bytes.into(),
        })
    };
    match (name.as_str(), attribute) {
        ("value" | "sparse_value", Attribute::Tensor(constant)) => Some(constant.clone()),
        ("value_int", Attribute::Int(v)) => make(DType::I64, vec![], v.to_le_bytes().to_vec()),
        ("value_float", Attribute::Float(v)) => make(DType::F32, vec![], v.to_le_bytes().to_vec()),
        ("value_ints", Attribute::Ints(v)) => make(
            DType::I64,
            vec![v.len()],
            v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        ("value_floats", Attribute::Floats(v)) => make(
            DType::F32,
            vec![v.len()],
            v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        _ => None,
    }
}

fn constant(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    if let Some(constant) = constant_value(call.node) {
        return Ok(vec![Value::constant(&constant, call.tracer.device)?]);
    }
    let kind = call
        .node
        .attributes
        .iter()
        .next()
        .map_or("nothing", |(name, a)| match a {
            Attribute::Other(kind) => kind,
            _ => name,
        });
    call.unsupported(format!("its value is {kind}"))
}

/// Sizes from a file or an input, checked.
pub(super) fn sizes(call: &Call<'_, '_>, dims: &[i64]) -> Traced<Vec<usize>> {
    let shape: Option<Vec<usize>> = dims.iter().map(|&n| usize::try_from(n).ok()).collect();
    match shape {
        Some(shape) => {
            crate::sizes::checked_len(&shape)?;
            Ok(shape)
        }
        None => call.wrong(format!("shape {dims:?} has a negative size")),
    }
}

fn constant_of_shape(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (dtype, number) = match call.constant("value")? {
        None => (DType::F32, 0.0),
        Some(constant) => {
            match Host::from_bytes(constant.dtype, &constant.shape, &constant.bytes) {
                Some(host) if host.len() == 1 => (host.dtype, host.to_floats()[0]),
                Some(host) => {
                    return call.wrong(format!(
                        "attribute 'value' has {} elements, wanted one",
                        host.len()
                    ));
                }
                None => {
                    return call.unsupported(format!("attribute 'value' of {}", constant.dtype));
                }
            }
        }
    };
    let dims = call.known_ints(0)?;
    let shape = sizes(call, &dims)?;
    Ok(vec![call.full(dtype, &shape, number)?])
}

fn range(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (start, limit, delta) = (call.known(0)?, call.known(1)?, call.known(2)?);
    let dtype = start.dtype;
    if limit.dtype != dtype || delta.dtype != dtype || start.len() * limit.len() * delta.len() != 1
    {
        return call.wrong("start, limit and delta must be single numbers of one element type");
    }
    let (a, b, d) = (
        start.to_floats()[0],
        limit.to_floats()[0],
        delta.to_floats()[0],
    );
    let count = ((b - a) / d).ceil().max(0.0);
    if !count.is_finite() || count > (1u64 << 31) as f64 {
        return call.wrong(format!("range from {a} to {b} by {d} has no end"));
    }
    let n = count as usize;
    let made = match (start.as_ints(), delta.as_ints()) {
        (Some([a]), Some([d])) => ints(call, dtype, &[n], |i| {
            a.wrapping_add((i as i64).wrapping_mul(*d))
        }),
        _ => numbers(call, dtype, &[n], |i| a + i as f64 * d),
    };
    Ok(vec![made?])
}

/// Whether the budget has room for `shape` as numbers and, beside them, as the
/// tensor's bytes.
pub(super) fn room(shape: &[usize]) -> Traced<usize> {
    let len = crate::sizes::checked_len(shape)?;
    lamina_core::memory::check_budget(len.saturating_mul(16))?;
    Ok(len)
}

/// A tensor of any size: at place `i` (row-major) stands `value(i)`.
pub(super) fn ints(
    call: &Call<'_, '_>,
    dtype: DType,
    shape: &[usize],
    value: impl Fn(usize) -> i64,
) -> Traced<Value> {
    let data = Data::Int((0..room(shape)?).map(value).collect());
    of(call, dtype, shape, data)
}

/// As [`ints`], with numbers that are brought to the dtype.
pub(super) fn numbers(
    call: &Call<'_, '_>,
    dtype: DType,
    shape: &[usize],
    value: impl Fn(usize) -> f64,
) -> Traced<Value> {
    if dtype.is_stored() {
        return call.unsupported(format!("numbers of {dtype}"));
    }
    let all = (0..room(shape)?).map(value);
    let data = if dtype.is_float() {
        Data::Float(all.map(|x| host::rounded(dtype, x)).collect())
    } else {
        Data::Int(all.map(|x| host::from_float(dtype, x)).collect())
    };
    of(call, dtype, shape, data)
}

fn of(call: &Call<'_, '_>, dtype: DType, shape: &[usize], data: Data) -> Traced<Value> {
    let host = Host {
        dtype,
        shape: shape.to_vec(),
        data,
    };
    if host::fits(shape) {
        return Ok(host.into());
    }
    Ok(upload(dtype, shape, &host.to_bytes(), call.tracer.device)?.into())
}

fn eye_like(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let like = call.input(0)?;
    let [rows, cols] = call.dims(&like, "the input")?;
    let dtype = match call.dtype_attribute("dtype")? {
        Some(dtype) => dtype,
        None => call.dtype(&like)?,
    };
    let k = call.int_or("k", 0)?;
    let on = |i: usize| (i % cols) as i64 == ((i / cols) as i64).saturating_add(k);
    let made = numbers(call, dtype, &[rows, cols], |i| f64::from(u8::from(on(i))));
    Ok(vec![made?])
}

/// a - b cos t + c cos 2t, t once around the circle; its last point is the first again, or else
/// left out.
fn window(call: &mut Call<'_, '_>, [a, b, c]: [f64; 3]) -> Traced<Vec<Value>> {
    let size = call.known_int(0)?;
    let n = sizes(call, &[size])?[0];
    let dtype = call
        .dtype_attribute("output_datatype")?
        .unwrap_or(DType::F32);
    let around = if call.flag("periodic", true)? {
        n
    } else {
        n.max(2) - 1
    };
    let value = |i: usize| {
        let t = std::f64::consts::TAU * i as f64 / around as f64;
        a - b * t.cos() + c * (2.0 * t).cos()
    };
    Ok(vec![numbers(call, dtype, &[n], value)?])
}

fn shape(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape: Vec<i64> = call.shape(&x)?.iter().map(|&n| n as i64).collect();
    let rank = shape.len() as i64;
    let bound = |axis: i64| {
        (if axis < 0 {
            axis.saturating_add(rank)
        } else {
            axis
        })
        .clamp(0, rank) as usize
    };
    let (start, end) = (
        bound(call.int_or("start", 0)?),
        bound(call.int_or("end", rank)?),
    );
    let kept = if start < end {
        shape[start..end].to_vec()
    } else {
        Vec::new()
    };
    Ok(vec![Host::ints(&[kept.len()], kept).into()])
}

fn size(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let len: usize = call.shape(&x)?.iter().product();
    Ok(vec![Host::ints(&[], vec![len as i64]).into()])
}
