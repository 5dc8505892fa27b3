//! 2-D convolution, and its gradients by input and by weights.
//!
//! Three ways: a 1x1 kernel is a plain product, few channels in a group are summed directly, the
//! rest is an implicit product.

use minijinja::{Value, context};

use super::{
    Arg, Epilogue, Kernel, Kernels,
    finish::Finish,
    gemm::{Grid, sum_splits},
    matmul,
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Field, Params, params},
    program::Access,
    storage::{Operand, Storage},
};

/// How a kernel is laid over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    pub groups: usize,
}

/// Channels in a group up to which the direct kernels are used.
const FEW: usize = 4;

params! {
    /// Where the gathered operand lies, and the result's size.
    struct GatherParams {
        /// Offset and strides.
        source: Vec<u32>,
        weight_offset: u32,
        source_height: i32,
        source_width: i32,
        out_height: u32,
        out_width: u32,
        pad_top: i32,
        pad_left: i32,
    }
}

params! {
    struct DirectParams {
        size: u32,
        channels: u32,
        m: u32,
        terms: u32,
    }
}

params! {
    struct WeightParams {
        source: Vec<u32>,
        gradient: Vec<u32>,
        source_height: i32,
        source_width: i32,
        out_height: u32,
        out_width: u32,
        pad_top: i32,
        pad_left: i32,
    }
}

params! {
    struct WeightDirectParams {
        size: u32,
        m: u32,
        inner: u32,
        k: u32,
    }
}

/// The sizes of one convolution, forward or backward: `source` is gathered, `out` computed.
struct Sizes {
    images: usize,
    /// Channels of the result and of the source in one group.
    m: usize,
    terms: usize,
    kernel: [usize; 2],
    source: [usize; 2],
    out: [usize; 2],
}

/// `x [N, C, H, W]` (any strides) with `weight [O, C / groups, KH, KW]` (row-major) gives
/// `[N, O, OH, OW]`; a bias is an epilogue's input of shape `[O, 1, 1]`.
pub fn conv2d(
    x: &Operand,
    weight: &Operand,
    conv: &Conv2d,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Result<Kernels> {
    const KERNEL: &str = "conv2d";
    let ([images, channels, height, width], [out_channels, inner, kh, kw]) =
        (axes(KERNEL, x)?, axes(KERNEL, weight)?);
    let out = conv.output(KERNEL, [height, width], [kh, kw])?;
    conv.check(KERNEL, weight, channels, out_channels, inner)?;
    let sizes = Sizes {
        images,
        m: out_channels / conv.groups,
        terms: inner,
        kernel: [kh, kw],
        source: [height, width],
        out,
    };
    if let Some(product) = pointwise(x, weight, conv, &sizes, output, epilogue, caps) {
        return product;
    }
    gather(
        KERNEL, false, x, weight, conv, &sizes, output, epilogue, caps,
    )
}

/// The gradient by the input, `[N, C, H, W]`, from the output's `[N, O, OH, OW]` (any strides).
pub fn conv2d_backward_input(
    gradient: &Operand,
    weight: &Operand,
    input: [usize; 2],
    conv: &Conv2d,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Result<Kernels> {
    const KERNEL: &str = "conv2d_backward_input";
    let ([images, out_channels, out_h, out_w], [weights, inner, kh, kw]) =
        (axes(KERNEL, gradient)?, axes(KERNEL, weight)?);
    conv.check(KERNEL, weight, inner * conv.groups, weights, inner)?;
    let expected = conv.output(KERNEL, input, [kh, kw])?;
    if weights != out_channels || expected != [out_h, out_w] {
        let shapes = (&gradient.shape, &weight.shape);
        let reason = format!("gradient and weight {shapes:?} for an input of {input:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let sizes = Sizes {
        images,
        m: inner,
        terms: out_channels / conv.groups,
        kernel: [kh, kw],
        source: [out_h, out_w],
        out: input,
    };
    gather(
        KERNEL, true, gradient, weight, conv, &sizes, output, epilogue, caps,
    )
}

/// The gradient by the weights, f32 `[O, C / groups, KH, KW]`, from the input `[N, C, H, W]` and
/// the output's gradient `[N, O, OH, OW]`, both of any strides.
pub fn conv2d_backward_weight(
    x: &Operand,
    gradient: &Operand,
    kernel: [usize; 2],
    conv: &Conv2d,
    caps: &Caps,
) -> Result<Kernels> {
    const KERNEL: &str = "conv2d_backward_weight";
    let ([images, channels, height, width], [images_too, out_channels, out_h, out_w]) =
        (axes(KERNEL, x)?, axes(KERNEL, gradient)?);
    let expected = conv.output(KERNEL, [height, width], kernel)?;
    let divides = channels.is_multiple_of(conv.groups) && out_channels.is_multiple_of(conv.groups);
    if images != images_too || expected != [out_h, out_w] || !divides {
        let shapes = (&x.shape, &gradient.shape);
        let reason = format!("input and gradient {shapes:?} with {conv:?}");
        return Err(GpuError::unsupported(KERNEL, reason));
    }
    let (m, inner) = (out_channels / conv.groups, channels / conv.groups);
    let (n, k) = (inner * kernel[0] * kernel[1], images * out_h * out_w);
    if out_channels * n == 0 {
        return Ok(Kernels::default());
    }
    let params = WeightParams {
        source: place(x),
        gradient: place(gradient),
        source_height: height as i32,
        source_width: width as i32,
        out_height: out_h as u32,
        out_width: out_w as u32,
        pad_top: conv.pads[0] as i32,
        pad_left: conv.pads[1] as i32,
    };
    let gradient_quad = gradient.is_contiguous()
        && gradient.offset.is_multiple_of(4)
        && (out_h * out_w).is_multiple_of(4)
        && gradient.storage.has_quads();
    if m <= FEW && m * n <= 64 {
        let sizes = WeightDirectParams {
            size: (out_channels * n) as u32,
            m: m as u32,
            inner: inner as u32,
            k: k as u32,
        };
        let fields: Vec<_> = sizes.fields().into_iter().chain(params.fields()).collect();
        // A tree wants a power of two.
        let invocations = 1 << caps.max_invocations.min(256).ilog2();
        return conv
            .constants(
                Kernel::new("conv2d_backward_weight_direct", [invocations, 1, 1]),
                kernel,
            )
            .shared(4 * invocations as usize)
            .bind("source", x.storage.word(), Access::Read, Arg::Input(0))
            .bind(
                "gradient",
                gradient.storage.word(),
                Access::Read,
                Arg::Input(1),
            )
            .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
            .set("source", reads(x, "source", false))
            .set("gradient", reads(gradient, "gradient", false))
            .params(Params::of(&fields))
            .build((out_channels * n) as u64)
            .map(Kernels::from);
    }
    let grid = Grid::new(m, n, k, conv.groups, caps);
    let sizes = grid.params();
    let fields: Vec<_> = sizes.fields().into_iter().chain(params.fields()).collect();
    let element = if gradient_quad {
        gradient.storage.quad()
    } else {
        gradient.storage.word()
    };
    let split = grid.splits > 1;
    let product = conv
        .constants(grid.kernel(KERNEL, true, true), kernel)
        .bind("source", x.storage.word(), Access::Read, Arg::Input(0))
        .bind("gradient", element, Access::Read, Arg::Input(1))
        .bind(
            "result",
            "f32",
            Access::ReadWrite,
            if split {
                Arg::Scratch(0)
            } else {
                Arg::Output(0)
            },
        )
        .set("source", reads(x, "source", false))
        .set("gradient", reads(gradient, "gradient", gradient_quad))
        .params(Params::of(&fields))
        .build(grid.workgroups())?;
    let finish = Finish::new(KERNEL, None, Storage::F32, 1, &[])?;
    with_sum(
        product,
        &grid,
        &[out_channels * n],
        Storage::F32,
        &finish,
        caps,
    )
}

impl Conv2d {
    /// The output's height and width.
    fn output(&self, name: &str, input: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        let [top, left, bottom, right] = self.pads;
        let one = |size: usize, before: usize, after: usize, axis: usize| {
            let reach = self.dilation[axis] * kernel[axis].saturating_sub(1) + 1;
            let room = (size + before + after).checked_sub(reach)?;
            (kernel[axis] > 0 && self.dilation[axis] > 0).then_some(())?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        let height = one(input[0], top, bottom, 0);
        let width = one(input[1], left, right, 1);
        let (Some(height), Some(width)) = (height, width) else {
            let reason = format!("a kernel of {kernel:?} over {input:?} with {self:?}");
            return Err(GpuError::unsupported(name, reason));
        };
        Ok([height, width])
    }

    fn check(
        &self,
        name: &str,
        weight: &Operand,
        channels: usize,
        out: usize,
        inner: usize,
    ) -> Result<()> {
        let divides = self.groups > 0 && out.is_multiple_of(self.groups);
        if !divides || inner * self.groups != channels || !weight.is_contiguous() {
            let reason = format!("weight {weight:?} for {channels} channels with {self:?}");
            return Err(GpuError::unsupported(name, reason));
        }
        Ok(())
    }

    fn constants(&self, kernel: Kernel, size: [usize; 2]) -> Kernel {
        kernel
            .set("kernel", size.to_vec())
            .set("stride", self.stride.to_vec())
            .set("dilation", self.dilation.to_vec())
    }
}

fn axes(name: &str, operand: &Operand) -> Result<[usize; 4]> {
    operand.check(name)?;
    let refused = || {
        let reason = format!(
            "an operand {:?} of shape {:?}",
            operand.storage, operand.shape
        );
        GpuError::unsupported(name, reason)
    };
    if operand.storage.value() != "f32" {
        return Err(refused());
    }
    operand.shape.as_slice().try_into().map_err(|_| refused())
}

fn place(operand: &Operand) -> Vec<u32> {
    let strides = operand.strides.iter().map(|&s| s as u32);
    std::iter::once(operand.offset as u32)
        .chain(strides)
        .collect()
}

fn reads(operand: &Operand, name: &str, quad: bool) -> Value {
    let storage = operand.storage;
    context! {
        quad,
        load => storage.load(name, "at"),
        lanes => [0, 1, 2, 3].map(|lane| storage.lane("quad", lane)),
    }
}

/// A 1x1 kernel at every pixel: `weight [1, G, M, C] x [N, G, C, H W]`.
fn pointwise(
    x: &Operand,
    weight: &Operand,
    conv: &Conv2d,
    sizes: &Sizes,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Option<Result<Kernels>> {
    let rows = |strides: &[isize]| strides[2] == strides[3] * sizes.out[1] as isize;
    let plain = sizes.kernel == [1, 1] && conv.stride == [1, 1] && conv.pads == [0; 4];
    if !plain || !rows(&x.strides) || sizes.m <= FEW {
        return None;
    }
    let (groups, m, terms) = (conv.groups, sizes.m, sizes.terms);
    let pixels = sizes.out[0] * sizes.out[1];
    let view = |of: &Operand, channels: usize, strides: &[isize]| Operand {
        shape: vec![sizes.images, groups, channels, pixels],
        strides: vec![
            strides[0],
            strides[1] * channels as isize,
            strides[1],
            strides[3],
        ],
        ..of.clone()
    };
    let mut inputs = Vec::new();
    for extra in epilogue.map_or(&[][..], |e| &e.inputs) {
        let shape = [sizes.images, groups * m, sizes.out[0], sizes.out[1]];
        let strides = match extra.broadcast("conv2d", &shape) {
            Ok(strides) => strides,
            Err(error) => return Some(Err(error)),
        };
        if !rows(&strides) {
            return None;
        }
        inputs.push(view(extra, m, &strides));
    }
    let weight = Operand {
        shape: vec![1, groups, m, terms],
        strides: vec![0, (m * terms) as isize, terms as isize, 1],
        ..weight.clone()
    };
    let code = epilogue.map(|e| e.code.clone());
    let epilogue = code.map(|code| Epilogue { code, inputs });
    let x = view(x, terms, &x.strides);
    let swap = |kernels: Kernels| kernels.with_inputs(&[1, 0]);
    Some(matmul(&weight, &x, output, epilogue.as_ref(), caps).map(swap))
}

fn gather(
    name: &'static str,
    backward: bool,
    source: &Operand,
    weight: &Operand,
    conv: &Conv2d,
    sizes: &Sizes,
    output: Storage,
    epilogue: Option<&Epilogue>,
    caps: &Caps,
) -> Result<Kernels> {
    let channels = sizes.m * conv.groups;
    let shape = [sizes.images, channels, sizes.out[0], sizes.out[1]];
    let size: usize = shape.iter().product();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let extras: &[Operand] = epilogue.map_or(&[], |e| &e.inputs);
    let strides = extras
        .iter()
        .map(|e| e.broadcast(name, &shape))
        .collect::<Result<Vec<_>>>()?;
    let finish = Finish::new(name, epilogue, output, 4, &strides)?;
    let params = GatherParams {
        source: place(source),
        weight_offset: weight.offset as u32,
        source_height: sizes.source[0] as i32,
        source_width: sizes.source[1] as i32,
        out_height: sizes.out[0] as u32,
        out_width: sizes.out[1] as u32,
        pad_top: conv.pads[0] as i32,
        pad_left: conv.pads[1] as i32,
    };
    if sizes.m <= FEW {
        return direct(
            backward, source, weight, conv, sizes, output, &params, &finish, caps,
        );
    }
    let [kh, kw] = sizes.kernel;
    let k = sizes.terms * kh * kw;
    let pixels = sizes.out[0] * sizes.out[1];
    let grid = Grid::new(sizes.m, sizes.images * pixels, k, conv.groups, caps);
    let grid_params = grid.params();
    let split = grid.splits > 1;
    let mut fields: Vec<(&str, &dyn Field)> = grid_params.fields();
    fields.extend(params.fields());
    fields.extend(finish.fields().filter(|_| !split));
    let weight_quad = !backward
        && k.is_multiple_of(4)
        && weight.offset.is_multiple_of(4)
        && weight.storage.has_quads();
    let weight_element = if weight_quad {
        weight.storage.quad()
    } else {
        weight.storage.word()
    };
    let out_quad = pixels.is_multiple_of(4);
    let kernel = conv
        .constants(grid.kernel("conv2d", !backward, false), sizes.kernel)
        .bind("source", source.storage.word(), Access::Read, Arg::Input(0))
        .bind("weight", weight_element, Access::Read, Arg::Input(1))
        .set("source", reads(source, "source", false))
        .set("weight", reads(weight, "weight", weight_quad))
        .set("backward", backward)
        .set("finish", finish.wgsl.as_str())
        .set("out_quad", out_quad)
        .set("out_value", if split { "f32" } else { output.value() });
    let kernel = if split {
        let element = if out_quad { "vec4<f32>" } else { "f32" };
        kernel.bind("result", element, Access::ReadWrite, Arg::Scratch(0))
    } else {
        let element = if out_quad {
            output.quad()
        } else {
            output.word()
        };
        finish
            .bind(kernel)
            .bind("result", element, Access::ReadWrite, Arg::Output(0))
    };
    let product = kernel
        .params(Params::of(&fields))
        .build(grid.workgroups())?;
    with_sum(product, &grid, &shape, output, &finish, caps)
}

/// A product alone, or with the sum of its parts.
fn with_sum(
    product: super::KernelDispatch,
    grid: &Grid,
    shape: &[usize],
    output: Storage,
    finish: &Finish,
    caps: &Caps,
) -> Result<Kernels> {
    if grid.splits == 1 {
        return Ok(product.into());
    }
    let size: usize = shape.iter().product();
    let sum = sum_splits(grid.splits, shape, output, finish, caps)?;
    Ok(Kernels {
        dispatches: vec![product, sum],
        scratch: vec![(4 * grid.splits * size) as u64],
    })
}

fn direct(
    backward: bool,
    source: &Operand,
    weight: &Operand,
    conv: &Conv2d,
    sizes: &Sizes,
    output: Storage,
    params: &GatherParams,
    finish: &Finish,
    caps: &Caps,
) -> Result<Kernels> {
    let channels = sizes.m * conv.groups;
    let quads = sizes.images * channels * sizes.out[0] * sizes.out[1].div_ceil(4);
    let own = DirectParams {
        size: quads as u32,
        channels: channels as u32,
        m: sizes.m as u32,
        terms: sizes.terms as u32,
    };
    let mut fields = own.fields();
    fields.extend(params.fields());
    fields.extend(finish.fields());
    let invocations = caps.max_invocations.min(64);
    let kernel = Kernel::new("conv2d_direct", [invocations, 1, 1]);
    let kernel = conv
        .constants(kernel, sizes.kernel)
        .bind("source", source.storage.word(), Access::Read, Arg::Input(0))
        .bind("weight", weight.storage.word(), Access::Read, Arg::Input(1))
        .set("source", reads(source, "source", false))
        .set("weight", reads(weight, "weight", false))
        .set("backward", backward)
        .set("finish", finish.wgsl.as_str());
    finish
        .bind(kernel)
        .bind("result", output.word(), Access::ReadWrite, Arg::Output(0))
        .params(Params::of(&fields))
        .build((quads as u64).div_ceil(u64::from(invocations)))
        .map(Kernels::from)
}
