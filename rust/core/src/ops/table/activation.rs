//! Activations: elementwise functions with parameters, and short formulas of them.

use super::{Builder, NoParams, sample};
use crate::ops::composed::activation as a;
use crate::{Attrs, Result, Tensor};

type Plain = fn(&str, &[Tensor]) -> Result<Tensor>;
type Formed = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;

const PLAIN: &[(&str, Plain)] = &[
    ("silu", a::silu),
    ("hardswish", a::hardswish),
    ("logsigmoid", a::logsigmoid),
    ("relu6", a::relu6),
    ("tanhshrink", a::tanhshrink),
    ("isinf", a::isinf),
    ("isfinite", a::isfinite),
];

const FORMED: &[(&str, Formed)] = &[
    ("leaky_relu", a::leaky_relu),
    ("elu", a::elu),
    ("celu", a::celu),
    ("selu", a::selu),
    ("gelu", a::gelu),
    ("hardsigmoid", a::hardsigmoid),
    ("hardtanh", a::hardtanh),
    ("softplus", a::softplus),
    ("softmin", a::softmin),
    ("glu", a::glu),
    ("hardshrink", a::hardshrink),
    ("softshrink", a::softshrink),
    ("threshold", a::threshold),
];

pub(super) fn entries(b: &mut Builder) {
    for &(name, record) in PLAIN {
        b.composed(name, sample(&[&[4]]), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            Ok(vec![record(name, xs)?])
        });
    }
    for &(name, record) in FORMED {
        b.composed(name, sample(&[&[4]]), move |name, xs, attrs| {
            Ok(vec![record(name, xs, attrs)?])
        });
    }
    b.composed("prelu", sample(&[&[4], &[4]]), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        Ok(vec![a::prelu(name, xs)?])
    });
}
