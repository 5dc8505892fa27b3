//! A fused op against its twin, in value and in gradient.

use super::ramp;
use lamina_core::ops::{elementwise as e, reduce};
use lamina_core::{DType, Device, Tensor, grad};

pub fn total(x: &Tensor) -> Tensor {
    let all: Vec<usize> = (0..x.rank()).collect();
    reduce::sum(x, &all, false).unwrap()
}

pub fn doubles(t: &Tensor) -> Vec<f64> {
    match t.dtype() {
        DType::F64 => t.to_vec::<f64>().unwrap(),
        _ => t
            .to_vec::<f32>()
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect(),
    }
}

pub fn close(what: &str, got: &Tensor, wanted: &Tensor, error: f64) {
    assert_eq!(got.shape(), wanted.shape(), "{what}");
    let (got, wanted) = (doubles(got), doubles(wanted));
    for (i, (g, w)) in got.iter().zip(&wanted).enumerate() {
        assert!(
            (g - w).abs() <= error * (1.0 + w.abs()),
            "{what}: {i}: got {g}, wanted {w}"
        );
    }
}

/// Of one weighted sum of y, mean and var: the gradients by x, weight and
/// bias, then those of a weighted sum of these.
pub fn gradients(inputs: &[Tensor], outputs: &[Tensor; 3]) -> (Vec<Tensor>, Vec<Tensor>) {
    let weigh = |ts: &[Tensor], seed: usize| -> Vec<Tensor> {
        (ts.iter().zip(seed..))
            .map(|(t, seed)| {
                let w = e::cast(&ramp(seed, t.shape(), t.device()), t.dtype()).unwrap();
                total(&e::mul(t, &w).unwrap())
            })
            .collect()
    };
    let first: Vec<Tensor> = grad(&weigh(outputs, 7), inputs, None, true)
        .unwrap()
        .into_iter()
        .map(|g| g.expect("a gradient"))
        .collect();
    let second = grad(&weigh(&first[..2], 11), &inputs[..2], None, false).unwrap();
    (
        first,
        second.into_iter().map(|g| g.expect("a gradient")).collect(),
    )
}

/// The same numbers in float64.
pub fn widened(t: &Tensor) -> Tensor {
    let bytes: Vec<u8> = doubles(t).iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::from_bytes(DType::F64, t.shape(), &bytes, Device::Cpu).unwrap()
}
