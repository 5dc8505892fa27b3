//! The names under which ops are recorded; a room for each family.

mod activation;
mod elementwise;
mod index;
mod make;
mod moves;
mod network;
mod optimizer;
mod order;
mod product;
mod quantize;
mod random;
mod reduce;
mod sampling;
mod spectrum;
mod views;
mod window;

use crate::node::record_op;
use crate::op::{Op, OpRef};
use crate::{Attrs, DType, Error, Result, Tensor, params};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

const ROOMS: &[fn(&mut Builder)] = &[
    activation::entries,
    elementwise::entries,
    index::entries,
    make::entries,
    moves::entries,
    network::entries,
    optimizer::entries,
    order::entries,
    product::entries,
    quantize::entries,
    random::entries,
    reduce::entries,
    sampling::entries,
    spectrum::entries,
    views::entries,
    window::entries,
];

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
    for room in ROOMS {
        room(&mut builder);
    }
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
