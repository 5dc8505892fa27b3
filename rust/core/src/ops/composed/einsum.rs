//! Sums of products in Einstein's notation, as matrix products.

use crate::ops::reduce::sum;
use crate::ops::{elementwise as e, matmul::matmul, views};
use crate::{Attrs, Error, Result, Tensor, params};

params! {
    /// `ij,jk->ik`: a letter for each axis of each operand, `...` for any others.
    pub struct Einsum { equation: String }
}

/// An axis: a letter, or one of those that `...` stands for, counted from the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Rest(std::cmp::Reverse<usize>),
    Letter(char),
}

/// A tensor whose axes have labels.
struct Labelled {
    x: Tensor,
    labels: Vec<Label>,
}

struct Equation<'a> {
    name: &'a str,
    text: &'a str,
}

impl Equation<'_> {
    fn wrong<T>(&self, why: impl std::fmt::Display) -> Result<T> {
        Err(Error::argument(format!(
            "{}: '{}': {why}",
            self.name, self.text
        )))
    }

    /// The labels of a term, where `...` stands for `rest` axes.
    fn labels(&self, term: &str, rest: usize) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        let mut parts = term.split("...");
        let letters = |part: &str, labels: &mut Vec<Label>| {
            for c in part.chars() {
                if !c.is_ascii_alphabetic() {
                    return self.wrong(format!("'{c}' names no axis; wanted letters and '...'"));
                }
                labels.push(Label::Letter(c));
            }
            Ok(())
        };
        letters(parts.next().unwrap_or_default(), &mut labels)?;
        if let Some(after) = parts.next() {
            labels.extend((0..rest).rev().map(|i| Label::Rest(std::cmp::Reverse(i))));
            letters(after, &mut labels)?;
        }
        if parts.next().is_some() {
            return self.wrong(format!("'{term}' has '...' twice"));
        }
        Ok(labels)
    }

    fn operand(&self, term: &str, x: &Tensor) -> Result<Labelled> {
        let named = term.replace("...", "").chars().count();
        let rest = x.rank().checked_sub(named);
        let fits = match rest {
            Some(rest) => rest == 0 || term.contains("..."),
            None => false,
        };
        if !fits {
            return self.wrong(format!(
                "'{term}' does not name the axes of {:?}",
                x.shape()
            ));
        }
        diagonals(Labelled {
            x: x.clone(),
            labels: self.labels(term, rest.unwrap_or(0))?,
        })
    }

    /// The result's labels; by default those that occur once, in order.
    fn output(
        &self,
        arrow: Option<&str>,
        terms: &[Labelled],
        given: &[Vec<Label>],
    ) -> Result<Vec<Label>> {
        let rest = terms
            .iter()
            .flat_map(|t| &t.labels)
            .filter_map(|l| match l {
                Label::Rest(std::cmp::Reverse(i)) => Some(i + 1),
                Label::Letter(_) => None,
            })
            .max()
            .unwrap_or(0);
        let Some(text) = arrow else {
            let all: Vec<Label> = given.iter().flatten().copied().collect();
            let once = |l: &&Label| {
                matches!(l, Label::Rest(_)) || all.iter().filter(|m| m == l).count() == 1
            };
            let mut labels: Vec<Label> = all.iter().filter(once).copied().collect();
            labels.sort_unstable();
            labels.dedup();
            return Ok(labels);
        };
        let labels = self.labels(text, rest)?;
        for (i, label) in labels.iter().enumerate() {
            if labels[..i].contains(label) || !terms.iter().any(|t| t.labels.contains(label)) {
                return self.wrong("an axis of the result is no operand's, or is named twice");
            }
        }
        Ok(labels)
    }
}

/// One axis for those of one label: the elements whose indices there are equal.
fn diagonals(mut t: Labelled) -> Result<Labelled> {
    loop {
        let twice = |(i, j): &(usize, usize)| t.labels[*i] == t.labels[*j];
        let rank = t.labels.len();
        let mut pairs = (0..rank).flat_map(|j| (0..j).map(move |i| (i, j)));
        let Some((i, j)) = pairs.find(twice) else {
            return Ok(t);
        };
        let n = t.x.shape()[i];
        if t.x.shape()[j] != n {
            return Err(Error::shape(format!(
                "einsum: one letter for axes of {n} and {}",
                t.x.shape()[j]
            )));
        }
        let mut order: Vec<usize> = (0..rank).filter(|&a| a != i && a != j).collect();
        let mut shape: Vec<usize> = order.iter().map(|&a| t.x.shape()[a]).collect();
        let mut labels: Vec<Label> = order.iter().map(|&a| t.labels[a]).collect();
        labels.push(t.labels[i]);
        order.extend([i, j]);
        shape.push(n * n);
        let flat = views::reshape_to(&permuted(&t.x, &order)?, &shape)?;
        let x = crate::ops::record(
            "slice",
            &[flat],
            &Attrs::new()
                .with("starts", vec![0i64])
                .with("ends", vec![(n * n) as i64])
                .with("axes", vec![-1i64])
                .with("steps", vec![n as i64 + 1]),
        )?
        .remove(0);
        t = Labelled { x, labels };
    }
}

fn permuted(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    if order.iter().enumerate().all(|(i, &o)| i == o) {
        return Ok(x.clone());
    }
    let dims: Vec<i64> = order.iter().map(|&a| a as i64).collect();
    Ok(crate::ops::record(
        "permute",
        std::slice::from_ref(x),
        &Attrs::new().with("dims", dims),
    )?
    .remove(0))
}

impl Labelled {
    fn size(&self, label: Label) -> Option<usize> {
        let at = self.labels.iter().position(|l| *l == label)?;
        Some(self.x.shape()[at])
    }

    /// Sums over the labels that `keep` does not want.
    fn summed(self, keep: impl Fn(Label) -> bool) -> Result<Labelled> {
        let gone: Vec<usize> = (0..self.labels.len())
            .filter(|&i| !keep(self.labels[i]))
            .collect();
        if gone.is_empty() {
            return Ok(self);
        }
        let labels = self.labels.iter().copied().filter(|&l| keep(l)).collect();
        Ok(Labelled {
            x: sum(&self.x, &gone, false)?,
            labels,
        })
    }

    /// With the axes of `groups` in order, each group as one axis.
    fn grouped(&self, groups: [&[Label]; 3]) -> Result<Tensor> {
        let at = |l: &Label| self.labels.iter().position(|m| m == l).unwrap_or(0);
        let order: Vec<usize> = groups.iter().flat_map(|g| g.iter().map(at)).collect();
        let length = |g: &[Label]| g.iter().map(|l| self.x.shape()[at(l)]).product();
        let shape: Vec<usize> = groups.iter().map(|g| length(g)).collect();
        views::reshape_to(&permuted(&self.x, &order)?, &shape)
    }
}

/// The product of two, summed over what only they have.
fn joined(a: Labelled, b: Labelled, keep: impl Fn(Label) -> bool) -> Result<Labelled> {
    let (in_a, in_b) = (a.labels.clone(), b.labels.clone());
    let a = a.summed(|l| keep(l) || in_b.contains(&l))?;
    let b = b.summed(|l| keep(l) || in_a.contains(&l))?;
    let (a, b) = (stretched(a, &b)?, b);
    let b = stretched(b, &a)?;
    let shared = |l: &Label| b.labels.contains(l);
    let of = |labels: &[Label], f: &dyn Fn(&Label) -> bool| -> Vec<Label> {
        labels.iter().copied().filter(|l| f(l)).collect()
    };
    let batch = of(&a.labels, &|l| shared(l) && keep(*l));
    let inner = of(&a.labels, &|l| shared(l) && !keep(*l));
    let left = of(&a.labels, &|l| !shared(l));
    let right = of(&b.labels, &|l| !a.labels.contains(l));
    let y = matmul(
        &a.grouped([&batch, &left, &inner])?,
        &b.grouped([&batch, &inner, &right])?,
    )?;
    let labels: Vec<Label> = [batch, left, right].concat();
    let shape: Vec<usize> = labels
        .iter()
        .map(|&l| a.size(l).or(b.size(l)).unwrap_or(1))
        .collect();
    Ok(Labelled {
        x: views::reshape_to(&y, &shape)?,
        labels,
    })
}

/// Axes of length 1 repeated to the length that they have in `other`.
fn stretched(t: Labelled, other: &Labelled) -> Result<Labelled> {
    let size = |i: usize| match (t.x.shape()[i], other.size(t.labels[i])) {
        (1, Some(n)) => n,
        (n, _) => n,
    };
    let shape: Vec<usize> = (0..t.labels.len()).map(size).collect();
    for (i, &label) in t.labels.iter().enumerate() {
        if let Some(n) = other.size(label).filter(|&n| n != shape[i] && n != 1) {
            return Err(Error::shape(format!(
                "einsum: one letter for axes of {} and {n}",
                shape[i]
            )));
        }
    }
    Ok(Labelled {
        x: views::expand(&t.x, &shape)?,
        labels: t.labels,
    })
}

/// The sum of products that the equation says.
pub fn einsum(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let text = Einsum::from_attrs(name, attrs)?.equation;
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let equation = Equation { name, text: &text };
    let (inputs, arrow) = match plain.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (plain.as_str(), None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != xs.len() {
        return equation.wrong(format!("{} terms for {} operands", terms.len(), xs.len()));
    }
    let dtype = xs
        .iter()
        .map(Tensor::dtype)
        .reduce(crate::promote::promote)
        .ok_or_else(|| Error::argument(format!("{name}: there is no operand")))?;
    let mut given = Vec::new();
    let mut operands = Vec::new();
    for (term, x) in terms.iter().zip(xs) {
        let rest = x
            .rank()
            .saturating_sub(term.replace("...", "").chars().count());
        given.push(equation.labels(term, rest)?);
        operands.push(equation.operand(term, &e::cast(x, dtype)?)?);
    }
    let output = equation.output(arrow, &operands, &given)?;
    let labels: Vec<Vec<Label>> = operands.iter().map(|t| t.labels.clone()).collect();
    let mut operands = operands.into_iter();
    let Some(mut all) = operands.next() else {
        return equation.wrong("there is no operand");
    };
    for (i, next) in operands.enumerate() {
        let later = &labels[i + 2..];
        all = joined(all, next, |l| {
            output.contains(&l) || later.iter().any(|labels| labels.contains(&l))
        })?;
    }
    let all = all.summed(|l| output.contains(&l))?;
    let at = |l: &Label| all.labels.iter().position(|m| m == l).unwrap_or(0);
    permuted(&all.x, &output.iter().map(at).collect::<Vec<_>>())
}
