//! A random graph: ops, inputs and parameters chosen by the bytes; recorded,
//! differentiated, planned and run.

use lamina_core::ops::{Entry, entries};
use lamina_core::{Attr, Attrs, DType, Device, Tensor};
use std::sync::{Arc, LazyLock};

type Table = (Vec<Arc<Entry>>, Vec<(String, Attr)>);

/// The table of ops, and every parameter that a sample there shows.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let all = entries();
    let attrs = all.iter().flat_map(|e| e.sample.attrs.0.clone()).collect();
    (all, attrs)
});

const SHAPES: &[&[usize]] = &[
    &[],
    &[1],
    &[7],
    &[2, 3],
    &[3, 2],
    &[0, 3],
    &[1, 2, 4, 5],
    &[2, 2, 3, 3],
    &[2, 16, 5, 5],
    &[33, 17],
    &[4, 2, 3, 3],
    &[2, 1, 1, 1, 2],
];
const DTYPES: &[DType] = &[
    DType::F32,
    DType::F32,
    DType::F32,
    DType::F64,
    DType::F16,
    DType::I64,
    DType::I32,
    DType::U8,
    DType::Bool,
    DType::BF16,
];
const NUMBERS: &[i64] = &[
    0,
    1,
    2,
    3,
    5,
    16,
    -1,
    -2,
    -7,
    100,
    1 << 31,
    1 << 40,
    1 << 62,
    i64::MAX,
    i64::MIN,
];
const OPS: usize = 24;
const LEN: usize = 1 << 14;

/// Choices, one after the other; 0 when the bytes are at their end.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(first)
    }

    fn of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.byte() % list.len()]
    }

    fn number(&mut self) -> i64 {
        *self.of(NUMBERS)
    }

    /// A value of `like`'s kind, or of another.
    fn attr(&mut self, like: &Attr) -> Attr {
        match (self.byte() % 8, like) {
            (0..4, like) => like.clone(),
            (4, Attr::Ints(v)) => Attr::Ints(v.iter().map(|_| self.number()).collect()),
            (5, Attr::Ints(v)) => {
                let mut v = v.clone();
                if !v.is_empty() {
                    let at = self.byte() % v.len();
                    v[at] = self.number();
                }
                Attr::Ints(v)
            }
            (4..6, Attr::Int(_)) => Attr::Int(self.number()),
            (4..6, Attr::Bool(v)) => Attr::Bool(!v),
            (4..6, Attr::Float(_)) => Attr::Float(self.number() as f64 / 4.0),
            (4..6, Attr::DType(_)) => Attr::DType(*self.of(DTYPES)),
            (6, _) => Attr::Ints((0..self.byte() % 6).map(|_| self.number()).collect()),
            _ => self.of(&TABLE.1).1.clone(),
        }
    }

    fn leaf(&mut self, shape: &[usize], dtype: DType) -> Option<Tensor> {
        let (step, start) = (self.byte() as f64 / 8.0, self.byte() as f64 / 4.0 - 16.0);
        let len: usize = shape.iter().product();
        let size = dtype.size();
        let mut bytes = vec![0; len * size];
        for (i, element) in bytes.chunks_exact_mut(size).enumerate() {
            match dtype {
                DType::Bool | DType::Stored(_) => element[0] = (i % 2) as u8,
                _ => lamina_core::scalar::write(dtype, start + step * (i % 13) as f64, element),
            }
        }
        let leaf = Tensor::from_bytes(dtype, shape, &bytes, Device::Cpu).ok()?;
        if dtype.is_float() {
            let _ = leaf.set_requires_grad(true);
        }
        Some(leaf)
    }
}

pub fn graph(data: &[u8]) {
    let mut choices = Choices(data);
    let mut pool: Vec<Tensor> = Vec::new();
    for _ in 0..OPS {
        if choices.0.is_empty() {
            break;
        }
        let entry = choices.of(&TABLE.0).clone();
        let inputs = inputs(&mut choices, &entry, &pool);
        let attrs = attrs(&mut choices, &entry.sample.attrs);
        let Ok(outputs) = entry.record(&inputs, &attrs) else {
            continue;
        };
        pool.extend(inputs.into_iter().filter(|t| t.recorded_by().is_none()));
        pool.extend(
            outputs
                .into_iter()
                .filter(|t| t.len() <= LEN && t.rank() <= 8),
        );
    }
    let mut targets: Vec<Tensor> = pool.iter().rev().take(4).cloned().collect();
    if choices.byte().is_multiple_of(2) {
        targets.extend(gradients(&pool));
    }
    if let Ok(Some(plan)) = lamina_core::explain(&targets)
        && super::is_small(&plan)
        && lamina_core::eval(&targets).is_ok()
    {
        for target in &targets {
            if let Ok(value) = target.host_value() {
                assert_eq!(
                    value.layout.shape,
                    target.shape(),
                    "a value of another shape"
                );
            }
        }
    }
}

/// What the op's sample takes, or what is there already.
fn inputs(choices: &mut Choices, entry: &Entry, pool: &[Tensor]) -> Vec<Tensor> {
    let dtype = *choices.of(DTYPES);
    let wanted = entry.sample.inputs.clone();
    let count = match choices.byte() % 16 {
        0 => choices.byte() % 5,
        _ => wanted.len(),
    };
    (0..count)
        .filter_map(|i| {
            let sample = wanted.get(i);
            match choices.byte() % 4 {
                0 | 1 if !pool.is_empty() => Some(choices.of(pool).clone()),
                2 => {
                    let (shape, dtype) = (choices.of(SHAPES), *choices.of(DTYPES));
                    choices.leaf(shape, dtype)
                }
                _ => {
                    let shape = sample.map_or(&[2, 3][..], |(shape, _)| shape);
                    choices.leaf(shape, sample.and_then(|s| s.1).unwrap_or(dtype))
                }
            }
        })
        .collect()
}

fn attrs(choices: &mut Choices, sample: &Attrs) -> Attrs {
    let mut attrs = Attrs::new();
    for (name, value) in &sample.0 {
        let value = choices.attr(value);
        if !choices.byte().is_multiple_of(16) {
            attrs.set(name, value);
        }
    }
    if choices.byte().is_multiple_of(16) {
        let (name, value) = choices.of(&TABLE.1).clone();
        attrs.set(&name, choices.attr(&value));
    }
    attrs
}

/// Gradients of the last result that has any, to every leaf.
fn gradients(pool: &[Tensor]) -> Vec<Tensor> {
    let leaves: Vec<Tensor> = pool
        .iter()
        .filter(|t| t.is_leaf() && t.requires_grad())
        .cloned()
        .collect();
    let Some(last) = pool
        .iter()
        .rev()
        .find(|t| t.recorded_by().is_some() && t.requires_grad())
    else {
        return Vec::new();
    };
    let Ok(seed) = Tensor::full_like(last, 1.0) else {
        return Vec::new();
    };
    let Ok(found) = lamina_core::grad(std::slice::from_ref(last), &leaves, Some(&[seed]), true)
    else {
        return Vec::new();
    };
    found.into_iter().flatten().collect()
}
