//! Reductions.

use super::{Builder, sample};
use crate::ops::composed::reduce as composed;
use crate::ops::inputs;
use crate::ops::reduce::{Axes, reduce};
use crate::ops::softmax::Softmax;
use crate::{Attrs, Result, Tensor};
use lamina_kernels::reduce::Reduction as Kind;

type Formula = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;

pub(super) fn entries(b: &mut Builder) {
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
    for (name, formula) in [
        ("var", composed::variance as Formula),
        ("std", composed::variance),
        ("logsumexp", composed::logsumexp),
        ("norm", composed::norm),
    ] {
        b.composed(name, sample(&[&[2, 3, 4]]), move |name, xs, attrs| {
            Ok(vec![formula(name, xs, attrs)?])
        });
    }
    b.op("softmax", sample(&[&[2, 3, 4]]), Softmax::from_attrs);
    b.op("log_softmax", sample(&[&[2, 3, 4]]), Softmax::from_attrs);
}
