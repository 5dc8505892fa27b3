//! From a function and a dtype to the loop that runs it.

use super::cast::cast;
use super::generic::{arithmetic, bits, comparison};
use super::map::{Call, plain2, wide1, wide2, wide3};
use super::prepare::register;
use super::real::double;
use super::scalar::{Bits, Scalar};
use super::vector::single;
use crate::chain::Func;
use crate::dtype::DType;
use crate::isa::Isa;

/// Runs one instruction on one block.
///
/// # Safety
/// `call` holds `call.n` elements of the registers' types.
pub(super) unsafe fn step(isa: Isa, func: Func, dtype: DType, call: Call) {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::Cast { to } => return cast(isa, dtype, to, call),
            Func::Where => return select(isa, dtype, call),
            _ => {}
        }
        let done = match register(dtype) {
            DType::F32 => single(isa, func, call) || comparison::<f32>(isa, func, call),
            DType::F64 => {
                arithmetic::<f64>(func, call)
                    || double(func, call)
                    || comparison::<f64>(isa, func, call)
            }
            DType::Bool => logic(isa, func, call) || integer::<u8>(isa, func, call),
            DType::U8 => integer::<u8>(isa, func, call),
            DType::I8 => integer::<i8>(isa, func, call),
            DType::U16 => integer::<u16>(isa, func, call),
            DType::I16 => integer::<i16>(isa, func, call),
            DType::U32 => integer::<u32>(isa, func, call),
            DType::I32 => integer::<i32>(isa, func, call),
            DType::U64 => integer::<u64>(isa, func, call),
            DType::I64 => integer::<i64>(isa, func, call),
            DType::F16 | DType::BF16 | DType::Stored(_) => false,
        };
        debug_assert!(done, "{func:?} of {dtype} was prepared");
    }
}

/// # Safety
/// As for [`step`].
unsafe fn integer<T: Scalar + Bits>(isa: Isa, func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        arithmetic::<T>(func, call)
            || comparison::<T>(isa, func, call)
            || bits::<T>(isa, func, call)
    }
}

/// # Safety
/// As for [`step`]; all registers are Bool.
unsafe fn logic(isa: Isa, func: Func, call: Call) -> bool {
    // SAFETY: the caller's.
    unsafe {
        match func {
            Func::And => wide2(isa, call, |a: u8, b: u8| a & b),
            Func::Or => wide2(isa, call, |a: u8, b: u8| a | b),
            Func::Xor => plain2(call, |a: u8, b: u8| a ^ b),
            Func::Not => wide1(isa, call, |a: u8| a ^ 1),
            _ => return false,
        }
    }
    true
}

/// condition ? a : b, by size alone.
///
/// # Safety
/// As for [`step`].
unsafe fn select(isa: Isa, dtype: DType, call: Call) {
    // SAFETY: the caller's.
    unsafe {
        match register(dtype).size() {
            1 => wide3(isa, call, |c: u8, a: u8, b: u8| if c != 0 { a } else { b }),
            2 => wide3(
                isa,
                call,
                |c: u8, a: u16, b: u16| if c != 0 { a } else { b },
            ),
            4 => wide3(
                isa,
                call,
                |c: u8, a: u32, b: u32| if c != 0 { a } else { b },
            ),
            _ => wide3(
                isa,
                call,
                |c: u8, a: u64, b: u64| if c != 0 { a } else { b },
            ),
        }
    }
}
