//! Rows of integers to weighed counts of known n-grams (ONNX's
//! TfIdfVectorizer).

use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
    want_dtype,
};
use crate::ops::elementwise::cast;
use crate::{Attrs, DType, Error, Result, Tensor, params};
use lamina_kernels::tfidf::{Grams, Weighing, tfidf as kernel};
use std::sync::Arc;

params! {
    /// `pool`: all 1-grams one after the other, then all 2-grams, ..;
    /// `ngram_counts`: where each of these begins; `ngram_indexes`: the column
    /// of each n-gram; `weights`: of each n-gram, in the pool's order.
    pub struct Tfidf {
        pool: Vec<i64>,
        ngram_counts: Vec<usize>,
        ngram_indexes: Vec<usize>,
        weights: Vec<f64> = Vec::new(),
        mode: String = "TF".to_owned(),
        min_gram_length: usize = 1,
        max_gram_length: usize = 1,
        max_skip_count: usize = 0,
    }
}

const NAME: &str = "tfidf";

impl Tfidf {
    fn weighing(&self) -> Result<(Weighing, bool)> {
        match self.mode.as_str() {
            "TF" => Ok((Weighing::Count, false)),
            "IDF" => Ok((Weighing::Presence, true)),
            "TFIDF" => Ok((Weighing::Count, true)),
            other => Err(Error::argument(format!(
                "{NAME}: mode='{other}' is not 'TF', 'IDF' or 'TFIDF'"
            ))),
        }
    }

    fn columns(&self) -> Result<usize> {
        let Some(&last) = self.ngram_indexes.iter().max() else {
            return Err(Error::argument(format!(
                "{NAME}: ngram_indexes is empty; wanted a column for each n-gram"
            )));
        };
        let (weights, grams) = (self.weights.len(), self.ngram_indexes.len());
        if weights > 0 && weights != grams {
            return Err(Error::argument(format!(
                "{NAME}: {weights} weights are given for {grams} n-grams; wanted one for each n-gram"
            )));
        }
        Ok(last.saturating_add(1))
    }

    /// The n-grams of the pool with their columns.
    fn grams(&self) -> Result<Grams> {
        let (shortest, longest) = (self.min_gram_length, self.max_gram_length);
        if shortest == 0 || shortest > longest {
            return Err(Error::argument(format!(
                "{NAME}: min_gram_length={shortest}, max_gram_length={longest}; wanted 1 <= min <= max"
            )));
        }
        let mut grams = Grams::new(shortest, longest, self.max_skip_count);
        let mut columns = self.ngram_indexes.iter();
        let ends = self.ngram_counts.iter().skip(1).copied();
        let ends = ends.chain([self.pool.len()]);
        for (at, (&start, end)) in self.ngram_counts.iter().zip(ends).enumerate() {
            let size = at + 1;
            let part = self.pool.get(start..end);
            let Some(part) = part.filter(|part| part.len().is_multiple_of(size)) else {
                return Err(Error::argument(format!(
                    "{NAME}: ngram_counts={:?} puts the {size}-grams from {start} to {end} of a pool of {}; wanted rising numbers, each part whole {size}-grams",
                    self.ngram_counts,
                    self.pool.len()
                )));
            };
            for gram in part.chunks_exact(size) {
                let Some(&column) = columns.next() else {
                    return Err(self.wrong_count());
                };
                grams.insert(gram, column);
            }
        }
        if columns.next().is_some() {
            return Err(self.wrong_count());
        }
        Ok(grams)
    }

    fn wrong_count(&self) -> Error {
        Error::argument(format!(
            "{NAME}: {} ngram_indexes do not fit the n-grams of the pool; wanted one for each",
            self.ngram_indexes.len()
        ))
    }
}

#[derive(Clone, Debug)]
struct Counted {
    form: Tfidf,
    grams: Arc<Grams>,
}

impl Op for Counted {
    fn name(&self) -> &str {
        NAME
    }

    fn params(&self) -> Attrs {
        self.form.to_attrs()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        want_dtype(NAME, "x", x.dtype, &[DType::I64])?;
        let columns = self.form.columns()?;
        let shape = match *x.shape {
            [] | [_] => vec![columns],
            [rows, _] => vec![rows, columns],
            _ => {
                return Err(Error::shape(format!(
                    "{NAME}: x has shape {:?}, wanted (length) or (rows, length)",
                    x.shape
                )));
            }
        };
        let size = shape.iter().try_fold(4usize, |n, &m| n.checked_mul(m));
        crate::memory::check_budget(size.unwrap_or(usize::MAX)).map_err(|e| e.within(NAME))?;
        Ok(vec![Meta::new(DType::F32, shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("its input is integers")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let (weighing, weighed) = self.form.weighing()?;
        let columns = self.form.columns()?;
        let mut weights = Vec::new();
        if weighed && !self.form.weights.is_empty() {
            weights.resize(columns, 1.0);
            for (&column, &weight) in self.form.ngram_indexes.iter().zip(&self.form.weights) {
                weights[column] = weight as f32;
            }
        }
        let length = call.shape(0).last().copied().unwrap_or(1);
        let x = call.slice::<i64>(0)?;
        let out = call.out::<f32>(0)?;
        kernel(&self.grams, x, length, weighing, &weights, columns, out);
        Ok(())
    }

    fn gpu(&self, _call: &GpuCall<'_>) -> Result<Lowered> {
        let why = "it walks a tree of n-grams, row by row";
        Ok(Lowered::Unsupported(why.to_owned()))
    }

    fn flops(&self, _inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        0
    }
}

/// (length) or (rows, length) of integers to (columns) or (rows, columns).
pub fn tfidf(x: &Tensor, form: Tfidf) -> Result<Tensor> {
    if !x.dtype().is_int() {
        return Err(Error::dtype(format!(
            "{NAME}: x has dtype {}, wanted integers; cast it first",
            x.dtype()
        )));
    }
    form.weighing()?;
    let grams = Arc::new(form.grams()?);
    let op = OpRef::new(Counted { form, grams });
    record_one(&op, &[cast(x, DType::I64)?])
}
