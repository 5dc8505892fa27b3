//! The activations that kernels apply to their results in registers.

use crate::simd::Simd;

/// min(max(x, lo), hi) of x, or of slope * x where x is negative; NaN stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    pub slope: Option<f32>,
    pub lo: f32,
    pub hi: f32,
}

impl Activation {
    pub const NONE: Activation = Activation {
        slope: None,
        lo: f32::NEG_INFINITY,
        hi: f32::INFINITY,
    };

    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, s: S, x: S::F) -> S::F {
        let x = match self.slope {
            Some(slope) => s.select(s.lt(x, s.zero()), s.mul(x, s.splat(slope)), x),
            None => x,
        };
        s.min(s.splat(self.hi), s.max(s.splat(self.lo), x))
    }
}
