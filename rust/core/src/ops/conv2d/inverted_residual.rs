//! MobileNetV2's block as one op of the planner's: a pointwise, a depthwise
//! and a pointwise convolution in blocks, of which the first may be missing.

use super::blocked::Conv2dBlocked;
use super::flops_of;
use crate::call::CpuCall;
use crate::op::{Meta, OpRef};
use crate::planner_op::PlannerOp;
use crate::{Attrs, Result};
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::inverted_residual::{self as kernel, Stage};
use lamina_kernels::conv2d::blocked::{Algorithm, BlockedConvWeight, Epilogue};
use lamina_kernels::{Isa, blocked};
use std::sync::Arc;

/// Inputs: x, then weight and, if the stage has one, bias of each stage, then
/// the last stage's residual.
#[derive(Debug)]
pub struct InvertedResidual {
    stages: Vec<Conv2dBlocked>,
}

/// The op for stages that follow each other and, of the images that meet
/// them, shapes in blocks; None where three kernels do as well.
pub fn twin(stages: &[&Conv2dBlocked], wide: &[usize], weights: &[&[usize]]) -> Option<OpRef> {
    let (depthwise, at) = match stages {
        [_, depthwise, _] => (depthwise, 1),
        [depthwise, _] => (depthwise, 0),
        _ => return None,
    };
    let plain = |stage: &&Conv2dBlocked| !stage.residual;
    let fits = stages.iter().enumerate().all(|(i, stage)| {
        let wanted = if i == at {
            Algorithm::Depthwise
        } else {
            Algorithm::Pointwise
        };
        stage.algorithm == wanted
    }) && stages[..=at].iter().all(plain);
    let sizes = depthwise.sizes(wide, weights[at]).ok()?;
    (fits && kernel::pays(Isa::current(), &sizes)).then(|| {
        OpRef::new(InvertedResidual {
            stages: stages.iter().map(|stage| (*stage).clone()).collect(),
        })
    })
}

/// Where a stage's inputs are.
struct Place {
    weight: usize,
    bias: Option<usize>,
}

impl InvertedResidual {
    /// Of each stage, and of the residual.
    fn places(&self) -> (Vec<Place>, Option<usize>) {
        let mut next = 1;
        let mut take = || {
            next += 1;
            next - 1
        };
        let places = self
            .stages
            .iter()
            .map(|stage| Place {
                weight: take(),
                bias: stage.bias.then(&mut take),
            })
            .collect();
        let residual = self.stages.last().is_some_and(|s| s.residual);
        (places, residual.then(take))
    }

    /// The input that holds the residual.
    pub(crate) fn residual_at(&self) -> Option<usize> {
        self.places().1
    }

    /// Sizes of the stages, one after the other, for x in blocks.
    fn sizes(&self, x: &[usize], weights: &[&[usize]]) -> Result<Vec<Conv2dShape>> {
        let mut image = x.to_vec();
        let mut all = Vec::with_capacity(self.stages.len());
        for (stage, w) in self.stages.iter().zip(weights) {
            let sizes = stage.sizes(&image, w)?;
            image = vec![sizes.batch, sizes.out_c, sizes.out_h(), sizes.out_w()];
            all.push(sizes);
        }
        Ok(all)
    }

    fn all_sizes(&self, shapes: &dyn Fn(usize) -> Vec<usize>) -> Result<Vec<Conv2dShape>> {
        let weights: Vec<Vec<usize>> = self.places().0.iter().map(|p| shapes(p.weight)).collect();
        let weights: Vec<&[usize]> = weights.iter().map(Vec::as_slice).collect();
        self.sizes(&shapes(0), &weights)
    }
}

impl PlannerOp for InvertedResidual {
    fn name(&self) -> &str {
        "inverted_residual"
    }

    fn params(&self) -> Attrs {
        let mut attrs = Attrs::new();
        for stage in &self.stages {
            for (name, value) in stage.params().0 {
                attrs
                    .0
                    .push((format!("{}.{name}", stage.algorithm.name()), value));
            }
        }
        attrs
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let sizes = self.all_sizes(&|at| inputs[at].shape.clone())?;
        let isa = Isa::current();
        let last = sizes[sizes.len() - 1];
        let blocks = blocked::blocks(isa, last.out_c);
        let shape = [last.batch, blocks, last.out_h(), last.out_w(), isa.lanes()];
        Ok(vec![Meta::new(inputs[0].dtype, shape)])
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let sizes = self.all_sizes(&|at| call.shape(at).to_vec())?;
        let (places, residual) = self.places();
        let residual = residual.map(|at| call.slice(at)).transpose()?;
        let mut weights: Vec<Arc<BlockedConvWeight>> = Vec::with_capacity(sizes.len());
        let mut epilogues: Vec<Epilogue<'_>> = Vec::with_capacity(sizes.len());
        for (i, ((stage, place), sizes)) in self.stages.iter().zip(&places).zip(&sizes).enumerate()
        {
            weights.push(stage.weight(call, place.weight, sizes)?);
            epilogues.push(Epilogue {
                bias: place.bias.map(|at| call.slice(at)).transpose()?,
                residual: residual.filter(|_| i + 1 == self.stages.len()),
                activation: stage.activation,
                tail: None,
            });
        }
        let stage = |at: usize| Stage {
            weight: &weights[at],
            epilogue: &epilogues[at],
        };
        let last = self.stages.len() - 1;
        let block = kernel::InvertedResidual {
            shape: &sizes[last - 1],
            in_c: sizes[0].in_c,
            out_c: sizes[last].out_c,
            expand: (last == 2).then(|| stage(0)),
            depthwise: stage(last - 1),
            project: stage(last),
        };
        block.run(call.slice(0)?, call.out(0)?);
        Ok(())
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        self.all_sizes(&|at| inputs[at].shape.clone())
            .map_or(0, |sizes| sizes.iter().map(flops_of).sum())
    }
}
