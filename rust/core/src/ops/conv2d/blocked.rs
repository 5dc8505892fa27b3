//! Convolution on images in the blocked layout: the planner's twin of
//! [`Conv2d`], with a bias, a residual and an activation of its own.

use super::scale::Scale;
use super::{Conv2d, flops_of};
use crate::call::CpuCall;
use crate::op::{Blocked, Class, Meta, OpRef};
use crate::ops::padding::Padding;
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Error, Result};
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::{
    Algorithm, BlockedConvWeight, Epilogue, backward_input, forward,
};
use lamina_kernels::{Activation, Isa, blocked};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const BACKWARD: &str = "conv2d_backward_input";

/// The part of a convolution's time that the layout saves.
const SAVED: f64 = 0.5;

/// How an algorithm was chosen.
#[derive(Clone, Copy, Debug)]
enum Chosen {
    BySizes,
    Measured,
}

impl Chosen {
    const fn name(self) -> &'static str {
        match self {
            Chosen::BySizes => "by sizes",
            Chosen::Measured => "measured",
        }
    }
}

/// Inputs: x (in blocks, but plain for [`Algorithm::Stem`]), weight, then if
/// said bias (out channels, filled up to blocks) and residual (as the result).
#[derive(Clone, Debug)]
pub struct Conv2dBlocked {
    form: Conv2d,
    pub algorithm: Algorithm,
    chosen: Chosen,
    pub bias: bool,
    pub residual: bool,
    pub activation: Activation,
    /// Of the weight's output channels.
    pub scale: Option<Scale>,
    direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    /// The gradient of a convolution to its input, as a convolution by the
    /// weight turned around, its input and output channels exchanged.
    Turned,
    /// The gradient to an input of this height and width, by phases of the
    /// stride: x is the output's.
    Phases([usize; 2]),
}

/// For float32 images where there is a kernel.
pub(super) fn twin(form: &Conv2d, inputs: &[&Meta]) -> Option<Blocked> {
    let op = Conv2dBlocked::new(form, Direction::Forward);
    let sizes = op.checked_sizes(inputs)?;
    op.by_sizes(&sizes)
}

/// Of the gradient to an input of `size`.
pub(super) fn backward_input_twin(
    form: &Conv2d,
    size: [usize; 2],
    inputs: &[&Meta],
) -> Option<Blocked> {
    if let Some(turned) = turned(form, inputs) {
        let op = Conv2dBlocked::new(&turned, Direction::Turned);
        let sizes = op.checked_sizes(inputs)?;
        return op.by_sizes(&sizes);
    }
    if form.groups != 1 {
        return None;
    }
    let mut op = Conv2dBlocked::new(form, Direction::Phases(size));
    op.algorithm = Algorithm::Phases;
    let sizes = op.checked_sizes(inputs)?;
    let saves = saved(&sizes, sizes.in_c, SAVED);
    Some(op.twin(saves))
}

/// The convolution of dy that gives the gradient to the input of one that
/// moves by one pixel and is not padded beyond its window.
fn turned(form: &Conv2d, inputs: &[&Meta]) -> Option<Conv2d> {
    let ([_, w], Padding::Explicit(pads)) = (inputs, &form.padding) else {
        return None;
    };
    if form.stride != [1, 1] {
        return None;
    }
    // What the window reaches beyond the padding it had.
    let reach = [0, 1].map(|axis| (w.shape[2 + axis].max(1) - 1) * form.dilation[axis]);
    let mut turned = [0; 4];
    for (side, turned) in turned.iter_mut().enumerate() {
        *turned = reach[side % 2].checked_sub(pads[side])?;
    }
    Some(Conv2d {
        padding: Padding::Explicit(turned),
        ..form.clone()
    })
}

/// The operations in whose time `part` of a convolution's is done, less what
/// is done for lanes of the result's channels that stand for none.
pub(super) fn saved(sizes: &Conv2dShape, channels: usize, part: f64) -> f64 {
    let isa = Isa::current();
    let lanes = blocked::blocks(isa, channels) * isa.lanes();
    let waste = lanes as f64 / channels as f64;
    flops_of(sizes) as f64 * (1.0 - (1.0 - part) * waste)
}

impl Conv2dBlocked {
    fn new(form: &Conv2d, direction: Direction) -> Conv2dBlocked {
        Conv2dBlocked {
            form: form.clone(),
            algorithm: Algorithm::Direct,
            chosen: Chosen::BySizes,
            bias: false,
            residual: false,
            activation: Activation::NONE,
            scale: None,
            direction,
        }
    }

    /// Of x and w as recorded; None where there is no kernel.
    fn checked_sizes(&self, inputs: &[&Meta]) -> Option<Conv2dShape> {
        let [x, w] = inputs else { return None };
        let floats = x.dtype == DType::F32 && w.dtype == DType::F32;
        let sizes = self.sizes(&x.shape, &w.shape).ok()?;
        let some = sizes.output_len() > 0 && sizes.weight_len() > 0 && sizes.input_len() > 0;
        (floats && some).then_some(sizes)
    }

    /// By the algorithm that was the fastest by the clock.
    #[must_use]
    pub fn measured(&self, algorithm: Algorithm) -> Conv2dBlocked {
        Conv2dBlocked {
            algorithm,
            chosen: Chosen::Measured,
            ..self.clone()
        }
    }

    /// By the algorithm for these sizes.
    fn by_sizes(mut self, sizes: &Conv2dShape) -> Option<Blocked> {
        let isa = Isa::current();
        let stem = Algorithm::choose(isa, sizes, false);
        self.algorithm = stem.or_else(|| Algorithm::choose(isa, sizes, true))?;
        Some(self.twin(saved(sizes, sizes.out_c, SAVED)))
    }

    fn twin(self, saves: f64) -> Blocked {
        Blocked {
            images: 0..usize::from(self.algorithm != Algorithm::Stem),
            op: OpRef::new(self),
            results: 1,
            saves: Some(saves),
            packs: Some(1),
        }
    }

    /// Of x as it lies, in blocks or plain.
    pub(crate) fn sizes(&self, x: &[usize], w: &[usize]) -> Result<Conv2dShape> {
        let &[out_c, group_in, kernel_h, kernel_w] = w else {
            return Err(Error::internal(format!("conv2d: a weight of {w:?}")));
        };
        let in_c = group_in * self.form.groups;
        match self.direction {
            Direction::Forward => {
                let x = [x[0], in_c, x[2], x[3]];
                self.form.sizes("conv2d", &x, w)
            }
            Direction::Turned => {
                let w = [in_c, out_c / self.form.groups, kernel_h, kernel_w];
                let x = [x[0], out_c, x[2], x[3]];
                self.form.sizes(BACKWARD, &x, &w)
            }
            Direction::Phases([height, width]) => {
                self.form.sizes(BACKWARD, &[x[0], in_c, height, width], w)
            }
        }
    }
}

impl Conv2dBlocked {
    /// Input `index`, scaled and packed.
    pub(super) fn weight(
        &self,
        call: &CpuCall<'_>,
        index: usize,
        sizes: &Conv2dShape,
    ) -> Result<Arc<BlockedConvWeight>> {
        let (isa, algorithm) = (Isa::current(), self.algorithm);
        let w = call.slice::<f32>(index)?;
        Ok(
            call.packed(index, packing(isa, algorithm), self.key(sizes), || {
                let scaled = self.scale.as_ref().map(|scale| scale.apply(w));
                let w = scaled.as_deref().unwrap_or(w);
                match self.direction {
                    Direction::Forward => BlockedConvWeight::new(isa, algorithm, sizes, w),
                    Direction::Turned => BlockedConvWeight::turned(isa, algorithm, sizes, w),
                    Direction::Phases(_) => BlockedConvWeight::phases(isa, sizes, w),
                }
            }),
        )
    }

    /// The input that holds the residual.
    pub(crate) fn residual_at(&self) -> Option<usize> {
        self.residual.then_some(2 + usize::from(self.bias))
    }

    /// Tells packings by one algorithm apart.
    fn key(&self, sizes: &Conv2dShape) -> u64 {
        let mut hasher = DefaultHasher::new();
        let scale = self.scale.as_ref().map_or(0, |scale| scale.key);
        (scale, sizes.groups).hash(&mut hasher);
        match self.direction {
            Direction::Forward => {}
            Direction::Turned => true.hash(&mut hasher),
            Direction::Phases(_) => (sizes.stride, sizes.dilation, sizes.pads).hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl PlannerOp for Conv2dBlocked {
    fn name(&self) -> &str {
        match self.direction {
            Direction::Forward => "conv2d",
            _ => BACKWARD,
        }
    }

    fn params(&self) -> Attrs {
        let Activation { slope, lo, hi } = self.activation;
        let mut attrs = Attrs::new()
            .with("algorithm", self.algorithm.name())
            .with("chosen", self.chosen.name())
            .with("transposed", self.direction != Direction::Forward);
        if let Direction::Phases(size) = self.direction {
            attrs = attrs.with("size", size.map(|n| n as i64).to_vec());
        }
        attrs.0.extend(self.form.to_attrs().0);
        attrs
            .with("bias", self.bias)
            .with("residual", self.residual)
            .with("slope", slope.map(f64::from))
            .with("lo", f64::from(lo))
            .with("hi", f64::from(hi))
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let sizes = self.sizes(&inputs[0].shape, &inputs[1].shape)?;
        let isa = Isa::current();
        let (channels, [height, width]) = match self.direction {
            Direction::Phases(size) => (sizes.in_c, size),
            _ => (sizes.out_c, [sizes.out_h(), sizes.out_w()]),
        };
        let blocks = blocked::blocks(isa, channels);
        let shape = [sizes.batch, blocks, height, width, isa.lanes()];
        Ok(vec![Meta::new(DType::F32, shape)])
    }

    fn class(&self) -> Class<'_> {
        Class::Product
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.sizes(call.shape(0), call.shape(1))?;
        let weight = self.weight(call, 1, &sizes)?;
        let (x, y) = (call.slice(0)?, call.out(0)?);
        let bias = if self.bias {
            Some(call.slice(2)?)
        } else {
            None
        };
        let residual = self.residual_at().map(|at| call.slice(at)).transpose()?;
        call.with_tail(|tail| {
            let epilogue = Epilogue {
                bias,
                residual,
                activation: self.activation,
                tail,
            };
            match self.direction {
                Direction::Phases(_) => backward_input(&sizes, x, &weight, y, &epilogue),
                _ => forward(&sizes, x, &weight, y, &epilogue),
            }
        });
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.sizes(&inputs[0].shape, &inputs[1].shape)
            .map_or(0, |s| flops_of(&s))
    }
}

/// The name of a packing; one serves every image size.
fn packing(isa: Isa, algorithm: Algorithm) -> &'static str {
    macro_rules! names {
        ($($algorithm:ident: $name:literal),*) => {
            match (isa, algorithm) {
                $(
                    (Isa::Portable, Algorithm::$algorithm) => concat!("conv2d.portable.", $name),
                    (Isa::Avx2, Algorithm::$algorithm) => concat!("conv2d.avx2.", $name),
                    (Isa::Avx512, Algorithm::$algorithm) => concat!("conv2d.avx512.", $name),
                    (Isa::Neon, Algorithm::$algorithm) => concat!("conv2d.neon.", $name),
                )*
            }
        };
    }
    names!(Stem: "stem", Direct: "direct", Gathered: "gathered", Phases: "phases", Pointwise: "pointwise", WinogradF2: "winograd2", WinogradF4: "winograd4", Depthwise: "depthwise")
}
