//! Copies of strided views, of every storage width.

use super::{ElementCode, Kernels, elementwise};
use crate::{
    adapter::Caps,
    error::Result,
    storage::{Operand, Storage},
};

/// A view as a whole row-major buffer of its own shape.
pub fn copy(input: &Operand, caps: &Caps) -> Result<Kernels> {
    // Bits, not numbers: no rounding touches what a NaN carries.
    let storage = match input.storage {
        Storage::F32 | Storage::I32 => Storage::U32,
        Storage::F16 | Storage::BF16 | Storage::I16 => Storage::U16,
        Storage::I8 | Storage::Bool => Storage::U8,
        wide => wide,
    };
    let input = Operand {
        storage,
        ..input.clone()
    };
    let output = Operand::contiguous(storage, &input.shape);
    let code = ElementCode::new("out0 = in0;");
    elementwise(&[input], &[output], &code, &[], caps)
}
