//! NumPy's promotion rules, in one table.  Python scalars are weak: they take
//! the tensors' dtype where that can hold their kind (NEP 50), and where it
//! cannot, the default float is float32.

use crate::DType::{self, BF16, Bool, F16, F32, F64, I8, I16, I32, I64, Stored, U8, U16, U32, U64};

const ORDER: [DType; 12] = [Bool, U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64];

#[rustfmt::skip]
const TABLE: [[DType; 12]; 12] = [
    // Bool  U8   I8   U16  I16  U32  I32  U64  I64  F16  F32  F64
    [Bool, U8,  I8,  U16, I16, U32, I32, U64, I64, F16, F32, F64], // Bool
    [U8,   U8,  I16, U16, I16, U32, I32, U64, I64, F16, F32, F64], // U8
    [I8,   I16, I8,  I32, I16, I64, I32, F64, I64, F16, F32, F64], // I8
    [U16,  U16, I32, U16, I32, U32, I32, U64, I64, F32, F32, F64], // U16
    [I16,  I16, I16, I32, I16, I64, I32, F64, I64, F32, F32, F64], // I16
    [U32,  U32, I64, U32, I64, U32, I64, U64, I64, F64, F64, F64], // U32
    [I32,  I32, I32, I32, I32, I64, I32, F64, I64, F64, F64, F64], // I32
    [U64,  U64, F64, U64, F64, U64, F64, U64, F64, F64, F64, F64], // U64
    [I64,  I64, I64, I64, I64, I64, I64, F64, I64, F64, F64, F64], // I64
    [F16,  F16, F16, F32, F32, F64, F64, F64, F64, F16, F32, F64], // F16
    [F32,  F32, F32, F32, F32, F64, F64, F64, F64, F32, F32, F64], // F32
    [F64,  F64, F64, F64, F64, F64, F64, F64, F64, F64, F64, F64], // F64
];

/// The dtype that two operands share.  bfloat16, which NumPy does not have,
/// wins over integers and bool and meets float16 at float32.
pub fn promote(a: DType, b: DType) -> DType {
    if a == b {
        return a;
    }
    match (a, b) {
        // Nothing is computed in a stored dtype: whoever asks refuses the other's.
        (Stored(_), Stored(_)) => a.max(b),
        (stored @ Stored(_), _) | (_, stored @ Stored(_)) => stored,
        (BF16, F16) | (F16, BF16) => F32,
        (BF16, other) | (other, BF16) => {
            if matches!(other, F32 | F64) {
                other
            } else {
                BF16
            }
        }
        _ => {
            let at = |d| ORDER.iter().position(|x| *x == d).unwrap_or(0);
            TABLE[at(a)][at(b)]
        }
    }
}

/// A Python number, which has no dtype of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// The dtype a number takes beside tensors of `strong` (None: no tensor).
pub fn weak(number: Number, strong: Option<DType>) -> DType {
    match (number, strong) {
        (Number::Bool(_), None) => Bool,
        (Number::Bool(_), Some(d)) => d,
        (Number::Int(_), None | Some(Bool)) => I64,
        (Number::Int(_), Some(d)) => d,
        (Number::Float(_), Some(d)) if d.is_float() => d,
        (Number::Float(_), _) => F32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_symmetric() {
        for a in DType::ALL {
            for b in DType::ALL {
                assert_eq!(promote(a, b), promote(b, a), "{a} {b}");
            }
        }
    }
}
