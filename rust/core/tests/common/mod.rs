//! What the tests of ops share: devices, data, and a check of gradients.
#![allow(dead_code)] // each test file uses its part

pub mod twin;

use lamina_core::ops::{elementwise as e, reduce};
use lamina_core::{Attrs, DType, Device, Result, Tensor, grad, record};

/// The CPU, and a GPU where there is one (in CI there must be).
pub fn devices() -> Vec<Device> {
    let mut all = vec![Device::Cpu];
    match Device::parse("gpu") {
        Ok(gpu) => all.push(gpu),
        Err(why) => assert!(
            std::env::var("CI").is_err(),
            "CI needs a GPU adapter: {why}"
        ),
    }
    all
}

pub fn floats(values: &[f32], shape: &[usize], device: Device) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::from_bytes(DType::F32, shape, &bytes, device).unwrap()
}

pub fn ints(values: &[i64], shape: &[usize], device: Device) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::from_bytes(DType::I64, shape, &bytes, device).unwrap()
}

/// Multiples of 1/4 in -2..2, which sums keep exactly.
pub fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + seed * 104_729 + i * i % 31) % 17) as f32 / 4.0 - 2.0)
        .collect()
}

pub fn ramp(seed: usize, shape: &[usize], device: Device) -> Tensor {
    floats(&numbers(seed, shape.iter().product()), shape, device)
}

pub fn one(name: &str, inputs: &[Tensor], attrs: &Attrs) -> Tensor {
    record(name, inputs, attrs).unwrap()[0].clone()
}

/// The message of what must fail.
pub fn message<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error.message,
    }
}

fn dot(y: &Tensor, weights: &Tensor) -> Tensor {
    let all: Vec<usize> = (0..y.rank()).collect();
    reduce::sum(&e::mul(y, weights).unwrap(), &all, false).unwrap()
}

/// For y affine in x: the gradient g of (y, w) has (g, x') = (y(x') - y(0), w)
/// for any x'.
pub fn affine_gradient(
    what: &str,
    shape: &[usize],
    device: Device,
    op: &dyn Fn(&Tensor) -> Tensor,
) {
    let x = ramp(1, shape, device);
    x.set_requires_grad(true).unwrap();
    let y = op(&x);
    let weights = ramp(2, y.shape(), device);
    let total = dot(&y, &weights);
    let g = grad(&[total], std::slice::from_ref(&x), None, false).unwrap();
    let g = g[0].clone().expect("a gradient");
    assert_eq!(g.shape(), shape, "{what}");
    for seed in 3..6 {
        let other = ramp(seed, shape, device);
        let zero = Tensor::zeros_like(&other).unwrap();
        let got = dot(&g, &other).item().unwrap();
        let there = dot(&op(&other), &weights).item().unwrap();
        let wanted = there - dot(&op(&zero), &weights).item().unwrap();
        let size = 1.0 + wanted.abs();
        assert!(
            (got - wanted).abs() < 1e-4 * size,
            "{what} on {device}: {got} {wanted}"
        );
    }
}
