//! Elements put before and after each axis.

use super::concat::concat;
use super::views::{self, Slice};
use crate::call::{CpuCall, GpuCall};
use crate::layout::contiguous_strides;
use crate::node::record_one;
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity};
use crate::{Attrs, DType, Error, Result, Tensor, params};

params! {
    /// `pads` as ONNX has them: how many before each axis, then how many
    /// after.  Negative ones cut elements off.
    pub struct Pad {
        pads: Vec<i64>,
        mode: String = "constant".to_owned(),
        value: f64 = 0.0,
    }
}

impl Pad {
    fn split(&self, rank: usize) -> Result<(&[i64], &[i64])> {
        if self.pads.len() != 2 * rank {
            return Err(Error::argument(format!(
                "pad: {} pads given for {rank} axes; wanted {}, all before, then all after",
                self.pads.len(),
                2 * rank
            )));
        }
        Ok(self.pads.split_at(rank))
    }

    /// The part of the result that is the input.
    fn inside(&self, input: &[usize]) -> Result<Slice> {
        let (before, _) = self.split(input.len())?;
        let ends = before.iter().zip(input).map(|(b, &n)| b + n as i64);
        Ok(Slice {
            starts: before.to_vec(),
            ends: ends.collect(),
            axes: None,
            steps: None,
        })
    }

    fn value_bits(&self, dtype: DType) -> [u8; 8] {
        let mut bits = [0; 8];
        crate::scalar::write(dtype, self.value, &mut bits);
        bits
    }
}

impl Op for Pad {
    fn name(&self) -> &str {
        "pad"
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        let (before, after) = self.split(x.shape.len())?;
        if self.mode != "constant" || self.pads.iter().any(|&n| n < 0) {
            return Err(Error::internal("pad: only constant borders are an op"));
        }
        let grown = x.shape.iter().zip(before.iter().zip(after));
        let shape =
            grown.map(|(&n, (&b, &a))| n.saturating_add(b as usize).saturating_add(a as usize));
        Ok(vec![Meta::new(x.dtype, shape.collect::<Vec<_>>())])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let cut = OpRef::new(self.inside(vjp.inputs[0].shape())?);
        Ok(vec![Some(record_one(&cut, &[vjp.grad(0)?])?)])
    }

    fn class(&self) -> Class<'_> {
        Class::Move
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Any
    }

    /// With borders around pixels, and not around channels.
    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked> {
        let &[first, above, top, left, last, below, bottom, right] = &self.pads[..] else {
            return None;
        };
        let whole = inputs[0].dtype == DType::F32 && above == 0 && below == 0;
        whole.then(|| {
            let op = Pad {
                pads: vec![first, 0, top, left, 0, last, 0, bottom, right, 0],
                ..self.clone()
            };
            Blocked::keeping(OpRef::new(op), 0..1)
        })
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (input, output) = (&call.inputs[0], &call.outputs[0]);
        let size = input.dtype.size();
        let bits = u64::from_le_bytes(self.value_bits(input.dtype));
        match size {
            1 => lamina_kernels::copy::fill(call.out::<u8>(0)?, bits as u8),
            2 => lamina_kernels::copy::fill(call.out::<u16>(0)?, bits as u16),
            4 => lamina_kernels::copy::fill(call.out::<u32>(0)?, bits as u32),
            _ => lamina_kernels::copy::fill(call.out::<u64>(0)?, bits),
        }
        if input.layout.is_empty() {
            return Ok(());
        }
        let strides = contiguous_strides(call.out_shape(0));
        let (before, _) = self.split(strides.len())?;
        let start: usize = before
            .iter()
            .zip(&strides)
            .map(|(&b, &s)| b as usize * s as usize)
            .sum();
        // SAFETY: the region lies inside the output, which is memory of its own.
        unsafe {
            lamina_kernels::copy::copy_bytes(
                size,
                &input.layout.shape,
                input.first(),
                &input.layout.strides,
                output.first().add(start * size),
                &strides,
            );
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let shape = &call.outputs[0].shape;
        let (before, _) = self.split(shape.len())?;
        let starts: Vec<usize> = before.iter().map(|&b| b as usize).collect();
        let fill = u64::from_le_bytes(self.value_bits(call.dtypes[0]));
        let steps = vec![1; shape.len()];
        let kernels = lamina_gpu::kernels::scatter_slice(
            &call.inputs[0],
            shape,
            &starts,
            &steps,
            fill,
            call.caps,
        )?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// Pads as asked.  Cuts are slices; `edge` and `reflect` are put together
/// from views, so that their gradients are those of views.
pub fn pad(x: &Tensor, form: &Pad) -> Result<Tensor> {
    let (before, after) = form.split(x.rank())?;
    let mut cut = x.clone();
    if form.pads.iter().any(|&n| n < 0) {
        let starts = before.iter().map(|&b| b.saturating_neg().max(0));
        let starts: Vec<i64> = starts.collect();
        let ends =
            (after.iter().zip(x.shape())).map(|(&a, &n)| (n as i64).saturating_add(a.min(0)));
        let ends: Vec<i64> = ends.collect();
        if let Some(axis) = (0..starts.len()).find(|&i| starts[i] > ends[i]) {
            return Err(Error::shape(format!(
                "pad: pads={:?} cut off more than the {} elements of axis {axis}",
                form.pads,
                x.shape()[axis]
            )));
        }
        cut = record_one(
            &OpRef::new(Slice {
                starts,
                ends,
                axes: None,
                steps: None,
            }),
            &[cut],
        )?;
    }
    let pads: Vec<i64> = form.pads.iter().map(|&n| n.max(0)).collect();
    match form.mode.as_str() {
        _ if pads.iter().all(|&n| n == 0) => Ok(cut),
        "constant" => record_one(
            &OpRef::new(Pad {
                pads,
                ..form.clone()
            }),
            &[cut],
        ),
        "edge" | "reflect" => {
            let rank = x.rank();
            let mut padded = cut;
            for axis in 0..rank {
                padded = borders(&padded, axis, pads[axis], pads[rank + axis], &form.mode)?;
            }
            Ok(padded)
        }
        other => Err(Error::argument(format!(
            "pad: mode='{other}' is not 'constant', 'edge' or 'reflect'"
        ))),
    }
}

/// One axis with what its border shows, repeated or mirrored.
fn borders(x: &Tensor, axis: usize, before: i64, after: i64, mode: &str) -> Result<Tensor> {
    if before == 0 && after == 0 {
        return Ok(x.clone());
    }
    let length = x.shape()[axis] as i64;
    let most = if mode == "edge" {
        length.min(1) * i64::MAX
    } else {
        length - 1
    };
    if before.max(after) > most {
        return Err(Error::shape(format!(
            "pad: mode='{mode}' cannot put {} elements beside axis {axis} of {length}",
            before.max(after)
        )));
    }
    // From the end in steps of -1: mirrored.
    let cut = |start: i64, end: i64, step: i64| {
        let slice = Slice {
            starts: vec![start],
            ends: vec![end],
            axes: Some(vec![axis as i64]),
            steps: Some(vec![step]),
        };
        record_one(&OpRef::new(slice), std::slice::from_ref(x))
    };
    let repeat = |row: Tensor, count: i64| {
        let mut shape = x.shape().to_vec();
        shape[axis] = count as usize;
        views::expand(&row, &shape)
    };
    let mut pieces = Vec::new();
    if before > 0 {
        pieces.push(match mode {
            "edge" => repeat(cut(0, 1, 1)?, before)?,
            _ => cut(before, 0, -1)?,
        });
    }
    pieces.push(x.clone());
    if after > 0 {
        pieces.push(match mode {
            "edge" => repeat(cut(-1, i64::MAX, 1)?, after)?,
            _ => cut(-2, -2 - after, -1)?,
        });
    }
    concat(&pieces, axis as i64)
}
