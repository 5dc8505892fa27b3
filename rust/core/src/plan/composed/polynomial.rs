//! What elementwise nodes compute of x and of one function E of x, multiplied
//! out: however a formula is bracketed, its coefficients are the same.

use super::Around;
use crate::plan::graph::Id;
use lamina_kernels::Func;
use std::collections::BTreeSet;

/// The coefficients of 1, x, x^2, x^3, and of E times those.
#[derive(Clone, Copy, Debug)]
pub struct Polynomial(pub [[f64; 4]; 2]);

impl Polynomial {
    pub const fn number(c: f64) -> Polynomial {
        Polynomial([[c, 0.0, 0.0, 0.0], [0.0; 4]])
    }

    fn sum(self, other: Polynomial, sign: f64) -> Polynomial {
        let mut sum = self.0;
        for (a, b) in sum.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *a += sign * b;
        }
        Polynomial(sum)
    }

    /// None where the product has higher powers.
    fn product(self, other: Polynomial) -> Option<Polynomial> {
        let mut product = [[0.0; 4]; 2];
        for (e, powers) in self.0.iter().enumerate() {
            for (x, a) in powers.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                for (f, powers) in other.0.iter().enumerate() {
                    for (y, b) in powers.iter().enumerate().filter(|(_, b)| **b != 0.0) {
                        *product.get_mut(e + f)?.get_mut(x + y)? += a * b;
                    }
                }
            }
        }
        Some(Polynomial(product))
    }

    fn inverse(self) -> Option<Polynomial> {
        let [[c, rest @ ..], e] = self.0;
        let lone = rest.iter().chain(&e).all(|k| *k == 0.0) && c != 0.0;
        lone.then(|| Polynomial::number(1.0 / c))
    }

    /// Whether the coefficients differ by no more than constants rounded to
    /// `epsilon` do.
    pub fn is(self, wanted: Polynomial, epsilon: f64) -> bool {
        let mut pairs = self.0.iter().flatten().zip(wanted.0.iter().flatten());
        pairs.all(|(a, b)| (a - b).abs() <= 3.0 * epsilon * b.abs())
    }
}

/// Nodes looked at for one formula, at most.
const NODES: usize = 32;

/// Multiplies formulas out, and notes which nodes they are made of.
pub struct Reading<'a> {
    pub around: &'a Around<'a>,
    pub x: Id,
    pub e: Option<Id>,
    pub nodes: BTreeSet<usize>,
    pub left: usize,
}

impl<'a> Reading<'a> {
    pub fn new(around: &'a Around<'a>, x: Id, e: Option<Id>) -> Reading<'a> {
        Reading {
            around,
            x,
            e,
            nodes: BTreeSet::new(),
            left: NODES,
        }
    }

    /// None where the value is anything but a polynomial in x and E.
    pub fn of(&mut self, id: Id) -> Option<Polynomial> {
        if id == self.x {
            return Some(Polynomial([[0.0, 1.0, 0.0, 0.0], [0.0; 4]]));
        }
        if Some(id) == self.e {
            return Some(Polynomial([[0.0; 4], [1.0, 0.0, 0.0, 0.0]]));
        }
        if let Some(number) = self.around.number(id) {
            return Some(Polynomial::number(number));
        }
        self.left = self.left.checked_sub(1)?;
        let at = self.around.makers[id]?;
        let func = self.around.func(at)?;
        self.nodes.insert(at);
        let inputs = &self.around.node(at).inputs;
        let a = self.of(*inputs.first()?)?;
        let mut b = || self.of(*inputs.get(1)?);
        match func {
            Func::Add => Some(a.sum(b()?, 1.0)),
            Func::Sub => Some(a.sum(b()?, -1.0)),
            Func::Mul => a.product(b()?),
            Func::Div => a.product(b()?.inverse()?),
            Func::Neg => Some(Polynomial::number(0.0).sum(a, -1.0)),
            Func::Square => a.product(a),
            Func::PowConst { exponent } => power(a, exponent),
            Func::Pow => power(a, self.around.number(*inputs.get(1)?)?),
            _ => None,
        }
    }
}

fn power(a: Polynomial, exponent: f64) -> Option<Polynomial> {
    match exponent {
        2.0 => a.product(a),
        3.0 => a.product(a)?.product(a),
        _ => None,
    }
}
