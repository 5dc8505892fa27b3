//! Regions of images at one size, from samples between elements (He et al.
//! 2017).

use super::{check, images_of, numbers};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
};
use crate::ops::elementwise::cast;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::Roi;
use lamina_kernels::Float;
use lamina_kernels::roi_align::{self as kernels, Form};

params! {
    /// Of torchvision; `mode` `max` is ONNX's, the largest of the weighted
    /// elements.
    pub struct RoiAlign {
        output_size: [usize; 2],
        spatial_scale: f64 = 1.0,
        sampling_ratio: i64 = -1,
        aligned: bool = false,
        mode: String = "avg".to_owned(),
    }
}

const NAME: &str = "roi_align";
/// Samples of a bin along an axis, at most.
const MOST_SAMPLES: i64 = 1 << 10;

impl RoiAlign {
    fn form(&self) -> Result<Form> {
        if self.sampling_ratio > MOST_SAMPLES {
            return Err(Error::argument(format!(
                "{NAME}: sampling_ratio={}, wanted at most {MOST_SAMPLES}; 0 or less: as many samples as a bin has elements",
                self.sampling_ratio
            )));
        }
        if !self.spatial_scale.is_finite() {
            return Err(Error::argument(format!(
                "{NAME}: spatial_scale={} is not finite",
                self.spatial_scale
            )));
        }
        let max = match self.mode.as_str() {
            "avg" => false,
            "max" => true,
            other => {
                return Err(Error::argument(format!(
                    "{NAME}: mode='{other}' is not 'avg' or 'max'"
                )));
            }
        };
        Ok(Form {
            output: self.output_size,
            scale: self.spatial_scale,
            sampling: self.sampling_ratio.max(0) as usize,
            aligned: self.aligned,
            max,
        })
    }

    fn gpu_form(&self, x: &[usize]) -> Result<(Roi, bool)> {
        let form = self.form()?;
        let roi = Roi {
            images: [x[0], x[1], x[2], x[3]],
            output: form.output,
            scale: form.scale as f32,
            sampling: form.sampling as u32,
            shift: if form.aligned { 0.5 } else { 0.0 },
        };
        Ok((roi, form.max))
    }

    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let images = images_of(call.shape(0));
        let batch = numbers(call, 2, images.batch)?;
        let (x, boxes) = (call.slice::<T>(0)?, call.slice::<T>(1)?);
        kernels::roi_align(&images, &self.form()?, x, boxes, &batch, call.out::<T>(0)?);
        Ok(())
    }
}

impl Op for RoiAlign {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, boxes, batch] = arity(self, inputs)?;
        self.form()?;
        let shape = check(NAME, self.output_size, [&x, &boxes, &batch])?;
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        if self.mode == "max" {
            return Gradient::None(
                "mode='max' takes the largest of weighted elements, as ONNX has it; mode='avg' has a gradient",
            );
        }
        Gradient::Vjp {
            inputs: &[1, 2],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let ([x, boxes, batch], false) = (vjp.inputs, self.mode == "max") else {
            return Err(no_gradient(self));
        };
        let back = RoiAlignBackward {
            op: self.clone(),
            input: x.shape().to_vec(),
        };
        let g = cast(&vjp.grad(0)?, boxes.dtype())?;
        let dx = record_one(&OpRef::new(back), &[g, boxes.clone(), batch.clone()])?;
        Ok(vec![Some(cast(&dx, x.dtype())?), None, None])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0) {
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [x, boxes, batch] = call.inputs else {
            return Err(Error::internal("roi_align: takes three tensors"));
        };
        let (roi, max) = self.gpu_form(&x.shape)?;
        let kernels = lamina_gpu::kernels::roi_align([x, boxes, batch], roi, max, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let samples = self.sampling_ratio.max(1) as u64;
        8 * samples * samples * outputs[0].len() as u64
    }
}

/// (g, boxes, batch): the gradient of [`RoiAlign`] by images of shape `input`.
#[derive(Debug)]
struct RoiAlignBackward {
    op: RoiAlign,
    input: Vec<usize>,
}

impl RoiAlignBackward {
    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let images = images_of(&self.input);
        let batch = numbers(call, 2, images.batch)?;
        let (g, boxes) = (call.slice::<T>(0)?, call.slice::<T>(1)?);
        kernels::roi_align_backward(
            &images,
            &self.op.form()?,
            g,
            boxes,
            &batch,
            call.out::<T>(0)?,
        );
        Ok(())
    }
}

impl Op for RoiAlignBackward {
    fn name(&self) -> &str {
        "roi_align_backward"
    }

    fn params(&self) -> Attrs {
        let input: Vec<i64> = self.input.iter().map(|&n| n as i64).collect();
        self.op.to_attrs().with("input", input)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [g, boxes, batch] = arity(self, inputs)?;
        let x = Meta::new(g.dtype, self.input.clone());
        if g.shape[..] != check(self.name(), self.op.output_size, [&x, &boxes, &batch])? {
            return Err(Error::internal(
                "roi_align_backward: g does not have the output's shape",
            ));
        }
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[1, 2],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let inputs = [vjp.grad(0)?, vjp.inputs[1].clone(), vjp.inputs[2].clone()];
        let again = record_one(&OpRef::new(self.op.clone()), &inputs)?;
        Ok(vec![Some(again), None, None])
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        match call.dtype(0) {
            DType::F64 => self.run::<f64>(call),
            _ => self.run::<f32>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let [g, boxes, batch] = call.inputs else {
            return Err(Error::internal("roi_align_backward: takes three tensors"));
        };
        let (roi, _) = self.op.gpu_form(&self.input)?;
        let kernels = lamina_gpu::kernels::roi_align_backward([g, boxes, batch], roi, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        self.op.flops(outputs, inputs)
    }
}
