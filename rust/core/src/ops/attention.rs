//! Scaled dot-product attention as one op of the planner's: what it made of a
//! product, a softmax and a product.

use super::matmul::{batch_offsets, matrix};
use crate::call::CpuCall;
use crate::op::{Meta, Strides};
use crate::planner_op::PlannerOp;
use crate::{Attrs, Error, Result};
use lamina_kernels::Isa;
use lamina_kernels::attention::{Attention as Kernel, Heads, Seats, attention_f32};
use lamina_kernels::matmul::MatRef;

/// What the scores are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    One,
    Times,
    Over,
}

/// softmax(scale Q K + mask) V.  Inputs: Q (..., rows, depth), K (..., depth,
/// keys), V (..., keys, values), then if said the scale (one element) and the
/// mask (broadcast to ..., rows, keys).  The result is (..., rows, values); with
/// four axes (batch, rows, heads, values), as what follows wants it mostly.
#[derive(Clone, Debug)]
pub struct Attention {
    pub scale: Scale,
    pub mask: bool,
}

impl Attention {
    /// Axes of the result in the order of (..., rows, values).
    pub fn order(rank: usize) -> Option<Vec<i64>> {
        (rank == 4).then(|| vec![0, 2, 1, 3])
    }

    /// The input that holds the mask.
    pub(crate) fn mask_at(&self) -> Option<usize> {
        self.mask
            .then_some(3 + usize::from(self.scale != Scale::One))
    }
}

impl PlannerOp for Attention {
    fn name(&self) -> &str {
        "attention"
    }

    fn params(&self) -> Attrs {
        Attrs::new()
            .with("scale", self.scale != Scale::One)
            .with("over", self.scale == Scale::Over)
            .with("mask", self.mask)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let (q, v) = (inputs[0], inputs[2]);
        let rank = q.shape.len();
        if rank < 2 || v.shape.len() != rank {
            return Err(Error::internal("attention: operands of different rank"));
        }
        let mut shape = q.shape.clone();
        shape[rank - 1] = v.shape[rank - 1];
        if Attention::order(rank).is_some() {
            shape.swap(1, 2);
        }
        Ok(vec![Meta::new(q.dtype, shape)])
    }

    fn strides(&self, index: usize) -> Strides {
        match index {
            3 if self.scale != Scale::One => Strides::Contiguous,
            _ => Strides::Forward,
        }
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (q, k, v) = (matrix(call, 0)?, matrix(call, 1)?, matrix(call, 2)?);
        let q_shape = call.shape(0);
        let lead = &q_shape[..q_shape.len() - 2];
        let at = |index: usize| batch_offsets(call, index, lead);
        let scale = match self.scale {
            Scale::One => 1.0,
            Scale::Times => call.slice::<f32>(3)?[0],
            Scale::Over => 1.0 / call.slice::<f32>(3)?[0],
        };
        let mask = (self.mask_at())
            .map(|index| mask_matrix(call, index, q.rows, k.cols))
            .transpose()?;
        let mask_at = self.mask_at().map(&at).unwrap_or_default();
        let (heads, row) = match *lead {
            [_, heads] => (heads, heads * v.cols),
            _ => (1, v.cols),
        };
        let count: usize = lead.iter().product();
        let head = |i: usize| i / heads * q.rows * row + i % heads * v.cols;
        let seats: Vec<usize> = (0..count).map(head).collect();
        let attention = Kernel {
            query: Heads {
                matrix: q,
                at: &at(0),
            },
            key: Heads {
                matrix: k,
                at: &at(1),
            },
            value: Heads {
                matrix: v,
                at: &at(2),
            },
            mask: mask.map(|matrix| Heads {
                matrix,
                at: &mask_at,
            }),
            scale,
        };
        let to = Seats { row, at: &seats };
        attention_f32(Isa::current(), &attention, to, call.out::<f32>(0)?);
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let (q, v) = (inputs[0], inputs[2]);
        let (rank, keys) = (q.shape.len(), v.shape[v.shape.len() - 2]);
        let depth = q.shape[rank - 1];
        let rows = q.len() / depth.max(1);
        2 * (q.len() * keys + outputs[0].len() * keys) as u64 + 5 * (rows * keys) as u64
    }
}

/// The mask of batch 0, broadcast to rows by keys.
fn mask_matrix<'a>(
    call: &CpuCall<'a>,
    index: usize,
    rows: usize,
    keys: usize,
) -> Result<MatRef<'a, f32>> {
    Ok(MatRef {
        rows,
        cols: keys,
        ..matrix(call, index)?
    })
}
