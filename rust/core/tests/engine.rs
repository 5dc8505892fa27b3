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

/// y\[n, o, i, j\] by loops.
fn conv_loops(
    x: &[f32],
    w: &[f32],
    [n, c, h, wd]: [usize; 4],
    [o, k]: [usize; 2],
    pad: usize,
    stride: usize,
) -> Vec<f64> {
    let (oh, ow) = (
        (h + 2 * pad - k) / stride + 1,
        (wd + 2 * pad - k) / stride + 1,
    );
    let mut y = vec![0.0; n * o * oh * ow];
    for b in 0..n {
        for f in 0..o {
            for i in 0..oh {
                for j in 0..ow {
                    let mut sum = 0.0;
                    for ch in 0..c {
                        for u in 0..k {
                            for v in 0..k {
                                let (r, s) = (i * stride + u, j * stride + v);
                                if r >= pad && s >= pad && r - pad < h && s - pad < wd {
                                    sum +=
                                        f64::from(x[((b * c + ch) * h + r - pad) * wd + s - pad])
                                            * f64::from(w[((f * c + ch) * k + u) * k + v]);
                                }
                            }
                        }
                    }
                    y[((b * o + f) * oh + i) * ow + j] = sum;
                }
            }
        }
    }
    y
}

#[test]
fn convolution_with_bias_and_relu_is_one_step_and_its_gradients_agree() {
    for device in devices() {
        let (xs, ws) = ([2, 3, 9, 7], [4, 3, 3, 3]);
        let x = ramp(2 * 3 * 63, &xs, device);
        let w = ramp(4 * 27, &ws, device);
        let bias = tensor(&[0.1, -0.2, 0.3, 0.0], &[4], device);
        let attrs = Attrs::new()
            .with("stride", vec![2i64, 2])
            .with("padding", 1i64);
        x.set_requires_grad(true).unwrap();
        w.set_requires_grad(true).unwrap();
        let y = record("conv2d", &[x.clone(), w.clone(), bias], &attrs)
            .unwrap()
            .remove(0);
        let y = record("relu", &[y], &Attrs::new()).unwrap().remove(0);
        let want: Vec<f64> = {
            let (xv, wv) = (x.to_vec::<f32>().unwrap(), w.to_vec::<f32>().unwrap());
            let b = [0.1, -0.2, 0.3, 0.0];
            let y = conv_loops(&xv, &wv, xs, [4, 3], 1, 2);
            y.iter()
                .enumerate()
                .map(|(i, v)| (v + b[i / 20 % 4]).max(0.0))
                .collect()
        };
        let steps = lamina_core::explain(std::slice::from_ref(&y))
            .unwrap()
            .unwrap();
        assert_eq!(steps.steps().len(), 1, "{:?}", steps.steps());
        let loss = reduce::sum(&e::mul(&y, &y).unwrap(), &[0, 1, 2, 3], false).unwrap();
        let grads = grad(&[loss], &[x.clone(), w.clone()], None, false).unwrap();
        let got = y.to_vec::<f32>().unwrap();
        for (g, w) in got.iter().zip(&want) {
            assert!((f64::from(*g) - w).abs() < 1e-4, "{device} {g} {w}");
        }
        // d/dw sum(y^2) = sum 2 y dy/dw: by a difference in one weight.
        let dw = grads[1].clone().unwrap().to_vec::<f32>().unwrap();
        let (xv, mut wv) = (x.to_vec::<f32>().unwrap(), w.to_vec::<f32>().unwrap());
        let at = 31;
        let total = |wv: &[f32]| -> f64 {
            let b = [0.1, -0.2, 0.3, 0.0];
            conv_loops(&xv, wv, xs, [4, 3], 1, 2)
                .iter()
                .enumerate()
                .map(|(i, v)| (v + b[i / 20 % 4]).max(0.0).powi(2))
                .sum()
        };
        wv[at] += 0.01;
        let up = total(&wv);
        wv[at] -= 0.02;
        let slope = (up - total(&wv)) / 0.02;
        assert!(
            (f64::from(dw[at]) - slope).abs() < 0.02 * slope.abs().max(1.0),
            "{device} {} {slope}",
            dw[at]
        );
        assert!(
            grads[0]
                .clone()
                .unwrap()
                .to_vec::<f32>()
                .unwrap()
                .iter()
                .any(|v| *v != 0.0)
        );
    }
}

#[test]
fn claims_are_found_by_trying() {
    let claims = lamina_core::ops::claims::claims();
    let of = |name: &str| claims.iter().find(|c| c.op == name).unwrap();
    assert!(of("add").cpu.contains(&DType::F64) && !of("add").gpu.contains(&DType::F64));
    assert!(of("add").gpu.contains(&DType::I64) && of("add").gradient);
    assert!(!of("eq").gradient && of("eq").cpu.contains(&DType::Bool));
    assert!(of("conv2d").gpu.contains(&DType::F32) && of("conv2d").gpu.contains(&DType::F16));
    assert!(!of("matmul").cpu.contains(&DType::Bool));
}

#[test]
fn random_values_are_the_same_on_every_device() {
    use lamina_core::ops::random::{normal, uniform};
    let draws: Vec<(Vec<f32>, Vec<f32>)> = devices()
        .into_iter()
        .map(|device| {
            lamina_core::random::manual_seed(5);
            let u = uniform(&[1003], 0.0, 1.0, DType::F32, device).unwrap();
            let n = normal(&[1003], 0.0, 1.0, DType::F32, device).unwrap();
            (u.to_vec().unwrap(), n.to_vec().unwrap())
        })
        .collect();
    let (u, n) = &draws[0];
    let mean = u.iter().sum::<f32>() / 1003.0;
    assert!((mean - 0.5).abs() < 0.05 && u.iter().all(|x| (0.0..1.0).contains(x)));
    let spread = n.iter().map(|x| x * x).sum::<f32>() / 1003.0;
    assert!((spread - 1.0).abs() < 0.2, "{spread}");
    for (other_u, other_n) in &draws[1..] {
        assert_eq!(u, other_u);
        assert!(n.iter().zip(other_n).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
