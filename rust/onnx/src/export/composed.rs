//! Ops that record several nodes (`core/src/ops/composed`), found again: ONNX
//! has one operator for each.
//!
//! What is found stands in the place of its last node; nodes that nobody reads
//! after that are dropped.

use super::Recording;
use super::walk::{Step, Twin, source, used};
use lamina_core::{Attr, Attrs, DType, Tensor, record};
use std::collections::{HashMap, HashSet};

/// An op on its own inputs.
struct Whole {
    name: String,
    params: Attrs,
    inputs: Vec<Tensor>,
    twin: Option<Twin>,
}

impl Whole {
    /// One whose parameters were compared at both sizes.
    fn new(name: &str, params: Attrs, inputs: &[&Tensor]) -> Self {
        Whole {
            name: name.to_owned(),
            params,
            inputs: inputs.iter().map(|&t| t.clone()).collect(),
            twin: None,
        }
    }
}

type Find = fn(&Nodes, &Step) -> Option<Whole>;

const FINDS: &[Find] = &[
    global_pool,
    biased_convolution,
    linear,
    batch_norm,
    instance_norm,
    local_response_norm,
];

/// The steps, with compositions as one step each.
pub(super) fn compose(
    steps: Vec<Step>,
    first: &Recording<'_>,
    state: &[(String, Tensor)],
) -> Vec<Step> {
    let mut nodes = Nodes::new(steps, first, state);
    for at in 0..nodes.steps.len() {
        let step = &nodes.steps[at];
        let Some(whole) = FINDS.iter().find_map(|find| find(&nodes, step)) else {
            continue;
        };
        let step = &mut nodes.steps[at];
        step.name = whole.name;
        step.params = whole.params;
        step.inputs = whole.inputs;
        step.twin = whole.twin;
    }
    read(nodes.steps, first.outputs)
}

/// The steps that reach an output.
fn read(steps: Vec<Step>, outputs: &[(String, Tensor)]) -> Vec<Step> {
    let mut wanted = used(&[], outputs);
    let mut kept = Vec::with_capacity(steps.len());
    for step in steps.into_iter().rev() {
        if (0..step.outputs.len()).any(|i| wanted.contains(&(step.id, i))) {
            wanted.extend(step.inputs.iter().filter_map(source));
            kept.push(step);
        }
    }
    kept.reverse();
    kept
}

/// Steps with their links.
struct Nodes {
    steps: Vec<Step>,
    /// Where each recorded node stands.
    places: HashMap<u64, usize>,
    /// How often each output is read.
    readers: HashMap<(u64, usize), usize>,
    /// Inputs, parameters and buffers: what makes them is no part of the function.
    leaves: HashSet<u64>,
}

impl Nodes {
    fn new(steps: Vec<Step>, first: &Recording<'_>, state: &[(String, Tensor)]) -> Self {
        let mut readers = HashMap::new();
        let results = first.outputs.iter().map(|(_, t)| t);
        for tensor in steps.iter().flat_map(|s| &s.inputs).chain(results) {
            if let Some(from) = source(tensor) {
                *readers.entry(from).or_default() += 1;
            }
        }
        Nodes {
            places: steps.iter().enumerate().map(|(i, s)| (s.id, i)).collect(),
            readers,
            leaves: first
                .inputs
                .iter()
                .chain(state)
                .map(|(_, t)| t.id())
                .collect(),
            steps,
        }
    }

    /// The step behind a tensor.
    fn step(&self, tensor: &Tensor) -> Option<&Step> {
        let (id, _) = source(tensor).filter(|_| !self.leaves.contains(&tensor.id()))?;
        self.places.get(&id).map(|&at| &self.steps[at])
    }

    /// That step, if it is of this name.
    fn made(&self, tensor: &Tensor, name: &str) -> Option<&Step> {
        self.step(tensor).filter(|step| step.name == name)
    }

    fn read_once(&self, tensor: &Tensor) -> bool {
        source(tensor).is_some_and(|from| self.readers.get(&from) == Some(&1))
    }

    fn is_constant(&self, tensor: &Tensor) -> bool {
        !self.leaves.contains(&tensor.id()) && self.step(tensor).is_none()
    }

    fn number(&self, tensor: &Tensor) -> Option<f64> {
        let scalar = tensor.rank() == 0 && self.is_constant(tensor);
        scalar.then(|| tensor.item().ok()).flatten()
    }

    /// The vector whose values input 1 of `step` holds along axis 1 of input 0.
    fn row(&self, step: &Step) -> Option<Tensor> {
        if !at_both_sizes(step, |inputs| is_row(inputs[1].shape(), inputs[0].shape())) {
            return None;
        }
        let lifted = &step.inputs[1];
        if lifted.rank() == 1 {
            return Some(lifted.clone());
        }
        if let Some(reshape) = self.made(lifted, "reshape") {
            return Some(reshape.inputs[0].clone()).filter(|row| row.rank() == 1);
        }
        if !self.is_constant(lifted) {
            return None;
        }
        let attrs = Attrs::new().with("shape", vec![-1i64]);
        record("reshape", std::slice::from_ref(lifted), &attrs)
            .ok()?
            .pop()
    }
}

/// Whether this holds of the step's inputs as they were recorded at either size.
fn at_both_sizes(step: &Step, holds: impl Fn(&[Tensor]) -> bool) -> bool {
    holds(&step.inputs) && step.twin.as_ref().is_none_or(|twin| holds(&twin.inputs))
}

fn same_params(step: &Step) -> bool {
    step.twin
        .as_ref()
        .is_none_or(|twin| twin.params == step.params)
}

/// Whether `row` broadcasts to `x` with one value for each channel (axis 1).
fn is_row(row: &[usize], x: &[usize]) -> bool {
    let Some(axis) = (row.len() + 1).checked_sub(x.len()).filter(|_| x.len() > 1) else {
        return false;
    };
    let fits = |(i, &n): (usize, &usize)| n == if i == axis { x[1] } else { 1 };
    row.len() <= x.len() && row.iter().enumerate().all(fits)
}

/// The mean or the largest value over height and width.
fn global_pool(_: &Nodes, step: &Step) -> Option<Whole> {
    let name = match step.name.as_str() {
        "mean" => "global_avg_pool2d",
        "max" => "global_max_pool2d",
        _ => return None,
    };
    let axes = match step.params.get("dim") {
        Some(Attr::Ints(axes)) => axes.iter().map(|d| d.rem_euclid(4)).collect::<Vec<_>>(),
        _ => return None,
    };
    let x = &step.inputs[0];
    let keeps = step.params.get("keepdim") == Some(&Attr::Bool(true));
    let fits = at_both_sizes(step, |inputs| inputs[0].rank() == 4) && same_params(step);
    // In the dtypes in which runtimes have the operator.
    let found = keeps && fits && axes == [2, 3] && matches!(x.dtype(), DType::F32 | DType::F16);
    found.then(|| Whole::new(name, Attrs::new(), &[x]))
}

/// A convolution of either direction and a value for each of its channels.
fn biased_convolution(nodes: &Nodes, step: &Step) -> Option<Whole> {
    let y = step.inputs.first().filter(|_| step.name == "add")?;
    let conv = (nodes.made(y, "conv2d")).or_else(|| nodes.made(y, "conv2d_backward_input"))?;
    if conv.inputs.len() != 2 || !nodes.read_once(y) {
        return None;
    }
    let mut inputs = conv.inputs.clone();
    inputs.push(nodes.row(step)?);
    Some(Whole {
        name: conv.name.clone(),
        params: conv.params.clone(),
        inputs,
        twin: conv.twin.clone(),
    })
}

/// x w + b or x wᵀ + b of matrices.
fn linear(nodes: &Nodes, step: &Step) -> Option<Whole> {
    let y = step.inputs.first().filter(|_| step.name == "add")?;
    let product = nodes.made(y, "matmul").filter(|_| nodes.read_once(y))?;
    let fits = at_both_sizes(step, |inputs| match inputs {
        [y, bias] => y.rank() == 2 && bias.shape() == &y.shape()[1..],
        _ => false,
    });
    let matrices = at_both_sizes(product, |inputs| inputs.iter().all(|t| t.rank() == 2));
    if !fits || !matrices || !y.dtype().is_float() {
        return None;
    }
    let [x, w] = [&product.inputs[0], &product.inputs[1]];
    let turned = nodes
        .made(w, "permute")
        .filter(|p| same_params(p) && swaps(&p.params));
    let params = Attrs::new().with("transposed", turned.is_some());
    let w = turned.map_or(w, |p| &p.inputs[0]);
    Some(Whole::new("linear", params, &[x, w, &step.inputs[1]]))
}

/// Whether this permutation of two axes is not the identity.
fn swaps(params: &Attrs) -> bool {
    match params.get("dims") {
        Some(Attr::Ints(dims)) => dims.first().is_some_and(|d| d.rem_euclid(2) == 1),
        _ => true,
    }
}

/// (x - mean) (weight / sqrt(var + eps)) + bias
fn batch_norm(nodes: &Nodes, step: &Step) -> Option<Whole> {
    let scaled = step.inputs.first().filter(|_| step.name == "add")?;
    let mul = nodes.made(scaled, "mul")?;
    let sub = nodes.made(&mul.inputs[0], "sub")?;
    let (bias, scale, mean) = (nodes.row(step)?, nodes.row(mul)?, nodes.row(sub)?);
    let div = nodes.made(&scale, "div")?;
    let root = nodes.made(&div.inputs[1], "sqrt")?;
    let sum = nodes.made(&root.inputs[0], "add")?;
    let eps = nodes.number(&sum.inputs[1])?;
    let (x, weight, var) = (&sub.inputs[0], &div.inputs[0], &sum.inputs[0]);
    let rows = weight.shape() == mean.shape() && var.shape() == mean.shape();
    // Some runtimes want these to be constants; statistics of x itself are not.
    let given = [weight, &bias, &mean, var]
        .iter()
        .all(|t| nodes.step(t).is_none());
    if !rows || !given || !x.dtype().is_float() {
        return None;
    }
    let params = Attrs::new().with("eps", eps);
    let inputs = [x, weight, &bias, &mean, var];
    Some(Whole::new("batch_norm", params, &inputs))
}

/// A group norm with as many groups as channels; its operator is older.
fn instance_norm(_: &Nodes, step: &Step) -> Option<Whole> {
    let x = step.inputs.first().filter(|_| step.name == "group_norm")?;
    let groups = x.shape().get(1).map(|&n| Attr::Int(n as i64));
    if groups.as_ref() != step.params.get("num_groups") || x.rank() < 3 || !same_params(step) {
        return None;
    }
    Some(Whole {
        name: "instance_norm".to_owned(),
        params: step.params.clone(),
        inputs: step.inputs.clone(),
        twin: step.twin.clone(),
    })
}

/// x / (k + alpha mean)^beta, with means of squares over windows of channels, (size - 1) / 2 of
/// them in front.
fn local_response_norm(nodes: &Nodes, step: &Step) -> Option<Whole> {
    let [x, power] = &step.inputs[..] else {
        return None;
    };
    let power = nodes
        .made(power, "pow_const")
        .filter(|_| step.name == "div")?;
    let sum = nodes.made(&power.inputs[0], "add")?;
    let product = nodes.made(&sum.inputs[0], "mul")?;
    let back = nodes.made(&product.inputs[0], "reshape")?;
    let pool = nodes.made(&back.inputs[0], "avg_pool2d")?;
    let apart = nodes.made(&pool.inputs[0], "reshape")?;
    let square = nodes.made(&apart.inputs[0], "square")?;
    let (k, alpha) = (
        nodes.number(&sum.inputs[1])?,
        nodes.number(&product.inputs[1])?,
    );
    let Some(&Attr::Float(beta)) = power.params.get("exponent") else {
        return None;
    };
    let ints = |name: &str| match pool.params.get(name) {
        Some(Attr::Ints(v)) => v.clone(),
        _ => Vec::new(),
    };
    let &[size, 1] = &ints("kernel_size")[..] else {
        return None;
    };
    let before = (size - 1) / 2;
    let whole = ints("padding") == [before, 0, size - 1 - before, 0]
        && ints("stride") == [1, 1]
        && ints("dilation") == [1, 1]
        && pool.params.get("count_include_pad") == Some(&Attr::Bool(true));
    // One row of channels, whose neighbours the window reaches.
    let along = at_both_sizes(apart, |inputs| inputs[0].rank() >= 3)
        && apart.outputs[0].shape().get(1..3) == Some(&[1, x.shape()[1]][..])
        && back.outputs[0].shape() == x.shape();
    let same = same_params(pool) && same_params(power) && square.inputs[0].id() == x.id();
    if !whole || !along || !same || x.dtype() != DType::F32 {
        return None;
    }
    let params = Attrs::new()
        .with("size", size)
        .with("alpha", alpha)
        .with("beta", beta)
        .with("k", k);
    Some(Whole::new("local_response_norm", params, &[x]))
}
