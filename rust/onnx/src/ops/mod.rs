//! The operator table: what a model may contain, one line an operator.

mod activation;
mod control;
mod convolution;
mod elementwise;
mod gather;
mod grid;
mod language;
mod legacy;
mod loss;
mod make;
mod move_;
mod normalize;
mod pool;
mod product;
mod quantize;
mod random;
mod reduce;
mod resize;
mod select;
mod sequence;
mod shape;
mod spectrum;
mod training;

pub(crate) use make::constant_value;

use crate::ir::Node;
use crate::read::NEWEST;
use crate::trace::{Call, Traced, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) type Handler = fn(&mut Call<'_, '_>) -> Traced<Vec<Value>>;

/// One operator.
pub(crate) struct Entry {
    pub(crate) domain: &'static str,
    pub(crate) name: &'static str,
    /// The first operator set in which it means what its handler does.
    pub(crate) since: i64,
    pub(crate) handler: Handler,
    /// Its result's shape depends on the values of its inputs, or it differs from run to run.
    pub(crate) eager: bool,
}

/// A family of operators: (name, first operator set, handler).
type Family = &'static [(&'static str, i64, Handler)];

const FAMILIES: &[Family] = &[
    activation::FAMILY,
    control::FAMILY,
    convolution::FAMILY,
    elementwise::FAMILY,
    gather::FAMILY,
    grid::FAMILY,
    language::FAMILY,
    legacy::FAMILY,
    loss::FAMILY,
    make::FAMILY,
    move_::FAMILY,
    normalize::FAMILY,
    pool::FAMILY,
    product::FAMILY,
    quantize::FAMILY,
    random::FAMILY,
    reduce::FAMILY,
    resize::FAMILY,
    select::FAMILY,
    sequence::FAMILY,
    shape::FAMILY,
    spectrum::FAMILY,
];

/// Operators whose result's shape depends on data, or which differ from run to run.
const EAGER: &[&str] = &[
    "Bernoulli",
    "Dropout",
    "NonMaxSuppression",
    "NonZero",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Unique",
];

static TABLE: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    FAMILIES
        .iter()
        .map(|&family| ("", family))
        .chain([(training::DOMAIN, training::FAMILY)])
        .flat_map(|(domain, family)| family.iter().map(move |line| (domain, line)))
        .map(|(domain, &(name, since, handler))| {
            (
                name,
                Entry {
                    domain,
                    name,
                    since,
                    handler,
                    eager: EAGER.contains(&name),
                },
            )
        })
        .collect()
});

pub(crate) fn find(node: &Node) -> Option<&'static Entry> {
    TABLE
        .get(node.op_type.as_str())
        .filter(|e| e.domain == node.domain && node.version >= e.since)
}

/// Why [`find`] finds nothing.
pub(crate) fn why_missing(node: &Node) -> String {
    if let Some(entry) = TABLE
        .get(node.op_type.as_str())
        .filter(|e| e.domain == node.domain)
    {
        return format!(
            "operator set {} is older than {}, the oldest supported",
            node.version, entry.since
        );
    }
    if NEWEST.iter().any(|(domain, _)| *domain == node.domain) {
        "no such operator here".to_owned()
    } else {
        format!(
            "operators of domain '{}' are not known here and the model brings no function of that name",
            node.domain
        )
    }
}

/// Every operator that can be read: name and first operator set.
pub fn operators() -> Vec<(&'static str, i64)> {
    let mut all: Vec<(&'static str, i64)> = TABLE.values().map(|e| (e.name, e.since)).collect();
    all.sort_unstable();
    all
}
