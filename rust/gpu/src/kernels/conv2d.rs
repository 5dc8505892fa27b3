//! 2-D convolution.
//!
//! Three ways: a 1x1 kernel is a plain product, few channels in a group are summed directly, the
//! rest is an implicit product.

use super::{
    Arg, Epilogue, Kernel, Kernels,
    finish::Finish,
    gemm::{Grid, with_sum},
    matmul::{matmul, sums},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::params,
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
pub(super) const FEW: usize = 4;

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

/// The sizes of one convolution, forward or backward: `source` is gathered, `out` computed.
pub(super) struct Sizes {
    pub images: usize,
    /// Channels of the result and of the source in one group.
    pub m: usize,
    pub terms: usize,
    pub kernel: [usize; 2],
    pub source: [usize; 2],
    pub out: [usize; 2],
}

/// `x [N, C, H, W]` (any strides) with `weight [O, C / groups, KH, KW]` (row-major) gives
/// `[N, O, OH, OW]`; a bias is an epilogue's input of shape `[O, 1, 1]`.  Both are floats or
/// integers, as in [`matmul`].
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

impl Conv2d {
    /// The output's height and width.
    pub(super) fn output(
        &self,
        name: &str,
        input: [usize; 2],
        kernel: [usize; 2],
    ) -> Result<[usize; 2]> {
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

    pub(super) fn check(
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

    pub(super) fn constants(&self, kernel: Kernel, size: [usize; 2]) -> Kernel {
        kernel
            .set("kernel", size.to_vec())
            .set("stride", self.stride.to_vec())
            .set("dilation", self.dilation.to_vec())
    }
}

pub(super) fn axes(name: &str, operand: &Operand) -> Result<[usize; 4]> {
    operand.check(name)?;
    let refused = || {
        let reason = format!(
            "an operand {:?} of shape {:?}",
            operand.storage, operand.shape
        );
        GpuError::unsupported(name, reason)
    };
    operand.shape.as_slice().try_into().map_err(|_| refused())
}

pub(super) fn place(operand: &Operand) -> Vec<u32> {
    let strides = operand.strides.iter().map(|&s| s as u32);
    std::iter::once(operand.offset as u32)
        .chain(strides)
        .collect()
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

pub(super) fn gather(
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
    let sum = sums(name, source, weight)?;
    let finish = Finish::new(name, epilogue, sum, output, 4, &strides)?;
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
            backward, source, weight, conv, sizes, &params, &finish, caps,
        );
    }
    let [kh, kw] = sizes.kernel;
    let k = sizes.terms * kh * kw;
    let pixels = sizes.out[0] * sizes.out[1];
    let grid = Grid::new(sizes.m, sizes.images * pixels, k, conv.groups, caps);
    let grid_params = grid.params();
    let split = grid.splits > 1;
    let fields = grid_params.fields().into_iter().chain(params.fields());
    let weight_quad = !backward
        && k.is_multiple_of(4)
        && weight.offset.is_multiple_of(4)
        && weight.storage.has_quads();
    let kernel = conv
        .constants(grid.kernel("conv2d", !backward, false), sizes.kernel)
        .read("source", source, false, Arg::Input(0))
        .read("weight", weight, weight_quad, Arg::Input(1))
        .set("backward", backward);
    let product = finish
        .result(kernel, pixels.is_multiple_of(4), split)
        .params(finish.params(fields.collect(), split))
        .build(grid.workgroups())?;
    with_sum(product, &grid, &shape, &finish, caps)
}

fn direct(
    backward: bool,
    source: &Operand,
    weight: &Operand,
    conv: &Conv2d,
    sizes: &Sizes,
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
    let fields = own.fields().into_iter().chain(params.fields());
    let invocations = caps.max_invocations.min(64);
    let kernel = Kernel::new("conv2d_direct", [invocations, 1, 1]);
    let kernel = conv
        .constants(kernel, sizes.kernel)
        .read("source", source, false, Arg::Input(0))
        .read("weight", weight, false, Arg::Input(1))
        .set("backward", backward);
    finish
        .result(kernel, false, false)
        .params(finish.params(fields.collect(), false))
        .build((quads as u64).div_ceil(u64::from(invocations)))
        .map(Kernels::from)
}
