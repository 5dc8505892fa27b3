//! (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias over the
//! last axes.

use super::{Around, Found};
use crate::OpRef;
use crate::op::Op;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::reduce::Reduce;
use crate::plan::graph::Id;
use lamina_kernels::Func;
use std::collections::BTreeSet;

/// The layer norm of which the node at `at` is the variance.
pub fn layer_norm(around: &Around<'_>, at: usize) -> Option<Found> {
    let axes = mean_axes(around, at)?;
    let square = around.makers[around.node(at).inputs[0]]?;
    let centred = squared(around, square)?;
    let sub = around.makers[centred]?;
    let [x, centre] = around.node(sub).inputs[..] else {
        return None;
    };
    let mean = around.makers[centre]?;
    let is_mean = mean_axes(around, mean) == Some(axes) && around.node(mean).inputs[0] == x;
    if !is_mean || around.func(sub) != Some(Func::Sub) {
        return None;
    }
    let mut nodes = BTreeSet::from([at, square, sub, mean]);
    let mut next = |value: Id| {
        let reader = around.reader(value)?;
        nodes.insert(reader);
        Some((reader, around.func(reader)?, around.node(reader).outputs[0]))
    };

    let variance = around.node(at).outputs[0];
    let (add, func, shifted) = next(variance)?;
    let eps = around.number(around.other(add, variance)?)?;
    if func != Func::Add || eps.is_nan() {
        return None;
    }
    let (root, func, deviation) = next(shifted)?;
    let (inverse, scale) = match func {
        Func::Rsqrt => (true, deviation),
        Func::Sqrt => (false, deviation),
        Func::Pow => match around.number(around.node(root).inputs[1])? {
            0.5 => (false, deviation),
            -0.5 => (true, deviation),
            _ => return None,
        },
        _ => return None,
    };
    let (mut divide, mut func, mut value) = next(scale)?;
    let mut by = scale;
    let reciprocal = func == Func::Reciprocal
        || (func == Func::Div && around.number(around.node(divide).inputs[0]) == Some(1.0));
    if !inverse && reciprocal {
        by = value;
        (divide, func, value) = next(by)?;
    }
    let normalised = match func {
        Func::Mul if inverse || by != scale => around.other(divide, by)? == centred,
        Func::Div if !inverse && by == scale => around.node(divide).inputs[..] == [centred, by],
        _ => false,
    };
    if !normalised {
        return None;
    }

    let (mul, func, scaled) = next(value)?;
    let weight = around.other(mul, value).filter(|_| func == Func::Mul)?;
    let (add, func, y) = next(scaled)?;
    let bias = around.other(add, scaled).filter(|_| func == Func::Add)?;
    let shape = &around.graph.meta(x).shape;
    let row = &shape[shape.len() - axes..];
    let op = LayerNorm {
        normalized_shape: row.iter().map(|&n| n as i64).collect(),
        eps,
        centred: true,
    };
    let inputs = [x, weight, bias];
    // Its own checks say whether the operands are those of a layer norm.
    let metas = op.infer(&inputs.map(|id| around.graph.meta(id))).ok()?;
    (metas[0] == *around.graph.meta(y)).then(|| Found {
        op: OpRef::new(op),
        inputs: inputs.to_vec(),
        nodes,
        others: metas[1..].to_vec(),
    })
}

/// Over how many of the last axes, which stay, a node takes the mean.
fn mean_axes(around: &Around<'_>, at: usize) -> Option<usize> {
    let node = around.node(at);
    let reduce = node.op::<Reduce>()?;
    reduce.mean_of_last(around.graph.meta(*node.inputs.first()?).shape.len())
}

/// What the node at `at` squares.
fn squared(around: &Around<'_>, at: usize) -> Option<Id> {
    let inputs = &around.node(at).inputs;
    match (around.func(at)?, &inputs[..]) {
        (Func::Square, &[a]) => Some(a),
        (Func::Mul, &[a, b]) if a == b => Some(a),
        (Func::Pow, &[a, b]) if around.number(b) == Some(2.0) => Some(a),
        _ => None,
    }
}
