//! Ops that put elements elsewhere.

use super::{Builder, Sample, sample};
use crate::ops::composed::shape::{self, flip, select, tile};
use crate::ops::concat::{self, concat, stack};
use crate::ops::{inputs, pad, resize, scatter_slice};
use crate::{Attrs, Result, Tensor, params};

params! {
    pub struct Repeats { repeats: Vec<i64> }
}

params! {
    pub struct Dims { dims: Option<Vec<i64>> = None }
}

params! {
    pub struct Place { dim: i64, index: i64 }
}

type Formed = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;

pub(super) fn entries(b: &mut Builder) {
    let two = || sample(&[&[2, 3], &[2, 3]]);
    let one = || sample(&[&[2, 3]]);
    b.composed("concat", two(), |name, xs, attrs| {
        let dim = concat::Concat::from_attrs(name, attrs)?.dim;
        Ok(vec![concat(xs, dim)?])
    });
    b.composed("stack", two(), |name, xs, attrs| {
        let dim = concat::Concat::from_attrs(name, attrs)?.dim;
        Ok(vec![stack(xs, dim)?])
    });
    let sizes = one().with("sizes", vec![1i64, 2]).with("dim", 1i64);
    b.composed("split", sizes, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        concat::Split::from_attrs(name, attrs)?.split(&x)
    });
    let pads = one().with("pads", vec![1i64, 0, 2, 1]);
    b.composed("pad", pads, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![pad::pad(&x, &pad::Pad::from_attrs(name, attrs)?)?])
    });
    for name in ["tile", "repeat"] {
        let repeats = one().with("repeats", vec![2i64, 1]);
        b.composed(name, repeats, |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![tile(&x, &Repeats::from_attrs(name, attrs)?.repeats)?])
        });
    }
    b.composed("flip", one(), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![flip(
            &x,
            Dims::from_attrs(name, attrs)?.dims.as_deref(),
        )?])
    });
    let pictures = || sample(&[&[1, 4, 2, 2]]);
    let formed: [(&str, Sample, Formed); 4] = [
        (
            "depth_to_space",
            pictures().with("block_size", 2i64),
            shape::depth_to_space,
        ),
        (
            "space_to_depth",
            pictures().with("block_size", 2i64),
            shape::space_to_depth,
        ),
        (
            "channel_shuffle",
            pictures().with("groups", 2i64),
            shape::channel_shuffle,
        ),
        (
            "unflatten",
            pictures().with("dim", 1i64).with("sizes", vec![2i64, -1]),
            shape::unflatten,
        ),
    ];
    for (name, sample, record) in formed {
        b.composed(name, sample, move |name, xs, attrs| {
            Ok(vec![record(name, xs, attrs)?])
        });
    }
    let place = one().with("dim", 0i64).with("index", 1i64);
    b.composed("select", place, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        let Place { dim, index } = Place::from_attrs(name, attrs)?;
        Ok(vec![select(&x, dim, index)?])
    });
    b.op(
        "scatter_slice",
        sample(&[&[2]])
            .with("shape", vec![5i64])
            .with("starts", vec![1i64])
            .with("ends", vec![3i64]),
        scatter_slice::ScatterSlice::from_attrs,
    );
    let size = sample(&[&[1, 2, 3, 4]]).with("size", vec![5i64, 3]);
    b.composed("resize", size.with("mode", "linear"), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![resize::resize(
            &x,
            &resize::Resize::from_attrs(name, attrs)?,
        )?])
    });
}
