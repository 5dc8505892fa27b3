//! Convolution of integers of 16 bits, summed in int32: what remains of a quantised convolution
//! when zero points are taken off.  Exact, but that sums wrap.

use super::{Conv2d, add_channel_bias, flops_of};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
    want_dtype,
};
use crate::{Attrs, DType, Result, Tensor};
use lamina_kernels::Isa;
use lamina_kernels::conv2d::{PackedRows, forward_integer};

#[derive(Clone, Debug)]
struct Conv2dInteger {
    form: Conv2d,
}

const NAME: &str = "conv2d_integer";

impl Op for Conv2dInteger {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.form.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, w] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, &[DType::I16])?;
        want_dtype(NAME, "weight", w.dtype, &[DType::I16])?;
        let sizes = self.form.sizes(NAME, &x.shape, &w.shape)?;
        Ok(vec![Meta::new(
            DType::I32,
            [sizes.batch, sizes.out_c, sizes.out_h(), sizes.out_w()],
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("integers carry no gradient")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.form.sizes(NAME, call.shape(0), call.shape(1))?;
        let (x, w) = (call.slice::<i16>(0)?, call.slice::<i16>(1)?);
        // The words are of every instance; where rows begin depends on the groups' terms alone.
        let packed = call.kept(1, NAME, 0, || PackedRows::new(&sizes, w));
        let out = call.out::<i32>(0)?;
        forward_integer(Isa::current(), &sizes, x, w, packed.as_deref(), out);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let (x, w) = (&call.inputs[0], &call.inputs[1]);
        let sizes = self.form.sizes(NAME, &x.shape, &w.shape)?;
        let form = self.form.gpu_form(&sizes);
        let storage = call.outputs[0].storage;
        let kernels = lamina_gpu::kernels::conv2d(x, w, &form, storage, None, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.form
            .sizes(NAME, &inputs[0].shape, &inputs[1].shape)
            .map_or(0, |s| flops_of(&s))
    }
}

/// The int32 convolution of int16 operands, with an int32 bias per output channel if given.
pub fn conv2d_integer(
    form: &Conv2d,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let op = OpRef::new(Conv2dInteger { form: form.clone() });
    let y = record_one(&op, &[x.clone(), w.clone()])?;
    add_channel_bias(NAME, &y, bias)
}
