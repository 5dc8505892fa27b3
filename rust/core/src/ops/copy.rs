//! The contiguous copy of a strided value: what the planner puts before
//! kernels that cannot take strides.

use crate::call::{CpuCall, GpuCall};
use crate::layout::contiguous_strides;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, Result, Tensor, params};

params! {
    /// The same elements, row-major and without gaps.
    pub struct Copy {}
}

impl Op for Copy {
    fn name(&self) -> &str {
        "copy"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        arity::<1>(self, inputs).map(Vec::from)
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(vjp.grad(0)?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Move
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Any
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (input, output) = (&call.inputs[0], &call.outputs[0]);
        let shape = &output.layout.shape;
        // SAFETY: the planner gave the input memory for its layout and the
        // output memory of its own.
        unsafe {
            lamina_kernels::copy::copy_bytes(
                input.dtype.size(),
                shape,
                input.first(),
                &input.layout.strides,
                output.first(),
                &contiguous_strides(shape),
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let code = lamina_gpu::kernels::ElementCode::new("out0 = in0;");
        let kernels =
            lamina_gpu::kernels::elementwise(call.inputs, call.outputs, &code, &[], call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

pub fn copy_op() -> OpRef {
    OpRef::new(Copy {})
}

/// `x` with its elements row-major and without gaps.
pub fn contiguous(x: &Tensor) -> Result<Tensor> {
    record_one(&copy_op(), std::slice::from_ref(x))
}
