//! Tensors made from nothing.

use super::{Builder, Sample, sample};
use crate::ops::composed::make::{self, Arange, Eye, Full, Triangle};
use crate::ops::inputs;

pub(super) fn entries(b: &mut Builder) {
    let none = Sample::default;
    b.composed("arange", none().with("end", 4i64), |name, xs, attrs| {
        let [] = inputs(name, xs)?;
        Ok(vec![make::arange(&Arange::from_attrs(name, attrs)?)?])
    });
    for (name, value) in [("full", 0.0), ("zeros", 0.0), ("ones", 1.0)] {
        let shape = none().with("shape", vec![2i64]);
        b.composed(name, shape, move |name, xs, attrs| {
            Ok(vec![make::full(
                name,
                xs,
                &Full::from_attrs(name, attrs)?,
                value,
            )?])
        });
    }
    b.composed("eye", none().with("rows", 3i64), |name, xs, attrs| {
        let [] = inputs(name, xs)?;
        Ok(vec![make::eye(&Eye::from_attrs(name, attrs)?)?])
    });
    for (name, lower) in [("tril", true), ("triu", false)] {
        b.composed(name, sample(&[&[3, 3]]), move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            let diagonal = Triangle::from_attrs(name, attrs)?.diagonal;
            Ok(vec![make::triangle(name, &x, diagonal, lower)?])
        });
    }
}
