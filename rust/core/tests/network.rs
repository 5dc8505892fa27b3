//! Pooling and batch normalisation: values, gradients and gradients of
//! gradients, on each device.

mod common;

use common::twin::{close, gradients, total, widened};
use common::{affine_gradient, devices, floats, message, numbers, one, ramp};
use lamina_core::ops::{composed, elementwise as e};
use lamina_core::{Attrs, DType, Device, Tensor, grad, record};

fn windows() -> Vec<([usize; 4], Attrs)> {
    let of = |kernel: [i64; 2], stride: [i64; 2], pads: [i64; 4]| {
        Attrs::new()
            .with("kernel_size", kernel.to_vec())
            .with("stride", stride.to_vec())
            .with("padding", pads.to_vec())
    };
    vec![
        (
            [2, 3, 8, 9],
            Attrs::new().with("kernel_size", vec![2i64, 2]),
        ),
        ([1, 33, 7, 7], of([3, 3], [2, 2], [1; 4])),
        (
            [2, 2, 6, 5],
            of([3, 3], [2, 2], [1; 4]).with("ceil_mode", true),
        ),
        (
            [1, 2, 9, 8],
            of([2, 3], [1, 2], [1, 0, 2, 3]).with("dilation", vec![3i64, 2]),
        ),
        ([1, 3, 31, 33], of([5, 2], [1, 3], [2, 0, 2, 0])),
    ]
}

/// (kernel, stride, dilation, pads), of height and width.
fn window(attrs: &Attrs) -> [[usize; 2]; 4] {
    let ints = |name: &str, or: [usize; 2]| match attrs.get(name) {
        Some(lamina_core::Attr::Ints(v)) => [v[0] as usize, v[1] as usize],
        _ => or,
    };
    let kernel = ints("kernel_size", [1, 1]);
    let stride = ints("stride", kernel);
    [
        kernel,
        stride,
        ints("dilation", [1, 1]),
        ints("padding", [0, 0]),
    ]
}

#[test]
fn pools_against_loops() {
    for (shape, attrs) in windows() {
        let [batch, channels, in_h, in_w] = shape;
        let [kernel, stride, dilation, pads] = window(&attrs);
        let x = numbers(1, shape.iter().product());
        for device in devices() {
            let t = floats(&x, &shape, device);
            let max = record(
                "max_pool2d",
                std::slice::from_ref(&t),
                &attrs.clone().with("return_indices", true),
            )
            .unwrap();
            let inside = attrs.clone().with("count_include_pad", false);
            let mean = one("avg_pool2d", &[t], &inside).to_vec::<f32>().unwrap();
            let &[_, _, out_h, out_w] = max[0].shape() else {
                panic!()
            };
            let (y, places) = (
                max[0].to_vec::<f32>().unwrap(),
                max[1].to_vec::<i64>().unwrap(),
            );
            for i in 0..batch * channels * out_h * out_w {
                let (plane, oy, ox) = (i / (out_h * out_w), i / out_w % out_h, i % out_w);
                let (mut best, mut sum, mut count) = (None, 0.0, 0.0);
                for (ky, kx) in (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx)))
                {
                    let iy = (oy * stride[0] + ky * dilation[0]).wrapping_sub(pads[0]);
                    let ix = (ox * stride[1] + kx * dilation[1]).wrapping_sub(pads[1]);
                    if iy >= in_h || ix >= in_w {
                        continue;
                    }
                    let value = x[(plane * in_h + iy) * in_w + ix];
                    if best.is_none_or(|(b, _)| value > b) {
                        best = Some((value, (iy * in_w + ix) as i64));
                    }
                    sum += value;
                    count += 1.0;
                }
                let (value, place) = best.unwrap_or((f32::NEG_INFINITY, -1));
                assert_eq!(
                    (y[i], places[i]),
                    (value, place),
                    "{shape:?} {attrs} {device}"
                );
                let wanted = if count == 0.0 { 0.0 } else { sum / count };
                assert!(
                    (mean[i] - wanted).abs() < 1e-5,
                    "{shape:?} {attrs} {device}"
                );
            }
        }
    }
}

#[test]
fn the_mean_of_windows_is_linear() {
    for (shape, attrs) in windows() {
        for device in devices() {
            for include in [true, false] {
                let attrs = attrs.clone().with("count_include_pad", include);
                affine_gradient("avg_pool2d", &shape, device, &|x| {
                    one("avg_pool2d", std::slice::from_ref(x), &attrs)
                });
            }
        }
    }
    for device in devices() {
        affine_gradient("global_avg_pool2d", &[2, 3, 5, 7], device, &|x| {
            one("global_avg_pool2d", std::slice::from_ref(x), &Attrs::new())
        });
    }
}

/// dx puts dy at the maxima; it is linear in dy, and its gradient by dy picks
/// from the maxima.
#[test]
fn max_pool2d_is_differentiable_twice() {
    for (shape, attrs) in windows() {
        for device in devices() {
            let x = ramp(1, &shape, device);
            x.set_requires_grad(true).unwrap();
            let max = record(
                "max_pool2d",
                std::slice::from_ref(&x),
                &attrs.clone().with("return_indices", true),
            )
            .unwrap();
            let dy = ramp(2, max[0].shape(), device);
            dy.set_requires_grad(true).unwrap();
            let y = one("max_pool2d", std::slice::from_ref(&x), &attrs);
            let dx = grad(
                &[y],
                std::slice::from_ref(&x),
                Some(std::slice::from_ref(&dy)),
                true,
            )
            .unwrap()[0]
                .clone()
                .unwrap();
            let places = max[1].to_vec::<i64>().unwrap();
            let pixels = shape[2] * shape[3];
            let outs = places.len() / (shape[0] * shape[1]);
            let given = dy.to_vec::<f32>().unwrap();
            let mut wanted = vec![0.0f32; x.len()];
            for (i, &place) in places.iter().enumerate().filter(|(_, p)| **p >= 0) {
                wanted[i / outs * pixels + place as usize] += given[i];
            }
            close("dx", &dx, &floats(&wanted, &shape, device), 1e-5);
            let weights = ramp(3, &shape, device);
            let loss = total(&e::mul(&dx, &weights).unwrap());
            let back = grad(&[loss], &[dy], None, false).unwrap()[0]
                .clone()
                .unwrap();
            let w = weights.to_vec::<f32>().unwrap();
            let at = |(i, &place): (usize, &i64)| {
                if place < 0 {
                    0.0
                } else {
                    w[i / outs * pixels + place as usize]
                }
            };
            let wanted: Vec<f32> = places.iter().enumerate().map(at).collect();
            close("by dy", &back, &floats(&wanted, back.shape(), device), 1e-6);
        }
    }
}

#[test]
fn pooling_refuses_what_does_not_fit() {
    let x = ramp(1, &[1, 1, 3, 3], Device::Cpu);
    let large = Attrs::new().with("kernel_size", vec![4i64, 4]);
    assert!(
        message(record("max_pool2d", std::slice::from_ref(&x), &large))
            .contains("a window of 4 does not fit in 3")
    );
    let flat = ramp(1, &[3, 3], Device::Cpu);
    let small = Attrs::new().with("kernel_size", vec![1i64, 1]);
    assert_eq!(
        message(record("avg_pool2d", std::slice::from_ref(&flat), &small)),
        "avg_pool2d: x has shape [3, 3], wanted (batch, channels, height, width)"
    );
    assert_eq!(
        message(record("global_avg_pool2d", &[flat], &Attrs::new())),
        "global_avg_pool2d: x has shape [3, 3], wanted (batch, channels, height, width)"
    );
}

const EPS: f64 = 1e-3;

fn rows(channels: usize, device: Device) -> [Tensor; 2] {
    let weight: Vec<f32> = (0..channels).map(|i| 0.5 + i as f32 / 7.0).collect();
    [
        floats(&weight, &[channels], device),
        ramp(5, &[channels], device),
    ]
}

#[test]
fn the_fused_batch_norm_is_its_twin() {
    let attrs = Attrs::new().with("training", true).with("eps", EPS);
    for shape in [
        &[4usize, 3, 5, 7][..],
        &[2, 33, 9],
        &[31, 5],
        &[2, 2, 32, 33],
    ] {
        for device in devices() {
            let [weight, bias] = rows(shape[1], device);
            let inputs = [ramp(3, shape, device), weight, bias];
            // The twin in float64, from the same numbers.
            let exact = inputs.each_ref().map(widened);
            for t in inputs.iter().chain(&exact) {
                t.set_requires_grad(true).unwrap();
            }
            let got: [Tensor; 3] = record("batch_norm", &inputs, &attrs)
                .unwrap()
                .try_into()
                .unwrap();
            let wanted =
                composed::batch_norm::training(&exact[0], &exact[1], &exact[2], EPS).unwrap();
            for (i, (g, w)) in got.iter().zip(&wanted).enumerate() {
                close(&format!("output {i} of {shape:?} on {device}"), g, w, 1e-5);
            }
            let (first, second) = gradients(&inputs, &got);
            let (first_wanted, second_wanted) = gradients(&exact, &wanted);
            for (i, (g, w)) in first.iter().zip(&first_wanted).enumerate() {
                close(
                    &format!("gradient {i} of {shape:?} on {device}"),
                    g,
                    w,
                    1e-4,
                );
            }
            for (i, (g, w)) in second.iter().zip(&second_wanted).enumerate() {
                close(
                    &format!("second gradient {i} of {shape:?} on {device}"),
                    g,
                    w,
                    2e-3,
                );
            }
        }
    }
}

#[test]
fn batch_norm_by_the_running_statistics() {
    for device in devices() {
        let x = ramp(1, &[2, 3, 4], device);
        let [weight, bias] = rows(3, device);
        let (mean, var) = (
            floats(&[0.5, -1.0, 0.0], &[3], device),
            floats(&[1.0, 2.0, 0.25], &[3], device),
        );
        let attrs = Attrs::new().with("eps", EPS);
        let inputs = [x.clone(), weight.clone(), bias.clone(), mean, var];
        let y = one("batch_norm", &inputs, &attrs);
        let (x, w, b) = (
            x.to_vec::<f32>().unwrap(),
            weight.to_vec::<f32>().unwrap(),
            bias.to_vec::<f32>().unwrap(),
        );
        let wanted: Vec<f32> = (0..24)
            .map(|i| {
                let c = i / 4 % 3;
                let (m, v) = ([0.5, -1.0, 0.0][c], [1.0, 2.0, 0.25][c]);
                ((f64::from(x[i]) - m) / (v + EPS).sqrt() * f64::from(w[c]) + f64::from(b[c]))
                    as f32
            })
            .collect();
        close("inference", &y, &floats(&wanted, &[2, 3, 4], device), 1e-5);
        assert_eq!(
            message(record("batch_norm", &inputs[..3], &attrs)),
            "batch_norm: outside of training it takes x, weight, bias, running_mean and running_var, got 3 tensors"
        );
        let short = [inputs[0].clone(), floats(&[1.0], &[1], device), bias];
        assert_eq!(
            message(record(
                "batch_norm",
                &short,
                &attrs.clone().with("training", true)
            )),
            "batch_norm: weight has shape [1], wanted [3], one for each channel of x [2, 3, 4]"
        );
    }
}

#[test]
fn none_of_them_leaves_the_gpu() {
    let claims = lamina_core::ops::claims::claims();
    for name in [
        "max_pool2d",
        "max_pool2d_backward",
        "avg_pool2d",
        "avg_pool2d_backward",
        "global_avg_pool2d",
        "global_max_pool2d",
        "batch_norm",
        "batch_norm_backward",
        "layer_norm",
        "layer_norm_backward",
        "rms_norm",
        "group_norm",
        "group_norm_backward",
        "instance_norm",
        "gelu",
        "silu",
        "hardswish",
        "softmax",
        "log_softmax",
        "sum",
        "mean",
        "prod",
        "max",
        "min",
    ] {
        let claim = claims.iter().find(|c| c.op == name).unwrap();
        assert!(claim.gradient, "{name}");
        assert!(claim.cpu.contains(&DType::F64), "{name}");
        for dtype in [DType::F32, DType::F16] {
            assert!(
                claim.gpu.contains(&dtype),
                "{name} {dtype}: {:?}",
                claim.gpu
            );
        }
    }
}
