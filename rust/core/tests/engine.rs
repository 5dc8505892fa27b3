//! The engine end to end: recording, gradients, cells, donation, plans.

use lamina_core::ops::{elementwise as e, matmul, reduce, views};
use lamina_core::{Attrs, Cell, DType, Device, Handle, Tensor, backward, eval, grad, record};

fn devices() -> Vec<Device> {
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

fn tensor(values: &[f32], shape: &[usize], device: Device) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::from_bytes(DType::F32, shape, &bytes, device).unwrap()
}

fn ramp(len: usize, shape: &[usize], device: Device) -> Tensor {
    let values: Vec<f32> = (0..len)
        .map(|i| ((i * 7 % 13) as f32 - 6.0) / 5.0)
        .collect();
    tensor(&values, shape, device)
}

#[test]
fn elementwise_chains_fuse_and_broadcast() {
    for device in devices() {
        let x = ramp(12, &[3, 4], device);
        let b = tensor(&[1.0, 2.0, 3.0, 4.0], &[4], device);
        let y = e::mul(&e::add(&x, &b).unwrap(), &Tensor::scalar(DType::F32, 2.0)).unwrap();
        let z = record(
            "relu",
            &[e::sub(
                &y,
                &views::permute(&ramp(12, &[4, 3], device), &[1, 0]).unwrap(),
            )
            .unwrap()],
            &Attrs::new(),
        )
        .unwrap();
        let got = z[0].to_vec::<f32>().unwrap();
        let r: Vec<f32> = (0..12).map(|i| ((i * 7 % 13) as f32 - 6.0) / 5.0).collect();
        for i in 0..3 {
            for j in 0..4 {
                let want = ((r[i * 4 + j] + (j + 1) as f32) * 2.0 - r[j * 3 + i]).max(0.0);
                assert!(
                    (got[i * 4 + j] - want).abs() < 1e-5,
                    "{device} {i} {j}: {} {want}",
                    got[i * 4 + j]
                );
            }
        }
    }
}

#[test]
fn gradients_of_a_product_and_of_gradients() {
    for device in devices() {
        let x = ramp(6, &[2, 3], device);
        let w = ramp(12, &[3, 4], device);
        x.set_requires_grad(true).unwrap();
        w.set_requires_grad(true).unwrap();
        let y = e::mul(
            &matmul::matmul(&x, &w).unwrap(),
            &matmul::matmul(&x, &w).unwrap(),
        )
        .unwrap();
        let loss = reduce::sum(&y, &[0, 1], false).unwrap();
        let first = grad(&[loss], std::slice::from_ref(&x), None, true).unwrap()[0]
            .clone()
            .unwrap();
        // d/dx sum((x w)^2) = 2 x w w^T, whose sum has gradient 2 w w^T summed over columns.
        let total = reduce::sum(&first, &[0, 1], false).unwrap();
        let second = grad(&[total], std::slice::from_ref(&x), None, false).unwrap()[0]
            .clone()
            .unwrap();
        let wv = w.to_vec::<f32>().unwrap();
        let got = second.to_vec::<f32>().unwrap();
        for k in 0..3 {
            let want: f32 = (0..3)
                .map(|l| {
                    (0..4)
                        .map(|j| 2.0 * wv[k * 4 + j] * wv[l * 4 + j])
                        .sum::<f32>()
                })
                .sum();
            assert!((got[k] - want).abs() < 1e-4, "{device}: {} {want}", got[k]);
            assert!((got[3 + k] - want).abs() < 1e-4);
        }
    }
}

/// One step of linear regression, as Python would record it.
fn step(w: &std::sync::Arc<Cell>, x: &Tensor, target: &Tensor) -> f64 {
    let y = matmul::matmul(x, &w.tensor()).unwrap();
    let error = e::sub(&y, target).unwrap();
    let loss = Handle::new(reduce::sum(&e::mul(&error, &error).unwrap(), &[0, 1], false).unwrap());
    w.set_grad(None);
    backward(loss.tensor(), None).unwrap();
    let on = lamina_core::set_grad_enabled(false);
    let rate = Tensor::scalar(DType::F32, 0.02);
    let new = e::sub(&w.tensor(), &e::mul(&w.grad().unwrap(), &rate).unwrap()).unwrap();
    w.update(&new).unwrap();
    drop(new);
    lamina_core::set_grad_enabled(on);
    eval(&[w.tensor()]).unwrap();
    loss.tensor().item().unwrap()
}

#[test]
fn a_training_step_is_one_plan_replayed() {
    for device in devices() {
        let x = ramp(32, &[8, 4], device);
        let truth = tensor(&[1.0, -2.0, 0.5, 3.0], &[4, 1], device);
        let target = matmul::matmul(&x, &truth).unwrap();
        eval(std::slice::from_ref(&target)).unwrap();
        let w = Cell::new(&tensor(&[0.0; 4], &[4, 1], device), true).unwrap();
        let mut losses = Vec::new();
        for _ in 0..3 {
            losses.push(step(&w, &x, &target));
        }
        let before = lamina_core::counters::snapshot();
        for _ in 0..40 {
            losses.push(step(&w, &x, &target));
        }
        let after = lamina_core::counters::snapshot();
        for ((name, a), (_, b)) in before.iter().zip(&after) {
            if !["runs", "submissions"].contains(name) && std::env::var("ENGINE_ALONE").is_ok() {
                assert_eq!(a, b, "{device}: {name} rose in a steady state");
            }
        }
        assert!(losses.windows(2).all(|p| p[1] <= p[0] + 1e-6), "{losses:?}");
        assert!(
            losses[losses.len() - 1] < 0.2 * losses[0],
            "{device} {losses:?}"
        );
    }
}

#[test]
fn a_donated_value_is_gone_and_says_so() {
    let w = Cell::new(&ramp(4, &[4, 1], Device::Cpu), true).unwrap();
    let old = w.tensor();
    let held = Handle::new(e::mul(&old, &Tensor::scalar(DType::F32, 10.0)).unwrap());
    let new = e::add(&w.tensor(), &Tensor::scalar(DType::F32, 1.0)).unwrap();
    let new = new.detach().unwrap();
    w.update(&new).unwrap();
    drop(new);
    eval(&[w.tensor()]).unwrap();
    // What was held and read the old value was computed on the old value.
    let r: Vec<f32> = (0..4).map(|i| ((i * 7 % 13) as f32 - 6.0) / 5.0).collect();
    let scaled = held.tensor().to_vec::<f32>().unwrap();
    assert!(
        scaled
            .iter()
            .zip(&r)
            .all(|(s, r)| (s - r * 10.0).abs() < 1e-5)
    );
    assert!(
        w.tensor()
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .zip(&r)
            .all(|(s, r)| (s - r - 1.0).abs() < 1e-6)
    );
}
