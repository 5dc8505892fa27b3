//! Products of integers of 16 bits, summed in int32: what remains of a quantised product when
//! zero points are taken off.  Exact, but that sums wrap.

use super::{matrix, of_matrices, operand_offsets, product_shape};
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
    want_dtype,
};
use crate::{Attrs, DType, Result, Tensor};
use lamina_kernels::Isa;
use lamina_kernels::matmul::{MatRef, PackedColumns};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
struct MatmulInteger;

impl Op for MatmulInteger {
    fn name(&self) -> &str {
        "matmul_integer"
    }

    fn params(&self) -> Attrs {
        Attrs::new()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [a, b] = arity(self, inputs)?;
        want_dtype(self.name(), "a", a.dtype, &[DType::I16])?;
        want_dtype(self.name(), "b", b.dtype, &[DType::I16])?;
        let shape = product_shape(self.name(), &a.shape, &b.shape)?;
        Ok(vec![Meta::new(DType::I32, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("integers carry no gradient")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Forward
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let isa = Isa::current();
        let (a, b) = (matrix::<i16>(call, 0)?, matrix::<i16>(call, 1)?);
        let (a_starts, b_starts) = operand_offsets(call);
        let shared = b_starts.iter().all(|&at| at == 0);
        let packed: Vec<Arc<PackedColumns>> = if shared {
            let key = packing(isa);
            vec![call.packed(1, key, 0, || PackedColumns::new(isa, b))]
        } else {
            let from = |&at: &usize| b.data.get(at..).unwrap_or_default();
            let of = |at| {
                PackedColumns::new(
                    isa,
                    MatRef {
                        data: from(at),
                        ..b
                    },
                )
            };
            b_starts.iter().map(|at| Arc::new(of(at))).collect()
        };
        let columns: Vec<&PackedColumns> = packed.iter().map(Arc::as_ref).collect();
        let out = call.out::<i32>(0)?;
        lamina_kernels::matmul::matmul_integer(isa, a, &a_starts, &columns, out);
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let (a, b) = (&call.inputs[0], &call.inputs[1]);
        let storage = call.outputs[0].storage;
        let kernels = lamina_gpu::kernels::matmul(a, b, storage, None, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        let inner = inputs[0].shape.last().copied().unwrap_or(0);
        2 * (outputs[0].len() * inner) as u64
    }
}

fn packing(isa: Isa) -> &'static str {
    match isa {
        Isa::Portable => "matmul_integer.portable",
        Isa::Avx2 => "matmul_integer.avx2",
        Isa::Avx512 => "matmul_integer.avx512",
        Isa::Neon => "matmul_integer.neon",
    }
}

/// The int32 product of int16 operands, of any number of axes as NumPy has it.
pub fn matmul_integer(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    of_matrices("matmul_integer", a, b, |a, b| {
        record_one(&OpRef::new(MatmulInteger), &[a.clone(), b.clone()])
    })
}
