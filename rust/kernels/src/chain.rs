//! Elementwise programs as data: what the planner fuses, what the block
//! interpreter ([`crate::elementwise`]) runs and what the GPU side turns
//! into WGSL.

use crate::dtype::DType;

/// One elementwise function.  Parameters in a variant are structure (part of
/// a plan's key); everything that may change from call to call is an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Func {
    // binary arithmetic; integers wrap, Div truncates for integers
    Add,
    Sub,
    Mul,
    Div,
    /// Rounds toward minus infinity (Python's `//`).
    FloorDiv,
    /// Sign of the divisor (Python's `%`).
    Remainder,
    /// Sign of the dividend (C's fmod).
    Fmod,
    Pow,
    /// NaN propagates, as NumPy's maximum.
    Maximum,
    Minimum,
    // comparisons: operands of one dtype, result Bool
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    // logic on Bool
    And,
    Or,
    Xor,
    Not,
    // bits of integers
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    /// Zeros come in; a shift by as many bits as there are gives 0.
    ShiftLeft,
    /// The sign comes in.
    ShiftRight,
    // unary
    Neg,
    Abs,
    Sign,
    Floor,
    Ceil,
    /// Half to even.
    Round,
    Trunc,
    Reciprocal,
    Square,
    Sqrt,
    Rsqrt,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Sigmoid,
    Erf,
    /// x times the normal distribution's probability below x.
    Gelu,
    /// Its approximation x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)).
    GeluTanh,
    Relu,
    LeakyRelu {
        slope: f64,
    },
    /// scale x where x > 0, else scale alpha (e^(`input_scale` x) - 1).
    Elu {
        alpha: f64,
        scale: f64,
        input_scale: f64,
    },
    /// ln(1 + e^x).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// x tanh(ln(1 + e^x)).
    Mish,
    /// min(max(x, lo), hi); NaN stays.
    Clip {
        lo: f64,
        hi: f64,
    },
    /// x to a constant power.
    PowConst {
        exponent: f64,
    },
    /// Operands: condition (Bool), a, b (one dtype): condition ? a : b.
    Where,
    /// To the given dtype: float to integer truncates and saturates, NaN to
    /// integer is 0, anything to Bool is `x != 0`.
    Cast {
        to: DType,
    },
    IsNan,
}

impl Func {
    pub const fn arity(self) -> usize {
        match self {
            Func::Add
            | Func::Sub
            | Func::Mul
            | Func::Div
            | Func::FloorDiv
            | Func::Remainder
            | Func::Fmod
            | Func::Pow
            | Func::Maximum
            | Func::Minimum
            | Func::Eq
            | Func::Ne
            | Func::Lt
            | Func::Le
            | Func::Gt
            | Func::Ge
            | Func::And
            | Func::Or
            | Func::Xor
            | Func::BitAnd
            | Func::BitOr
            | Func::BitXor
            | Func::ShiftLeft
            | Func::ShiftRight => 2,
            Func::Where => 3,
            _ => 1,
        }
    }

    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Func::Eq | Func::Ne | Func::Lt | Func::Le | Func::Gt | Func::Ge
        )
    }

    /// Exponentials, logarithms, and functions of the circle and the hyperbola.
    pub const fn is_transcendental(self) -> bool {
        matches!(
            self,
            Func::Exp
                | Func::Expm1
                | Func::Log
                | Func::Log1p
                | Func::Sin
                | Func::Cos
                | Func::Tan
                | Func::Asin
                | Func::Acos
                | Func::Atan
                | Func::Sinh
                | Func::Cosh
                | Func::Tanh
                | Func::Asinh
                | Func::Acosh
                | Func::Atanh
        )
    }

    /// Whether operands of `dtype` have this function: logic is for Bool,
    /// functions with values between the integers are for floats, and Bool
    /// has no arithmetic but comparisons, minimum, maximum and abs.
    pub const fn takes(self, dtype: DType) -> bool {
        if dtype.is_stored() {
            return matches!(self, Func::Where);
        }
        match self {
            Func::And | Func::Or | Func::Xor | Func::Not => matches!(dtype, DType::Bool),
            Func::BitAnd
            | Func::BitOr
            | Func::BitXor
            | Func::BitNot
            | Func::ShiftLeft
            | Func::ShiftRight => dtype.is_int(),
            Func::Reciprocal
            | Func::Sqrt
            | Func::Rsqrt
            | Func::Sigmoid
            | Func::Erf
            | Func::Gelu
            | Func::GeluTanh
            | Func::LeakyRelu { .. }
            | Func::Elu { .. }
            | Func::Softplus
            | Func::Softsign
            | Func::Mish => dtype.is_float(),
            _ if self.is_transcendental() => dtype.is_float(),
            Func::Eq
            | Func::Ne
            | Func::Lt
            | Func::Le
            | Func::Gt
            | Func::Ge
            | Func::Maximum
            | Func::Minimum
            | Func::Abs
            | Func::Where
            | Func::Cast { .. }
            | Func::IsNan => true,
            _ => !matches!(dtype, DType::Bool),
        }
    }

    /// The result's dtype for operands of `dtype` (for `Where`: of a and b).
    pub const fn result(self, dtype: DType) -> DType {
        match self {
            Func::Cast { to } => to,
            Func::Eq
            | Func::Ne
            | Func::Lt
            | Func::Le
            | Func::Gt
            | Func::Ge
            | Func::And
            | Func::Or
            | Func::Xor
            | Func::Not
            | Func::IsNan => DType::Bool,
            _ => dtype,
        }
    }
}

/// A value of a [`Chain`]: its inputs come first, then one per instruction.
pub type Reg = u16;

/// `func` on registers.  `dtype` is the operands' dtype (for `Where` that of
/// a and b; its condition is Bool).  Unused `args` are 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instr {
    pub func: Func,
    pub dtype: DType,
    pub args: [Reg; 3],
}

impl Instr {
    pub fn args(&self) -> &[Reg] {
        &self.args[..self.func.arity()]
    }

    pub const fn result(&self) -> DType {
        self.func.result(self.dtype)
    }
}

/// A straight-line elementwise program in single-assignment form.
/// Register `i < inputs.len()` is input `i`; register `inputs.len() + j` is
/// the result of `instrs[j]`.  F16 and BF16 registers are computed in f32 and
/// rounded when stored.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Chain {
    pub inputs: Vec<DType>,
    pub instrs: Vec<Instr>,
    pub outputs: Vec<Reg>,
}

impl Chain {
    pub fn dtype_of(&self, reg: Reg) -> DType {
        let reg = usize::from(reg);
        match self.inputs.get(reg) {
            Some(dtype) => *dtype,
            None => self.instrs[reg - self.inputs.len()].result(),
        }
    }
}
