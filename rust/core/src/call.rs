//! What an op's kernels get: operands in place, outputs to fill.

use crate::memory::{CpuBuffer, PackKey};
use crate::{DType, Error, Layout, Result};
use lamina_gpu::{Caps, Operand, Storage};
use lamina_kernels::{Chain, Element, elementwise};
use std::marker::PhantomData;
use std::sync::Arc;

/// Packings of what comes from outside are kept up to this size, in bytes:
/// they take as much memory again.
const MOST_KEPT: usize = 64 << 20;

/// Which packings of an operand are kept with its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    Never,
    /// Those that are asked for again: of what comes from outside, weights
    /// come back and images do not.
    Again,
    /// All: of a plan's constants.
    Always,
}

/// One operand of a CPU kernel: memory and where in it the elements lie.
#[derive(Clone)]
pub struct CpuOperand<'a> {
    pub dtype: DType,
    pub layout: &'a Layout,
    /// Base of the storage (before `layout.offset`).
    pub(crate) base: *mut u8,
    /// Bytes readable from `base`.
    pub(crate) bytes: usize,
    /// Where packings of this operand can be kept, and which are.
    pub(crate) owner: Option<(&'a Arc<CpuBuffer>, Keeps)>,
    pub(crate) life: PhantomData<&'a [u8]>,
}

impl CpuOperand<'_> {
    /// Address of the first element.
    pub fn first(&self) -> *mut u8 {
        self.base
            .wrapping_add(self.layout.offset * self.dtype.size())
    }
}

/// An elementwise tail fused into a product: register 0 is the product's
/// result, the others are `inputs`.
pub struct CpuTail<'a> {
    pub chain: &'a elementwise::Prepared,
    pub inputs: &'a [CpuOperand<'a>],
}

pub struct CpuCall<'a> {
    pub op: &'a str,
    pub inputs: &'a [CpuOperand<'a>],
    pub outputs: &'a [CpuOperand<'a>],
    pub tail: Option<CpuTail<'a>>,
}

impl<'a> CpuCall<'a> {
    pub fn dtype(&self, input: usize) -> DType {
        self.inputs[input].dtype
    }

    pub fn shape(&self, input: usize) -> &'a [usize] {
        &self.inputs[input].layout.shape
    }

    pub fn out_shape(&self, output: usize) -> &'a [usize] {
        &self.outputs[output].layout.shape
    }

    fn check<T: Element>(&self, operand: &CpuOperand<'_>, what: &str, index: usize) -> Result<()> {
        // Unsigned integers stand for the bits of any dtype of their size.
        let bits = matches!(T::DTYPE, DType::U8 | DType::U16 | DType::U32 | DType::U64);
        if T::DTYPE == operand.dtype || (bits && T::DTYPE.size() == operand.dtype.size()) {
            return Ok(());
        }
        Err(Error::internal(format!(
            "{}: {what} {index} has dtype {}, its kernel reads {}",
            self.op,
            operand.dtype,
            T::DTYPE
        )))
    }

    /// Input `index`, contiguous (as [`crate::Op::strides`] asked).
    pub fn slice<T: Element>(&self, index: usize) -> Result<&'a [T]> {
        let operand = &self.inputs[index];
        self.check::<T>(operand, "input", index)?;
        if !operand.layout.is_contiguous() {
            return Err(Error::internal(format!(
                "{}: input {index} is not contiguous",
                self.op
            )));
        }
        let len = operand.layout.len();
        debug_assert!((operand.layout.offset + len) * size_of::<T>() <= operand.bytes || len == 0);
        // SAFETY: the planner gave this operand memory for its layout, and no
        // kernel writes it during the call (outputs lie elsewhere).
        Ok(unsafe { slice_of(operand.first(), len) })
    }

    /// Input `index` with any strides.
    pub fn view<T: Element>(&self, index: usize) -> Result<lamina_kernels::View<'a, T>> {
        let operand = &self.inputs[index];
        self.check::<T>(operand, "input", index)?;
        // SAFETY: as in `slice`; the whole storage is readable.
        let data = unsafe { slice_of(operand.base, operand.bytes / size_of::<T>()) };
        let Layout {
            shape,
            strides,
            offset,
        } = operand.layout;
        Ok(lamina_kernels::View {
            data,
            offset: *offset,
            shape,
            strides,
        })
    }

    /// Output `index`, contiguous and to be filled whole.  Ask for each
    /// output once.
    #[allow(clippy::mut_from_ref)]
    pub fn out<T: Element>(&self, index: usize) -> Result<&'a mut [T]> {
        let operand = &self.outputs[index];
        self.check::<T>(operand, "output", index)?;
        let len = operand.layout.len();
        if len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: the planner gave each output memory of its own for its
        // layout, disjoint from the inputs of kernels that are not elementwise.
        Ok(unsafe { std::slice::from_raw_parts_mut(operand.first().cast::<T>(), len) })
    }

    /// Input `index` packed by `pack`, if the packing is kept with its storage
    /// (weights); none where a kernel had better take the operand as it lies.
    /// `key` tells packings of one format apart.
    pub fn kept<T: std::any::Any + Send + Sync>(
        &self,
        index: usize,
        format: &'static str,
        key: u64,
        pack: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let operand = &self.inputs[index];
        let (owner, keeps) = operand.owner?;
        let layout = operand.layout;
        let sizes = layout
            .shape
            .iter()
            .map(|&n| n as isize)
            .chain(layout.strides.iter().copied())
            .chain([key as isize])
            .collect();
        let key = PackKey {
            format,
            offset: layout.offset,
            sizes,
        };
        let small = owner.len() <= MOST_KEPT;
        let kept = keeps == Keeps::Always || (small && owner.asked_before(&key));
        kept.then(|| owner.packed(key, pack))
    }

    /// As [`CpuCall::kept`], made for this call alone where it is not kept.
    pub fn packed<T: std::any::Any + Send + Sync>(
        &self,
        index: usize,
        format: &'static str,
        key: u64,
        pack: impl Fn() -> T,
    ) -> Arc<T> {
        self.kept(index, format, key, &pack)
            .unwrap_or_else(|| Arc::new(pack()))
    }

    /// Runs `body` with the fused tail as the kernels take it: called with
    /// the flat start and a final piece of output 0 while it is in cache.
    pub fn with_tail<R>(
        &self,
        body: impl FnOnce(Option<&(dyn Fn(usize, &mut [f32]) + Sync)>) -> R,
    ) -> R {
        let Some(tail) = &self.tail else {
            return body(None);
        };
        // Register 0 is the product's piece itself; its place is not read.
        let own = elementwise::Operand {
            ptr: std::ptr::null(),
            strides: &self.outputs[0].layout.strides,
        };
        let operands: Vec<elementwise::Operand<'_>> = std::iter::once(own)
            .chain(tail.inputs.iter().map(operand))
            .collect();
        // SAFETY: operands are laid out for the output's shape and live as
        // long as this call; a piece is the output's own range.
        let bound = unsafe {
            elementwise::Bound::new(
                lamina_kernels::Isa::current(),
                tail.chain,
                self.out_shape(0),
                &operands,
            )
        };
        // SAFETY: as above.
        let apply = |start: usize, piece: &mut [f32]| unsafe { bound.run_range(start, piece) };
        body(Some(&apply))
    }
}

fn operand<'a>(o: &'a CpuOperand<'_>) -> elementwise::Operand<'a> {
    elementwise::Operand {
        ptr: o.first(),
        strides: &o.layout.strides,
    }
}

/// # Safety
/// `len` elements of T lie at `ptr` (which may dangle if `len` is 0).
unsafe fn slice_of<'a, T>(ptr: *const u8, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: by the caller.
    unsafe { std::slice::from_raw_parts(ptr.cast(), len) }
}

/// What an op's lowering to the GPU gets.
pub struct GpuCall<'a> {
    pub op: &'a str,
    pub inputs: &'a [Operand],
    pub dtypes: &'a [DType],
    pub outputs: &'a [Operand],
    pub out_dtypes: &'a [DType],
    pub tail: Option<GpuTail<'a>>,
    /// For each output, the input whose memory it is written over (in place:
    /// one read_write binding).
    pub over: &'a [Option<usize>],
    pub caps: &'a Caps,
}

/// As [`CpuTail`], for the GPU.
pub struct GpuTail<'a> {
    pub chain: &'a Chain,
    pub inputs: &'a [Operand],
}

/// How a dtype is held on a GPU; None: it is not.
pub fn gpu_storage(dtype: DType) -> Option<Storage> {
    Some(match dtype {
        DType::F32 => Storage::F32,
        DType::I32 => Storage::I32,
        DType::U32 => Storage::U32,
        DType::I64 => Storage::I64,
        DType::U64 => Storage::U64,
        DType::F16 => Storage::F16,
        DType::BF16 => Storage::BF16,
        DType::U8 => Storage::U8,
        DType::I8 => Storage::I8,
        DType::U16 => Storage::U16,
        DType::I16 => Storage::I16,
        // Its codes.
        DType::Stored(_) => Storage::U8,
        DType::Bool => Storage::Bool,
        DType::F64 => return None,
    })
}
