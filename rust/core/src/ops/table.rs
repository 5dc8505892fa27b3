//! The names under which ops are recorded.

use super::elementwise::{self as e, cast};
use super::reduce::{Axes, reduce};
use super::{inputs, matmul, views};
use crate::node::record_op;
use crate::op::{Op, OpRef};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::Func;
use lamina_kernels::reduce::Reduce as Kind;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

type Record = dyn Fn(&str, &[Tensor], &Attrs) -> Result<Vec<Tensor>> + Send + Sync;

/// Inputs on which `lamina ops` tries an op: shapes, and dtypes where they
/// are not the probed one.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub inputs: Vec<(Vec<usize>, Option<DType>)>,
    pub attrs: Attrs,
}

/// A named op.
pub struct Entry {
    name: String,
    record: Box<Record>,
    pub sample: Sample,
}

impl Entry {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn record(&self, inputs: &[Tensor], attrs: &Attrs) -> Result<Vec<Tensor>> {
        (self.record)(&self.name, inputs, attrs)
    }
}

/// The list under construction: one line an op.
#[derive(Default)]
pub struct Builder {
    entries: Vec<Entry>,
}

impl Builder {
    /// An op that is recorded as it is, from its parameters.
    pub fn op<O: Op>(&mut self, name: &str, sample: Sample, from: fn(&str, &Attrs) -> Result<O>) {
        self.composed(name, sample, move |name, inputs, attrs| {
            record_op(&OpRef::new(from(name, attrs)?), inputs)
        });
    }

    /// A function that records one or more ops.
    pub fn composed(
        &mut self,
        name: &str,
        sample: Sample,
        record: impl Fn(&str, &[Tensor], &Attrs) -> Result<Vec<Tensor>> + Send + Sync + 'static,
    ) {
        self.entries.push(Entry {
            name: name.to_owned(),
            record: Box::new(record),
            sample,
        });
    }
}

/// Inputs of the probed dtype.
pub fn sample(shapes: &[&[usize]]) -> Sample {
    Sample {
        inputs: shapes.iter().map(|s| (s.to_vec(), None)).collect(),
        attrs: Attrs::new(),
    }
}

impl Sample {
    #[must_use]
    pub fn with(mut self, name: &str, value: impl crate::attrs::ToAttr) -> Self {
        self.attrs = self.attrs.with(name, value);
        self
    }

    /// Input `index` always has this dtype.
    #[must_use]
    pub fn typed(mut self, index: usize, dtype: DType) -> Self {
        if let Some(input) = self.inputs.get_mut(index) {
            input.1 = Some(dtype);
        }
        self
    }
}

static TABLE: LazyLock<RwLock<HashMap<String, Arc<Entry>>>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    elementwise_entries(&mut builder);
    view_entries(&mut builder);
    reduce_entries(&mut builder);
    builder.composed("matmul", sample(&[&[4, 8], &[8, 4]]), |name, xs, attrs| {
        matmul::Matmul::from_attrs(name, attrs)?;
        let [a, b] = inputs(name, xs)?;
        Ok(vec![matmul::matmul(&a, &b)?])
    });
    builder.op("copy", sample(&[&[4, 4]]), super::copy::Copy::from_attrs);
    RwLock::new(
        builder
            .entries
            .into_iter()
            .map(|e| (e.name.clone(), Arc::new(e)))
            .collect(),
    )
});

pub fn find(name: &str) -> Result<Arc<Entry>> {
    TABLE.read().get(name).cloned().ok_or_else(|| {
        Error::unsupported(format!(
            "op '{name}' is unknown; `lamina ops` lists what there is"
        ))
    })
}

/// All entries by name.
pub fn entries() -> Vec<Arc<Entry>> {
    let mut all: Vec<Arc<Entry>> = TABLE.read().values().cloned().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Adds an op defined at run time (a plugin's), named `namespace.name`.
pub fn register(name: &str, op: Arc<dyn Op>) -> Result<()> {
    if !name.contains('.') {
        return Err(Error::argument(format!(
            "op '{name}': a plugin's op is named 'namespace.name'"
        )));
    }
    let op = OpRef::from_arc(op);
    let entry = Entry {
        name: name.to_owned(),
        record: Box::new(move |name, inputs, attrs| {
            crate::attrs::check_names(name, attrs, &[])?;
            record_op(&op, inputs)
        }),
        sample: Sample::default(),
    };
    let mut table = TABLE.write();
    if table.contains_key(name) {
        return Err(Error::argument(format!(
            "op '{name}' is already registered"
        )));
    }
    table.insert(name.to_owned(), Arc::new(entry));
    Ok(())
}

params! {
    pub struct NoParams {}
}

params! {
    pub struct Slope { negative_slope: f64 = 0.01 }
}

params! {
    pub struct Bounds { min: Option<f64> = None, max: Option<f64> = None }
}

params! {
    pub struct Rounding { rounding_mode: Option<String> = None }
}

params! {
    pub struct Exponent { exponent: f64 }
}

params! {
    pub struct To { dtype: DType }
}

fn elementwise_entries(b: &mut Builder) {
    const BINARY: &[Func] = &[
        Func::Add,
        Func::Sub,
        Func::Mul,
        Func::FloorDiv,
        Func::Remainder,
        Func::Fmod,
        Func::Maximum,
        Func::Minimum,
        Func::Eq,
        Func::Ne,
        Func::Lt,
        Func::Le,
        Func::Gt,
        Func::Ge,
        Func::And,
        Func::Or,
        Func::Xor,
    ];
    const UNARY: &[Func] = &[
        Func::Not,
        Func::Neg,
        Func::Abs,
        Func::Sign,
        Func::Floor,
        Func::Ceil,
        Func::Round,
        Func::Reciprocal,
        Func::Square,
        Func::Sqrt,
        Func::Rsqrt,
        Func::Exp,
        Func::Log,
        Func::Sin,
        Func::Cos,
        Func::Tanh,
        Func::Sigmoid,
        Func::Erf,
        Func::Relu,
        Func::IsNan,
    ];
    for &func in BINARY {
        b.composed(
            e::name_of(func),
            sample(&[&[4], &[4]]),
            move |name, xs, attrs| {
                NoParams::from_attrs(name, attrs)?;
                let [x, y] = inputs(name, xs)?;
                Ok(vec![e::binary(func, &x, &y)?])
            },
        );
    }
    for &func in UNARY {
        b.composed(e::name_of(func), sample(&[&[4]]), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            Ok(vec![e::unary(func, &x)?])
        });
    }
    b.composed("div", sample(&[&[4], &[4]]), |name, xs, attrs| {
        let [x, y] = inputs(name, xs)?;
        let mode = Rounding::from_attrs(name, attrs)?.rounding_mode;
        Ok(vec![match mode.as_deref() {
            None => e::div(&x, &y)?,
            Some("trunc") => e::div_trunc(&x, &y)?,
            Some("floor") => e::binary(Func::FloorDiv, &x, &y)?,
            Some(other) => {
                return Err(Error::argument(format!(
                    "div: rounding_mode='{other}' is not None, 'trunc' or 'floor'"
                )));
            }
        }])
    });
    b.composed("pow", sample(&[&[4], &[4]]), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        let [x, y] = inputs(name, xs)?;
        Ok(vec![e::pow(&x, &y)?])
    });
    b.composed(
        "pow_const",
        sample(&[&[4]]).with("exponent", 3.0),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![e::pow_const(
                &x,
                Exponent::from_attrs(name, attrs)?.exponent,
            )?])
        },
    );
    b.composed("leaky_relu", sample(&[&[4]]), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        let slope = Slope::from_attrs(name, attrs)?.negative_slope;
        Ok(vec![e::unary(Func::LeakyRelu { slope }, &x)?])
    });
    b.composed(
        "clip",
        sample(&[&[4]]).with("min", 0.0),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let bounds = Bounds::from_attrs(name, attrs)?;
            let (lo, hi) = (
                bounds.min.unwrap_or(f64::NEG_INFINITY),
                bounds.max.unwrap_or(f64::INFINITY),
            );
            Ok(vec![e::unary(Func::Clip { lo, hi }, &x)?])
        },
    );
    b.composed(
        "where",
        sample(&[&[4], &[4], &[4]]).typed(0, DType::Bool),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [condition, x, y] = inputs(name, xs)?;
            Ok(vec![e::select(&condition, &x, &y)?])
        },
    );
    b.composed(
        "cast",
        sample(&[&[4]]).with("dtype", DType::F32),
        |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![cast(&x, To::from_attrs(name, attrs)?.dtype)?])
        },
    );
}

fn view_entries(b: &mut Builder) {
    let x = || sample(&[&[2, 3, 4]]);
    b.op(
        "reshape",
        x().with("shape", vec![6i64, 4]),
        views::Reshape::from_attrs,
    );
    b.op("flatten", x(), views::Flatten::from_attrs);
    b.op("permute", x(), views::Permute::from_attrs);
    b.op(
        "expand",
        x().with("shape", vec![5i64, 2, 3, 4]),
        views::Expand::from_attrs,
    );
    b.op(
        "slice",
        x().with("starts", vec![1i64]).with("ends", vec![2i64]),
        views::Slice::from_attrs,
    );
    b.op("squeeze", sample(&[&[2, 1, 4]]), views::Squeeze::from_attrs);
    b.op(
        "unsqueeze",
        x().with("dim", vec![0i64]),
        views::Unsqueeze::from_attrs,
    );
    b.op("detach", x(), views::Detach::from_attrs);
}

fn reduce_entries(b: &mut Builder) {
    for (name, kind) in [
        ("sum", Kind::Sum),
        ("mean", Kind::Mean),
        ("prod", Kind::Prod),
        ("max", Kind::Max),
        ("min", Kind::Min),
    ] {
        b.composed(name, sample(&[&[2, 3, 4]]), move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![reduce(kind, &x, Axes::from_attrs(name, attrs)?)?])
        });
    }
}
