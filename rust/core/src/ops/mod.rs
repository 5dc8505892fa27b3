//! Every op.  One file per stem holds its parameters, shape rule, gradient
//! rule and lowerings; [`table`] lists the names under which they are
//! recorded, for Python, ONNX and export alike.

pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod bitcast;
pub mod claims;
pub mod composed;
pub mod concat;
pub mod conv2d;
pub mod copy;
pub mod cumulative;
pub mod det;
pub mod dft;
pub mod elementwise;
pub mod gather;
pub mod grid_sample;
pub mod group_norm;
pub mod iota;
pub mod layer_norm;
pub mod matmul;
pub mod optimizer;
pub mod overlap_add;
pub mod pad;
pub mod padding;
pub mod pool2d;
pub mod random;
pub mod reduce;
pub mod reorder;
pub mod resize;
pub mod roi;
pub mod scatter_slice;
pub mod softmax;
pub mod sort;
pub mod stored;
pub mod tfidf;
pub mod transfer;
pub mod views;

mod table;

pub use table::{Entry, Sample, entries, find, register};

use crate::promote::{Number, promote, weak};
use crate::{Attrs, DType, Error, Result, Tensor};

/// An input as Python gives it.
#[derive(Clone, Debug)]
pub enum Operand {
    Tensor(Tensor),
    Number(Number),
}

/// Records the op called `name`.
pub fn record(name: &str, inputs: &[Tensor], attrs: &Attrs) -> Result<Vec<Tensor>> {
    find(name)?.record(inputs, attrs)
}

/// As [`record`], with Python numbers among the operands: they take the
/// tensors' dtype where it can hold them.
pub fn record_operands(name: &str, operands: &[Operand], attrs: &Attrs) -> Result<Vec<Tensor>> {
    let entry = find(name)?;
    let strong = operands
        .iter()
        .skip(usize::from(name == "where"))
        .filter_map(|o| match o {
            Operand::Tensor(t) => Some(t.dtype()),
            Operand::Number(_) => None,
        })
        .reduce(promote);
    // Beside a Python float, integers and bool become the default float.
    let to_float = strong.is_some_and(|d| !d.is_float() && !d.is_stored())
        && operands
            .iter()
            .any(|o| matches!(o, Operand::Number(Number::Float(_))));
    let tensors = operands
        .iter()
        .enumerate()
        .map(|(at, o)| match o {
            Operand::Tensor(t) if to_float && (at > 0 || name != "where") => {
                elementwise::cast(t, DType::F32)
            }
            Operand::Tensor(t) => Ok(t.clone()),
            Operand::Number(number) => Ok(number_tensor(*number, strong)),
        })
        .collect::<Result<Vec<Tensor>>>()?;
    entry.record(&tensors, attrs)
}

/// A number as a 0-d tensor beside tensors of dtype `strong`.
pub fn number_tensor(number: Number, strong: Option<DType>) -> Tensor {
    let dtype = weak(number, strong);
    match number {
        Number::Bool(b) => Tensor::scalar(dtype, f64::from(u8::from(b))),
        Number::Float(x) => Tensor::scalar(dtype, x),
        // Every int64 exactly, not by way of a float.
        Number::Int(i) if matches!(dtype, DType::I64 | DType::U64) => {
            Tensor::from_value(crate::Value {
                storage: crate::Storage::Inline(i.to_le_bytes()),
                layout: crate::Layout::contiguous(&[]),
                dtype,
            })
        }
        Number::Int(i) => Tensor::scalar(dtype, i as f64),
    }
}

/// Exactly `N` inputs, or an error that says so.
pub(crate) fn inputs<const N: usize>(name: &str, given: &[Tensor]) -> Result<[Tensor; N]> {
    <[Tensor; N]>::try_from(given.to_vec())
        .map_err(|_| Error::argument(format!("{name}: takes {N} tensor(s), got {}", given.len())))
}

/// (outer, axis, inner): a shape around one of its axes.
pub(crate) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    let outer = shape[..axis].iter().product();
    [outer, shape[axis], shape[axis + 1..].iter().product()]
}

/// `x` in a dtype that the kernels compare: halves as float32, bool as uint8.
pub(crate) fn comparable(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => elementwise::cast(x, DType::F32),
        DType::Bool => elementwise::cast(x, DType::U8),
        _ => Ok(x.clone()),
    }
}
