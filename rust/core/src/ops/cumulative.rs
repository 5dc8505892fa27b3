//! Running sums and products along an axis.

use super::elementwise::cast;
use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
    want_dtype,
};
use crate::{Attrs, DType, Result, Tensor, params};
use lamina_kernels::Number;

params! {
    /// `exclusive` leaves out the element itself, `reverse` runs from the end.
    pub struct Running { dim: i64, exclusive: bool = false, reverse: bool = false }
}

#[derive(Clone, Debug)]
pub struct Cumulative {
    form: Running,
    product: bool,
}

const DTYPES: &[DType] = &[
    DType::F32,
    DType::F64,
    DType::I32,
    DType::I64,
    DType::U32,
    DType::U64,
];

impl Cumulative {
    fn run<T: Number>(&self, call: &CpuCall<'_>) -> Result<()> {
        let shape = call.shape(0);
        let axis = resolve_axis(self.name(), self.form.dim, shape.len())?;
        let dims = super::around(shape, axis);
        let (x, out) = (call.slice::<T>(0)?, call.out::<T>(0)?);
        let (exclusive, reverse) = (self.form.exclusive, self.form.reverse);
        if self.product {
            lamina_kernels::cumulative::cumprod(x, dims, exclusive, reverse, out);
        } else {
            lamina_kernels::cumulative::cumsum(x, dims, exclusive, reverse, out);
        }
        Ok(())
    }
}

impl Op for Cumulative {
    fn name(&self) -> &str {
        if self.product { "cumprod" } else { "cumsum" }
    }

    fn params(&self) -> Attrs {
        self.form.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(self.name(), "x", x.dtype, DTYPES)?;
        resolve_axis(self.name(), self.form.dim, x.shape.len())?;
        Ok(vec![x])
    }

    fn gradient(&self) -> Gradient {
        if self.product {
            return Gradient::None(
                "a running product over numbers that may be 0; exp(cumsum(log(x))) has one where x > 0",
            );
        }
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    /// x[i] is in the sums from i on: they run the other way.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        if self.product {
            return Err(no_gradient(self));
        }
        let mut back = self.clone();
        back.form.reverse = !self.form.reverse;
        Ok(vec![Some(record_one(&OpRef::new(back), &[vjp.grad(0)?])?)])
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
            DType::F32 => self.run::<f32>(call),
            DType::F64 => self.run::<f64>(call),
            DType::I32 => self.run::<i32>(call),
            DType::I64 => self.run::<i64>(call),
            DType::U32 => self.run::<u32>(call),
            _ => self.run::<u64>(call),
        }
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let x = &call.inputs[0];
        let axis = resolve_axis(self.name(), self.form.dim, x.shape.len())?;
        let (exclusive, reverse) = (self.form.exclusive, self.form.reverse);
        let lower = if self.product {
            lamina_gpu::kernels::cumprod
        } else {
            lamina_gpu::kernels::cumsum
        };
        let kernels = lower(x, axis, exclusive, reverse, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

/// `cumsum` or `cumprod`.  Halves are computed in float32; bools and narrow
/// integers give int64, as sums do.
pub fn cumulative(name: &str, x: &Tensor, form: Running) -> Result<Tensor> {
    let (wide, result) = match x.dtype() {
        d @ (DType::F16 | DType::BF16) => (DType::F32, d),
        d if d.is_float() || d == DType::U64 => (d, d),
        _ => (DType::I64, DType::I64),
    };
    let product = name == "cumprod";
    let op = OpRef::new(Cumulative { form, product });
    cast(&record_one(&op, &[cast(x, wide)?])?, result)
}
