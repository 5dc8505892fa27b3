//! Single numbers in and out of bytes.

use crate::DType;
use half::{bf16, f16};
use lamina_kernels::stored::Round;

/// Writes `number` as `dtype` (integers saturate) to the front of `out`.
pub fn write(dtype: DType, number: f64, out: &mut [u8]) {
    macro_rules! put {
        ($value:expr) => {{
            let bytes = $value.to_le_bytes();
            out[..bytes.len()].copy_from_slice(&bytes);
        }};
    }
    match dtype {
        DType::Bool => out[0] = u8::from(number != 0.0),
        DType::U8 => put!(number as u8),
        DType::I8 => put!(number as i8),
        DType::U16 => put!(number as u16),
        DType::I16 => put!(number as i16),
        DType::U32 => put!(number as u32),
        DType::I32 => put!(number as i32),
        DType::U64 => put!(number as u64),
        DType::I64 => put!(number as i64),
        DType::F16 => put!(f16::from_f64(number)),
        DType::BF16 => put!(bf16::from_f64(number)),
        DType::F32 => put!(number as f32),
        DType::F64 => put!(number),
        DType::Stored(dtype) => out[0] = dtype.encode(number as f32, true, Round::Up),
    }
}

/// Reads the first element as f64.
pub fn read(dtype: DType, bytes: &[u8]) -> f64 {
    macro_rules! get {
        ($ty:ty) => {{
            let mut raw = [0u8; size_of::<$ty>()];
            raw.copy_from_slice(&bytes[..size_of::<$ty>()]);
            <$ty>::from_le_bytes(raw)
        }};
    }
    match dtype {
        DType::Bool | DType::U8 => f64::from(bytes[0]),
        DType::I8 => f64::from(get!(i8)),
        DType::U16 => f64::from(get!(u16)),
        DType::I16 => f64::from(get!(i16)),
        DType::U32 => f64::from(get!(u32)),
        DType::I32 => f64::from(get!(i32)),
        DType::U64 => get!(u64) as f64,
        DType::I64 => get!(i64) as f64,
        DType::F16 => get!(f16).to_f64(),
        DType::BF16 => get!(bf16).to_f64(),
        DType::F32 => f64::from(get!(f32)),
        DType::F64 => get!(f64),
        DType::Stored(dtype) => f64::from(dtype.decode(bytes[0])),
    }
}
