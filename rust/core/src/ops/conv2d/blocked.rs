//! Convolution on images in the blocked layout: the planner's twin of
//! [`Conv2d`], with a bias, a residual and an activation of its own.

use super::scale::Scale;
use super::{Conv2d, flops_of};
use crate::call::CpuCall;
use crate::op::{Blocked, Class, Meta, OpRef};
use crate::ops::padding::Padding;
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Result};
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::{Algorithm, BlockedConvWeight, Epilogue, forward};
use lamina_kernels::{Activation, Isa, blocked};
use std::sync::Arc;

/// The part of a convolution's time that the layout saves.
const SAVED: f64 = 0.5;

/// Inputs: x (in blocks, but plain for [`Algorithm::Stem`]), weight, then if
/// said bias (out channels, filled up to blocks) and residual (as the result).
#[derive(Clone, Debug)]
pub struct Conv2dBlocked {
    form: Conv2d,
    pub algorithm: Algorithm,
    pub bias: bool,
    pub residual: bool,
    pub activation: Activation,
    /// Of the weight's output channels.
    pub scale: Option<Scale>,
    /// The gradient of a convolution to its input: a convolution by the weight
    /// turned around, its input and output channels exchanged.
    transposed: bool,
}

/// For float32 images where there is a kernel.
pub(super) fn twin(form: &Conv2d, inputs: &[&Meta]) -> Option<Blocked> {
    twin_of(form, inputs, false)
}

/// Of the gradient to the input of a convolution that moves by one pixel.
pub(super) fn backward_input_twin(form: &Conv2d, inputs: &[&Meta]) -> Option<Blocked> {
    let [dy, w] = inputs else { return None };
    let Padding::Explicit(pads) = form.padding else {
        return None;
    };
    if form.stride != [1, 1] || form.groups != 1 || dy.shape[1] != w.shape[0] {
        return None;
    }
    // What the window reaches beyond the padding it had.
    let reach = [0, 1].map(|axis| (w.shape[2 + axis].max(1) - 1) * form.dilation[axis]);
    let mut turned = [0; 4];
    for (side, turned) in turned.iter_mut().enumerate() {
        *turned = reach[side % 2].checked_sub(pads[side])?;
    }
    let form = Conv2d {
        padding: Padding::Explicit(turned),
        ..form.clone()
    };
    twin_of(&form, inputs, true)
}

fn twin_of(form: &Conv2d, inputs: &[&Meta], transposed: bool) -> Option<Blocked> {
    let [x, w] = inputs else { return None };
    if x.dtype != DType::F32 || w.dtype != DType::F32 {
        return None;
    }
    let mut op = Conv2dBlocked {
        form: form.clone(),
        algorithm: Algorithm::Direct,
        bias: false,
        residual: false,
        activation: Activation::NONE,
        scale: None,
        transposed,
    };
    let sizes = op.sizes(&x.shape, &w.shape).ok()?;
    if sizes.output_len() == 0 || sizes.weight_len() == 0 {
        return None;
    }
    let isa = Isa::current();
    let stem = Algorithm::choose(isa, &sizes, false);
    op.algorithm = stem.or_else(|| Algorithm::choose(isa, &sizes, true))?;
    Some(Blocked {
        images: 0..usize::from(op.algorithm != Algorithm::Stem),
        op: OpRef::new(op),
        results: 1,
        saves: Some(saved(&sizes, SAVED)),
        packs: Some(1),
    })
}

/// The operations in whose time `part` of a convolution's is done, less what
/// is done for lanes of output channels that stand for none.
pub(super) fn saved(sizes: &Conv2dShape, part: f64) -> f64 {
    let isa = Isa::current();
    let lanes = blocked::blocks(isa, sizes.out_c) * isa.lanes();
    let waste = lanes as f64 / sizes.out_c as f64;
    flops_of(sizes) as f64 * (1.0 - (1.0 - part) * waste)
}

impl Conv2dBlocked {
    /// Of x as it lies, in blocks or plain.
    pub(super) fn sizes(&self, x: &[usize], w: &[usize]) -> Result<Conv2dShape> {
        let plain = match x {
            &[batch, _, height, width, _] if self.transposed => vec![batch, w[0], height, width],
            &[batch, _, height, width, _] => {
                vec![batch, w[1] * self.form.groups, height, width]
            }
            x => x.to_vec(),
        };
        if let (true, &[out_c, in_c, height, width]) = (self.transposed, w) {
            return self
                .form
                .sizes("conv2d", &plain, &[in_c, out_c, height, width]);
        }
        self.form.sizes("conv2d", &plain, w)
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
        let key = self.scale.as_ref().map_or(0, |scale| scale.key) + u64::from(self.transposed);
        Ok(call.packed(index, packing(isa, algorithm), key, || {
            let scaled = self.scale.as_ref().map(|scale| scale.apply(w));
            let w = scaled.as_deref().unwrap_or(w);
            if self.transposed {
                return BlockedConvWeight::transposed(isa, algorithm, sizes, w);
            }
            BlockedConvWeight::new(isa, algorithm, sizes, w)
        }))
    }
}

impl PlannerOp for Conv2dBlocked {
    fn name(&self) -> &str {
        if self.transposed {
            "conv2d_backward_input"
        } else {
            "conv2d"
        }
    }

    fn params(&self) -> Attrs {
        let Activation { slope, lo, hi } = self.activation;
        let mut attrs = Attrs::new()
            .with("algorithm", self.algorithm.name())
            .with("transposed", self.transposed);
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
        let shape = [
            sizes.batch,
            blocked::blocks(isa, sizes.out_c),
            sizes.out_h(),
            sizes.out_w(),
            isa.lanes(),
        ];
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
        let residual = if self.residual {
            Some(call.slice(2 + usize::from(self.bias))?)
        } else {
            None
        };
        call.with_tail(|tail| {
            let epilogue = Epilogue {
                bias,
                residual,
                activation: self.activation,
                tail,
            };
            forward(&sizes, x, &weight, y, &epilogue);
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
    names!(Stem: "stem", Direct: "direct", Pointwise: "pointwise", WinogradF2: "winograd2", WinogradF4: "winograd4", Depthwise: "depthwise")
}
