//! Layer normalisation is its twin, on each device.

mod common;

use common::twin::{close, gradients, widened};
use common::{devices, floats, message, ramp};
use lamina_core::ops::composed;
use lamina_core::{Attrs, DType, Device, Tensor, record};

const EPS: f64 = 1e-3;

fn form(row: &[usize]) -> Attrs {
    let row: Vec<i64> = row.iter().map(|&n| n as i64).collect();
    Attrs::new().with("normalized_shape", row).with("eps", EPS)
}

#[test]
fn the_fused_layer_norm_is_its_twin() {
    for (shape, axes) in [
        (&[4usize, 3, 7][..], 1),
        (&[2, 33, 9], 2),
        (&[5, 32], 1),
        (&[31, 2, 65], 1),
        (&[6], 1),
    ] {
        let row = &shape[shape.len() - axes..];
        let count = row.iter().product();
        for device in devices() {
            let weight: Vec<f32> = (0..count).map(|i| 0.5 + (i % 9) as f32 / 7.0).collect();
            let weight = floats(&weight, row, device);
            let inputs = [ramp(3, shape, device), weight, ramp(5, row, device)];
            let exact = inputs.each_ref().map(widened);
            for t in inputs.iter().chain(&exact) {
                t.set_requires_grad(true).unwrap();
            }
            let got: [Tensor; 3] = record("layer_norm", &inputs, &form(row))
                .unwrap()
                .try_into()
                .unwrap();
            let [x, weight, bias] = &exact;
            let wanted = composed::layer_norm::layer_norm(x, weight, bias, EPS).unwrap();
            for (i, (g, w)) in got.iter().zip(&wanted).enumerate() {
                close(&format!("output {i} of {shape:?} on {device}"), g, w, 1e-5);
            }
            let (first, second) = gradients(&inputs, &got);
            let (first_wanted, second_wanted) = gradients(&exact, &wanted);
            let all = first.iter().chain(&second);
            for (i, (g, w)) in all
                .zip(first_wanted.iter().chain(&second_wanted))
                .enumerate()
            {
                let error = if i < first.len() { 1e-4 } else { 2e-3 };
                close(
                    &format!("gradient {i} of {shape:?} on {device}"),
                    g,
                    w,
                    error,
                );
            }
        }
    }
}

#[test]
fn weight_and_bias_may_be_missing() {
    for device in devices() {
        let x = ramp(3, &[5, 33], device);
        let (weight, bias) = (
            ramp(1, &[33], device),
            Tensor::full(&[33], 0.0, DType::F32, device),
        );
        let full = [x.clone(), weight, bias.unwrap()];
        let wanted = record("layer_norm", &full, &form(&[33])).unwrap();
        let got = record("layer_norm", &full[..2], &form(&[33])).unwrap();
        close("no bias", &got[0], &wanted[0], 0.0);
        let ones = Tensor::full(&[33], 1.0, DType::F32, device).unwrap();
        let full = [x.clone(), ones, full[2].clone()];
        let wanted = record("layer_norm", &full, &form(&[33])).unwrap();
        let got = record("layer_norm", &full[..1], &form(&[33])).unwrap();
        close("neither", &got[0], &wanted[0], 0.0);
    }
}

#[test]
fn mistakes() {
    let (x, w) = (ramp(1, &[2, 5], Device::Cpu), ramp(2, &[5], Device::Cpu));
    let try_on = |inputs: &[&Tensor], row: &[usize]| {
        let inputs: Vec<Tensor> = inputs.iter().map(|&t| t.clone()).collect();
        message(record("layer_norm", &inputs, &form(row)))
    };
    assert_eq!(
        try_on(&[&x], &[4]),
        "layer_norm: x has shape [2, 5], normalized_shape is [4]; x must end in it"
    );
    assert_eq!(
        try_on(&[&w], &[2, 5]),
        "layer_norm: x has shape [5], normalized_shape is [2, 5]; x must end in it"
    );
    assert_eq!(
        try_on(&[&x], &[]),
        "layer_norm: normalized_shape is [], wanted the lengths of the last axes of x, \
         at least one and none of them 0"
    );
    assert_eq!(
        try_on(&[&x, &x], &[5]),
        "layer_norm: weight has shape [2, 5], wanted [5], the normalized_shape"
    );
    assert_eq!(
        try_on(&[&x, &w, &widened(&w)], &[5]),
        "layer_norm: x is float32, bias float64; cast one first"
    );
    assert_eq!(
        try_on(&[&x, &w, &w, &w], &[5]),
        "layer_norm: takes x, and weight and bias where they are, got 4 tensors"
    );
}
