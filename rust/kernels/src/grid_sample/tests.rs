use super::axis::Taps;
use super::{
    Form, Mode, Padding, Shape, grid_sample, grid_sample_backward_grid, grid_sample_backward_input,
    grid_sample_nearest,
};

const SHAPES: [(usize, usize, &[usize], usize); 6] = [
    (2, 3, &[5, 7], 12),
    (1, 1, &[1, 1], 3),
    (1, 20, &[3, 4], 300),
    (2, 2, &[3, 4, 5], 9),
    (1, 2, &[6], 129),
    (0, 2, &[3, 3], 4),
];

fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for mode in [Mode::Nearest, Mode::Linear, Mode::Cubic] {
        for padding in [Padding::Zeros, Padding::Border, Padding::Reflection] {
            for align_corners in [false, true] {
                forms.push(Form {
                    mode,
                    padding,
                    align_corners,
                });
            }
        }
    }
    forms
}

fn numbers(count: usize, reach: f64) -> Vec<f64> {
    (0..count)
        .map(|i| (((i * 7919 + 13) % 1009) as f64 / 504.5 - 1.0) * reach)
        .collect()
}

/// Every combination of the axes' taps: element, weight, and the weight's
/// change by each axis.
fn reads(form: Form, axes: &[usize], coordinates: &[f64]) -> Vec<(usize, f64, Vec<f64>)> {
    let rank = axes.len();
    let mut found = vec![(0, 1.0, vec![1.0; rank])];
    for (axis, &size) in axes.iter().enumerate() {
        let taps: Taps = form.locate(coordinates[rank - 1 - axis], size);
        let mut next = Vec::new();
        for (at, weight, slopes) in &found {
            for tap in (0..form.taps()).filter(|&tap| taps.places[tap] != super::axis::NONE) {
                let slopes = (slopes.iter().enumerate()).map(|(i, s)| {
                    s * if i == axis {
                        taps.slopes[tap]
                    } else {
                        taps.weights[tap]
                    }
                });
                let place = at * size + taps.places[tap];
                next.push((place, weight * taps.weights[tap], slopes.collect()));
            }
        }
        found = next;
    }
    found
}

fn close(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    for (i, (a, b)) in got.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() < 1e-10, "{i}: {a}, wanted {b}");
    }
}

#[test]
fn values_and_gradients_follow_the_loops() {
    for (batch, channels, axes, positions) in SHAPES {
        let shape = Shape {
            batch,
            channels,
            axes: axes.to_vec(),
            positions,
        };
        let (plane, rank) = (shape.plane(), axes.len());
        let x = numbers(batch * channels * plane, 1.0);
        let grid = numbers(batch * positions * rank, 1.6);
        let g = numbers(batch * channels * positions, 0.7);
        for form in forms() {
            let mut wanted = [
                vec![0.0; g.len()],
                vec![0.0; x.len()],
                vec![0.0; grid.len()],
            ];
            for n in 0..batch {
                for p in 0..positions {
                    let start = (n * positions + p) * rank;
                    for (at, weight, slopes) in reads(form, axes, &grid[start..start + rank]) {
                        for c in n * channels..(n + 1) * channels {
                            wanted[0][c * positions + p] += weight * x[c * plane + at];
                            wanted[1][c * plane + at] += weight * g[c * positions + p];
                            for (axis, slope) in slopes.iter().enumerate() {
                                let change = slope * x[c * plane + at] * g[c * positions + p];
                                wanted[2][start + rank - 1 - axis] += change;
                            }
                        }
                    }
                }
            }
            let mut got = [
                vec![9.0; g.len()],
                vec![9.0; x.len()],
                vec![9.0; grid.len()],
            ];
            if form.mode == Mode::Nearest {
                grid_sample_nearest(&shape, form, &x, &grid, &mut got[0]);
                close(&got[0], &wanted[0]);
            }
            grid_sample(&shape, form, &x, &grid, &mut got[0]);
            grid_sample_backward_input(&shape, form, &g, &grid, &mut got[1]);
            grid_sample_backward_grid(&shape, form, &g, &x, &grid, &mut got[2]);
            for (got, wanted) in got.iter().zip(&wanted) {
                close(got, wanted);
            }
        }
    }
}

#[test]
fn places_are_inside_whatever_the_coordinate() {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        -f64::INFINITY,
        1e30,
        -1e30,
        1e9,
        -7e8,
        1.0,
        -1.0,
        0.3,
    ];
    for form in forms() {
        for size in [1, 2, 5] {
            for coordinate in odd {
                let taps = form.locate(coordinate, size);
                for tap in 0..form.taps() {
                    let place = taps.places[tap];
                    assert!(
                        place < size || place == super::axis::NONE,
                        "{form:?} {coordinate}"
                    );
                    assert!(place < size || form.padding != Padding::Reflection || tap > 0);
                    assert!(taps.weights[tap].is_finite() && taps.slopes[tap].is_finite());
                }
            }
        }
    }
}

#[test]
fn slopes_are_differences_of_weights() {
    for form in forms()
        .into_iter()
        .filter(|form| form.mode != Mode::Nearest)
    {
        for coordinate in [-1.37, -0.61, 0.123, 0.77, 1.43] {
            let read = |coordinate: f64| -> f64 {
                let taps = form.locate(coordinate, 5);
                let value = |place: usize| ((place * place + 1) % 7) as f64;
                let taps = (0..4)
                    .filter(|&t| taps.places[t] < 5)
                    .map(|t| taps.weights[t] * value(taps.places[t]));
                taps.sum()
            };
            let taps = form.locate(coordinate, 5);
            let slope: f64 = (0..4)
                .filter(|&t| taps.places[t] < 5)
                .map(|t| taps.slopes[t] * ((taps.places[t] * taps.places[t] + 1) % 7) as f64)
                .sum();
            let step = 1e-6;
            let wanted = (read(coordinate + step) - read(coordinate - step)) / (2.0 * step);
            assert!(
                (slope - wanted).abs() < 1e-6,
                "{form:?} {coordinate}: {slope}, {wanted}"
            );
        }
    }
}
