use super::{log_softmax, log_softmax_backward, softmax, softmax_backward};
use crate::isa::Isa;

const CASES: [[usize; 3]; 10] = [
    [1, 1, 1],
    [3, 31, 1],
    [2, 33, 1],
    [5, 1000, 1],
    [2, 7, 31],
    [2, 21, 65],
    [1, 3, 20_000],
    [70, 128, 1],
    [0, 5, 1],
    [2, 0, 3],
];

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Exact in f32.
            f64::from(((state >> 33) as f32 / (1u32 << 30) as f32 - 1.0) * 5.0)
        })
        .collect()
}

/// Softmax, log-softmax and both backwards, by the definition.
fn oracle(x: &[f64], dy: &[f64], [outer, axis, inner]: [usize; 3]) -> [Vec<f64>; 4] {
    let mut all = [x.to_vec(), x.to_vec(), x.to_vec(), x.to_vec()];
    for o in 0..outer {
        for j in 0..inner {
            let at = |i: usize| (o * axis + i) * inner + j;
            let top = (0..axis)
                .map(|i| x[at(i)])
                .fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..axis).map(|i| (x[at(i)] - top).exp()).sum();
            let p = |i: usize| (x[at(i)] - top).exp() / sum;
            let weighted: f64 = (0..axis).map(|i| dy[at(i)] * p(i)).sum();
            let plain: f64 = (0..axis).map(|i| dy[at(i)]).sum();
            for i in 0..axis {
                all[0][at(i)] = p(i);
                all[1][at(i)] = x[at(i)] - top - sum.ln();
                all[2][at(i)] = p(i) * (dy[at(i)] - weighted);
                all[3][at(i)] = dy[at(i)] - p(i) * plain;
            }
        }
    }
    all
}

fn near(got: &[f32], want: &[f64], tolerance: f64) {
    for (a, b) in got.iter().zip(want) {
        assert!(
            (f64::from(*a) - b).abs() <= tolerance * (1.0 + b.abs()),
            "{a}, not {b}"
        );
    }
}

#[test]
fn all_four_follow_the_definition() {
    for isa in Isa::available() {
        for dims in CASES {
            let n = dims.iter().product();
            let (x, dy) = (noise(n, 1), noise(n, 2));
            let [p, l, dp, dl] = oracle(&x, &dy, dims);
            let single = |v: &[f64]| -> Vec<f32> { v.iter().map(|x| *x as f32).collect() };
            let (x32, dy32) = (single(&x), single(&dy));
            let mut y = vec![f32::NAN; n];
            let mut dx = y.clone();
            softmax(isa, &x32, dims, &mut y);
            near(&y, &p, 1e-6);
            softmax_backward(isa, &y, &dy32, dims, &mut dx);
            near(&dx, &dp, 4e-6);
            log_softmax(isa, &x32, dims, &mut y);
            near(&y, &l, 1e-6);
            log_softmax_backward(isa, &y, &dy32, dims, &mut dx);
            near(&dx, &dl, 4e-4);
        }
    }
    for dims in CASES {
        let n = dims.iter().product();
        let (x, dy) = (noise(n, 1), noise(n, 2));
        let want = oracle(&x, &dy, dims);
        let isa = Isa::current();
        let mut got = [x.clone(), x.clone(), x.clone(), x.clone()];
        softmax(isa, &x, dims, &mut got[0]);
        log_softmax(isa, &x, dims, &mut got[1]);
        softmax_backward(isa, &want[0], &dy, dims, &mut got[2]);
        log_softmax_backward(isa, &want[1], &dy, dims, &mut got[3]);
        for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
            assert!((got - want).abs() < 1e-11 * (1.0 + want.abs()));
        }
    }
}

#[test]
fn large_values_and_masked_rows_stay_defined() {
    let low = f32::NEG_INFINITY;
    for isa in Isa::available() {
        for inner in [1, 3] {
            let rows = [[low, low], [1e30, 0.0], [0.0, low], [low, f32::NAN]];
            for row in rows {
                let x: Vec<f32> = row.iter().flat_map(|v| vec![*v; inner]).collect();
                let (mut y, mut l) = (x.clone(), x.clone());
                softmax(isa, &x, [1, 2, inner], &mut y);
                log_softmax(isa, &x, [1, 2, inner], &mut l);
                if row[1].is_nan() {
                    assert!(y[inner].is_nan() && l[inner].is_nan());
                } else if row[0] == low {
                    assert!(y.iter().all(|v| *v == 0.0) && l.iter().all(|v| *v == low));
                } else {
                    assert!((y[0], y[inner]) == (1.0, 0.0) && l[0] == 0.0);
                }
            }
        }
    }
    let mut y = [1.0f64; 2];
    softmax(Isa::current(), &[f64::NEG_INFINITY; 2], [1, 2, 1], &mut y);
    assert_eq!(y, [0.0, 0.0]);
}
