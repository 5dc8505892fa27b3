//! Layer normalisation against loops.

mod common;

use common::{bytes, close, f32s, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{LayerNormForm, layer_norm, layer_norm_backward},
};

const EPS: f64 = 1e-3;
const ROWS: LayerNormForm = LayerNormForm {
    eps: EPS,
    centred: true,
    groups: 1,
};

/// y, mean and 1 / sqrt(var + eps), in float64.
fn expected(x: &[f32], weight: &[f32], bias: &[f32]) -> [Vec<f64>; 3] {
    let [mut y, mut mean, mut inverse] = [vec![], vec![], vec![]];
    for row in x.chunks(weight.len()) {
        let wide = || row.iter().map(|v| f64::from(*v));
        let m = wide().sum::<f64>() / row.len() as f64;
        let var = wide().map(|v| (v - m).powi(2)).sum::<f64>() / row.len() as f64;
        let scale = 1.0 / (var + EPS).sqrt();
        for (i, v) in wide().enumerate() {
            y.push((v - m) * scale * f64::from(weight[i]) + f64::from(bias[i]));
        }
        mean.push(m);
        inverse.push(scale);
    }
    [y, mean, inverse]
}

#[test]
fn rows_of_any_length() {
    let Some(gpu) = gpu() else { return };
    for [rows, count] in [
        [1, 1],
        [3, 5],
        [31, 33],
        [700, 2],
        [2, 1000],
        [5, 1024],
        [1, 70_001],
    ] {
        // A large mean spoils nothing.
        for shift in [0.5, 1000.0] {
            let x = random(1, rows * count);
            let x: Vec<f32> = x.iter().map(|v| v * 3.0 + shift).collect();
            let (weight, bias) = (random(2, count), random(3, count));
            let row = f32s(&[count]);
            let operands = [&f32s(&[rows, count]), &row, &row];
            let kernels = layer_norm(operands, [rows, count], ROWS, &Caps::portable()).unwrap();
            let inputs = [bytes(&x), bytes(&weight), bytes(&bias)];
            let sizes = [rows * count, rows, rows].map(|n| 4 * n as u64);
            let got = run(&gpu, &kernels, &inputs, &[], &sizes).unwrap();
            let wanted = expected(&x, &weight, &bias);
            for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                let what = format!("output {i} of {rows} x {count} around {shift}");
                close(&what, &values(got), wanted, 4e-6);
            }
        }
    }
}

#[test]
fn gradients() {
    let Some(gpu) = gpu() else { return };
    for [rows, count] in [
        [3, 5],
        [31, 33],
        [700, 4],
        [2, 1000],
        [5, 1024],
        [1, 70_001],
    ] {
        let x: Vec<f32> = random(1, rows * count)
            .iter()
            .map(|v| v * 3.0 + 0.5)
            .collect();
        let (dy, weight) = (random(4, rows * count), random(2, count));
        let [h, mean, inverse] = expected(&x, &vec![1.0; count], &vec![0.0; count]);
        let mut wanted = Vec::new();
        for (row, scale) in inverse.iter().enumerate() {
            let h = &h[row * count..][..count];
            let g = |i: usize| f64::from(dy[row * count + i]) * f64::from(weight[i]);
            let even = (0..count).map(g).sum::<f64>() / count as f64;
            let along = (0..count).map(|i| g(i) * h[i]).sum::<f64>() / count as f64;
            wanted.extend((0..count).map(|i| scale * (g(i) - even - h[i] * along)));
        }
        let single = |v: &[f64]| -> Vec<f32> { v.iter().map(|v| *v as f32).collect() };
        let (mean, inverse) = (single(&mean), single(&inverse));
        let (all, row, each) = (f32s(&[rows, count]), f32s(&[count]), f32s(&[rows]));
        let operands = [&all, &all, &row, &each, &each];
        let kernels =
            layer_norm_backward(operands, [rows, count], ROWS, &Caps::portable()).unwrap();
        let inputs = [&dy, &x, &weight, &mean, &inverse].map(|v| bytes(&v[..]));
        let size = 4 * (rows * count) as u64;
        let got = run(&gpu, &kernels, &inputs, &[], &[size]).unwrap();
        close(
            &format!("dx {rows} x {count}"),
            &values(&got[0]),
            &wanted,
            4e-6,
        );
    }
}

#[test]
fn offsets_are_kept_and_strides_are_refused() {
    let Some(gpu) = gpu() else { return };
    let (x, weight, bias) = (random(1, 100), random(2, 40), random(3, 40));
    let view = Operand::view(Storage::F32, &[3, 31], &[31, 1], 5);
    let (w, b) = (
        Operand::view(Storage::F32, &[31], &[1], 2),
        Operand::view(Storage::F32, &[31], &[1], 7),
    );
    let caps = Caps::portable();
    let kernels = layer_norm([&view, &w, &b], [3, 31], ROWS, &caps).unwrap();
    let inputs = [bytes(&x), bytes(&weight), bytes(&bias)];
    let got = run(&gpu, &kernels, &inputs, &[], &[4 * 93, 12, 12]).unwrap();
    let wanted = expected(&x[5..98], &weight[2..33], &bias[7..38]);
    close("offsets", &values(&got[0]), &wanted[0], 4e-6);
    let turned = Operand::view(Storage::F32, &[3, 31], &[1, 3], 0);
    assert!(layer_norm([&turned, &w, &b], [3, 31], ROWS, &caps).is_err());
    assert!(layer_norm([&view, &w, &view], [3, 31], ROWS, &caps).is_err());
}

#[test]
fn scales_that_do_not_fit_are_refused() {
    let caps = Caps::portable();
    let x = f32s(&[6, 12]);
    for (scales, groups) in [(6, 4), (5, 1), (0, 1), (12, 0)] {
        let row = f32s(&[scales]);
        let form = LayerNormForm { groups, ..ROWS };
        assert!(layer_norm([&x, &row, &row], [6, 12], form, &caps).is_err());
    }
}

#[test]
fn groups_of_channels_and_rows_that_are_not_centred() {
    let Some(gpu) = gpu() else { return };
    for [rows, groups, channels, inner] in
        [[6, 3, 2, 33], [4, 4, 1, 49], [6, 2, 5, 1], [4, 2, 3, 700]]
    {
        for centred in [true, false] {
            let form = LayerNormForm {
                groups,
                centred,
                eps: EPS,
            };
            let count = channels * inner;
            let x: Vec<f32> = random(1, rows * count)
                .iter()
                .map(|v| v * 3.0 + 0.5)
                .collect();
            let dy = random(4, rows * count);
            let (weight, bias) = (random(2, groups * channels), random(3, groups * channels));
            let (mut y, mut dx, mut means, mut inverses) = (vec![], vec![], vec![], vec![]);
            for row in 0..rows {
                let own = &x[row * count..][..count];
                let n = count as f64;
                let mean = own.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
                let mean = if centred { mean } else { 0.0 };
                let var = own
                    .iter()
                    .map(|v| (f64::from(*v) - mean).powi(2))
                    .sum::<f64>()
                    / n;
                let scale = 1.0 / (var + EPS).sqrt();
                let at = |i: usize| row % groups * channels + i / inner;
                let h = |i: usize| (f64::from(own[i]) - mean) * scale;
                let g = |i: usize| f64::from(dy[row * count + i]) * f64::from(weight[at(i)]);
                let even = (0..count).map(g).sum::<f64>() / n;
                let even = if centred { even } else { 0.0 };
                let along = (0..count).map(|i| g(i) * h(i)).sum::<f64>() / n;
                y.extend(
                    (0..count).map(|i| h(i) * f64::from(weight[at(i)]) + f64::from(bias[at(i)])),
                );
                dx.extend((0..count).map(|i| scale * (g(i) - even - h(i) * along)));
                means.push(mean as f32);
                inverses.push(scale as f32);
            }
            let (all, row, each) = (
                f32s(&[rows, count]),
                f32s(&[groups * channels]),
                f32s(&[rows]),
            );
            let caps = Caps::portable();
            let kernels = layer_norm([&all, &row, &row], [rows, count], form, &caps).unwrap();
            let sizes = [rows * count, rows, rows].map(|n| 4 * n as u64);
            let got = run(
                &gpu,
                &kernels,
                &[bytes(&x), bytes(&weight), bytes(&bias)],
                &[],
                &sizes,
            )
            .unwrap();
            close(
                &format!("y in {groups}, {centred}"),
                &values(&got[0]),
                &y,
                4e-6,
            );
            let operands = [&all, &all, &row, &each, &each];
            let kernels = layer_norm_backward(operands, [rows, count], form, &caps).unwrap();
            let inputs = [&dy, &x, &weight, &means, &inverses].map(|v| bytes(&v[..]));
            let got = run(&gpu, &kernels, &inputs, &[], &sizes[..1]).unwrap();
            close(
                &format!("dx in {groups}, {centred}"),
                &values(&got[0]),
                &dx,
                4e-6,
            );
        }
    }
}
