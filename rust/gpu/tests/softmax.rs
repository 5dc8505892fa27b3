//! Softmax and its logarithm against loops.

mod common;

use common::{bytes, close, f32s, gpu, random, run, values};
use lamina_gpu::{Caps, Operand, Storage, kernels::softmax};

/// In float64; a row of nothing but -inf gives 0, or -inf.
fn expected(x: &[f32], [outer, count, inner]: [usize; 3], log: bool) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for row in 0..outer * inner {
        let place = |k: usize| (row / inner * count + k) * inner + row % inner;
        let all: Vec<f64> = (0..count).map(|k| f64::from(x[place(k)])).collect();
        let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = all.iter().map(|v| (v - most).exp()).sum();
        for (k, v) in all.iter().enumerate() {
            y[place(k)] = match (most == f64::NEG_INFINITY, log) {
                (true, false) => 0.0,
                (true, true) => most,
                (false, false) => (v - most).exp() / sum,
                (false, true) => v - most - sum.ln(),
            };
        }
    }
    y
}

fn softmax_of(x: &[f32], dims: [usize; 3], log: bool) -> Option<Vec<f32>> {
    let gpu = gpu()?;
    let kernels = softmax(&f32s(&dims), dims, log, &Caps::portable()).unwrap();
    let size = 4 * dims.iter().product::<usize>() as u64;
    Some(values(
        &run(&gpu, &kernels, &[bytes(x)], &[], &[size]).unwrap()[0],
    ))
}

#[test]
fn rows_and_columns_of_any_length() {
    for dims in [
        [1, 1, 1],
        [3, 5, 1],
        [31, 33, 1],
        [2, 1000, 1],
        [1, 70_001, 1],
        [2, 10, 31],
        [3, 33, 64],
        [1, 4000, 5],
        [700, 2, 1],
    ] {
        let x: Vec<f32> = (random(1, dims.iter().product()).iter())
            .map(|v| v * 20.0 - 300.0)
            .collect();
        for log in [false, true] {
            let Some(got) = softmax_of(&x, dims, log) else {
                return;
            };
            let wanted = expected(&x, dims, log);
            close(&format!("{dims:?} {log}"), &got, &wanted, 2e-6);
        }
    }
}

#[test]
fn infinities_and_nan() {
    let inf = f32::INFINITY;
    for inner in [1, 2] {
        // Nothing but -inf; some -inf; a NaN; +inf.
        let rows = [
            [-inf, -inf, -inf],
            [-inf, 1.0, 2.0],
            [0.0, f32::NAN, 1.0],
            [0.0, inf, 1.0],
        ];
        let x: Vec<f32> = (rows.iter())
            .flat_map(|row| row.iter().flat_map(|&v| vec![v; inner]))
            .collect();
        for log in [false, true] {
            let Some(got) = softmax_of(&x, [4, 3, inner], log) else {
                return;
            };
            let of =
                |row: usize| -> Vec<f32> { (0..3).map(|k| got[(row * 3 + k) * inner]).collect() };
            assert_eq!(of(0), if log { [-inf; 3] } else { [0.0; 3] });
            let far = 1.0 / (1.0 + 1f32.exp());
            let (first, second) = if log { (-inf, far.ln()) } else { (0.0, far) };
            assert_eq!(of(1)[0], first);
            assert!((of(1)[1] - second).abs() < 1e-6, "{:?}", of(1));
            assert!(of(2).iter().chain(&of(3)).all(|v| v.is_nan()), "{got:?}");
        }
    }
}

#[test]
fn an_offset_is_kept_and_strides_are_refused() {
    let Some(gpu) = gpu() else { return };
    let x = random(2, 100);
    let view = Operand::view(Storage::F32, &[3, 31], &[31, 1], 5);
    let kernels = softmax(&view, [3, 31, 1], false, &Caps::portable()).unwrap();
    let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[4 * 93]).unwrap();
    let wanted = expected(&x[5..98], [3, 31, 1], false);
    close("offset", &values(&got[0]), &wanted, 2e-6);
    let turned = Operand::view(Storage::F32, &[31, 3], &[1, 31], 0);
    assert!(softmax(&turned, [31, 3, 1], false, &Caps::portable()).is_err());
}
