//! The ops that handlers are written in.  Each folds where all of its
//! operands are small constants, and records otherwise.

use super::{Call, Stop, Traced, Value};
use crate::host::{self, Host};
use lamina_core::{Attrs, DType, Device, Error, Tensor, record};

impl Call<'_, '_> {
    /// Records the op called `name`.
    pub(crate) fn record(
        &self,
        name: &str,
        inputs: &[&Value],
        attrs: &Attrs,
    ) -> Traced<Vec<Value>> {
        let mut tensors = inputs
            .iter()
            .map(|v| self.tensor(v))
            .collect::<Traced<Vec<Tensor>>>()?;
        let device = self.tracer.device;
        if device != Device::Cpu && tensors.iter().all(|t| t.device() == Device::Cpu) {
            // Only 0-d constants: the result belongs on the model's device.
            tensors = tensors
                .iter()
                .map(|t| t.belonging_to(device))
                .collect::<lamina_core::Result<_>>()?;
        }
        Ok(record(name, &tensors, attrs)?
            .into_iter()
            .map(Value::Tensor)
            .collect())
    }

    /// As [`Call::record`], for ops with one result.
    // Every caller builds its parameters on the spot.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn record_one(&self, name: &str, inputs: &[&Value], attrs: Attrs) -> Traced<Value> {
        let mut outputs = self.record(name, inputs, &attrs)?;
        outputs.truncate(1);
        outputs
            .pop()
            .ok_or_else(|| Error::internal(format!("{name} has no output")).into())
    }

    // ---- constants

    /// A number beside `like`, in its dtype.
    pub(crate) fn number(&self, like: &Value, number: f64) -> Traced<Value> {
        Ok(Host::scalar(self.dtype(like)?, number).into())
    }

    pub(crate) fn full(&self, dtype: DType, shape: &[usize], number: f64) -> Traced<Value> {
        if host::fits(shape) && dtype != DType::U64 && !dtype.is_stored() {
            return Ok(Host::full(dtype, shape, number).into());
        }
        Ok(Tensor::full(shape, number, dtype, self.tracer.device)?.into())
    }

    // ---- elementwise

    pub(crate) fn unary(&self, name: &str, x: &Value) -> Traced<Value> {
        if let Some(folded) = x.host().and_then(|h| host::unary(name, h)) {
            return Ok(folded.into());
        }
        self.record_one(name, &[x], Attrs::new())
    }

    /// Both operands have one dtype, as ONNX demands.
    pub(crate) fn binary(&self, name: &str, a: &Value, b: &Value) -> Traced<Value> {
        let (da, db) = (self.dtype(a)?, self.dtype(b)?);
        if da != db {
            return self.wrong(format!(
                "operands have element types {da} and {db}, which must be equal"
            ));
        }
        if let (Some(x), Some(y)) = (a.host(), b.host())
            && let Some(folded) = host::binary(name, x, y)
        {
            return Ok(folded.into());
        }
        match name {
            "div_trunc" => {
                self.record_one("div", &[a, b], Attrs::new().with("rounding_mode", "trunc"))
            }
            _ => self.record_one(name, &[a, b], Attrs::new()),
        }
    }

    /// `name(x, number)`, the number in x's dtype.
    pub(crate) fn with_number(&self, name: &str, x: &Value, number: f64) -> Traced<Value> {
        self.binary(name, x, &self.number(x, number)?)
    }

    pub(crate) fn add(&self, a: &Value, b: &Value) -> Traced<Value> {
        self.binary("add", a, b)
    }

    pub(crate) fn sub(&self, a: &Value, b: &Value) -> Traced<Value> {
        self.binary("sub", a, b)
    }

    pub(crate) fn mul(&self, a: &Value, b: &Value) -> Traced<Value> {
        self.binary("mul", a, b)
    }

    pub(crate) fn div(&self, a: &Value, b: &Value) -> Traced<Value> {
        self.binary("div", a, b)
    }

    pub(crate) fn select(&self, condition: &Value, a: &Value, b: &Value) -> Traced<Value> {
        let (da, db) = (self.dtype(a)?, self.dtype(b)?);
        if da != db {
            return self.wrong(format!(
                "operands have element types {da} and {db}, which must be equal"
            ));
        }
        if let (Some(c), Some(x), Some(y)) = (condition.host(), a.host(), b.host())
            && let Some(folded) = host::select(c, x, y)
        {
            return Ok(folded.into());
        }
        self.record_one("where", &[condition, a, b], Attrs::new())
    }

    pub(crate) fn cast(&self, x: &Value, dtype: DType) -> Traced<Value> {
        if self.dtype(x)? == dtype {
            return Ok(x.clone());
        }
        if let Some(folded) = x.host().and_then(|h| host::cast(h, dtype)) {
            return Ok(folded.into());
        }
        self.record_one("cast", &[x], Attrs::new().with("dtype", dtype))
    }

    // ---- shape

    /// To a shape whose sizes are all given.
    pub(crate) fn reshape(&self, x: &Value, shape: &[usize]) -> Traced<Value> {
        let old = self.shape(x)?;
        if old == shape {
            return Ok(x.clone());
        }
        if let Some(folded) = x.host().and_then(|h| h.reshape(shape)) {
            return Ok(folded.into());
        }
        let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        self.record_one("reshape", &[x], Attrs::new().with("shape", shape))
    }

    pub(crate) fn unsqueeze(&self, x: &Value, axes: &[usize]) -> Traced<Value> {
        let old = self.shape(x)?;
        let mut rest = old.iter().copied();
        let rank = old.len() + axes.len();
        let shape: Vec<usize> = (0..rank)
            .map(|i| {
                if axes.contains(&i) {
                    1
                } else {
                    rest.next().unwrap_or(1)
                }
            })
            .collect();
        self.reshape(x, &shape)
    }

    pub(crate) fn transpose(&self, x: &Value, order: &[usize]) -> Traced<Value> {
        if order.iter().enumerate().all(|(i, &o)| i == o) {
            return Ok(x.clone());
        }
        if let Some(h) = x.host() {
            return Ok(h.transpose(order).into());
        }
        let dims: Vec<i64> = order.iter().map(|&i| i as i64).collect();
        self.record_one("permute", &[x], Attrs::new().with("dims", dims))
    }

    /// Broadcast to `shape`, which x must fit.
    pub(crate) fn expand(&self, x: &Value, shape: &[usize]) -> Traced<Value> {
        if self.shape(x)? == shape {
            return Ok(x.clone());
        }
        if let Some(folded) = x.host().and_then(|h| h.expand(shape)) {
            return Ok(folded.into());
        }
        let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        self.record_one("expand", &[x], Attrs::new().with("shape", shape))
    }

    /// Python's `x[start:end:step]` along each of `axes`.
    pub(crate) fn slice(
        &self,
        x: &Value,
        axes: &[usize],
        starts: &[i64],
        ends: &[i64],
        steps: &[i64],
    ) -> Traced<Value> {
        if let Some(h) = x.host() {
            let mut cut = Some(h.clone());
            for (i, &axis) in axes.iter().enumerate() {
                cut = cut.and_then(|h| h.slice(axis, starts[i], ends[i], steps[i]));
            }
            if let Some(folded) = cut {
                return Ok(folded.into());
            }
        }
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64).collect();
        let attrs = Attrs::new()
            .with("starts", starts.to_vec())
            .with("ends", ends.to_vec())
            .with("axes", axes)
            .with("steps", steps.to_vec());
        self.record_one("slice", &[x], attrs)
    }

    /// Elements `start` to `end` of one axis.
    pub(crate) fn narrow(&self, x: &Value, axis: usize, start: usize, end: usize) -> Traced<Value> {
        self.slice(x, &[axis], &[start as i64], &[end as i64], &[1])
    }

    /// The elements of one axis in reverse.
    pub(crate) fn flip(&self, x: &Value, axis: usize) -> Traced<Value> {
        self.slice(x, &[axis], &[-1], &[i64::MIN], &[-1])
    }

    pub(crate) fn concat(&self, parts: &[Value], axis: usize) -> Traced<Value> {
        if let [one] = parts {
            return Ok(one.clone());
        }
        let hosts: Option<Vec<&Host>> = parts.iter().map(Value::host).collect();
        if let Some(folded) = hosts.and_then(|h| Host::concat(&h, axis)) {
            return Ok(folded.into());
        }
        let refs: Vec<&Value> = parts.iter().collect();
        self.record_one("concat", &refs, Attrs::new().with("dim", axis))
    }

    /// Elements `indices` along `axis`, which becomes the axes of `indices`.
    pub(crate) fn take(&self, x: &Value, indices: &Value, axis: usize) -> Traced<Value> {
        if let (Some(h), Some(i)) = (x.host(), indices.host())
            && let Some(folded) = h.gather(i, axis)
        {
            return Ok(folded.into());
        }
        self.record_one("take", &[x, indices], Attrs::new().with("dim", axis))
    }

    pub(crate) fn matmul(&self, a: &Value, b: &Value) -> Traced<Value> {
        self.record_one("matmul", &[a, b], Attrs::new())
    }

    /// `sum`, `mean`, `prod`, `max` or `min` over `axes`.
    pub(crate) fn reduce(
        &self,
        name: &str,
        x: &Value,
        axes: &[usize],
        keep: bool,
    ) -> Traced<Value> {
        if axes.is_empty() {
            return Ok(x.clone());
        }
        if let Some(folded) = x.host().and_then(|h| h.reduce(name, axes, keep)) {
            return Ok(folded.into());
        }
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64).collect();
        self.record_one(
            name,
            &[x],
            Attrs::new().with("dim", axes).with("keepdim", keep),
        )
    }

    /// The sizes of x, as far as they are known.
    pub(crate) fn dims<const N: usize>(&self, x: &Value, what: &str) -> Traced<[usize; N]> {
        let shape = self.shape(x)?;
        <[usize; N]>::try_from(shape.clone()).map_err(|_| {
            Stop::Error(Error::model(format!(
                "{what} has shape {shape:?}, wanted {N} axes"
            )))
        })
    }
}
