//! The gradient of 2-D convolution by its weights.

use super::{
    Arg, Kernel, Kernels,
    conv2d::{Conv2d, FEW, axes, place},
    finish::Finish,
    gemm::{Grid, with_sum},
    matmul::sums,
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "conv2d_backward_weight";

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

/// The gradient by the weights, f32 `[O, C / groups, KH, KW]`, from the input `[N, C, H, W]` and
/// the output's gradient `[N, O, OH, OW]`, both of any strides.
pub fn conv2d_backward_weight(
    x: &Operand,
    gradient: &Operand,
    kernel: [usize; 2],
    conv: &Conv2d,
    caps: &Caps,
) -> Result<Kernels> {
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
    if sums(KERNEL, x, gradient)? != Storage::F32 {
        let reason = format!("it takes floats, not {:?}", x.storage);
        return Err(GpuError::unsupported(KERNEL, reason));
    }
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
        let template = Kernel::new("conv2d_backward_weight_direct", [invocations, 1, 1]);
        return conv
            .constants(template, kernel)
            .shared(4 * invocations as usize)
            .read("source", x, false, Arg::Input(0))
            .read("gradient", gradient, false, Arg::Input(1))
            .bind("result", "f32", Access::ReadWrite, Arg::Output(0))
            .params(Params::of(&fields))
            .build((out_channels * n) as u64)
            .map(Kernels::from);
    }
    let grid = Grid::new(m, n, k, conv.groups, caps);
    let sizes = grid.params();
    let fields = sizes.fields().into_iter().chain(params.fields());
    let finish = Finish::new(KERNEL, None, Storage::F32, Storage::F32, 1, &[])?;
    let split = grid.splits > 1;
    let product = conv
        .constants(grid.kernel(KERNEL, true, true), kernel)
        .read("source", x, false, Arg::Input(0))
        .read("gradient", gradient, gradient_quad, Arg::Input(1));
    let product = finish
        .result(product, false, split)
        .params(finish.params(fields.collect(), split))
        .build(grid.workgroups())?;
    with_sum(product, &grid, &[out_channels * n], &finish, caps)
}
