//! 0, 1, 2, ...: where every counted tensor begins.

use crate::call::{CpuCall, GpuCall};
use crate::node::record_on;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, no_gradient};
use crate::{Attrs, DType, Device, Error, Result, Tensor, params};
use lamina_gpu::kernels::{ElementCode, elementwise};

params! {
    /// The first `length` whole numbers.
    pub struct Iota { length: usize, dtype: DType }
}

impl Op for Iota {
    fn name(&self) -> &str {
        "iota"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, _inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let known = [DType::F32, DType::F64, DType::I32, DType::I64];
        crate::op::want_dtype("iota", "the result", self.dtype, &known)?;
        Ok(vec![Meta::new(self.dtype, vec![self.length])])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("it has no inputs")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Any
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        macro_rules! count {
            ($ty:ty) => {
                for (i, x) in call.out::<$ty>(0)?.iter_mut().enumerate() {
                    *x = i as $ty;
                }
            };
        }
        match self.dtype {
            DType::F32 => count!(f32),
            DType::F64 => count!(f64),
            DType::I32 => count!(i32),
            _ => count!(i64),
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let code = ElementCode::new(match self.dtype {
            DType::F32 => "out0 = f32(index);",
            DType::I32 => "out0 = i32(index);",
            _ => "out0 = vec2<u32>(index, 0u);",
        });
        let kernels = elementwise(&[], call.outputs, &code, &[], call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

pub fn iota(length: usize, dtype: DType, device: Device) -> Result<Tensor> {
    let made = record_on(&OpRef::new(Iota { length, dtype }), &[], device)?;
    made.into_iter()
        .next()
        .ok_or_else(|| Error::internal("iota has no output"))
}
