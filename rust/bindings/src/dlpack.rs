//! DLPack: CPU memory shared with other libraries, both ways.  The layout of
//! the structs is DLPack's own (v1.0).

mod export;
mod import;

pub use import::from_dlpack;

use lamina_core::{DType, Stored};
use std::ffi::{CStr, c_void};

const CPU: i32 = 1;
/// Host memory that a GPU may read too, as far as we are concerned the CPU's.
const CUDA_HOST: i32 = 3;
const MAJOR: u32 = 1;

const NAME: &CStr = c"dltensor";
const USED: &CStr = c"used_dltensor";
const NAME_VERSIONED: &CStr = c"dltensor_versioned";
const USED_VERSIONED: &CStr = c"used_dltensor_versioned";

const READ_ONLY: u64 = 1;
const IS_COPIED: u64 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
struct DLDevice {
    kind: i32,
    id: i32,
}

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct DLDataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct DLTensor {
    data: *mut c_void,
    device: DLDevice,
    ndim: i32,
    dtype: DLDataType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
struct DLManagedTensor {
    tensor: DLTensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut DLManagedTensor)>,
}

#[repr(C)]
struct DLManagedTensorVersioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    flags: u64,
    tensor: DLTensor,
}

/// Type code and bits: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool, from 10 on the
/// narrow floats.  Numbers of fewer bits than a byte, which others pack, have a
/// code that nobody reads.
fn code_of(dtype: DType) -> DLDataType {
    let code = match dtype {
        DType::Stored(Stored::F8E4M3FN) => 10,
        DType::Stored(Stored::F8E4M3FNUZ) => 11,
        DType::Stored(Stored::F8E5M2) => 12,
        DType::Stored(Stored::F8E5M2FNUZ) => 13,
        DType::Stored(Stored::F8E8M0) => 14,
        DType::Stored(_) => 255,
        DType::Bool => 6,
        DType::BF16 => 4,
        d if d.is_float() => 2,
        d if d.is_signed() => 0,
        _ => 1,
    };
    DLDataType {
        code,
        bits: 8 * dtype.size() as u8,
        lanes: 1,
    }
}

fn dtype_of(code: DLDataType) -> Option<DType> {
    (code.code != 255).then_some(())?;
    DType::ALL.into_iter().find(|d| code_of(*d) == code)
}
