//! Small tensors computed while a model is traced: the arithmetic on shapes
//! that exporters write out node by node.  Everything larger is recorded.

mod arithmetic;
mod moves;
#[cfg(test)]
mod tests;

pub(crate) use arithmetic::{binary, cast, from_float, rounded, select, unary};

use bytes::Bytes;
use half::{bf16, f16};
use lamina_core::DType;

/// Tensors of more elements are recorded, not computed here.
pub(crate) const MAX_ELEMENTS: usize = 4096;

/// Whether a tensor of this shape is computed here.  Loops run over axes one by
/// one, so an empty tensor of long axes is not small.
pub(crate) fn fits(shape: &[usize]) -> bool {
    let longest = |len: usize, &n: &usize| len.checked_mul(n.max(1));
    let len = shape.iter().try_fold(1usize, longest);
    len.is_some_and(|len| len <= MAX_ELEMENTS)
}

/// Integers and bool as i64, floats as f64 that hold values of the dtype.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Int(Vec<i64>),
    Float(Vec<f64>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

macro_rules! read_as {
    ($bytes:expr, $ty:ty, $to:expr) => {
        $bytes
            .chunks_exact(size_of::<$ty>())
            .map(|c| {
                let mut raw = [0; size_of::<$ty>()];
                raw.copy_from_slice(c);
                $to(<$ty>::from_le_bytes(raw))
            })
            .collect()
    };
}

macro_rules! write_as {
    ($values:expr, $to:expr) => {
        $values
            .iter()
            .flat_map(|&v| $to(v).to_le_bytes())
            .collect::<Vec<u8>>()
    };
}

impl Host {
    pub(crate) fn ints(shape: &[usize], values: Vec<i64>) -> Host {
        Host {
            dtype: DType::I64,
            shape: shape.to_vec(),
            data: Data::Int(values),
        }
    }

    /// `number` as a 0-d tensor of `dtype`.
    pub(crate) fn scalar(dtype: DType, number: f64) -> Host {
        Host::full(dtype, &[], number)
    }

    pub(crate) fn full(dtype: DType, shape: &[usize], number: f64) -> Host {
        let len = shape.iter().product();
        let data = if dtype.is_float() {
            Data::Float(vec![arithmetic::rounded(dtype, number); len])
        } else {
            Data::Int(vec![arithmetic::from_float(dtype, number); len])
        };
        Host {
            dtype,
            shape: shape.to_vec(),
            data,
        }
    }

    /// Little-endian elements; None for what is not computed here (u64, whose
    /// upper half i64 cannot hold, and large tensors).
    pub(crate) fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Option<Host> {
        if !fits(shape) {
            return None;
        }
        let data = match dtype {
            DType::U64 | DType::Stored(_) => return None,
            DType::Bool | DType::U8 => Data::Int(bytes.iter().map(|&b| i64::from(b)).collect()),
            DType::I8 => Data::Int(read_as!(bytes, i8, i64::from)),
            DType::U16 => Data::Int(read_as!(bytes, u16, i64::from)),
            DType::I16 => Data::Int(read_as!(bytes, i16, i64::from)),
            DType::U32 => Data::Int(read_as!(bytes, u32, i64::from)),
            DType::I32 => Data::Int(read_as!(bytes, i32, i64::from)),
            DType::I64 => Data::Int(read_as!(bytes, i64, i64::from)),
            DType::F16 => Data::Float(read_as!(bytes, f16, f16::to_f64)),
            DType::BF16 => Data::Float(read_as!(bytes, bf16, bf16::to_f64)),
            DType::F32 => Data::Float(read_as!(bytes, f32, f64::from)),
            DType::F64 => Data::Float(read_as!(bytes, f64, f64::from)),
        };
        Some(Host {
            dtype,
            shape: shape.to_vec(),
            data,
        })
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        match &self.data {
            Data::Int(v) => match self.dtype {
                DType::Bool => v.iter().map(|&x| u8::from(x != 0)).collect(),
                DType::U8 | DType::I8 => v.iter().map(|&x| x as u8).collect(),
                DType::U16 | DType::I16 => write_as!(v, |x| x as i16),
                DType::U32 | DType::I32 => write_as!(v, |x| x as i32),
                _ => write_as!(v, |x: i64| x),
            },
            Data::Float(v) => match self.dtype {
                DType::F16 => write_as!(v, f16::from_f64),
                DType::BF16 => write_as!(v, bf16::from_f64),
                DType::F32 => write_as!(v, |x| x as f32),
                _ => write_as!(v, |x: f64| x),
            },
        }
        .into()
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Int(v) => v.len(),
            Data::Float(v) => v.len(),
        }
    }

    pub(crate) fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Int(v) => Some(v),
            Data::Float(_) => None,
        }
    }

    pub(crate) fn to_floats(&self) -> Vec<f64> {
        match &self.data {
            Data::Int(v) => v.iter().map(|&x| x as f64).collect(),
            Data::Float(v) => v.clone(),
        }
    }
}
