//! x/2 (1 + erf(x / sqrt 2)), and x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

use super::polynomial::{Polynomial, Reading};
use super::{Around, Found};
use crate::plan::graph::Id;
use crate::{DType, ops::elementwise};
use lamina_kernels::Func;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

/// sqrt(2/pi)
const SLOPE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBE: f64 = 0.044_715;
/// x/2 + x/2 E
const WHOLE: Polynomial = Polynomial([[0.0, 0.5, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0]]);

/// Nodes between x and E, and between E and the result, at most.
const STEPS: usize = 6;

/// Whether a number stands in one of GELU's spellings.
pub fn is_number_of_gelu(number: f64) -> bool {
    let numbers = [0.5, 1.0, 2.0, 3.0, SQRT_2, FRAC_1_SQRT_2, SLOPE, CUBE];
    numbers.iter().any(|n| (n - number).abs() <= 1e-6 * n)
}

/// The GELU of which the node at `at` is the erf or the tanh.
pub fn gelu(around: &Around<'_>, at: usize) -> Option<Found> {
    let (func, wanted) = match around.func(at)? {
        Func::Erf => (Func::Gelu, [0.0, FRAC_1_SQRT_2, 0.0, 0.0]),
        Func::Tanh => (Func::GeluTanh, [0.0, SLOPE, 0.0, SLOPE * CUBE]),
        _ => return None,
    };
    let (argument, e) = (around.node(at).inputs[0], around.node(at).outputs[0]);
    let meta = around.graph.meta(e);
    let epsilon = match meta.dtype {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        _ => return None,
    };
    let inner = candidates(around, argument).into_iter().find_map(|x| {
        let mut reading = Reading::new(around, x, None);
        let found = reading.of(argument)?;
        let fits = found.is(Polynomial([wanted, [0.0; 4]]), epsilon);
        (fits && around.graph.meta(x) == meta).then_some((x, reading.nodes))
    });
    let (x, mut nodes) = inner?;
    let mut value = e;
    for _ in 0..STEPS {
        value = around.node(around.reader(value)?).outputs[0];
        let mut reading = Reading::new(around, x, Some(e));
        if reading.of(value)?.is(WHOLE, epsilon) && around.graph.meta(value) == meta {
            nodes.append(&mut reading.nodes);
            nodes.insert(at);
            return Some(Found {
                op: elementwise::op(func),
                inputs: vec![x],
                nodes,
                others: Vec::new(),
            });
        }
    }
    None
}

/// Of which the argument may be a polynomial: what stands before it, nearest
/// first.
fn candidates(around: &Around<'_>, argument: Id) -> Vec<Id> {
    let mut found = vec![argument];
    let (mut from, mut to) = (0, 1);
    for _ in 0..STEPS {
        for i in from..to {
            let inputs = (around.makers[found[i]])
                .filter(|&at| around.func(at).is_some())
                .map_or(&[][..], |at| &around.node(at).inputs);
            for &id in inputs {
                if around.number(id).is_none() && !found.contains(&id) {
                    found.push(id);
                }
            }
        }
        (from, to) = (to, found.len());
    }
    found
}
