//! Reading and writing by index.

use super::{Builder, Sample, sample};
use crate::ops::composed::make::{OneHot, one_hot};
use crate::ops::composed::{embedding, indexing};
use crate::ops::{gather as g, inputs, tfidf};
use crate::{Attrs, DType, Result, Tensor, params};

params! {
    pub struct Dim { dim: i64 = 0 }
}

params! {
    pub struct Reduced { dim: i64 = 0, reduce: String = "sum".to_owned() }
}

type Read = fn(&Tensor, &Tensor, i64) -> Result<Tensor>;
type Formed = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;
type Write = fn(&Tensor, &Tensor, &Tensor, i64) -> Result<Tensor>;

pub(super) fn entries(b: &mut Builder) {
    const READS: [(&str, Read); 2] = [("take", g::take), ("gather", g::gather)];
    const WRITES: [(&str, Write); 4] = [
        ("scatter_add", g::scatter_add),
        ("scatter", g::scatter),
        ("index_add", g::index_add),
        ("index_put", g::index_put),
    ];
    for (name, read) in READS {
        let index: &[usize] = if name == "take" { &[2] } else { &[2, 4] };
        let sample = sample(&[&[3, 4], index]).typed(1, DType::I64);
        b.composed(name, sample, move |name, xs, attrs| {
            let [x, index] = inputs(name, xs)?;
            Ok(vec![read(&x, &index, Dim::from_attrs(name, attrs)?.dim)?])
        });
    }
    for (name, write) in WRITES {
        let index: &[usize] = if name.starts_with("index") {
            &[2]
        } else {
            &[2, 4]
        };
        let sample = sample(&[&[3, 4], index, &[2, 4]]).typed(1, DType::I64);
        b.composed(name, sample, move |name, xs, attrs| {
            let [x, index, source] = inputs(name, xs)?;
            let dim = Dim::from_attrs(name, attrs)?.dim;
            Ok(vec![write(&x, &index, &source, dim)?])
        });
    }
    b.composed(
        "scatter_reduce",
        sample(&[&[3, 4], &[2, 4], &[2, 4]])
            .typed(1, DType::I64)
            .with("reduce", "amax"),
        |name, xs, attrs| {
            let [x, index, source] = inputs(name, xs)?;
            let form = Reduced::from_attrs(name, attrs)?;
            let y = g::scatter_reduce(&x, &index, &source, form.dim, &form.reduce)?;
            Ok(vec![y])
        },
    );
    let formed: [(&str, Sample, Formed); 5] = [
        (
            "embedding",
            sample(&[&[2], &[3, 4]]).typed(0, DType::I64),
            embedding::embedding,
        ),
        (
            "embedding_bag",
            sample(&[&[2, 2], &[3, 4]]).typed(0, DType::I64),
            embedding::embedding_bag,
        ),
        (
            "gather_nd",
            sample(&[&[3, 4], &[2, 1]]).typed(1, DType::I64),
            indexing::gather_nd,
        ),
        (
            "scatter_nd",
            sample(&[&[3, 4], &[2, 1], &[2, 4]]).typed(1, DType::I64),
            indexing::scatter_nd,
        ),
        (
            "reverse_sequence",
            sample(&[&[3, 2], &[2]]).typed(1, DType::I64),
            indexing::reverse_sequence,
        ),
    ];
    for (name, sample, record) in formed {
        b.composed(name, sample, move |name, xs, attrs| {
            Ok(vec![record(name, xs, attrs)?])
        });
    }
    b.composed(
        "one_hot",
        sample(&[&[4]])
            .typed(0, DType::I64)
            .with("num_classes", 3i64),
        |name, xs, attrs| {
            let [index] = inputs(name, xs)?;
            Ok(vec![one_hot(&index, &OneHot::from_attrs(name, attrs)?)?])
        },
    );
    let counted = sample(&[&[2, 5]])
        .typed(0, DType::I64)
        .with("pool", vec![2i64, 3, 2, 3])
        .with("ngram_counts", vec![0i64, 2])
        .with("ngram_indexes", vec![0i64, 1, 2])
        .with("max_gram_length", 2i64);
    b.composed("tfidf", counted, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![tfidf::tfidf(
            &x,
            tfidf::Tfidf::from_attrs(name, attrs)?,
        )?])
    });
}
