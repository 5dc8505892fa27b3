//! The largest element in each bin of regions of images (Girshick 2015).

use super::{check, images_of, numbers};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::ops::elementwise::{self as e, cast};
use crate::ops::{gather, views};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_gpu::kernels::Roi;
use lamina_kernels::roi_pool as kernels;
use lamina_kernels::{Float, Func};

params! {
    /// Of torchvision.  The second result is the place of each element in its
    /// plane, -1 for a bin without elements.
    pub struct RoiPool {
        output_size: [usize; 2],
        spatial_scale: f64 = 1.0,
    }
}

const NAME: &str = "roi_pool";

impl RoiPool {
    fn gpu_form(&self, x: &[usize]) -> Roi {
        Roi {
            images: [x[0], x[1], x[2], x[3]],
            output: self.output_size,
            scale: self.spatial_scale as f32,
            sampling: 0,
            shift: 0.0,
        }
    }

    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let images = images_of(call.shape(0));
        let batch = numbers(call, 2, images.batch)?;
        kernels::roi_pool(
            &images,
            self.output_size,
            self.spatial_scale,
            call.slice::<T>(0)?,
            call.slice::<T>(1)?,
            &batch,
            call.out::<T>(0)?,
            call.out::<i32>(1)?,
        );
        Ok(())
    }
}

impl Op for RoiPool {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x, boxes, batch] = arity(self, inputs)?;
        if !self.spatial_scale.is_finite() {
            return Err(Error::argument(format!(
                "{NAME}: spatial_scale={} is not finite",
                self.spatial_scale
            )));
        }
        let shape = check(NAME, self.output_size, [&x, &boxes, &batch])?;
        Ok(vec![
            Meta::new(x.dtype, shape.clone()),
            Meta::new(DType::I32, shape),
        ])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[1, 2],
            outputs: &[1],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let [x, boxes, batch] = vjp.inputs else {
            return Err(Error::internal("roi_pool: takes three tensors"));
        };
        let back = RoiPoolBackward {
            op: self.clone(),
            input: x.shape().to_vec(),
        };
        let g = cast(&vjp.grad(0)?, boxes.dtype())?;
        let inputs = [g, boxes.clone(), batch.clone(), vjp.outputs[1].clone()];
        let dx = record_one(&OpRef::new(back), &inputs)?;
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
            return Err(Error::internal("roi_pool: takes three tensors"));
        };
        let roi = self.gpu_form(&x.shape);
        let kernels = lamina_gpu::kernels::roi_pool([x, boxes, batch], roi, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// (g, boxes, batch, places): the gradient of [`RoiPool`] by images of shape
/// `input`.
#[derive(Debug)]
struct RoiPoolBackward {
    op: RoiPool,
    input: Vec<usize>,
}

impl RoiPoolBackward {
    fn run<T: Float>(&self, call: &CpuCall<'_>) -> Result<()> {
        let images = images_of(&self.input);
        let batch = numbers(call, 2, images.batch)?;
        let bins = self.op.output_size.iter().product();
        let (g, places) = (call.slice::<T>(0)?, call.slice::<i32>(3)?);
        kernels::roi_pool_backward(&images, bins, g, places, &batch, call.out::<T>(0)?);
        Ok(())
    }
}

impl Op for RoiPoolBackward {
    fn name(&self) -> &str {
        "roi_pool_backward"
    }

    fn params(&self) -> Attrs {
        let input: Vec<i64> = self.input.iter().map(|&n| n as i64).collect();
        self.op.to_attrs().with("input", input)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [g, boxes, batch, places] = arity(self, inputs)?;
        let x = Meta::new(g.dtype, self.input.clone());
        let shape = check(self.name(), self.op.output_size, [&x, &boxes, &batch])?;
        if g.shape[..] != shape || places != Meta::new(DType::I32, shape) {
            return Err(Error::internal(
                "roi_pool_backward: g and places do not have the output's shape",
            ));
        }
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[2, 3],
            outputs: &[],
        }
    }

    /// What each bin's element gets: 0 where there is none.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let ([g, _, batch, places], dx) = (vjp.inputs, vjp.grad(0)?) else {
            return Err(Error::internal("roi_pool_backward: takes four tensors"));
        };
        let [images, channels, height, width] = self.input[..] else {
            return Err(Error::internal("roi_pool_backward: four axes"));
        };
        let count = batch.len();
        let planes = views::reshape_to(&dx, &[images, channels, height * width])?;
        let planes = gather::take(&planes, batch, 0)?;
        let flat = views::reshape_to(
            places,
            &[count, channels, places.len() / (count * channels).max(1)],
        )?;
        let none = e::compare(Func::Lt, &flat, &e::number_like(&flat, 0.0))?;
        let index = e::select(&none, &e::number_like(&flat, 0.0), &flat)?;
        let read = gather::gather(&planes, &index, 2)?;
        let read = e::select(&none, &e::number_like(&read, 0.0), &read)?;
        Ok(vec![
            Some(views::reshape_to(&read, g.shape())?),
            None,
            None,
            None,
        ])
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
        let [g, boxes, batch, places] = call.inputs else {
            return Err(Error::internal("roi_pool_backward: takes four tensors"));
        };
        let roi = self.op.gpu_form(&self.input);
        let operands = [g, boxes, batch];
        let kernels = lamina_gpu::kernels::roi_pool_backward(operands, places, roi, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}
