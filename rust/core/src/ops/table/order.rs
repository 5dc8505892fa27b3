//! Orders, running sums, and what depends on the data.

use super::{Builder, NoParams, sample};
use crate::ops::composed::data_dependent::{Compress, Nms, compress, nms, nonzero};
use crate::ops::composed::unique::{Unique, unique};
use crate::ops::{argmax, cumulative, inputs, sort};

pub(super) fn entries(b: &mut Builder) {
    let x = || sample(&[&[2, 5]]);
    for (name, largest) in [("argmax", true), ("argmin", false)] {
        b.composed(name, x().with("dim", 1i64), move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let form = argmax::Arg::from_attrs(name, attrs)?;
            Ok(vec![argmax::arg_extreme(largest, &x, &form)?])
        });
    }
    b.composed("sort", x(), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        sort::sort(&x, &sort::Sort::from_attrs(name, attrs)?)
    });
    b.composed("topk", x().with("k", 2i64), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        sort::topk(&x, &sort::Topk::from_attrs(name, attrs)?)
    });
    for name in ["cumsum", "cumprod"] {
        b.composed(name, x().with("dim", 1i64), |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let form = cumulative::Running::from_attrs(name, attrs)?;
            Ok(vec![cumulative::cumulative(name, &x, form)?])
        });
    }
    b.composed("nms", super::Sample::default(), |name, xs, attrs| {
        Ok(vec![nms(xs, &Nms::from_attrs(name, attrs)?)?])
    });
    b.composed("nonzero", super::Sample::default(), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        let [x] = inputs(name, xs)?;
        Ok(vec![nonzero(&x)?])
    });
    let some = super::Sample::default;
    b.composed("compress", some(), |name, xs, attrs| {
        let [x, condition] = inputs(name, xs)?;
        let form = Compress::from_attrs(name, attrs)?;
        Ok(vec![compress(name, &x, &condition, &form)?])
    });
    b.composed("unique", super::Sample::default(), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        unique(name, &x, &Unique::from_attrs(name, attrs)?)
    });
}
