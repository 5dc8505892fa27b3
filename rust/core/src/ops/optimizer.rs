//! Steps of optimizers: elementwise programs from a parameter, its gradient
//! and state to their next values.  Hyper-parameters are operands of no axes,
//! so that a new learning rate is no new plan.

use crate::call::{CpuCall, GpuCall};
use crate::op::{
    Blocked, Class, FLOATS, Gradient, Lowered, Meta, Op, ProgramRule, Strides, Vjp, no_gradient,
    program_is_not_run, want_dtype,
};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::{Chain, Func, Instr, Reg};

params! {
    /// Adam's step: from p, g, m, v and beta1, 1 - beta1, beta2, 1 - beta2,
    /// rate, epsilon (and the decay) to p, m, v:
    ///
    /// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g²,
    /// p = p - rate m / (sqrt(v) + epsilon)
    ///
    /// `coupled` adds decay p to g, `decoupled` multiplies p by decay first.
    pub struct AdamStep { weight_decay: String = "none".to_owned() }
}

params! {
    /// A step of gradient descent: from p, g, rate, with `momentum` v, its
    /// factor and the weight of g, and with `weight_decay` the decay, to p,
    /// and with `momentum` v:
    ///
    /// v = momentum v + weight g, p = p - rate v
    ///
    /// `nesterov` takes g + momentum v in the place of v.
    pub struct SgdStep {
        momentum: bool = false,
        nesterov: bool = false,
        weight_decay: bool = false,
    }
}

/// Writes a program: inputs first, then instructions of one dtype.
struct Writer {
    dtype: DType,
    chain: Chain,
}

impl Writer {
    fn new<const N: usize>(dtype: DType) -> (Self, [Reg; N]) {
        let chain = Chain {
            inputs: vec![dtype; N],
            ..Chain::default()
        };
        let registers = std::array::from_fn(|i| i as Reg);
        (Writer { dtype, chain }, registers)
    }

    /// One more input; none may follow an instruction.
    fn input(&mut self) -> Reg {
        self.chain.inputs.push(self.dtype);
        (self.chain.inputs.len() - 1) as Reg
    }

    fn put(&mut self, func: Func, a: Reg, b: Reg) -> Reg {
        self.chain.instrs.push(Instr {
            func,
            dtype: self.dtype,
            args: [a, b, 0],
        });
        (self.chain.inputs.len() + self.chain.instrs.len() - 1) as Reg
    }

    /// a b + c d
    fn blend(&mut self, [a, b, c, d]: [Reg; 4]) -> Reg {
        let (left, right) = (self.put(Func::Mul, a, b), self.put(Func::Mul, c, d));
        self.put(Func::Add, left, right)
    }

    fn end<const N: usize>(mut self, outputs: [Reg; N]) -> Chain {
        self.chain.outputs = outputs.to_vec();
        self.chain
    }
}

impl ProgramRule for AdamStep {
    fn program(&self, dtype: DType) -> Chain {
        let (mut w, [p, g, m, v, beta1, rest1, beta2, rest2, rate, epsilon]) = Writer::new(dtype);
        let (p, g) = match self.weight_decay.as_str() {
            "coupled" => {
                let decay = w.input();
                let pull = w.put(Func::Mul, p, decay);
                (p, w.put(Func::Add, g, pull))
            }
            "decoupled" => {
                let decay = w.input();
                (w.put(Func::Mul, p, decay), g)
            }
            _ => (p, g),
        };
        let mean = w.blend([m, beta1, g, rest1]);
        let square = w.put(Func::Square, g, 0);
        let spread = w.blend([v, beta2, square, rest2]);
        let root = w.put(Func::Sqrt, spread, 0);
        let root = w.put(Func::Add, root, epsilon);
        let step = w.put(Func::Mul, mean, rate);
        let step = w.put(Func::Div, step, root);
        let next = w.put(Func::Sub, p, step);
        w.end([next, mean, spread])
    }
}

impl ProgramRule for SgdStep {
    fn program(&self, dtype: DType) -> Chain {
        let (mut w, [p, g, rate]) = Writer::new(dtype);
        let moving = self.momentum.then(|| [w.input(), w.input(), w.input()]);
        let decay = self.weight_decay.then(|| w.input());
        let g = match decay {
            Some(decay) => {
                let pull = w.put(Func::Mul, p, decay);
                w.put(Func::Add, g, pull)
            }
            None => g,
        };
        let Some([v, momentum, weight]) = moving else {
            let step = w.put(Func::Mul, g, rate);
            let next = w.put(Func::Sub, p, step);
            return w.end([next]);
        };
        let speed = w.blend([v, momentum, g, weight]);
        let way = if self.nesterov {
            let ahead = w.put(Func::Mul, speed, momentum);
            w.put(Func::Add, g, ahead)
        } else {
            speed
        };
        let step = w.put(Func::Mul, way, rate);
        let next = w.put(Func::Sub, p, step);
        w.end([next, speed])
    }
}

/// The results' shapes: of the parameter, for it and each of its states.
fn infer(name: &str, inputs: &[&Meta], full: &[usize], count: usize) -> Result<Vec<Meta>> {
    if inputs.len() != count {
        return Err(Error::argument(format!(
            "{name}: takes {count} tensors, got {}",
            inputs.len()
        )));
    }
    let p = inputs[0];
    want_dtype(name, "the parameter", p.dtype, FLOATS)?;
    for (at, input) in inputs.iter().enumerate() {
        let number = Meta::new(p.dtype, vec![]);
        let wanted = if full.contains(&at) { p } else { &number };
        if *input != wanted {
            return Err(Error::shape(format!(
                "{name}: input {at} is {} of shape {:?}, wanted {} of shape {:?}",
                input.dtype, input.shape, wanted.dtype, wanted.shape
            )));
        }
    }
    // All that has the parameter's shape, but the gradient.
    Ok(vec![p.clone(); full.len() - 1])
}

macro_rules! step_op {
    ($ty:ident, $name:literal, |$self:ident| $infer:expr) => {
        impl Op for $ty {
            fn name(&self) -> &str {
                $name
            }
            fn params(&self) -> Attrs {
                self.to_attrs()
            }
            fn infer(&$self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
                let (full, count): (&[usize], usize) = $infer;
                infer($name, inputs, full, count)
            }
            fn gradient(&self) -> Gradient {
                Gradient::None("a step is not differentiated")
            }
            fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
                Err(no_gradient(self))
            }
            fn class(&self) -> Class<'_> {
                Class::Program(self)
            }
            fn strides(&self, _index: usize) -> Strides {
                Strides::Any
            }
            fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
                None
            }
            fn cpu(&self, _call: &mut CpuCall<'_>) -> Result<()> {
                Err(program_is_not_run(self))
            }
            fn gpu(&self, _call: &GpuCall<'_>) -> Result<Lowered> {
                Err(program_is_not_run(self))
            }
            fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64 {
                let program = self.program(inputs[0].dtype);
                (program.instrs.len() * outputs[0].len()) as u64
            }
        }
    };
}

step_op!(AdamStep, "adam_step", |self| {
    let decays = match self.weight_decay.as_str() {
        "none" => 0,
        "coupled" | "decoupled" => 1,
        other => {
            return Err(Error::argument(format!(
                "adam_step: weight_decay='{other}' is not 'none', 'coupled' or 'decoupled'"
            )));
        }
    };
    (&[0, 1, 2, 3], 10 + decays)
});

step_op!(SgdStep, "sgd_step", |self| {
    let decays = usize::from(self.weight_decay);
    match (self.momentum, self.nesterov) {
        (true, _) => (&[0, 1, 3], 6 + decays),
        (false, false) => (&[0, 1], 3 + decays),
        (false, true) => {
            return Err(Error::argument("sgd_step: nesterov wants momentum=True"));
        }
    }
});
