//! The gradient with respect to the weight on images in the blocked layout:
//! the planner's twin.

use super::super::blocked::saved;
use super::super::{Conv2d, flops_of};
use super::NAME;
use crate::call::CpuCall;
use crate::op::{Blocked, Meta, OpRef};
use crate::planner_op::PlannerOp;
use crate::{Attrs, DType, Result};
use lamina_kernels::Isa;
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::{Algorithm, backward_weight};

/// The part of its time that the layout saves; of few channels' nothing.
const SAVED: f64 = 0.25;

/// Inputs: x (in blocks, but plain for few channels) and dy (in blocks); the
/// result lies as any weight.
#[derive(Debug)]
struct Conv2dBackwardWeightBlocked {
    form: Conv2d,
    sizes: Conv2dShape,
    /// Whether x is plain, as it is for [`Algorithm::Stem`].
    plain: bool,
}

/// For float32 images of one group.
pub(super) fn twin(form: &Conv2d, sizes: &Conv2dShape, dtype: DType) -> Option<Blocked> {
    let empty = sizes.output_len() == 0 || sizes.weight_len() == 0;
    if dtype != DType::F32 || sizes.groups != 1 || empty {
        return None;
    }
    let stem = Algorithm::choose(Isa::current(), sizes, false);
    let plain = stem == Some(Algorithm::Stem);
    Some(Blocked {
        op: OpRef::new(Conv2dBackwardWeightBlocked {
            form: form.clone(),
            sizes: *sizes,
            plain,
        }),
        images: usize::from(plain)..2,
        results: 0,
        saves: Some(saved(sizes, sizes.out_c, if plain { 0.0 } else { SAVED })),
        packs: None,
    })
}

impl PlannerOp for Conv2dBackwardWeightBlocked {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        let Conv2dShape {
            batch,
            in_c,
            in_h,
            in_w,
            out_c,
            kernel_h,
            kernel_w,
            ..
        } = self.sizes;
        let mut attrs = Attrs::new()
            .with("layout", "blocked")
            .with("plain", self.plain)
            .with(
                "input",
                [batch, in_c, in_h, in_w].map(|n| n as i64).to_vec(),
            )
            .with("channels", out_c)
            .with("size", [kernel_h, kernel_w].map(|n| n as i64).to_vec());
        attrs.0.extend(self.form.to_attrs().0);
        attrs
    }

    fn infer(&self, _inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let sizes = &self.sizes;
        let shape = [sizes.out_c, sizes.in_c, sizes.kernel_h, sizes.kernel_w];
        Ok(vec![Meta::new(DType::F32, shape)])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (x, dy, dw) = (call.slice(0)?, call.slice(1)?, call.out(0)?);
        backward_weight(Isa::current(), &self.sizes, x, self.plain, dy, dw);
        Ok(())
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        flops_of(&self.sizes)
    }
}
