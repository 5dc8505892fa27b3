use super::{
    Affine, Forward, batch_norm_backward, batch_norm_backward_blocked, batch_norm_infer,
    batch_norm_train, batch_norm_train_blocked,
};
use crate::blocked::{blocks, from_blocked, len, to_blocked};
use crate::isa::Isa;

const CASES: [[usize; 3]; 7] = [
    [1, 1, 2],
    [2, 3, 33],
    [31, 65, 1],
    [5, 130, 1],
    [4, 7, 9],
    [3, 2, 20_000],
    [300, 200, 1],
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

struct Wanted {
    y: Vec<f64>,
    mean: Vec<f64>,
    var: Vec<f64>,
    dx: Vec<f64>,
    dgamma: Vec<f64>,
    dbeta: Vec<f64>,
}

fn oracle(
    x: &[f32],
    dy: &[f32],
    gamma: &[f32],
    beta: &[f32],
    [batch, channels, inner]: [usize; 3],
    eps: f64,
) -> Wanted {
    let zeros = vec![0.0; x.len()];
    let (mut y, mut dx) = (zeros.clone(), zeros);
    let mut per = [vec![], vec![], vec![], vec![]];
    for c in 0..channels {
        let all: Vec<usize> = (0..batch)
            .flat_map(|n| (0..inner).map(move |i| (n * channels + c) * inner + i))
            .collect();
        let m = all.len() as f64;
        let mean = all.iter().map(|i| f64::from(x[*i])).sum::<f64>() / m;
        let var = all
            .iter()
            .map(|i| (f64::from(x[*i]) - mean).powi(2))
            .sum::<f64>()
            / m;
        let hat = |i: usize| (f64::from(x[i]) - mean) / (var + eps).sqrt();
        let (g, b) = (f64::from(gamma[c]), f64::from(beta[c]));
        let dbeta: f64 = all.iter().map(|i| f64::from(dy[*i])).sum();
        let dgamma: f64 = all.iter().map(|i| f64::from(dy[*i]) * hat(*i)).sum();
        for i in all {
            y[i] = g * hat(i) + b;
            let inside = f64::from(dy[i]) - dbeta / m - hat(i) * dgamma / m;
            dx[i] = g / (var + eps).sqrt() * inside;
        }
        for (list, v) in per.iter_mut().zip([mean, var, dgamma, dbeta]) {
            list.push(v);
        }
    }
    let [mean, var, dgamma, dbeta] = per;
    Wanted {
        y,
        mean,
        var,
        dx,
        dgamma,
        dbeta,
    }
}

fn near(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        assert!(
            (f64::from(*a) - b).abs() <= tolerance * (1.0 + b.abs()),
            "{a}, not {b}"
        );
    }
}

#[test]
fn forward_and_backward_follow_the_definition() {
    for isa in Isa::available() {
        for dims in CASES {
            // A large mean must not spoil the variance.
            for offset in [0.0, 1000.0] {
                let n = dims.iter().product();
                let (x, dy) = (noise(n, 1, offset), noise(n, 2, 0.1));
                let (gamma, beta) = (noise(dims[1], 3, 1.5), noise(dims[1], 4, 0.0));
                let want = oracle(&x, &dy, &gamma, &beta, dims, 1e-5);
                let affine = Affine {
                    gamma: &gamma,
                    beta: &beta,
                };
                let mut y = vec![f32::NAN; n];
                let (mut mean, mut var) = (vec![0.0; dims[1]], vec![0.0; dims[1]]);
                batch_norm_train(isa, &x, dims, affine, 1e-5, &mut y, &mut mean, &mut var);
                near(&y, &want.y, 4e-6);
                // From here on the mean is rounded to f32 before it is subtracted.
                let loose = if offset == 0.0 { 1.0 } else { 500.0 };
                near(&mean, &want.mean, 1e-7);
                near(&var, &want.var, 1e-7);
                let mut again = vec![f32::NAN; n];
                batch_norm_infer(isa, &x, dims, affine, &mean, &var, 1e-5, &mut again);
                near(&again, &want.y, 2e-6 * loose);
                let forward = Forward {
                    x: &x,
                    gamma: &gamma,
                    mean: &mean,
                    var: &var,
                    eps: 1e-5,
                };
                let mut dx = vec![f32::NAN; n];
                let (mut dgamma, mut dbeta) = (vec![0.0; dims[1]], vec![0.0; dims[1]]);
                batch_norm_backward(isa, forward, &dy, dims, &mut dx, &mut dgamma, &mut dbeta);
                near(&dx, &want.dx, 1e-5 * loose);
                near(&dgamma, &want.dgamma, 1e-5 * loose);
                near(&dbeta, &want.dbeta, 1e-6);
            }
        }
    }
}

/// In blocks, where lanes without a channel hold what must not matter.
fn in_blocks(isa: Isa, x: &[f32], dims: [usize; 3]) -> Vec<f32> {
    let [batch, channels, plane] = dims;
    let mut y = vec![0.0; len(isa, batch, channels, plane)];
    to_blocked(isa, dims, x, &mut y);
    for (i, v) in y.iter_mut().enumerate() {
        let block = i / isa.lanes() / plane % blocks(isa, channels);
        if block * isa.lanes() + i % isa.lanes() >= channels {
            *v = f32::NAN;
        }
    }
    y
}

#[test]
fn in_blocks_it_is_the_same() {
    for isa in Isa::available() {
        for (dims, offset) in CASES
            .into_iter()
            .flat_map(|dims| [(dims, 0.0), (dims, 1000.0)])
        {
            let n = dims.iter().product();
            let (x, dy) = (noise(n, 1, offset), noise(n, 2, 0.1));
            let (gamma, beta) = (noise(dims[1], 3, 1.5), noise(dims[1], 4, 0.0));
            let want = oracle(&x, &dy, &gamma, &beta, dims, 1e-5);
            let affine = Affine {
                gamma: &gamma,
                beta: &beta,
            };
            let (x, dy) = (in_blocks(isa, &x, dims), in_blocks(isa, &dy, dims));
            let mut y = vec![f32::NAN; x.len()];
            let (mut mean, mut var) = (vec![0.0; dims[1]], vec![0.0; dims[1]]);
            batch_norm_train_blocked(isa, &x, dims, affine, 1e-5, &mut y, &mut mean, &mut var);
            let mut plain = vec![f32::NAN; n];
            from_blocked(isa, dims, &y, &mut plain);
            let loose = if offset == 0.0 { 1.0 } else { 500.0 };
            near(&plain, &want.y, 4e-6);
            near(&mean, &want.mean, 1e-7);
            near(&var, &want.var, 1e-7);
            let forward = Forward {
                x: &x,
                gamma: &gamma,
                mean: &mean,
                var: &var,
                eps: 1e-5,
            };
            let (mut dgamma, mut dbeta) = (vec![0.0; dims[1]], vec![0.0; dims[1]]);
            batch_norm_backward_blocked(isa, forward, &dy, dims, &mut y, &mut dgamma, &mut dbeta);
            from_blocked(isa, dims, &y, &mut plain);
            near(&plain, &want.dx, 1e-5 * loose);
            near(&dgamma, &want.dgamma, 1e-5 * loose);
            near(&dbeta, &want.dbeta, 1e-6);
        }
    }
}

#[test]
fn doubles_are_as_exact_as_doubles() {
    let dims = [3, 5, 7];
    let x = noise(105, 1, 0.0);
    let (gamma, beta) = (noise(5, 3, 1.5), noise(5, 4, 0.0));
    let want = oracle(&x, &x, &gamma, &beta, dims, 1e-5);
    let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|x| f64::from(*x)).collect() };
    let (x, gamma, beta) = (wide(&x), wide(&gamma), wide(&beta));
    let (mut y, mut mean, mut var) = (x.clone(), beta.clone(), beta.clone());
    let affine = Affine {
        gamma: &gamma,
        beta: &beta,
    };
    batch_norm_train(
        Isa::current(),
        &x,
        dims,
        affine,
        1e-5,
        &mut y,
        &mut mean,
        &mut var,
    );
    assert!(y.iter().zip(&want.y).all(|(a, b)| (a - b).abs() < 1e-13));
}
