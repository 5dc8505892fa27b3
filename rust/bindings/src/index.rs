//! `x[...]`: what stands between the brackets, and the views that it is.
//! Integers, slices, None and Ellipsis make views; arrays are in [`gather`].

mod gather;
mod update;

use crate::convert::class_name;
use crate::error::{raise, run};
use crate::methods::one;
use crate::numpy_arrays::numpy;
use crate::tensor::PyTensor;
use lamina_core::{Attrs, DType, Error, Tensor};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyList, PySlice, PyTuple};

pub use update::{At, AtIndex};

/// One entry between the brackets.
pub(crate) enum Item {
    /// A single element: its axis goes.
    At(i64),
    /// Every `step`-th from `start` to `end`, Python's rules for bounds.
    Range { start: i64, end: i64, step: i64 },
    /// A new axis of length 1.
    New,
    /// Integers (or one of a mask's coordinates) for one axis.
    Array(Tensor),
}

/// An index as views: a slice, then axes that go, then new ones; and the
/// arrays left for the axes of what results.
pub(crate) struct Basic {
    pub axes: Vec<i64>,
    pub starts: Vec<i64>,
    pub ends: Vec<i64>,
    pub steps: Vec<i64>,
    /// Axes of the sliced tensor that go.
    pub dropped: Vec<i64>,
    /// Places of the result that are new.
    pub added: Vec<i64>,
    /// Axis of the result, and its indices.
    pub arrays: Vec<(usize, Tensor)>,
    /// Integers and arrays stand side by side: NumPy then leaves the axes in place.
    pub together: bool,
}

/// The items of an index, each axis of `shape` once, Ellipsis written out.
fn items(x: &Tensor, index: &Bound<'_, PyAny>) -> PyResult<Vec<Item>> {
    let given: Vec<Bound<'_, PyAny>> = match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(listed).collect::<PyResult<_>>()?,
        Err(_) => vec![listed(index.clone())?],
    };
    let rank = x.rank();
    let mut parsed: Vec<Option<Vec<Item>>> = Vec::with_capacity(given.len());
    let mut used = 0;
    for (at, entry) in given.iter().enumerate() {
        if entry.is_instance_of::<PyEllipsis>() {
            if parsed.iter().any(Option::is_none) {
                return raise(Error::index("index: '...' may stand only once"));
            }
            parsed.push(None);
            continue;
        }
        // After an Ellipsis axes count from the last one.
        let axis = if parsed.iter().any(Option::is_none) {
            let rest: usize = given[at..].iter().map(width).sum();
            rank.saturating_sub(rest)
        } else {
            used
        };
        let found = item(x, axis, entry)?;
        used += found.iter().filter(|i| !matches!(i, Item::New)).count();
        parsed.push(Some(found));
    }
    if used > rank {
        return raise(Error::index(format!(
            "index: {used} indices for a tensor of shape {:?}, which has {rank} axes",
            x.shape()
        )));
    }
    let whole = || Item::Range {
        start: 0,
        end: i64::MAX,
        step: 1,
    };
    let mut out = Vec::new();
    let open = parsed.iter().any(Option::is_none);
    for entry in parsed {
        match entry {
            Some(found) => out.extend(found),
            None => out.extend((used..rank).map(|_| whole())),
        }
    }
    if !open {
        out.extend((used..rank).map(|_| whole()));
    }
    Ok(out)
}

/// A list or tuple between the brackets as an array.
fn listed(entry: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    if entry.is_instance_of::<PyList>() || entry.is_instance_of::<PyTuple>() {
        return numpy(entry.py(), "asarray")?.call1((entry,));
    }
    Ok(entry)
}

/// How many axes one entry takes.
fn width(entry: &Bound<'_, PyAny>) -> usize {
    if entry.is_none() || entry.is_instance_of::<PyEllipsis>() {
        return 0;
    }
    if let Ok(tensor) = entry.cast::<PyTensor>() {
        let tensor = tensor.get().tensor();
        return if tensor.dtype() == DType::Bool {
            tensor.rank()
        } else {
            1
        };
    }
    match entry.cast::<PyUntypedArray>() {
        Ok(array) if array.dtype().kind() == b'b' => array.ndim(),
        _ => 1,
    }
}

/// What one entry stands for; a mask stands for an array per axis.
fn item(x: &Tensor, axis: usize, entry: &Bound<'_, PyAny>) -> PyResult<Vec<Item>> {
    if entry.is_none() {
        return Ok(vec![Item::New]);
    }
    if let Ok(slice) = entry.cast::<PySlice>() {
        return Ok(vec![range(slice)?]);
    }
    if entry.is_instance_of::<PyBool>() {
        return raise(Error::argument(
            "index: a single bool is no index; compare tensors to make a mask",
        ));
    }
    if let Ok(tensor) = entry.cast::<PyTensor>() {
        return gather::from_tensor(x, axis, tensor.get().tensor(), entry.py());
    }
    if let Ok(array) = entry.cast::<PyUntypedArray>()
        && array.ndim() > 0
    {
        return gather::from_array(x, axis, array);
    }
    match entry.call_method0("__index__") {
        Ok(number) => match number.extract::<i64>() {
            Ok(at) => Ok(vec![Item::At(at)]),
            Err(_) => raise(Error::index(format!("index: {number} is out of range"))),
        },
        Err(_) => raise(Error::argument(format!(
            "index: a {} is no index; wanted an int, slice, None, '...', or a tensor, array or list of ints or bools",
            class_name(entry)
        ))),
    }
}

fn range(slice: &Bound<'_, PySlice>) -> PyResult<Item> {
    let bound = |name: &str| -> PyResult<Option<i64>> {
        let value = slice.getattr(name)?;
        if value.is_none() {
            return Ok(None);
        }
        let Ok(number) = value.call_method0("__index__") else {
            return raise(Error::argument(format!(
                "index: the {name} of a slice is a {}, wanted an int",
                class_name(&value)
            )));
        };
        // Python clamps bounds of any size.
        Ok(Some(number.extract::<i64>().unwrap_or_else(|_| {
            if number.lt(0).unwrap_or(false) {
                i64::MIN
            } else {
                i64::MAX
            }
        })))
    };
    let step = bound("step")?.unwrap_or(1);
    if step == 0 {
        return raise(Error::argument("index: a slice's step is 0; it must move"));
    }
    let (first, last) = if step > 0 {
        (0, i64::MAX)
    } else {
        (i64::MAX, i64::MIN)
    };
    Ok(Item::Range {
        start: bound("start")?.unwrap_or(first),
        end: bound("stop")?.unwrap_or(last),
        step,
    })
}

/// Sorts the items into views and arrays.
pub(crate) fn parse(x: &Tensor, index: &Bound<'_, PyAny>) -> PyResult<Basic> {
    let mut out = Basic {
        axes: Vec::new(),
        starts: Vec::new(),
        ends: Vec::new(),
        steps: Vec::new(),
        dropped: Vec::new(),
        added: Vec::new(),
        arrays: Vec::new(),
        together: true,
    };
    let items = items(x, index)?;
    let advanced: Vec<usize> = items
        .iter()
        .enumerate()
        .filter(|(_, i)| matches!(i, Item::At(_) | Item::Array(_)))
        .map(|(at, _)| at)
        .collect();
    out.together = advanced.windows(2).all(|w| w[1] == w[0] + 1);
    let (mut axis, mut place) = (0usize, 0usize);
    for item in items {
        match item {
            Item::New => {
                out.added.push(place as i64);
                place += 1;
                continue;
            }
            Item::At(at) => {
                let n = x.shape()[axis] as i64;
                if !(-n..n).contains(&at) {
                    return raise(Error::index(format!(
                        "index: {at} is out of range for axis {axis} of length {n}"
                    )));
                }
                let at = at.rem_euclid(n);
                out.cut(axis, at, at + 1, 1);
                out.dropped.push(axis as i64);
                axis += 1;
                continue;
            }
            Item::Range { start, end, step } => {
                if (start, end, step) != (0, i64::MAX, 1) {
                    out.cut(axis, start, end, step);
                }
            }
            Item::Array(indices) => out.arrays.push((place, indices)),
        }
        axis += 1;
        place += 1;
    }
    Ok(out)
}

impl Basic {
    fn cut(&mut self, axis: usize, start: i64, end: i64, step: i64) {
        self.axes.push(axis as i64);
        self.starts.push(start);
        self.ends.push(end);
        self.steps.push(step);
    }

    /// The views alone.
    pub(crate) fn apply(&self, x: &Tensor) -> PyResult<Tensor> {
        let mut x = x.clone();
        if !self.axes.is_empty() {
            let attrs = Attrs::new()
                .with("starts", self.starts.clone())
                .with("ends", self.ends.clone())
                .with("axes", self.axes.clone())
                .with("steps", self.steps.clone());
            x = one("slice", &[x], &attrs)?;
        }
        if !self.dropped.is_empty() {
            x = one(
                "squeeze",
                &[x],
                &Attrs::new().with("dim", self.dropped.clone()),
            )?;
        }
        if !self.added.is_empty() {
            x = one(
                "unsqueeze",
                &[x],
                &Attrs::new().with("dim", self.added.clone()),
            )?;
        }
        Ok(x)
    }
}

/// `x[index]`.
pub fn get(x: &Tensor, index: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
    let basic = parse(x, index)?;
    let viewed = basic.apply(x)?;
    if basic.arrays.is_empty() {
        return Ok(PyTensor::new(viewed));
    }
    gather::gather(&viewed, &basic.arrays, basic.together).map(PyTensor::new)
}

#[pymethods]
impl PyTensor {
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        get(self.tensor(), index)
    }

    fn __setitem__(&self, _index: &Bound<'_, PyAny>, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        raise(Error::argument(
            "a tensor does not change; write y = x.at[i].set(v), which gives a new one",
        ))
    }

    fn __delitem__(&self, _index: &Bound<'_, PyAny>) -> PyResult<()> {
        raise(Error::argument(
            "a tensor does not change; index what is to stay",
        ))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let tensor = self.tensor();
        let Some(&count) = tensor.shape().first() else {
            return raise(Error::argument(
                "iter: a 0-d tensor has no elements in a row",
            ));
        };
        let rows = (0..count)
            .map(|i| {
                let row = run(|| {
                    let row = lamina_core::ops::views::narrow(tensor, 0, i, i + 1)?;
                    lamina_core::ops::views::reshape_to(&row, &tensor.shape()[1..])
                })?;
                Bound::new(py, PyTensor::new(row))
            })
            .collect::<PyResult<Vec<_>>>()?;
        Ok(PyTuple::new(py, rows)?.try_iter()?.into_any())
    }

    /// `x.at[i].set(v)` and `x.at[i].add(v)`: a new tensor with a part changed.
    #[getter]
    fn at(&self) -> At {
        At::new(self.tensor().clone())
    }
}
