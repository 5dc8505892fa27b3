//! Recording elementwise ops: promotion first, then the node.

use super::{Elementwise, takes};
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::stored;
use crate::promote::promote;
use crate::{DType, Error, Result, Tensor};
use lamina_kernels::Func;
use lamina_kernels::stored::Round;
use parking_lot::RwLock;

/// Ops without parameters are made once.
fn op_ref(func: Func) -> OpRef {
    static MADE: RwLock<Vec<(Func, OpRef)>> = RwLock::new(Vec::new());
    if let Some((_, op)) = MADE.read().iter().find(|(f, _)| *f == func) {
        return op.clone();
    }
    let op = OpRef::new(Elementwise { func });
    let mut made = MADE.write();
    if made.len() < 256 {
        made.push((func, op.clone()));
    }
    op
}

/// `x` as `dtype`; itself if it is that already.
pub fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    if let Some(number) = plain_scalar(x) {
        return Ok(Tensor::scalar(dtype, number));
    }
    if x.dtype().is_stored() {
        return cast(&stored::decode(x)?, dtype);
    }
    if let DType::Stored(to) = dtype {
        return stored::encode(x, to, true, Round::Up);
    }
    record_one(&op_ref(Func::Cast { to: dtype }), std::slice::from_ref(x))
}

/// A host scalar's number, where a cast needs no node.
fn plain_scalar(x: &Tensor) -> Option<f64> {
    let inline = x.is_host_scalar() && !x.requires_grad();
    let value = x.value_now().filter(|_| inline)?;
    let bytes = value.host_bytes()?;
    // i64 beyond 2^53 would be rounded on its way through f64.
    (x.dtype() != DType::I64 && x.dtype() != DType::U64)
        .then(|| crate::scalar::read(x.dtype(), &bytes[value.layout.offset * x.dtype().size()..]))
}

/// A 0-d operand of `like`'s dtype.
pub fn number_like(like: &Tensor, number: f64) -> Tensor {
    Tensor::scalar(like.dtype(), number)
}

/// The default for functions that need floats, of integers and bool.
fn float_of(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { DType::F32 }
}

pub fn unary(func: Func, x: &Tensor) -> Result<Tensor> {
    let x = if takes(func, x.dtype()) {
        x.clone()
    } else if func == Func::Not {
        cast(x, DType::Bool)?
    } else if func == Func::BitNot {
        // Of bool it is the logical one.
        return match x.dtype() {
            DType::Bool => unary(Func::Not, x),
            _ => Elementwise { func }.refuse(x),
        };
    } else if x.dtype().is_stored() || (x.dtype() == DType::Bool && takes(func, DType::U8)) {
        return super::Elementwise { func }.refuse(x);
    } else {
        cast(x, float_of(x.dtype()))?
    };
    record_one(&op_ref(func), &[x])
}

/// Both operands already of one dtype.
pub(super) fn binary_same(func: Func, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    record_one(&op_ref(func), &[a.clone(), b.clone()])
}

/// Any two operands: promoted by NumPy's rules.
pub fn binary(func: Func, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    refuse_stored(super::name_of(func), a, b)?;
    let mut dtype = promote(a.dtype(), b.dtype());
    let func = match func {
        Func::BitAnd if dtype == DType::Bool => Func::And,
        Func::BitOr if dtype == DType::Bool => Func::Or,
        Func::BitXor if dtype == DType::Bool => Func::Xor,
        other => other,
    };
    match func {
        Func::And | Func::Or | Func::Xor => dtype = DType::Bool,
        // True division: integers give floats.
        Func::Div => dtype = float_of(dtype),
        _ => {}
    }
    binary_same(func, &cast(a, dtype)?, &cast(b, dtype)?)
}

/// Integer division that truncates, as C and ONNX have it.
pub fn div_trunc(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    refuse_stored("div", a, b)?;
    let dtype = promote(a.dtype(), b.dtype());
    let (a, b) = (cast(a, dtype)?, cast(b, dtype)?);
    if dtype.is_float() {
        let quotient = binary_same(Func::Div, &a, &b)?;
        let down = unary(Func::Floor, &quotient)?;
        let up = unary(Func::Ceil, &quotient)?;
        let negative = compare(Func::Lt, &quotient, &number_like(&quotient, 0.0))?;
        return select(&negative, &up, &down);
    }
    binary_same(Func::Div, &a, &b)
}

/// Nothing is computed in a stored dtype.
fn refuse_stored(name: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    match [a, b].into_iter().find(|t| t.dtype().is_stored()) {
        None => Ok(()),
        Some(t) => Err(Error::unsupported(format!(
            "{name}: is not defined for {}; cast it first",
            t.dtype()
        ))),
    }
}

pub fn compare(func: Func, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary(func, a, b)
}

pub fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() != b.dtype() {
        refuse_stored("where", a, b)?;
    }
    let dtype = promote(a.dtype(), b.dtype());
    record_one(
        &op_ref(Func::Where),
        &[condition.clone(), cast(a, dtype)?, cast(b, dtype)?],
    )
}

/// x^p for a constant p: part of the plan's structure where a cheaper form
/// exists, an operand elsewhere.
pub fn pow_const(x: &Tensor, exponent: f64) -> Result<Tensor> {
    match exponent {
        1.0 => Ok(x.clone()),
        2.0 => unary(Func::Square, x),
        0.5 => unary(Func::Sqrt, x),
        -0.5 => unary(Func::Rsqrt, x),
        -1.0 => unary(Func::Reciprocal, x),
        p => {
            let x = cast(x, float_of(x.dtype()))?;
            record_one(&op_ref(Func::PowConst { exponent: p }), &[x])
        }
    }
}

pub fn pow(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype().is_float()
        && let Some(p) = plain_scalar(b)
        && [0.5, 1.0, 2.0, -0.5, -1.0].contains(&p)
        && promote(a.dtype(), b.dtype()) == a.dtype()
    {
        return pow_const(a, p);
    }
    binary(Func::Pow, a, b)
}

impl Elementwise {
    /// The error of `infer` for an input that no cast mends.
    fn refuse(self, x: &Tensor) -> Result<Tensor> {
        record_one(&OpRef::new(self), std::slice::from_ref(x))
    }
}

pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary(Func::Add, a, b)
}

pub fn sub(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary(Func::Sub, a, b)
}

pub fn mul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary(Func::Mul, a, b)
}

pub fn div(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary(Func::Div, a, b)
}

pub fn neg(x: &Tensor) -> Result<Tensor> {
    unary(Func::Neg, x)
}
