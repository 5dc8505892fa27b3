//! Casts between all pairs of dtypes.

use super::map::{Call, plain1, wide1};
use super::prepare::register;
use crate::dtype::DType;
use crate::isa::Isa;
use crate::number::Number;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

macro_rules! cast_to {
    ($from:ty, $isa:expr, $to:expr, $call:expr) => {
        match register($to) {
            DType::Bool => wide1($isa, $call, |x: $from| u8::from(x != <$from>::ZERO)),
            DType::U8 => wide1($isa, $call, |x: $from| x as u8),
            DType::I8 => plain1($call, |x: $from| x as i8),
            DType::U16 => plain1($call, |x: $from| x as u16),
            DType::I16 => plain1($call, |x: $from| x as i16),
            DType::U32 => plain1($call, |x: $from| x as u32),
            DType::I32 => wide1($isa, $call, |x: $from| x as i32),
            DType::U64 => plain1($call, |x: $from| x as u64),
            DType::I64 => wide1($isa, $call, |x: $from| x as i64),
            DType::F32 => wide1($isa, $call, |x: $from| x as f32),
            DType::F64 => plain1($call, |x: $from| x as f64),
            DType::F16 | DType::BF16 | DType::Stored(_) => {}
        }
    };
}
/// Floats to integers truncate and saturate, NaN gives 0; integers wrap;
/// anything but 0 is true.  A cast to F16 or BF16 rounds there, although the
/// register is f32.
///
/// # Safety
/// `call` holds elements of the registers' types.
pub(super) unsafe fn cast(isa: Isa, from: DType, to: DType, call: Call) {
    // SAFETY: the caller's.
    unsafe {
        match to {
            DType::F16 if from != DType::F16 => return to_half(from, to, call, round_f16),
            DType::BF16 if from != DType::BF16 => return to_half(from, to, call, round_bf16),
            _ => {}
        }
        if register(from) == register(to) || (from == DType::Bool && to == DType::U8) {
            return same(register(to).size(), call);
        }
        match register(from) {
            DType::Bool | DType::U8 => cast_to!(u8, isa, to, call),
            DType::I8 => cast_to!(i8, isa, to, call),
            DType::U16 => cast_to!(u16, isa, to, call),
            DType::I16 => cast_to!(i16, isa, to, call),
            DType::U32 => cast_to!(u32, isa, to, call),
            DType::I32 => cast_to!(i32, isa, to, call),
            DType::U64 => cast_to!(u64, isa, to, call),
            DType::I64 => cast_to!(i64, isa, to, call),
            DType::F64 => cast_to!(f64, isa, to, call),
            DType::F32 => cast_to!(f32, isa, to, call),
            DType::F16 | DType::BF16 | DType::Stored(_) => {}
        }
    }
}

/// # Safety
/// As for [`cast`].
unsafe fn same(size: usize, call: Call) {
    let bytes = call.n * size;
    // SAFETY: the caller's; the two may be one place.
    unsafe { std::ptr::copy(call.args[0], call.out, bytes) }
}

fn round_f16(x: f64) -> f32 {
    f16::from_f64(x).to_f32()
}

fn round_bf16(x: f64) -> f32 {
    bf16::from_f64(x).to_f32()
}

/// Through f64, which holds every value of up to 32 bits: rounded once.
///
/// # Safety
/// As for [`cast`].
unsafe fn to_half(from: DType, to: DType, call: Call, round: fn(f64) -> f32) {
    // SAFETY: the caller's.
    unsafe {
        match register(from) {
            DType::Bool | DType::U8 => plain1(call, |x: u8| round(f64::from(x))),
            DType::I8 => plain1(call, |x: i8| round(f64::from(x))),
            DType::U16 => plain1(call, |x: u16| round(f64::from(x))),
            DType::I16 => plain1(call, |x: i16| round(f64::from(x))),
            DType::U32 => plain1(call, |x: u32| round(f64::from(x))),
            DType::I32 => plain1(call, |x: i32| round(f64::from(x))),
            DType::U64 => plain1(call, |x: u64| round(x as f64)),
            DType::I64 => plain1(call, |x: i64| round(x as f64)),
            DType::F64 => plain1(call, round),
            DType::F32 if to == DType::F16 => rounded::<f16>(call),
            DType::F32 => rounded::<bf16>(call),
            DType::F16 | DType::BF16 | DType::Stored(_) => {}
        }
    }
}

/// f32 rounded to a half dtype, a run at a time: `half` converts slices by
/// the machine's own instructions, single numbers by a call each.
///
/// # Safety
/// As for [`cast`].
unsafe fn rounded<H: Copy + Default>(call: Call)
where
    [H]: HalfFloatSliceExt,
{
    let mut run = [H::default(); 128];
    let (from, to) = (call.args[0].cast::<f32>(), call.out.cast::<f32>());
    for start in (0..call.n).step_by(run.len()) {
        let run = &mut run[..(call.n - start).min(128)];
        // SAFETY: the caller's; a run is read whole before it is written,
        // since the two may be one place.
        unsafe {
            run.convert_from_f32_slice(std::slice::from_raw_parts(from.add(start), run.len()));
            run.convert_to_f32_slice(std::slice::from_raw_parts_mut(to.add(start), run.len()));
        }
    }
}
