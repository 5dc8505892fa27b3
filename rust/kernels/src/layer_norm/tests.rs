use super::{Affine, Form, Forward, layer_norm, layer_norm_backward};
use crate::isa::Isa;

const EPS: f64 = 1e-5;

const CASES: [[usize; 2]; 9] = [
    [1, 1],
    [3, 31],
    [2, 32],
    [5, 33],
    [70, 130],
    [2, 4097],
    [1, 20_000],
    [300, 2],
    [0, 5],
];

fn noise(n: usize, seed: u64, offset: f32) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((state >> 33) as f32 / (1u32 << 30) as f32 - 1.0) + offset
        })
        .collect()
}

/// y, mean and 1 / sqrt(var + eps), by the definition.
fn oracle(x: &[f32], gamma: &[f32], beta: &[f32]) -> [Vec<f64>; 3] {
    let [mut y, mut mean, mut inverse] = [vec![], vec![], vec![]];
    for row in x.chunks(gamma.len()) {
        let wide = || row.iter().map(|x| f64::from(*x));
        let m = wide().sum::<f64>() / row.len() as f64;
        let var = wide().map(|x| (x - m).powi(2)).sum::<f64>() / row.len() as f64;
        let scale = 1.0 / (var + EPS).sqrt();
        for (i, x) in wide().enumerate() {
            y.push((x - m) * scale * f64::from(gamma[i]) + f64::from(beta[i]));
        }
        mean.push(m);
        inverse.push(scale);
    }
    [y, mean, inverse]
}

fn run(isa: Isa, x: &[f32], dims: [usize; 2], gamma: &[f32], beta: &[f32]) -> [Vec<f32>; 3] {
    let [rows, count] = dims;
    let mut got = [rows * count, rows, rows].map(|n| vec![f32::NAN; n]);
    let [y, mean, inverse] = &mut got;
    let affine = Affine { gamma, beta };
    layer_norm(isa, x, dims, affine, Form::rows(EPS), y, mean, inverse);
    got
}

fn near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        let error = (f64::from(*a) - b).abs();
        assert!(error <= tolerance * (1.0 + b.abs()), "{what}: {a}, not {b}");
    }
}

#[test]
fn rows_follow_the_definition() {
    for isa in Isa::available() {
        for dims @ [rows, count] in CASES {
            // A large mean spoils nothing.
            for offset in [0.0, 1000.0, -30_000.0] {
                let x = noise(rows * count, 1, offset);
                let (gamma, beta) = (noise(count, 2, 1.5), noise(count, 3, 0.0));
                let want = oracle(&x, &gamma, &beta);
                let got = run(isa, &x, dims, &gamma, &beta);
                for (name, (got, want)) in
                    ["y", "mean", "inverse"].iter().zip(got.iter().zip(&want))
                {
                    near(&format!("{isa} {dims:?} {offset} {name}"), got, want, 1e-6);
                }
            }
        }
    }
}

/// dx row by row, by the Jacobian of h = (x - mean) / sqrt(var + eps):
/// d h_j / d x_i = inverse (1[i = j] - 1 / n - h_i h_j / n).
fn slopes(x: &[f32], dy: &[f32], gamma: &[f32]) -> Vec<f64> {
    let zeros = vec![0.0; gamma.len()];
    let ones = vec![1.0; gamma.len()];
    let [h, _, inverse] = oracle(x, &ones, &zeros);
    let n = gamma.len();
    let mut dx = Vec::new();
    for (row, scale) in inverse.iter().enumerate() {
        let h = &h[row * n..][..n];
        let g: Vec<f64> = (0..n)
            .map(|i| f64::from(dy[row * n + i]) * f64::from(gamma[i]))
            .collect();
        let even = g.iter().sum::<f64>() / n as f64;
        let along = g.iter().zip(h).map(|(g, h)| g * h).sum::<f64>() / n as f64;
        dx.extend((0..n).map(|i| scale * (g[i] - even - h[i] * along)));
    }
    dx
}

#[test]
fn the_gradient_follows_the_definition() {
    for isa in Isa::available() {
        // Of rows of one or two numbers nothing is left but rounding.
        for dims @ [rows, count] in CASES.into_iter().filter(|[_, count]| *count > 2) {
            for offset in [0.0, 100.0] {
                let (x, dy) = (noise(rows * count, 1, offset), noise(rows * count, 4, 0.2));
                let gamma = noise(count, 2, 1.5);
                let [_, mean, inverse] = run(isa, &x, dims, &gamma, &vec![0.0; count]);
                let mut dx = vec![f32::NAN; rows * count];
                let forward = Forward {
                    x: &x,
                    gamma: &gamma,
                    mean: &mean,
                    inverse: &inverse,
                };
                layer_norm_backward(isa, forward, Form::rows(EPS), &dy, &mut dx);
                let want = slopes(&x, &dy, &gamma);
                // The mean that is read is rounded to f32.
                let tolerance = if offset == 0.0 { 2e-6 } else { 5e-5 };
                near(&format!("{isa} {dims:?} {offset}"), &dx, &want, tolerance);
            }
        }
    }
}

#[test]
fn doubles_are_as_exact_as_doubles() {
    let (x, gamma, beta) = (noise(105, 1, 0.5), noise(7, 2, 1.5), noise(7, 3, 0.0));
    let want = oracle(&x, &gamma, &beta);
    let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|x| f64::from(*x)).collect() };
    let mut got = [105, 15, 15].map(|n| vec![f64::NAN; n]);
    let [y, mean, inverse] = &mut got;
    let (gamma, beta) = (&wide(&gamma)[..], &wide(&beta)[..]);
    let affine = Affine { gamma, beta };
    let isa = Isa::current();
    layer_norm(
        isa,
        &wide(&x),
        [15, 7],
        affine,
        Form::rows(EPS),
        y,
        mean,
        inverse,
    );
    for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
        assert!((got - want).abs() < 1e-12 * (1.0 + want.abs()));
    }
    let [mut dx, mean, inverse] = got;
    let (mean, inverse) = (&mean[..], &inverse[..]);
    let (x, dy) = (noise(105, 1, 0.5), noise(105, 4, 0.2));
    let single: Vec<f32> = gamma.iter().map(|v| *v as f32).collect();
    let want = slopes(&x, &dy, &single);
    let x = &wide(&x)[..];
    let forward = Forward {
        x,
        gamma,
        mean,
        inverse,
    };
    layer_norm_backward(isa, forward, Form::rows(EPS), &wide(&dy), &mut dx);
    for (got, want) in dx.iter().zip(&want) {
        assert!((got - want).abs() < 1e-12 * (1.0 + want.abs()));
    }
}

#[test]
fn a_row_of_one_number_is_its_beta_and_nan_stays() {
    for isa in Isa::available() {
        let x = [[7.25f32; 33], [1e-30; 33], [f32::NAN; 33]].concat();
        let beta = noise(33, 3, 0.0);
        let [y, mean, inverse] = run(isa, &x, [3, 33], &[2.0; 33], &beta);
        assert_eq!(y[..33], beta);
        assert_eq!(y[33..66], beta);
        assert_eq!(mean[0], 7.25);
        assert_eq!(inverse[0], (1.0 / EPS.sqrt()) as f32);
        assert!(y[66..].iter().chain(&mean[2..]).all(|v| v.is_nan()));
        assert!(inverse[2].is_nan());
    }
}

/// (rows, groups, channels of a group, elements of a channel).
const GROUPED: [[usize; 4]; 7] = [
    [6, 3, 2, 33],
    [4, 4, 1, 49],
    [6, 2, 5, 1],
    [2, 1, 3, 4097],
    [40, 4, 8, 31],
    [0, 2, 3, 4],
    [3, 3, 2, 0],
];

/// Each group's scales written out for each element of its rows: what plain rows make of them.
fn spread(scales: &[f32], row: usize, [_, groups, channels, inner]: [usize; 4]) -> Vec<f32> {
    let part = &scales[row % groups * channels..][..channels];
    part.iter().flat_map(|v| vec![*v; inner]).collect()
}

#[test]
fn groups_of_channels_are_rows_with_their_scales_written_out() {
    for isa in Isa::available() {
        for dims @ [rows, groups, channels, inner] in GROUPED {
            let count = channels * inner;
            let (x, dy) = (noise(rows * count, 1, 3.0), noise(rows * count, 4, 0.2));
            let gamma = &noise(groups * channels, 2, 1.5)[..];
            let beta = &noise(groups * channels, 3, 0.0)[..];
            let form = Form {
                groups,
                ..Form::rows(EPS)
            };
            let mut got = [rows * count, rows, rows].map(|n| vec![f32::NAN; n]);
            let [y, mean, inverse] = &mut got;
            let affine = Affine { gamma, beta };
            layer_norm(isa, &x, [rows, count], affine, form, y, mean, inverse);
            let mut dx = vec![f32::NAN; rows * count];
            let forward = Forward {
                x: &x,
                gamma,
                mean,
                inverse,
            };
            layer_norm_backward(isa, forward, form, &dy, &mut dx);
            for row in (0..rows).filter(|_| count > 0) {
                let own = |v: &'_ [f32]| v[row * count..(row + 1) * count].to_vec();
                let [gamma, beta] = [gamma, beta].map(|scales| spread(scales, row, dims));
                let want = oracle(&own(&x), &gamma, &beta);
                near(&format!("{isa} {dims:?} y"), &own(y), &want[0], 1e-6);
                near(
                    &format!("{isa} {dims:?} mean"),
                    &mean[row..=row],
                    &want[1],
                    1e-6,
                );
                if count > 2 {
                    let want = slopes(&own(&x), &own(&dy), &gamma);
                    near(&format!("{isa} {dims:?} dx"), &own(&dx), &want, 1e-5);
                }
            }
        }
    }
}

#[test]
fn rows_that_are_not_centred_are_divided_by_their_root_mean_square() {
    for isa in Isa::available() {
        for dims @ [rows, count] in CASES {
            let (x, dy) = (noise(rows * count, 1, 3.0), noise(rows * count, 4, 0.2));
            let (gamma, beta) = (&noise(count, 2, 1.5)[..], &noise(count, 3, 0.0)[..]);
            let form = Form {
                centred: false,
                ..Form::rows(EPS)
            };
            let mut got = [rows * count, rows, rows].map(|n| vec![f32::NAN; n]);
            let [y, mean, inverse] = &mut got;
            let affine = Affine { gamma, beta };
            layer_norm(isa, &x, dims, affine, form, y, mean, inverse);
            let mut dx = vec![f32::NAN; rows * count];
            let forward = Forward {
                x: &x,
                gamma,
                mean,
                inverse,
            };
            layer_norm_backward(isa, forward, form, &dy, &mut dx);
            assert!(mean.iter().all(|m| *m == 0.0));
            let (mut wanted, mut slopes) = (vec![], vec![]);
            for (x, dy) in x.chunks(count).zip(dy.chunks(count)) {
                let n = count as f64;
                let square = |v: &f32| f64::from(*v).powi(2);
                let scale = 1.0 / (x.iter().map(square).sum::<f64>() / n + EPS).sqrt();
                let h = |i: usize| f64::from(x[i]) * scale;
                let g = |i: usize| f64::from(dy[i]) * f64::from(gamma[i]);
                let along = (0..count).map(|i| g(i) * h(i)).sum::<f64>() / n;
                wanted.extend((0..count).map(|i| h(i) * f64::from(gamma[i]) + f64::from(beta[i])));
                slopes.extend((0..count).map(|i| scale * (g(i) - h(i) * along)));
            }
            near(&format!("{isa} {dims:?} y"), y, &wanted, 1e-6);
            near(&format!("{isa} {dims:?} dx"), &dx, &slopes, 2e-6);
        }
    }
}
