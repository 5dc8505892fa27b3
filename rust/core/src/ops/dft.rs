//! The discrete Fourier transform along an axis, complex numbers as a last axis
//! of two.  Its gradient is the transform again, the other way round.

use crate::call::{CpuCall, GpuCall};
use crate::layout::resolve_axis;
use crate::memory::check_budget;
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, want_dtype,
};
use crate::ops::composed::conv::bordered;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Isa;
use lamina_kernels::dft::{Dft as Form, Numbers, dft as kernel};

params! {
    /// y[k] = scale * the sum over j of x[j] exp(-2 pi i j k / length), with + in
    /// the exponent if `inverse`.  x is cut to `length` or filled up with zeros
    /// (its own if None); of y there are the first `output` points (all if
    /// None), and with `real` their real parts alone.
    pub struct Dft {
        dim: i64 = -2,
        length: Option<usize> = None,
        output: Option<usize> = None,
        inverse: bool = false,
        real: bool = false,
        scale: f64 = 1.0,
    }
}

const NAME: &str = "dft";

/// Bytes for a point of plan and working memory, a convolution's at worst.
const POINT: usize = 256;

impl Dft {
    /// The axis, and the sizes as the kernels take them.
    fn form(&self, x: &[usize]) -> Result<(usize, Form)> {
        let Some(&components @ (1 | 2)) = x.last().filter(|_| x.len() > 1) else {
            return Err(Error::shape(format!(
                "{NAME}: x has shape {x:?}; its last axis must be 1 (real) or 2 (complex), behind the one that is transformed"
            )));
        };
        let axis = resolve_axis(NAME, self.dim, x.len())?;
        if axis + 1 == x.len() {
            return Err(Error::argument(format!(
                "{NAME}: dim={} is the axis of real and imaginary parts of x of shape {x:?}; take one before it",
                self.dim
            )));
        }
        let length = self.length.unwrap_or(x[axis]);
        if length == 0 {
            return Err(Error::argument(format!(
                "{NAME}: a transform of 0 points (axis {axis} of x of shape {x:?}); wanted 1 or more"
            )));
        }
        let output = self.output.unwrap_or(length);
        if output > length {
            return Err(Error::argument(format!(
                "{NAME}: output={output} is more than the {length} points there are"
            )));
        }
        check_budget(length.saturating_mul(POINT)).map_err(|e| e.within(NAME))?;
        let form = Form {
            outer: x[..axis].iter().product(),
            inner: x[axis + 1..x.len() - 1].iter().product(),
            input: x[axis],
            length,
            output,
            complex_input: components == 2,
            complex_output: !self.real,
            inverse: self.inverse,
            scale: self.scale,
        };
        Ok((axis, form))
    }

    fn run<T: Numbers>(&self, call: &CpuCall<'_>) -> Result<()> {
        let (_, form) = self.form(call.shape(0))?;
        kernel(
            Isa::current(),
            &form,
            call.slice::<T>(0)?,
            call.out::<T>(0)?,
        );
        Ok(())
    }
}

impl Op for Dft {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, &[DType::F32, DType::F64])?;
        let (axis, form) = self.form(&x.shape)?;
        let mut shape = x.shape;
        let last = shape.len() - 1;
        (shape[axis], shape[last]) = (form.output, if self.real { 1 } else { 2 });
        Ok(vec![Meta::new(x.dtype, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::Vjp {
            inputs: &[],
            outputs: &[],
        }
    }

    /// The transpose of a map of real and imaginary parts: the sum the other
    /// way, with the other sign, of which a real x takes the real parts.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        let x = vjp.inputs[0].shape();
        let (axis, form) = self.form(x)?;
        let back = Dft {
            dim: axis as i64,
            length: Some(form.length),
            output: Some(form.input.min(form.length)),
            inverse: !self.inverse,
            real: !form.complex_input,
            scale: self.scale,
        };
        let dx = dft(&vjp.grad(0)?, back)?;
        // What was cut off had no part in it.
        let missing = form.input.saturating_sub(form.length);
        Ok(vec![Some(bordered(&dx, axis, 0, missing as i64)?)])
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
        let x = &call.inputs[0];
        let (_, form) = self.form(&x.shape)?;
        let form = lamina_gpu::kernels::Dft {
            outer: form.outer,
            inner: form.inner,
            input: form.input,
            length: form.length,
            output: form.output,
            complex_input: form.complex_input,
            complex_output: form.complex_output,
            inverse: form.inverse,
            scale: form.scale as f32,
        };
        let kernels = lamina_gpu::kernels::dft(x, &form, call.caps)?;
        Ok(Lowered::Kernels(kernels))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        let Ok((_, form)) = self.form(&inputs[0].shape) else {
            return 0;
        };
        let lines = (form.outer * form.inner) as u64;
        let points = form.length as u64 * u64::from(form.length.ilog2());
        5 * lines.saturating_mul(points)
    }
}

pub fn dft(x: &Tensor, form: Dft) -> Result<Tensor> {
    record_one(&OpRef::new(form), std::slice::from_ref(x))
}
