//! The gradient of a slice: its elements put back where they were cut, zeros
//! elsewhere.

use super::reorder::blocked_shape;
use super::views::{Slice, region};
use crate::call::{CpuCall, GpuCall};
use crate::layout::contiguous_strides;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Result, Tensor, params};

params! {
    /// A tensor of zeros of `shape` with the input in the region of a slice.
    pub struct ScatterSlice {
        shape: Vec<i64>,
        starts: Vec<i64>,
        ends: Vec<i64>,
        axes: Option<Vec<i64>> = None,
        steps: Option<Vec<i64>> = None,
    }
}

impl ScatterSlice {
    fn slice(&self) -> Slice {
        Slice {
            starts: self.starts.clone(),
            ends: self.ends.clone(),
            axes: self.axes.clone(),
            steps: self.steps.clone(),
        }
    }

    fn out_shape(&self) -> Vec<usize> {
        self.shape.iter().map(|&n| n.max(0) as usize).collect()
    }
}

impl Op for ScatterSlice {
    fn name(&self) -> &str {
        "scatter_slice"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let shape = self.out_shape();
        let wanted = region(&self.slice(), &shape)?.shape;
        if x.shape != wanted {
            return Err(Error::shape(format!(
                "scatter_slice: the slice of {shape:?} has shape {wanted:?}, got {:?}",
                x.shape
            )));
        }
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(record_one(
            &OpRef::new(self.slice()),
            &[vjp.grad(0)?],
        )?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Move
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Any
    }

    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let shape = self.out_shape();
        let Slice {
            starts,
            ends,
            axes,
            steps,
        } = self.slice().of_blocks(&shape)?;
        let op = ScatterSlice {
            shape: blocked_shape(&shape)?
                .into_iter()
                .map(|n| n as i64)
                .collect(),
            starts,
            ends,
            axes,
            steps,
        };
        (inputs[0].dtype == DType::F32).then(|| Blocked::keeping(OpRef::new(op), 0..1))
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (input, output) = (&call.inputs[0], &call.outputs[0]);
        let size = input.dtype.size();
        let shape = self.out_shape();
        let region = region(&self.slice(), &shape)?;
        let total: usize = shape.iter().product();
        debug_assert_eq!(output.layout.strides, contiguous_strides(&shape));
        // SAFETY: the output is `total` elements of its own; the region lies
        // inside it.
        unsafe {
            std::ptr::write_bytes(output.first(), 0, total * size);
            lamina_kernels::copy::copy_bytes(
                size,
                &region.shape,
                input.first(),
                &input.layout.strides,
                output.first().add(region.offset * size),
                &region.strides,
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let shape = self.out_shape();
        let (starts, steps) = super::views::cut_of(&self.slice(), &shape)?;
        let kernels = lamina_gpu::kernels::scatter_slice(
            &call.inputs[0],
            &shape,
            &starts,
            &steps,
            0,
            call.caps,
        )?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

pub(super) fn scatter_slice(g: &Tensor, slice: &Slice, input: &[usize]) -> Result<Tensor> {
    let op = ScatterSlice {
        shape: input.iter().map(|&n| n as i64).collect(),
        starts: slice.starts.clone(),
        ends: slice.ends.clone(),
        axes: slice.axes.clone(),
        steps: slice.steps.clone(),
    };
    record_one(&OpRef::new(op), std::slice::from_ref(g))
}
