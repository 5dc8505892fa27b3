//! The bits of numbers, read as another dtype of the same size.

use crate::call::{CpuCall, GpuCall, gpu_storage};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::Operand;
use lamina_gpu::kernels::ElementCode;

params! {
    /// The same bits as `dtype`.
    pub struct Bitcast { dtype: DType }
}

/// Bits of one number.
fn bits(dtype: DType) -> u32 {
    match dtype {
        DType::Stored(stored) => stored.bits(),
        other => 8 * other.size() as u32,
    }
}

impl Op for Bitcast {
    fn name(&self) -> &str {
        "bitcast"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let to = self.dtype;
        if bits(x.dtype) != bits(to) {
            return Err(Error::dtype(format!(
                "bitcast: {} has {} bits, {to} {}; they must be equal",
                x.dtype,
                bits(x.dtype),
                bits(to)
            )));
        }
        if to == DType::Bool && x.dtype != DType::Bool {
            return Err(Error::dtype(
                "bitcast: bytes other than 0 and 1 are no bool; compare with 0 instead",
            ));
        }
        Ok(vec![Meta::new(to, x.shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("bits are no smooth function of a number")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    /// Halves are read and written as they are.
    fn class(&self) -> Class<'_> {
        Class::Move
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0).size() {
            1 => call.out::<u8>(0)?.copy_from_slice(call.slice(0)?),
            2 => call.out::<u16>(0)?.copy_from_slice(call.slice(0)?),
            4 => call.out::<u32>(0)?.copy_from_slice(call.slice(0)?),
            _ => call.out::<u64>(0)?.copy_from_slice(call.slice(0)?),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        if gpu_storage(self.dtype).is_none() {
            return Ok(Lowered::Unsupported(format!(
                "{} does not exist on a GPU",
                self.dtype
            )));
        }
        let plain = |operands: &[Operand]| -> Vec<Operand> {
            let plain = |operand: &Operand| Operand {
                storage: operand.storage.bits(),
                ..operand.clone()
            };
            operands.iter().map(plain).collect()
        };
        let (inputs, outputs) = (plain(call.inputs), plain(call.outputs));
        let code = ElementCode::new("out0 = in0;");
        let kernels = lamina_gpu::kernels::elementwise(&inputs, &outputs, &code, &[], call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// The bits of `x` as `dtype`, which has as many.
pub fn bitcast(x: &Tensor, form: Bitcast) -> Result<Tensor> {
    if x.dtype() == form.dtype {
        return Ok(x.clone());
    }
    if x.dtype().is_float() && form.dtype.is_float() && form.dtype.size() == 2 {
        // What moves from half to half may be kept in float32: these bits may not.
        let bits = bitcast(x, Bitcast { dtype: DType::I16 })?;
        return bitcast(&bits, form);
    }
    record_one(&OpRef::new(form), std::slice::from_ref(x))
}
