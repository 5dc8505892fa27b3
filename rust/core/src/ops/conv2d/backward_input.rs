//! The gradient of a convolution with respect to its input; by another name
//! the transposed convolution.

use super::{Conv2d, add_channel_bias, backward_weight, blocked, check_dtypes, flops_of};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::ops::elementwise as e;
use crate::ops::padding::Padding;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::conv2d::{Conv2dShape, ConvWeight, PackedConvWeight};
use lamina_kernels::{Isa, conv2d as kernel};

params! {
    /// Of a convolution of an image of `size` (height, width).
    pub struct Conv2dBackwardInput {
        size: [usize; 2],
        stride: [usize; 2] = [1, 1],
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        groups: usize = 1,
    }
}

const NAME: &str = "conv2d_backward_input";

impl Conv2dBackwardInput {
    fn form(&self) -> Conv2d {
        Conv2d {
            stride: self.stride,
            padding: self.padding.clone(),
            dilation: self.dilation,
            groups: self.groups,
        }
    }

    /// The sizes of the convolution whose gradient this is.
    fn sizes(&self, dy: &[usize], w: &[usize]) -> Result<Conv2dShape> {
        let (&[batch, out_c, out_h, out_w], &[weight_out, group_in, ..]) = (dy, w) else {
            return Err(Error::shape(format!(
                "{NAME}: wanted a gradient and a weight of 4 axes, got {dy:?} and {w:?}"
            )));
        };
        let x = [batch, group_in * self.groups, self.size[0], self.size[1]];
        let sizes = self.form().sizes(NAME, &x, w)?;
        if out_c != weight_out || [out_h, out_w] != [sizes.out_h(), sizes.out_w()] {
            return Err(Error::shape(format!(
                "{NAME}: a convolution of {x:?} with {w:?} gives {:?}, the gradient has {dy:?}",
                [batch, weight_out, sizes.out_h(), sizes.out_w()]
            )));
        }
        Ok(sizes)
    }
}

impl Op for Conv2dBackwardInput {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [dy, w] = arity(self, inputs)?;
        check_dtypes(NAME, &dy, &w)?;
        let sizes = self.sizes(&dy.shape, &w.shape)?;
        Ok(vec![Meta::new(
            dy.dtype,
            [sizes.batch, sizes.in_c, sizes.in_h, sizes.in_w],
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (dy, w, g) = (&vjp.inputs[0], &vjp.inputs[1], vjp.grad(0)?);
        let sizes = self.sizes(dy.shape(), w.shape())?;
        let form = self.form().explicit(&sizes);
        let to_dy = if vjp.needs[0] {
            Some(super::conv2d(&form, &g, w, None)?)
        } else {
            None
        };
        let to_w = if vjp.needs[1] {
            Some(backward_weight::record(&form, &g, dy, &sizes)?)
        } else {
            None
        };
        Ok(vec![to_dy, to_w])
    }

    fn class(&self) -> Class<'_> {
        Class::Product
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let sizes = self.sizes(&inputs[0].shape, &inputs[1].shape).ok()?;
        blocked::backward_input_twin(&self.form().explicit(&sizes), self.size, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.sizes(call.shape(0), call.shape(1))?;
        if call.dtype(0) == DType::F64 {
            kernel::backward_input_generic(
                &sizes,
                call.slice::<f64>(0)?,
                call.slice(1)?,
                call.out(0)?,
            );
            return Ok(());
        }
        let isa = Isa::current();
        let (dy, w, dx) = (
            call.slice::<f32>(0)?,
            call.slice::<f32>(1)?,
            call.out::<f32>(0)?,
        );
        // Of a transposed convolution with weights that stay, packed once where
        // the packing does not depend on the image.
        let plain = self.stride == [1, 1]
            && self.dilation == [1, 1]
            && self.groups == 1
            && sizes.pads == [0; 4];
        let pack = || PackedConvWeight::backward_input(isa, &sizes, w);
        let packed = plain.then(|| call.kept(1, packing(isa), 0, pack)).flatten();
        let weight = packed
            .as_deref()
            .map_or(ConvWeight::Plain(w), ConvWeight::Packed);
        call.with_tail(|tail| kernel::backward_input(isa, &sizes, dy, weight, dx, tail));
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [dy, w] = call.inputs else {
            return Err(Error::internal("conv2d_backward_input: two inputs"));
        };
        let sizes = self.sizes(&dy.shape, &w.shape)?;
        let form = self.form().gpu_form(&sizes);
        let tail = e::epilogue(call);
        let output = call.outputs[0].storage;
        let kernels = lamina_gpu::kernels::conv2d_backward_input(
            dy,
            w,
            self.size,
            &form,
            output,
            tail.as_ref(),
            call.caps,
        )?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(&inputs[0].shape, &inputs[1].shape)
            .map_or(0, |s| flops_of(&s))
    }
}

pub(super) fn record(
    form: &Conv2d,
    dy: &Tensor,
    w: &Tensor,
    sizes: &Conv2dShape,
) -> Result<Tensor> {
    let op = Conv2dBackwardInput {
        size: [sizes.in_h, sizes.in_w],
        stride: form.stride,
        padding: form.padding.clone(),
        dilation: form.dilation,
        groups: form.groups,
    };
    record_one(&OpRef::new(op), &[dy.clone(), w.clone()])
}

/// PyTorch's transposed convolution: weight (in, out / groups, height,
/// width), output (input - 1) stride - padding + dilation (kernel - 1) + 1
/// + output_padding.
pub fn conv_transpose2d(
    form: &Conv2d,
    output_padding: [usize; 2],
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (&[_, in_c, height, width], &[weight_in, _, kernel_h, kernel_w]) = (x.shape(), w.shape())
    else {
        return Err(Error::shape(format!(
            "conv_transpose2d: wanted x and weight of 4 axes, got {:?} and {:?}",
            x.shape(),
            w.shape()
        )));
    };
    if in_c != weight_in {
        return Err(Error::shape(format!(
            "conv_transpose2d: x has {in_c} channels, weight takes {weight_in}"
        )));
    }
    let Padding::Explicit(pads) = form.padding else {
        return Err(Error::unsupported(
            "conv_transpose2d: padding must be given in numbers",
        ));
    };
    if (0..2).any(|axis| output_padding[axis] >= form.stride[axis].max(form.dilation[axis])) {
        return Err(Error::argument(format!(
            "conv_transpose2d: output_padding={output_padding:?} must be smaller than the stride or dilation"
        )));
    }
    let size = |n: usize, kernel: usize, axis: usize| {
        (n.max(1) - 1)
            .saturating_mul(form.stride[axis])
            .saturating_add(form.dilation[axis].saturating_mul(kernel.max(1) - 1))
            .saturating_add(output_padding[axis])
            .saturating_add(1)
            .checked_sub(pads[axis].saturating_add(pads[axis + 2]))
            .filter(|&n| n > 0)
            .ok_or_else(|| {
                Error::shape(format!(
                    "conv_transpose2d: padding {pads:?} leaves nothing of axis {}",
                    axis + 2
                ))
            })
    };
    let op = Conv2dBackwardInput {
        size: [size(height, kernel_h, 0)?, size(width, kernel_w, 1)?],
        stride: form.stride,
        padding: form.padding.clone(),
        dilation: form.dilation,
        groups: form.groups,
    };
    let y = record_one(&OpRef::new(op), &[x.clone(), w.clone()])?;
    add_channel_bias("conv_transpose2d", &y, bias)
}

fn packing(isa: Isa) -> &'static str {
    match isa {
        Isa::Portable => "conv2d_backward_input.portable",
        Isa::Avx2 => "conv2d_backward_input.avx2",
        Isa::Avx512 => "conv2d_backward_input.avx512",
        Isa::Neon => "conv2d_backward_input.neon",
    }
}
