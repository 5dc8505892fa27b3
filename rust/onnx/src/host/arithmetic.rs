//! Elementwise functions, named as the ops of `lamina_core` are.

use super::{Data, Host, fits};
use half::{bf16, f16};
use lamina_core::DType;

/// To the precision of the dtype: one rounding of a double result of
/// +, -, *, / and sqrt equals the dtype's own operation.
pub(crate) fn rounded(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::F16 => f16::from_f64(x).to_f64(),
        DType::BF16 => bf16::from_f64(x).to_f64(),
        DType::F32 => f64::from(x as f32),
        _ => x,
    }
}

/// Truncates and saturates, NaN gives 0.
pub(crate) fn from_float(dtype: DType, x: f64) -> i64 {
    match dtype {
        DType::Bool => i64::from(x != 0.0),
        DType::U8 => i64::from(x as u8),
        DType::I8 => i64::from(x as i8),
        DType::U16 => i64::from(x as u16),
        DType::I16 => i64::from(x as i16),
        DType::U32 => i64::from(x as u32),
        DType::I32 => i64::from(x as i32),
        _ => x as i64,
    }
}

/// Into the range of the dtype, as integers wrap.
fn wrapped(dtype: DType, x: i64) -> i64 {
    match dtype {
        DType::Bool => i64::from(x != 0),
        DType::U8 => i64::from(x as u8),
        DType::I8 => i64::from(x as i8),
        DType::U16 => i64::from(x as u16),
        DType::I16 => i64::from(x as i16),
        DType::U32 => i64::from(x as u32),
        DType::I32 => i64::from(x as i32),
        _ => x,
    }
}

pub(crate) fn cast(x: &Host, dtype: DType) -> Option<Host> {
    let data = match &x.data {
        _ if dtype == DType::U64 || dtype.is_stored() => return None,
        Data::Int(v) if dtype.is_float() => {
            Data::Float(v.iter().map(|&i| rounded(dtype, i as f64)).collect())
        }
        Data::Int(v) => Data::Int(v.iter().map(|&i| wrapped(dtype, i)).collect()),
        Data::Float(v) if dtype.is_float() => {
            Data::Float(v.iter().map(|&f| rounded(dtype, f)).collect())
        }
        Data::Float(v) => Data::Int(v.iter().map(|&f| from_float(dtype, f)).collect()),
    };
    Some(Host {
        dtype,
        shape: x.shape.clone(),
        data,
    })
}

fn int_unary(name: &str) -> Option<fn(i64) -> i64> {
    Some(match name {
        "neg" => i64::wrapping_neg,
        "abs" => i64::wrapping_abs,
        "sign" => i64::signum,
        "relu" => |x| x.max(0),
        "square" => |x| x.wrapping_mul(x),
        _ => return None,
    })
}

fn float_unary(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "neg" => |x| -x,
        "abs" => f64::abs,
        "sign" => |x| {
            if x == 0.0 || x.is_nan() {
                x
            } else {
                x.signum()
            }
        },
        "relu" => |x| if x < 0.0 { 0.0 } else { x },
        "square" => |x| x * x,
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "round" => f64::round_ties_even,
        "sqrt" => f64::sqrt,
        "reciprocal" => f64::recip,
        "exp" => f64::exp,
        "log" => f64::ln,
        _ => return None,
    })
}

pub(crate) fn unary(name: &str, x: &Host) -> Option<Host> {
    let with = |data| {
        Some(Host {
            dtype: x.dtype,
            shape: x.shape.clone(),
            data,
        })
    };
    match &x.data {
        Data::Int(v) if name == "logical_not" && x.dtype == DType::Bool => {
            with(Data::Int(v.iter().map(|&b| i64::from(b == 0)).collect()))
        }
        Data::Int(_) if x.dtype == DType::Bool => None,
        Data::Int(v) => {
            let f = int_unary(name)?;
            with(Data::Int(
                v.iter().map(|&i| wrapped(x.dtype, f(i))).collect(),
            ))
        }
        Data::Float(v) if name == "isnan" => Some(Host {
            dtype: DType::Bool,
            shape: x.shape.clone(),
            data: Data::Int(v.iter().map(|f| i64::from(f.is_nan())).collect()),
        }),
        Data::Float(v) => {
            let f = float_unary(name)?;
            with(Data::Float(
                v.iter().map(|&a| rounded(x.dtype, f(a))).collect(),
            ))
        }
    }
}

/// Integer division gives None for 0, so that the recorded op decides.
fn int_binary(name: &str) -> Option<fn(i64, i64) -> Option<i64>> {
    Some(match name {
        "add" => |a, b| Some(a.wrapping_add(b)),
        "sub" => |a, b| Some(a.wrapping_sub(b)),
        "mul" => |a, b| Some(a.wrapping_mul(b)),
        "div_trunc" => |a, b| a.checked_div(b),
        "floor_div" => {
            |a, b| Some(a.checked_div(b)? - i64::from(a.checked_rem(b)? != 0 && (a < 0) != (b < 0)))
        }
        "remainder" => |a, b| {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) {
                rest + b
            } else {
                rest
            })
        },
        "fmod" => i64::checked_rem,
        "maximum" => |a, b| Some(a.max(b)),
        "minimum" => |a, b| Some(a.min(b)),
        "pow" => |a, b| a.checked_pow(u32::try_from(b).ok()?),
        _ => return None,
    })
}

fn float_binary(name: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match name {
        "add" => |a, b| a + b,
        "sub" => |a, b| a - b,
        "mul" => |a, b| a * b,
        "div" => |a, b| a / b,
        "maximum" => |a, b| if a.is_nan() || a > b { a } else { b },
        "minimum" => |a, b| if a.is_nan() || a < b { a } else { b },
        "pow" => f64::powf,
        _ => return None,
    })
}

fn compare<T: PartialOrd>(name: &str) -> Option<fn(&T, &T) -> bool> {
    Some(match name {
        "eq" => |a, b| a == b,
        "ne" => |a, b| a != b,
        "lt" => |a, b| a < b,
        "le" => |a, b| a <= b,
        "gt" => |a, b| a > b,
        "ge" => |a, b| a >= b,
        _ => return None,
    })
}

fn logic(name: &str) -> Option<fn(i64, i64) -> i64> {
    Some(match name {
        "logical_and" => |a, b| a & b,
        "logical_or" => |a, b| a | b,
        "logical_xor" => |a, b| a ^ b,
        _ => return None,
    })
}

/// For each element of the broadcast shape, where it stands in an operand of
/// `shape`.
pub(super) fn places(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    let mut places = vec![0usize];
    let mut stride: usize = shape.iter().product();
    for (axis, &n) in out.iter().enumerate() {
        let own = axis.checked_sub(lead).map_or(1, |i| shape[i]);
        stride = if axis < lead {
            stride
        } else {
            stride / own.max(1)
        };
        let step = if own == 1 { 0 } else { stride };
        places = places
            .iter()
            .flat_map(|&p| (0..n).map(move |i| p + i * step))
            .collect();
    }
    places
}

fn broadcast(shapes: &[&[usize]]) -> Option<Vec<usize>> {
    let mut shape: Vec<usize> = shapes[0].to_vec();
    for other in &shapes[1..] {
        shape = crate::sizes::broadcast(&shape, other).ok()?;
    }
    fits(&shape).then_some(shape)
}

pub(crate) fn binary(name: &str, a: &Host, b: &Host) -> Option<Host> {
    if a.dtype != b.dtype {
        return None;
    }
    let shape = broadcast(&[&a.shape, &b.shape])?;
    let pairs: Vec<(usize, usize)> = places(&a.shape, &shape)
        .into_iter()
        .zip(places(&b.shape, &shape))
        .collect();
    let (dtype, data) = match (&a.data, &b.data) {
        (Data::Int(x), Data::Int(y)) => {
            if let Some(f) = compare::<i64>(name) {
                (
                    DType::Bool,
                    Data::Int(
                        pairs
                            .iter()
                            .map(|&(i, j)| i64::from(f(&x[i], &y[j])))
                            .collect(),
                    ),
                )
            } else if a.dtype == DType::Bool {
                let f = logic(name)?;
                (
                    DType::Bool,
                    Data::Int(pairs.iter().map(|&(i, j)| f(x[i], y[j])).collect()),
                )
            } else {
                let f = int_binary(name)?;
                let values = pairs
                    .iter()
                    .map(|&(i, j)| f(x[i], y[j]).map(|v| wrapped(a.dtype, v)));
                (a.dtype, Data::Int(values.collect::<Option<_>>()?))
            }
        }
        (Data::Float(x), Data::Float(y)) => {
            if let Some(f) = compare::<f64>(name) {
                (
                    DType::Bool,
                    Data::Int(
                        pairs
                            .iter()
                            .map(|&(i, j)| i64::from(f(&x[i], &y[j])))
                            .collect(),
                    ),
                )
            } else {
                let f = float_binary(name)?;
                (
                    a.dtype,
                    Data::Float(
                        pairs
                            .iter()
                            .map(|&(i, j)| rounded(a.dtype, f(x[i], y[j])))
                            .collect(),
                    ),
                )
            }
        }
        _ => return None,
    };
    Some(Host { dtype, shape, data })
}

pub(crate) fn select(condition: &Host, a: &Host, b: &Host) -> Option<Host> {
    if a.dtype != b.dtype {
        return None;
    }
    let shape = broadcast(&[&condition.shape, &a.shape, &b.shape])?;
    let which = condition.as_ints()?;
    let at = places(&condition.shape, &shape);
    let (at_a, at_b) = (places(&a.shape, &shape), places(&b.shape, &shape));
    let pick = |i: usize| which[at[i]] != 0;
    let n = at.len();
    let data = match (&a.data, &b.data) {
        (Data::Int(x), Data::Int(y)) => Data::Int(
            (0..n)
                .map(|i| if pick(i) { x[at_a[i]] } else { y[at_b[i]] })
                .collect(),
        ),
        (Data::Float(x), Data::Float(y)) => Data::Float(
            (0..n)
                .map(|i| if pick(i) { x[at_a[i]] } else { y[at_b[i]] })
                .collect(),
        ),
        _ => return None,
    };
    Some(Host {
        dtype: a.dtype,
        shape,
        data,
    })
}
