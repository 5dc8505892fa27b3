//! Tensors made from nothing but attributes and shapes.

use super::Handler;
use crate::host::{Data, Host, MAX_ELEMENTS};
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
    let data = match (start.as_ints(), delta.as_ints()) {
        (Some([a]), Some([d])) => Data::Int(
            (0..n as i64)
                .map(|i| a.wrapping_add(i.wrapping_mul(*d)))
                .collect(),
        ),
        _ => Data::Float((0..n).map(|i| a + i as f64 * d).collect()),
    };
    made(
        call,
        &Host {
            dtype,
            shape: vec![n],
            data,
        },
    )
}

/// A host tensor of any size as a value.
pub(super) fn made(call: &Call<'_, '_>, host: &Host) -> Traced<Vec<Value>> {
    if host.len() <= MAX_ELEMENTS {
        return Ok(vec![host.clone().into()]);
    }
    Ok(vec![
        upload(
            host.dtype,
            &host.shape,
            &host.to_bytes(),
            call.tracer.device,
        )?
        .into(),
    ])
}

fn eye_like(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let like = call.input(0)?;
    let [rows, cols] = call.dims(&like, "the input")?;
    let dtype = match call.dtype_attribute("dtype")? {
        Some(dtype) => dtype,
        None => call.dtype(&like)?,
    };
    let k = call.int_or("k", 0)?;
    let on: Vec<bool> = (0..rows * cols)
        .map(|i| (i % cols.max(1)) as i64 == (i / cols.max(1)) as i64 + k)
        .collect();
    let data = if dtype.is_float() {
        Data::Float(on.iter().map(|&b| f64::from(u8::from(b))).collect())
    } else {
        Data::Int(on.iter().map(|&b| i64::from(b)).collect())
    };
    made(
        call,
        &Host {
            dtype,
            shape: vec![rows, cols],
            data,
        },
    )
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
    let host = Host {
        dtype: DType::F64,
        shape: vec![n],
        data: Data::Float((0..n).map(value).collect()),
    };
    match crate::host::cast(&host, dtype) {
        Some(host) => made(call, &host),
        None => call.unsupported(format!("a window of {dtype}")),
    }
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
