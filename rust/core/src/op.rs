//! The one trait that every operation implements, whole: nothing is
//! defaulted, so what is missing does not compile and what does not exist is
//! said in so many words.

use crate::call::{CpuCall, GpuCall};
use crate::{Attrs, DType, Error, Layout, Result, Shape, Tensor};
use lamina_kernels::{Chain, Func};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// Shape and dtype of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    pub dtype: DType,
    pub shape: Shape,
}

impl Meta {
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Meta {
            dtype,
            shape: shape.into(),
        }
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    pub fn bytes(&self) -> usize {
        self.len() * self.dtype.size()
    }
}

/// What the planner may do with an op.
#[derive(Clone, Copy)]
pub enum Class<'a> {
    /// One output element from the same element of each broadcast input.
    /// Fuses with its like and into the tail of a [`Class::Product`].
    Elementwise(Func),
    /// Several elementwise functions: the planner takes it apart.
    Program(&'a dyn ProgramRule),
    /// The output is a view of input 0: no kernel runs.
    View(&'a dyn ViewRule),
    /// Moves elements without computing on them: every dtype as it is.
    Move,
    /// Matrix product or convolution: f32 results take an elementwise tail.
    Product,
    /// Any other kernel.
    Compute,
    /// Any other kernel, whose values the planner must not fold, merge or
    /// drop (run-time ops that may have a state of their own).
    Opaque,
}

pub trait ProgramRule {
    /// From the op's inputs, all of this dtype, to its outputs.  Every
    /// instruction has an operand of the outputs' shape, and every output an
    /// instruction of its own.
    fn program(&self, dtype: DType) -> Chain;
}

pub trait ViewRule {
    /// The output's layout on input 0's storage; None where strides cannot
    /// say it (the planner then makes a contiguous copy and asks again).
    fn view(&self, input: &Layout) -> Option<Layout>;
}

/// How an input of a kernel may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strides {
    Any,
    /// Any that are not negative.
    Forward,
    Contiguous,
}

/// What a gradient rule reads.
#[derive(Clone, Copy, Debug)]
pub enum Gradient {
    /// There is none; the words say why, as in "indices are integers".
    None(&'static str),
    /// [`Op::vjp`] reads the values of these inputs and outputs.
    Vjp {
        inputs: &'static [usize],
        outputs: &'static [usize],
    },
}

/// What [`Op::vjp`] gets.
pub struct Vjp<'a> {
    pub inputs: &'a [Tensor],
    pub outputs: &'a [Tensor],
    /// One per output; None where nothing depends on that output.
    pub grads: &'a [Option<Tensor>],
    /// Which inputs want a gradient.
    pub needs: &'a [bool],
}

impl Vjp<'_> {
    /// The gradient of output `i`, zeros if nothing depends on it.
    pub fn grad(&self, i: usize) -> Result<Tensor> {
        match &self.grads[i] {
            Some(grad) => Ok(grad.clone()),
            None => Tensor::zeros_like(&self.outputs[i]),
        }
    }
}

/// How an op runs on images in the blocked layout
/// ([`lamina_kernels::blocked`]) of the CPU's kernels.
pub struct Blocked {
    /// Does the same on blocks.
    pub op: OpRef,
    /// The inputs that are taken in blocks, the others as they are.
    pub images: Range<usize>,
    /// The first so many results are given in blocks, the others as they are.
    pub results: usize,
    /// The operations in whose time the layout is worth choosing for its sake;
    /// None: it is only worth keeping.
    pub saves: Option<f64>,
    /// The input that is packed: in every run, if it changes.
    pub packs: Option<usize>,
}

impl Blocked {
    /// Of an op for whose sake the layout is not chosen: it gives one image.
    pub fn keeping(op: OpRef, images: Range<usize>) -> Blocked {
        Blocked {
            op,
            images,
            results: 1,
            saves: None,
            packs: None,
        }
    }
}

/// GPU kernels for one node, or why there are none (it then runs on the CPU,
/// visibly).
pub enum Lowered {
    Kernels(lamina_gpu::kernels::Kernels),
    Unsupported(String),
}

pub trait Op: std::any::Any + fmt::Debug + Send + Sync {
    /// The op's stem, as in `conv2d`; plugins' names are `namespace.name`.
    fn name(&self) -> &str;

    /// Its parameters as asked for: part of plan keys, shown by `explain`,
    /// read by export.
    fn params(&self) -> Attrs;

    /// Checks the inputs and gives the outputs' shapes and dtypes.
    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>>;

    fn gradient(&self) -> Gradient;

    /// Gradients of the inputs, written in recorded ops.  None: no gradient
    /// flows there.
    fn vjp(&self, vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>>;

    fn class(&self) -> Class<'_>;

    /// How input `index` may lie for this op's kernels, on either device.
    fn strides(&self, index: usize) -> Strides;

    /// Its twin for images (batch, channels, height, width) that lie in
    /// blocks; None where there is none.
    fn blocked(&self, inputs: &[&Meta]) -> Option<Blocked>;

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()>;

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered>;

    /// Floating-point operations of one run, for `explain` and the profiler.
    fn flops(&self, inputs: &[&Meta], outputs: &[&Meta]) -> u64;
}

/// A shared op with the hash of its name and parameters.
#[derive(Clone, Debug)]
pub struct OpRef {
    pub op: Arc<dyn Op>,
    pub key: u64,
}

impl OpRef {
    pub fn new(op: impl Op) -> Self {
        OpRef::from_arc(Arc::new(op))
    }

    pub fn from_arc(op: Arc<dyn Op>) -> Self {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        op.name().hash(&mut hasher);
        op.params().hash(&mut hasher);
        if matches!(op.class(), Class::Opaque) {
            // Two run-time ops of one name may differ in what they run.
            (Arc::as_ptr(&op).cast::<u8>() as usize).hash(&mut hasher);
        }
        OpRef {
            key: hasher.finish(),
            op,
        }
    }
}

/// For ops without a gradient rule that is ever called.
pub fn no_gradient(op: &dyn Op) -> Error {
    match op.gradient() {
        Gradient::None(why) => {
            Error::unsupported(format!("{} is not differentiable: {why}", op.name()))
        }
        Gradient::Vjp { .. } => Error::internal(format!("{} has a gradient", op.name())),
    }
}

/// For views, whose kernels never run.
pub fn view_is_not_run(op: &dyn Op) -> Error {
    Error::internal(format!(
        "{} is a view: the planner gives it no kernel",
        op.name()
    ))
}

/// For elementwise programs, which the planner takes apart.
pub fn program_is_not_run(op: &dyn Op) -> Error {
    Error::internal(format!("{} runs as its instructions", op.name()))
}

/// The number of inputs, checked.
pub fn arity<const N: usize>(op: &dyn Op, inputs: &[&Meta]) -> Result<[Meta; N]> {
    let owned: Vec<Meta> = inputs.iter().map(|m| (*m).clone()).collect();
    owned.try_into().map_err(|got: Vec<Meta>| {
        Error::argument(format!(
            "{}: takes {N} tensor(s), got {}",
            op.name(),
            got.len()
        ))
    })
}

/// Checks that an input's dtype is one of `wanted`.
pub fn want_dtype(op: &str, argument: &str, got: DType, wanted: &[DType]) -> Result<()> {
    if wanted.contains(&got) {
        return Ok(());
    }
    let list: Vec<&str> = wanted.iter().map(|d| d.name()).collect();
    Err(Error::unsupported(format!(
        "{op}: {argument} has dtype {got}; supported: {}; cast it first",
        list.join(", ")
    )))
}

pub const FLOATS: &[DType] = &[DType::F32, DType::F64, DType::F16, DType::BF16];
