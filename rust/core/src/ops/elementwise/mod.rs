//! Elementwise ops: one struct for all, told apart by [`Func`].  Their rules
//! stand side by side: names and dtypes here, gradients in `gradient`, WGSL
//! in `wgsl`; the CPU kernel is the block interpreter of `lamina_kernels`.

mod gradient;
mod record;
mod wgsl;

pub use record::*;
pub use wgsl::{epilogue, lower_chain, not_on_gpu};

use crate::call::{CpuCall, GpuCall};
use crate::op::{Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp};
use crate::{Attr, Attrs, DType, Error, Result, Tensor};
use lamina_kernels::Func;

#[derive(Clone, Copy, Debug)]
pub struct Elementwise {
    pub func: Func,
}

/// The op's stem.
pub const fn name_of(func: Func) -> &'static str {
    match func {
        Func::Add => "add",
        Func::Sub => "sub",
        Func::Mul => "mul",
        Func::Div => "div",
        Func::FloorDiv => "floor_div",
        Func::Remainder => "remainder",
        Func::Fmod => "fmod",
        Func::Pow => "pow",
        Func::Maximum => "maximum",
        Func::Minimum => "minimum",
        Func::Eq => "eq",
        Func::Ne => "ne",
        Func::Lt => "lt",
        Func::Le => "le",
        Func::Gt => "gt",
        Func::Ge => "ge",
        Func::And => "logical_and",
        Func::Or => "logical_or",
        Func::Xor => "logical_xor",
        Func::Not => "logical_not",
        Func::BitAnd => "bitwise_and",
        Func::BitOr => "bitwise_or",
        Func::BitXor => "bitwise_xor",
        Func::BitNot => "bitwise_not",
        Func::ShiftLeft => "bitwise_left_shift",
        Func::ShiftRight => "bitwise_right_shift",
        Func::Neg => "neg",
        Func::Abs => "abs",
        Func::Sign => "sign",
        Func::Floor => "floor",
        Func::Ceil => "ceil",
        Func::Round => "round",
        Func::Trunc => "trunc",
        Func::Reciprocal => "reciprocal",
        Func::Square => "square",
        Func::Sqrt => "sqrt",
        Func::Rsqrt => "rsqrt",
        Func::Exp => "exp",
        Func::Expm1 => "expm1",
        Func::Log => "log",
        Func::Log1p => "log1p",
        Func::Sin => "sin",
        Func::Cos => "cos",
        Func::Tan => "tan",
        Func::Asin => "asin",
        Func::Acos => "acos",
        Func::Atan => "atan",
        Func::Sinh => "sinh",
        Func::Cosh => "cosh",
        Func::Tanh => "tanh",
        Func::Asinh => "asinh",
        Func::Acosh => "acosh",
        Func::Atanh => "atanh",
        Func::Sigmoid => "sigmoid",
        Func::Erf => "erf",
        Func::Gelu | Func::GeluTanh => "gelu",
        Func::Relu => "relu",
        Func::LeakyRelu { .. } => "leaky_relu",
        Func::Elu { .. } => "elu",
        Func::Softplus => "softplus",
        Func::Softsign => "softsign",
        Func::Mish => "mish",
        Func::Clip { .. } => "clip",
        Func::PowConst { .. } => "pow_const",
        Func::Where => "where",
        Func::Cast { .. } => "cast",
        Func::IsNan => "isnan",
    }
}

/// What a function takes as it is; other dtypes are cast before (see
/// `record`) or refused.
pub(super) fn takes(func: Func, dtype: DType) -> bool {
    if dtype.is_stored() {
        return func == Func::Where;
    }
    match func {
        Func::And | Func::Or | Func::Xor | Func::Not => dtype == DType::Bool,
        Func::BitAnd
        | Func::BitOr
        | Func::BitXor
        | Func::BitNot
        | Func::ShiftLeft
        | Func::ShiftRight => dtype.is_int(),
        Func::Cast { .. } | Func::Where | Func::Eq | Func::Ne => true,
        Func::Lt | Func::Le | Func::Gt | Func::Ge | Func::Maximum | Func::Minimum => true,
        Func::Add | Func::Mul => dtype != DType::Bool,
        Func::Sub
        | Func::Div
        | Func::FloorDiv
        | Func::Remainder
        | Func::Fmod
        | Func::Pow
        | Func::Neg
        | Func::Abs
        | Func::Sign
        | Func::Square
        | Func::Relu
        | Func::Clip { .. } => dtype != DType::Bool,
        _ => dtype.is_float(),
    }
}

impl Op for Elementwise {
    fn name(&self) -> &str {
        name_of(self.func)
    }

    fn params(&self) -> Attrs {
        match self.func {
            Func::Gelu => Attrs::new().with("approximate", "none"),
            Func::GeluTanh => Attrs::new().with("approximate", "tanh"),
            Func::LeakyRelu { slope } => Attrs::new().with("negative_slope", slope),
            Func::Elu {
                alpha,
                scale,
                input_scale,
            } => Attrs::new()
                .with("alpha", alpha)
                .with("scale", scale)
                .with("input_scale", input_scale),
            Func::Clip { lo, hi } => Attrs::new().with("min", lo).with("max", hi),
            Func::PowConst { exponent } => Attrs::new().with("exponent", exponent),
            Func::Cast { to } => Attrs::new().with("dtype", Attr::DType(to)),
            _ => Attrs::new(),
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let name = self.name();
        if inputs.len() != self.func.arity() {
            return Err(Error::argument(format!(
                "{name}: takes {} tensor(s), got {}",
                self.func.arity(),
                inputs.len()
            )));
        }
        let typed = if self.func == Func::Where {
            &inputs[1..]
        } else {
            inputs
        };
        let dtype = typed[0].dtype;
        if let Some(other) = typed.iter().find(|m| m.dtype != dtype) {
            return Err(Error::dtype(format!(
                "{name}: operands have dtypes {dtype} and {}; cast one first",
                other.dtype
            )));
        }
        if self.func == Func::Where && inputs[0].dtype != DType::Bool {
            return Err(Error::dtype(format!(
                "where: condition has dtype {}, wanted bool; compare or cast it",
                inputs[0].dtype
            )));
        }
        if !takes(self.func, dtype) {
            return Err(Error::unsupported(format!(
                "{name}: is not defined for {dtype}; cast it first"
            )));
        }
        let mut shape = inputs[0].shape.clone();
        for input in &inputs[1..] {
            shape = crate::layout::broadcast(name, &shape, &input.shape)?;
        }
        Ok(vec![Meta::new(self.func.result(dtype), shape)])
    }

    fn gradient(&self) -> Gradient {
        gradient::reads(self.func)
    }

    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        gradient::vjp(self, vjp)
    }

    fn class(&self) -> Class<'_> {
        Class::Elementwise(self.func)
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Any
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        Err(Error::internal(format!(
            "{}: elementwise ops run as programs",
            call.op
        )))
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        Err(Error::internal(format!(
            "{}: elementwise ops run as programs",
            call.op
        )))
    }

    fn flops(&self, _inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
        outputs[0].len() as u64
    }
}

/// The op of a function.
pub fn op(func: Func) -> OpRef {
    OpRef::new(Elementwise { func })
}

/// The op that casts to `to`.
pub fn cast_op(to: DType) -> OpRef {
    OpRef::new(Elementwise {
        func: Func::Cast { to },
    })
}
