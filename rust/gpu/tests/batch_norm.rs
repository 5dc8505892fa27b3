//! Batch normalisation and its gradient against loops.

mod common;

use common::{bytes, close, f32s, gpu, random, run, values};
use lamina_gpu::{
    Caps,
    kernels::{batch_norm, batch_norm_backward},
};

const EPS: f64 = 1e-3;

/// The elements of a channel, by place.
fn places([batch, channels, inner]: [usize; 3], c: usize) -> Vec<usize> {
    (0..batch * inner)
        .map(|k| (k / inner * channels + c) * inner + k % inner)
        .collect()
}

fn sizes() -> Vec<[usize; 3]> {
    vec![
        [2, 3, 35],
        [4, 33, 9],
        [31, 5, 1],
        [300, 70, 1],
        [2, 7, 1024],
        [1, 1, 2],
        [3, 2, 20_001],
        [9000, 3, 1],
    ]
}

fn moments(x: &[f32], at: &[usize]) -> (f64, f64) {
    let n = at.len() as f64;
    let mean = at.iter().map(|&i| f64::from(x[i])).sum::<f64>() / n;
    let var = at
        .iter()
        .map(|&i| (f64::from(x[i]) - mean).powi(2))
        .sum::<f64>()
        / n;
    (mean, var)
}

fn forward(shift: f32, tolerance: f64) {
    let Some(gpu) = gpu() else { return };
    for dims in sizes() {
        let (size, channels) = (dims.iter().product::<usize>(), dims[1]);
        let x: Vec<f32> = random(1, size).iter().map(|v| v * 3.0 + shift).collect();
        let (weight, bias) = (random(2, channels), random(3, channels));
        let (mut y, mut means, mut vars) = (vec![0.0; size], Vec::new(), Vec::new());
        for c in 0..channels {
            let at = places(dims, c);
            let (mean, var) = moments(&x, &at);
            for i in at {
                let h = (f64::from(x[i]) - mean) / (var + EPS).sqrt();
                y[i] = h * f64::from(weight[c]) + f64::from(bias[c]);
            }
            means.push(mean);
            vars.push(var);
        }
        let row = f32s(&[channels]);
        let kernels = batch_norm(&f32s(&[size]), &row, &row, dims, EPS, &Caps::portable()).unwrap();
        let (all, few) = (4 * size as u64, 4 * channels as u64);
        let inputs = [bytes(&x), bytes(&weight), bytes(&bias)];
        let got = run(&gpu, &kernels, &inputs, &[], &[all, few, few]).unwrap();
        close(
            &format!("y {dims:?} {shift}"),
            &values(&got[0]),
            &y,
            tolerance,
        );
        close(
            &format!("mean {dims:?} {shift}"),
            &values(&got[1]),
            &means,
            1e-6,
        );
        close(
            &format!("var {dims:?} {shift}"),
            &values(&got[2]),
            &vars,
            tolerance,
        );
    }
}

#[test]
fn outputs_and_statistics() {
    forward(0.5, 4e-6);
}

#[test]
fn a_large_mean_leaves_the_variance_right() {
    // The means themselves are rounded to 1 in 2^24 of 1000: 6e-5.
    forward(1000.0, 2e-4);
}

/// Whether sums whose terms cancel are within `error`.
fn within(what: &str, got: &[f32], wanted: &[f64], error: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (g, w) in got.iter().zip(wanted) {
        assert!(
            (f64::from(*g) - w).abs() <= error,
            "{what}: got {g}, wanted {w}"
        );
    }
}

#[test]
fn gradients() {
    let Some(gpu) = gpu() else { return };
    for dims in sizes() {
        let (size, channels) = (dims.iter().product::<usize>(), dims[1]);
        let x: Vec<f32> = random(1, size).iter().map(|v| v * 2.0 + 1.0).collect();
        let (dy, weight) = (random(4, size), random(2, channels));
        let (mut means, mut vars) = (Vec::new(), Vec::new());
        let (mut dx, mut dw, mut db) = (vec![0.0; size], Vec::new(), Vec::new());
        for (c, &factor) in weight.iter().enumerate() {
            let at = places(dims, c);
            let (mean, var) = moments(&x, &at);
            let (n, scale) = (at.len() as f64, 1.0 / (var + EPS).sqrt());
            let h = |i: usize| (f64::from(x[i]) - mean) * scale;
            let sum: f64 = at.iter().map(|&i| f64::from(dy[i])).sum();
            let along: f64 = at.iter().map(|&i| f64::from(dy[i]) * h(i)).sum();
            for &i in &at {
                let centred = f64::from(dy[i]) - sum / n - h(i) * along / n;
                dx[i] = f64::from(factor) * scale * centred;
            }
            dw.push(along);
            db.push(sum);
            means.push(mean as f32);
            vars.push(var as f32);
        }
        let (all, row) = (f32s(&[size]), f32s(&[channels]));
        let operands = [&all, &all, &row, &row, &row];
        let kernels = batch_norm_backward(operands, dims, EPS, &Caps::portable()).unwrap();
        let inputs = [
            bytes(&dy),
            bytes(&x),
            bytes(&weight),
            bytes(&means),
            bytes(&vars),
        ];
        let (all, few) = (4 * size as u64, 4 * channels as u64);
        let got = run(&gpu, &kernels, &inputs, &[], &[all, few, few]).unwrap();
        let terms = (dims[0] * dims[2]) as f64;
        within(&format!("dx {dims:?}"), &values(&got[0]), &dx, 1e-5);
        within(&format!("dw {dims:?}"), &values(&got[1]), &dw, 1e-6 * terms);
        within(&format!("db {dims:?}"), &values(&got[2]), &db, 1e-6 * terms);
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let row = f32s(&[3]);
    assert!(
        batch_norm(
            &f32s(&[12]),
            &row,
            &f32s(&[4]),
            [2, 3, 2],
            EPS,
            &Caps::portable()
        )
        .is_err()
    );
    assert!(batch_norm(&f32s(&[0]), &row, &row, [0, 3, 2], EPS, &Caps::portable()).is_err());
}
