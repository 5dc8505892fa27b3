//! `TensorProto` to bytes of a known dtype and shape.

use super::{Context, external};
use crate::ir::Constant;
use crate::proto::tensor_proto::{DataLocation, DataType};
use crate::proto::{SparseTensorProto, TensorProto};
use bytes::Bytes;
use lamina_core::{DType, Error, Result, Stored};

/// What a file may hold but nothing here can; the words say what.
pub(crate) type Available<T> = std::result::Result<T, String>;

/// ONNX's element type as ours; the error names one that we do not have.
pub(crate) fn dtype(elem_type: i32) -> Available<DType> {
    Ok(match DataType::try_from(elem_type) {
        Ok(DataType::Bool) => DType::Bool,
        Ok(DataType::Uint8) => DType::U8,
        Ok(DataType::Int8) => DType::I8,
        Ok(DataType::Uint16) => DType::U16,
        Ok(DataType::Int16) => DType::I16,
        Ok(DataType::Uint32) => DType::U32,
        Ok(DataType::Int32) => DType::I32,
        Ok(DataType::Uint64) => DType::U64,
        Ok(DataType::Int64) => DType::I64,
        Ok(DataType::Float16) => DType::F16,
        Ok(DataType::Bfloat16) => DType::BF16,
        Ok(DataType::Float) => DType::F32,
        Ok(DataType::Double) => DType::F64,
        Ok(DataType::Float8e4m3fn) => DType::Stored(Stored::F8E4M3FN),
        Ok(DataType::Float8e4m3fnuz) => DType::Stored(Stored::F8E4M3FNUZ),
        Ok(DataType::Float8e5m2) => DType::Stored(Stored::F8E5M2),
        Ok(DataType::Float8e5m2fnuz) => DType::Stored(Stored::F8E5M2FNUZ),
        Ok(DataType::Float8e8m0) => DType::Stored(Stored::F8E8M0),
        Ok(DataType::Float4e2m1) => DType::Stored(Stored::F4E2M1),
        Ok(DataType::Uint4) => DType::Stored(Stored::U4),
        Ok(DataType::Int4) => DType::Stored(Stored::I4),
        Ok(DataType::Uint2) => DType::Stored(Stored::U2),
        Ok(DataType::Int2) => DType::Stored(Stored::I2),
        Ok(DataType::Undefined) => return Err("an undefined element type".into()),
        Ok(other) => {
            return Err(format!(
                "element type {}",
                other.as_str_name().to_lowercase()
            ));
        }
        Err(_) => return Err(format!("element type {elem_type}, which is unknown here")),
    })
}

/// The number of elements of a shape from a file, and the shape.
fn checked_shape(dims: &[i64]) -> Result<(usize, Vec<usize>)> {
    let mut len = 1usize;
    let mut shape = Vec::with_capacity(dims.len());
    for &n in dims {
        let n = usize::try_from(n)
            .map_err(|_| Error::model(format!("shape {dims:?} has a negative size")))?;
        len = len
            .checked_mul(n)
            .filter(|&len| len <= isize::MAX as usize / 16)
            .ok_or_else(|| {
                Error::model(format!(
                    "shape {dims:?} has more elements than memory can hold"
                ))
            })?;
        shape.push(n);
    }
    Ok((len, shape))
}

fn wanted(len: usize, got: usize, what: &str, dims: &[i64], dtype: DType) -> Error {
    Error::model(format!(
        "{got} {what} for shape {dims:?} of {dtype}, wanted {len}"
    ))
}

/// Typed data of small integers: every value must fit the dtype.
fn narrow<T: TryFrom<i32>, const N: usize>(
    values: &[i32],
    dtype: DType,
    bytes: fn(T) -> [u8; N],
) -> Result<Bytes> {
    let mut out = Vec::with_capacity(values.len() * N);
    for &value in values {
        let value = T::try_from(value)
            .map_err(|_| Error::model(format!("value {value} does not fit {dtype}")))?;
        out.extend_from_slice(&bytes(value));
    }
    Ok(out.into())
}

fn each<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Bytes {
    values
        .iter()
        .flat_map(|&v| bytes(v))
        .collect::<Vec<u8>>()
        .into()
}

/// Data from the field that ONNX provides for the dtype.
fn typed_data(proto: &TensorProto, dtype: DType, len: usize) -> Result<Bytes> {
    let count = match dtype {
        DType::F32 => proto.float_data.len(),
        DType::F64 => proto.double_data.len(),
        DType::I64 => proto.int64_data.len(),
        DType::U32 | DType::U64 => proto.uint64_data.len(),
        _ => proto.int32_data.len(),
    };
    let len = packed_len(len, dtype);
    if count != len {
        return Err(wanted(len, count, "elements", &proto.dims, dtype));
    }
    let ints = &proto.int32_data;
    Ok(match dtype {
        DType::F32 => each(&proto.float_data, f32::to_le_bytes),
        DType::F64 => each(&proto.double_data, f64::to_le_bytes),
        DType::I64 => each(&proto.int64_data, i64::to_le_bytes),
        DType::U64 => each(&proto.uint64_data, u64::to_le_bytes),
        DType::U32 => {
            let too_large = proto.uint64_data.iter().find(|&&v| v > u64::from(u32::MAX));
            if let Some(value) = too_large {
                return Err(Error::model(format!("value {value} does not fit {dtype}")));
            }
            each(&proto.uint64_data, |v| (v as u32).to_le_bytes())
        }
        DType::I32 => each(ints, i32::to_le_bytes),
        // Half floats are stored as the bits of a 16-bit integer.
        DType::U16 | DType::F16 | DType::BF16 => narrow(ints, dtype, u16::to_le_bytes)?,
        DType::I16 => narrow(ints, dtype, i16::to_le_bytes)?,
        DType::U8 | DType::Bool | DType::Stored(_) => narrow(ints, dtype, u8::to_le_bytes)?,
        DType::I8 => narrow(ints, dtype, i8::to_le_bytes)?,
    })
}

/// How many of a byte's numbers a file packs in one.
fn per_byte(dtype: DType) -> usize {
    match dtype {
        DType::Stored(stored) => 8 / stored.bits() as usize,
        _ => 1,
    }
}

fn packed_len(len: usize, dtype: DType) -> usize {
    len.div_ceil(per_byte(dtype))
}

/// A byte for each number; the first lies in the lowest bits.
fn unpacked(context: &mut Context, bytes: Bytes, len: usize, dtype: DType) -> Result<Bytes> {
    let per = per_byte(dtype);
    if per == 1 {
        return Ok(bytes);
    }
    context.take(len)?;
    let (bits, mask) = (8 / per, (1u16 << (8 / per)) - 1);
    let all = bytes
        .iter()
        .flat_map(|&byte| (0..per).map(move |i| (u16::from(byte) >> (i * bits) & mask) as u8));
    Ok(all.take(len).collect::<Vec<u8>>().into())
}

fn typed_is_empty(proto: &TensorProto) -> bool {
    proto.float_data.is_empty()
        && proto.double_data.is_empty()
        && proto.int32_data.is_empty()
        && proto.int64_data.is_empty()
        && proto.uint64_data.is_empty()
}

/// The constant, or (inner error) the element type that is not available.
pub(super) fn read(context: &mut Context, proto: &TensorProto) -> Result<Available<Constant>> {
    let (len, shape) = checked_shape(&proto.dims)?;
    let dtype = match dtype(proto.data_type()) {
        Ok(dtype) => dtype,
        Err(_) if proto.data_type() == 0 => {
            return Err(Error::model("a tensor without element type"));
        }
        Err(why) => return Ok(Err(why)),
    };
    if proto.segment.is_some() {
        return Ok(Err("data in segments".into()));
    }
    let expected = packed_len(len * dtype.size(), dtype);
    let bytes = if proto.data_location() == DataLocation::External {
        if !context.weights && len > crate::host::MAX_ELEMENTS {
            let bytes = Bytes::new();
            return Ok(Ok(Constant {
                dtype,
                shape,
                bytes,
            }));
        }
        external::load(context, &proto.external_data, expected)?
    } else if let Some(raw) = &proto.raw_data {
        if !typed_is_empty(proto) {
            return Err(Error::model("a tensor has both raw and typed data"));
        }
        if raw.len() != expected {
            return Err(wanted(expected, raw.len(), "bytes", &proto.dims, dtype));
        }
        raw.clone()
    } else {
        context.take(expected)?;
        typed_data(proto, dtype, len)?
    };
    let bytes = unpacked(context, bytes, len, dtype)?;
    // Kernels rely on 0 and 1.
    let odd = dtype == DType::Bool && bytes.iter().any(|&b| b > 1);
    let bytes = if odd {
        bytes
            .iter()
            .map(|&b| u8::from(b != 0))
            .collect::<Vec<u8>>()
            .into()
    } else {
        bytes
    };
    Ok(Ok(Constant {
        dtype,
        shape,
        bytes,
    }))
}

/// A sparse tensor, written out.
pub(super) fn read_sparse(
    context: &mut Context,
    proto: &SparseTensorProto,
) -> Result<Available<Constant>> {
    let (Some(values), Some(indices)) = (&proto.values, &proto.indices) else {
        return Err(Error::model("a sparse tensor without values or indices"));
    };
    let (len, shape) = checked_shape(&proto.dims)?;
    let values = match read(context, values)? {
        Ok(values) => values,
        Err(why) => return Ok(Err(why)),
    };
    let Ok(indices) = read(context, indices)? else {
        return Err(Error::model("a sparse tensor's indices are not int64"));
    };
    let rank = shape.len();
    let count = values.shape.iter().product::<usize>();
    let linear = indices.shape == [count];
    if indices.dtype != DType::I64 || !(linear || indices.shape == [count, rank]) {
        return Err(Error::model(format!(
            "a sparse tensor's indices have shape {:?} of {}, wanted [{count}] or [{count}, {rank}] of int64",
            indices.shape, indices.dtype
        )));
    }
    let size = values.dtype.size();
    context.take(len * size)?;
    let mut bytes = vec![0; len * size];
    let numbers: Vec<i64> = indices
        .bytes
        .chunks_exact(8)
        .map(|c| i64::from_le_bytes(c.try_into().unwrap_or_default()))
        .collect();
    let width = if linear { 1 } else { rank };
    for (i, value) in values.bytes.chunks_exact(size).enumerate() {
        let index = &numbers[i * width..(i + 1) * width];
        let flat = if linear {
            usize::try_from(index[0]).ok()
        } else {
            flatten(index, &shape)
        };
        let at = flat.filter(|&at| at < len).ok_or_else(|| {
            Error::model(format!(
                "a sparse tensor's index {index:?} is outside its shape {shape:?}"
            ))
        })?;
        bytes[at * size..(at + 1) * size].copy_from_slice(value);
    }
    Ok(Ok(Constant {
        dtype: values.dtype,
        shape,
        bytes: bytes.into(),
    }))
}

fn flatten(index: &[i64], shape: &[usize]) -> Option<usize> {
    index.iter().zip(shape).try_fold(0usize, |flat, (&i, &n)| {
        let i = usize::try_from(i).ok().filter(|&i| i < n)?;
        Some(flat * n + i)
    })
}
