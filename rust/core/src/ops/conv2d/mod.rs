//! 2-d convolution (cross-correlation), NCHW with weights OIHW, and its two
//! gradients, which are ops themselves:
//!
//! y\[n, o, i, j\] = sum over c, u, v of x\[n, c, i s + u d - p, j s + v d - p\] w\[o, c, u, v\]
//!
//! All three are one bilinear form <y, dy> = <x, dx> = <w, dw>, so the
//! gradients of each are the other two.

mod backward_input;
mod backward_weight;
pub mod blocked;
mod integer;
pub mod inverted_residual;
pub mod scale;

pub use backward_input::Conv2dBackwardInput;
pub use backward_weight::Conv2dBackwardWeight;
pub use integer::conv2d_integer;

use super::padding::{Padding, Window};
use super::{elementwise as e, views};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::conv2d::{Conv2dShape, ConvWeight, PackedConvWeight};
use lamina_kernels::{Isa, conv2d as kernel};

params! {
    /// How the kernel moves over the image.
    pub struct Conv2d {
        stride: [usize; 2] = [1, 1],
        padding: Padding = Padding::default(),
        dilation: [usize; 2] = [1, 1],
        groups: usize = 1,
    }
}

impl Conv2d {
    fn window(&self, kernel: [usize; 2]) -> Window {
        Window {
            kernel,
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding.clone(),
            ceil_mode: false,
        }
    }

    /// Checked sizes of a convolution of `x` with `w`.
    fn sizes(&self, op: &str, x: &[usize], w: &[usize]) -> Result<Conv2dShape> {
        let (&[batch, in_c, in_h, in_w], &[out_c, _, kernel_h, kernel_w]) = (x, w) else {
            return Err(Error::shape(format!(
                "{op}: wanted x (batch, channels, height, width) and weight (out, in / groups, height, width), got {x:?} and {w:?}"
            )));
        };
        let groups = self.groups;
        check_channels(op, groups, x, w)?;
        let window = self.window([kernel_h, kernel_w]);
        window.out_size(op, [in_h, in_w])?;
        Ok(Conv2dShape {
            batch,
            in_c,
            in_h,
            in_w,
            out_c,
            kernel_h,
            kernel_w,
            stride: window.steps([in_h, in_w]),
            dilation: self.dilation,
            pads: window.pads([in_h, in_w]),
            groups,
        })
    }

    fn gpu_form(&self, sizes: &Conv2dShape) -> lamina_gpu::kernels::Conv2d {
        lamina_gpu::kernels::Conv2d {
            stride: sizes.stride,
            dilation: self.dilation,
            pads: sizes.pads,
            groups: self.groups,
        }
    }

    /// The same with its padding in numbers, for the gradients.
    fn explicit(&self, sizes: &Conv2dShape) -> Conv2d {
        Conv2d {
            padding: Padding::Explicit(sizes.pads),
            ..self.clone()
        }
    }
}

/// That the channels of x (batch, in, ..) and w (out, in / groups, ..) fit.
pub(super) fn check_channels(op: &str, groups: usize, x: &[usize], w: &[usize]) -> Result<()> {
    let (in_c, out_c, group_in) = (x[1], w[0], w[1]);
    if groups == 0 || !in_c.is_multiple_of(groups) || !out_c.is_multiple_of(groups) {
        return Err(Error::argument(format!(
            "{op}: groups={groups} must divide the {in_c} input and {out_c} output channels"
        )));
    }
    if group_in != in_c / groups {
        return Err(Error::shape(format!(
            "{op}: x has {in_c} channels in {groups} group(s), weight {w:?} takes {group_in} per group; wanted {}",
            in_c / groups
        )));
    }
    Ok(())
}

/// x and w of one floating dtype.
fn check_dtypes(op: &str, x: &Meta, w: &Meta) -> Result<()> {
    want_dtype(op, "x", x.dtype, FLOATS)?;
    if x.dtype != w.dtype {
        return Err(Error::dtype(format!(
            "{op}: x is {}, weight {}; cast one first",
            x.dtype, w.dtype
        )));
    }
    Ok(())
}

/// Two operations for each product of the bilinear form.
fn flops_of(sizes: &Conv2dShape) -> u64 {
    let per_output = sizes.in_c / sizes.groups * sizes.kernel_h * sizes.kernel_w;
    2 * (sizes.batch * sizes.out_c * sizes.out_h() * sizes.out_w() * per_output) as u64
}

impl Op for Conv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, w] = arity(self, inputs)?;
        check_dtypes("conv2d", &x, &w)?;
        let sizes = self.sizes("conv2d", &x.shape, &w.shape)?;
        Ok(vec![Meta::new(
            x.dtype,
            [sizes.batch, sizes.out_c, sizes.out_h(), sizes.out_w()],
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[0, 1],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, w, g) = (&vjp.inputs[0], &vjp.inputs[1], vjp.grad(0)?);
        let sizes = self.sizes("conv2d", x.shape(), w.shape())?;
        let form = self.explicit(&sizes);
        let dx = if vjp.needs[0] {
            Some(backward_input::record(&form, &g, w, &sizes)?)
        } else {
            None
        };
        let dw = if vjp.needs[1] {
            Some(backward_weight::record(&form, x, &g, &sizes)?)
        } else {
            None
        };
        Ok(vec![dx, dw])
    }

    fn class(&self) -> Class<'_> {
        Class::Product
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        blocked::twin(self, inputs)
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.sizes("conv2d", call.shape(0), call.shape(1))?;
        if call.dtype(0) == DType::F64 {
            kernel::forward_generic(&sizes, call.slice::<f64>(0)?, call.slice(1)?, call.out(0)?);
            return Ok(());
        }
        let isa = Isa::current();
        let (x, w, y) = (
            call.slice::<f32>(0)?,
            call.slice::<f32>(1)?,
            call.out::<f32>(0)?,
        );
        let packed = call.kept(1, packing(isa, sizes.groups), 0, || {
            PackedConvWeight::forward(isa, &sizes, w)
        });
        let weight = packed
            .as_deref()
            .map_or(ConvWeight::Plain(w), ConvWeight::Packed);
        call.with_tail(|tail| kernel::forward(isa, &sizes, x, weight, y, tail));
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [x, w] = call.inputs else {
            return Err(Error::internal("conv2d: two inputs"));
        };
        let sizes = self.sizes("conv2d", &x.shape, &w.shape)?;
        let tail = e::epilogue(call);
        let form = self.gpu_form(&sizes);
        let kernels = lamina_gpu::kernels::conv2d(
            x,
            w,
            &form,
            call.outputs[0].storage,
            tail.as_ref(),
            call.caps,
        )?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes("conv2d", &inputs[0].shape, &inputs[1].shape)
            .map_or(0, |s| flops_of(&s))
    }
}

/// Packings differ by instance; of the depthwise ones there is only the
/// weight itself.
fn packing(isa: Isa, groups: usize) -> &'static str {
    match (isa, groups) {
        (Isa::Portable, 1) => "conv2d.portable",
        (Isa::Avx2, 1) => "conv2d.avx2",
        (Isa::Avx512, 1) => "conv2d.avx512",
        (Isa::Neon, 1) => "conv2d.neon",
        (Isa::Portable, _) => "conv2d.grouped.portable",
        (Isa::Avx2, _) => "conv2d.grouped.avx2",
        (Isa::Avx512, _) => "conv2d.grouped.avx512",
        (Isa::Neon, _) => "conv2d.grouped.neon",
    }
}

/// The convolution, with a bias per output channel if given.
pub fn conv2d(form: &Conv2d, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = record_one(&OpRef::new(form.clone()), &[x.clone(), w.clone()])?;
    add_channel_bias("conv2d", &y, bias)
}

/// y (batch, channels, ..) and a number for each channel, if given.
pub(super) fn add_channel_bias(op: &str, y: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let Some(bias) = bias else {
        return Ok(y.clone());
    };
    let channels = y.shape()[1];
    if bias.shape() != [channels] {
        return Err(Error::shape(format!(
            "{op}: bias has shape {:?}, wanted [{channels}], one for each output channel",
            bias.shape()
        )));
    }
    let mut row = vec![1; y.rank()];
    row[1] = -1;
    e::add(y, &views::reshape(bias, &row)?)
}
