//! What a handler of the operator table sees of its node.

// Handlers ask everything of their call, whether or not the answer lies in it.
#![allow(clippy::unused_self)]

use super::{Entry, Sources, Stop, Traced, Tracer, Value, to_tensor};
use crate::host::Host;
use crate::ir::{Attribute, Constant, Node};
use lamina_core::{DType, Error, Result, Tensor};

/// Inputs of more elements do not decide shapes: a model that wants that has
/// shapes that depend on its data.
const MAX_STRUCTURAL: usize = 1024;

pub(crate) struct Call<'c, 't> {
    pub(crate) tracer: &'c mut Tracer<'t>,
    pub(crate) node: &'c Node,
    inputs: Vec<Option<Entry>>,
    /// Where values come from that are read inside (branches of an `If`).
    pub(crate) inner_sources: Sources,
}

impl<'c, 't> Call<'c, 't> {
    pub(super) fn new(
        tracer: &'c mut Tracer<'t>,
        node: &'c Node,
        inputs: Vec<Option<Entry>>,
    ) -> Self {
        Call {
            tracer,
            node,
            inputs,
            inner_sources: 0,
        }
    }

    pub(super) fn into_inputs(self) -> Vec<Option<Entry>> {
        self.inputs
    }

    /// The operator set that the node is written in.
    pub(crate) fn version(&self) -> i64 {
        self.node.version
    }

    pub(crate) fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Whether somebody reads output `index`.
    pub(crate) fn wants(&self, index: usize) -> bool {
        self.node
            .outputs
            .get(index)
            .is_some_and(|name| !name.is_empty())
    }

    // ---- inputs

    /// Input `index`, None if the node leaves it out.
    pub(crate) fn optional(&self, index: usize) -> Option<Value> {
        self.inputs.get(index)?.as_ref().map(|e| e.value.clone())
    }

    /// Which graph inputs input `index` comes from.
    pub(crate) fn from(&self, index: usize) -> Sources {
        self.inputs
            .get(index)
            .and_then(Option::as_ref)
            .map_or(0, |e| e.from)
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.inputs.get(index).is_some_and(Option::is_some)
    }

    pub(crate) fn input(&self, index: usize) -> Traced<Value> {
        self.optional(index)
            .ok_or_else(|| Error::model(format!("input {index} is required and is missing")).into())
    }

    /// All inputs of a variadic operator.
    pub(crate) fn all_inputs(&self) -> Traced<Vec<Value>> {
        if self.inputs.is_empty() {
            return Err(Error::model("it has no inputs, wanted at least one").into());
        }
        (0..self.inputs.len()).map(|i| self.input(i)).collect()
    }

    pub(crate) fn shape(&self, value: &Value) -> Traced<Vec<usize>> {
        match value {
            Value::Tensor(t) => Ok(t.shape().to_vec()),
            Value::Host(cell) => Ok(cell.host.shape.clone()),
            other => Err(other.no_tensor()),
        }
    }

    pub(crate) fn dtype(&self, value: &Value) -> Traced<DType> {
        value.known_dtype().ok_or_else(|| value.no_tensor())
    }

    pub(crate) fn rank(&self, value: &Value) -> Traced<usize> {
        Ok(self.shape(value)?.len())
    }

    pub(crate) fn tensor(&self, value: &Value) -> Traced<Tensor> {
        to_tensor(value, self.tracer.device)
    }

    /// The elements of input `index`, which decide the result's shape.
    pub(crate) fn known(&mut self, index: usize) -> Traced<Host> {
        let entry = self.inputs.get(index).cloned().flatten();
        let entry = entry
            .ok_or_else(|| Error::model(format!("input {index} is required and is missing")))?;
        let tensor = match &entry.value {
            Value::Host(cell) => return Ok(cell.host.clone()),
            Value::Tensor(t) => t.clone(),
            other => return Err(other.no_tensor()),
        };
        if entry.from != 0 && !self.tracer.concrete {
            if tensor.len() > MAX_STRUCTURAL {
                let why = format!(
                    "the shape of its result depends on the {} values of '{}'",
                    tensor.len(),
                    self.node.inputs[index]
                );
                return Err(Error::unsupported(why).into());
            }
            return Err(Stop::Needs(entry.from));
        }
        let host = read_back(&tensor)?;
        let value: Value = host.clone().into();
        self.tracer.refine(&self.node.inputs[index], &value);
        self.inputs[index] = Some(Entry {
            value,
            from: entry.from,
        });
        Ok(host)
    }

    pub(crate) fn known_ints(&mut self, index: usize) -> Traced<Vec<i64>> {
        let host = self.known(index)?;
        match host.as_ints() {
            Some(ints) => Ok(ints.to_vec()),
            None => Err(Error::model(format!(
                "input {index} has dtype {}, wanted integers",
                host.dtype
            ))
            .into()),
        }
    }

    pub(crate) fn known_optional_ints(&mut self, index: usize) -> Traced<Option<Vec<i64>>> {
        if self.has(index) {
            self.known_ints(index).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The single integer in input `index`.
    pub(crate) fn known_int(&mut self, index: usize) -> Traced<i64> {
        match self.known_ints(index)?[..] {
            [one] => Ok(one),
            ref many => Err(Error::model(format!(
                "input {index} has {} elements, wanted one",
                many.len()
            ))
            .into()),
        }
    }

    // ---- attributes

    fn attribute(&self, name: &str) -> Option<&'c Attribute> {
        self.node.attributes.get(name)
    }

    fn mistyped<T>(&self, name: &str, got: &Attribute, wanted: &str) -> Result<T> {
        if let Attribute::Other(kind) = got {
            return Err(Error::unsupported(format!("attribute '{name}' is {kind}")));
        }
        Err(Error::model(format!(
            "attribute '{name}' is {}, wanted {wanted}",
            got.kind()
        )))
    }

    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(crate) fn int(&self, name: &str) -> Traced<Option<i64>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Int(v)) => Ok(Some(*v)),
            Some(other) => Ok(self.mistyped(name, other, "an int")?),
        }
    }

    pub(crate) fn int_or(&self, name: &str, default: i64) -> Traced<i64> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Traced<bool> {
        Ok(self.int_or(name, i64::from(default))? != 0)
    }

    pub(crate) fn float_or(&self, name: &str, default: f64) -> Traced<f64> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Float(v)) => Ok(f64::from(*v)),
            Some(other) => Ok(self.mistyped(name, other, "a float")?),
        }
    }

    /// Attribute 'seed', which is an int or a float: its bits.
    pub(crate) fn seed(&self) -> Traced<Option<u64>> {
        match self.attribute("seed") {
            None => Ok(None),
            Some(Attribute::Int(v)) => Ok(Some(*v as u64)),
            Some(Attribute::Float(v)) => Ok(Some(u64::from(v.to_bits()))),
            Some(other) => Ok(self.mistyped("seed", other, "a number")?),
        }
    }

    pub(crate) fn ints(&self, name: &str) -> Traced<Option<Vec<i64>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(v)) => Ok(Some(v.clone())),
            Some(other) => Ok(self.mistyped(name, other, "ints")?),
        }
    }

    pub(crate) fn floats(&self, name: &str) -> Traced<Option<Vec<f64>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(v)) => Ok(Some(v.iter().map(|&x| f64::from(x)).collect())),
            Some(other) => Ok(self.mistyped(name, other, "floats")?),
        }
    }

    pub(crate) fn text(&self, name: &str, default: &str) -> Traced<String> {
        match self.attribute(name) {
            None => Ok(default.to_owned()),
            Some(Attribute::Str(v)) => Ok(v.clone()),
            Some(other) => Ok(self.mistyped(name, other, "a string")?),
        }
    }

    pub(crate) fn constant(&self, name: &str) -> Traced<Option<&'c Constant>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Tensor(v)) => Ok(Some(v)),
            Some(other) => Ok(self.mistyped(name, other, "a tensor")?),
        }
    }

    /// An attribute that names an element type.
    pub(crate) fn dtype_attribute(&self, name: &str) -> Traced<Option<DType>> {
        match self.int(name)? {
            None => Ok(None),
            Some(code) => match crate::read::dtype(i32::try_from(code).unwrap_or(-1)) {
                Ok(dtype) => Ok(Some(dtype)),
                Err(why) => {
                    Err(Error::unsupported(format!("attribute '{name}' asks for {why}")).into())
                }
            },
        }
    }

    /// An axis counted from either end of `rank` axes.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Traced<usize> {
        let n = rank as i64;
        if (-n..n).contains(&axis) {
            return Ok(axis.rem_euclid(n) as usize);
        }
        Err(Error::model(format!("axis {axis} is out of range for {rank} axes")).into())
    }

    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Traced<Vec<usize>> {
        let mut all = axes
            .iter()
            .map(|&a| self.axis(a, rank))
            .collect::<Traced<Vec<_>>>()?;
        all.sort_unstable();
        if let Some([axis, _]) = all.array_windows().find(|[a, b]| a == b) {
            return Err(Error::model(format!("axis {axis} is given twice")).into());
        }
        Ok(all)
    }

    pub(crate) fn unsupported<T>(&self, why: impl Into<String>) -> Traced<T> {
        Err(Error::unsupported(why).into())
    }

    pub(crate) fn wrong<T>(&self, why: impl Into<String>) -> Traced<T> {
        Err(Error::model(why).into())
    }
}

/// A tensor's elements, computed if need be.
pub(crate) fn read_back(tensor: &Tensor) -> Result<Host> {
    let value = tensor.host_value()?;
    let start = value.layout.offset * value.dtype.size();
    let bytes = value.host_bytes().unwrap_or_default();
    let bytes = &bytes[start..start + tensor.len() * value.dtype.size()];
    Host::from_bytes(value.dtype, tensor.shape(), bytes).ok_or_else(|| {
        Error::unsupported(format!(
            "{} elements of {} decide a shape",
            tensor.len(),
            value.dtype
        ))
    })
}
