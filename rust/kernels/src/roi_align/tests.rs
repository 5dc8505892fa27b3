use super::{Form, Images, roi_align, roi_align_backward};
use crate::roi_pool;

const BOXES: [[f64; 4]; 8] = [
    [1.3, 0.7, 9.2, 6.4],
    [-3.1, -2.2, 5.3, 4.1],
    [2.2, 1.1, 2.6, 1.4],
    [20.0, 30.0, 41.0, 50.0],
    [6.3, 5.2, 2.1, 1.7],
    [0.0, 0.0, 1e30, 1e30],
    [f64::NAN, 0.0, 3.0, 3.0],
    [-1e30, -f64::INFINITY, 1e30, 2.0],
];

fn numbers(count: usize) -> Vec<f64> {
    (0..count)
        .map(|i| ((i * 7919 + 13) % 1009) as f64 / 504.5 - 1.0)
        .collect()
}

/// Weights of a plane's elements in the mean of one bin, sample by sample.
fn weights(form: &Form, size: [usize; 2], corners: &[f64; 4], bin: [usize; 2]) -> Vec<f64> {
    let mut found = vec![0.0; size[0] * size[1]];
    if corners.iter().any(|c| !c.is_finite() || c.abs() > 1e6) {
        return found;
    }
    let shift = if form.aligned { 0.5 } else { 0.0 };
    let cut = [0, 1].map(|axis| {
        let (start, end) = (
            corners[1 - axis] * form.scale - shift,
            corners[3 - axis] * form.scale - shift,
        );
        let length = if form.aligned {
            end - start
        } else {
            (end - start).max(1.0)
        };
        let step = length / form.output[axis] as f64;
        let count = if form.sampling > 0 {
            form.sampling
        } else {
            step.ceil().max(0.0) as usize
        };
        (start + bin[axis] as f64 * step, step, count)
    });
    for i in 0..cut[0].2 {
        for j in 0..cut[1].2 {
            let at = [i, j];
            let at = [0, 1].map(|a| cut[a].0 + (at[a] as f64 + 0.5) * cut[a].1 / cut[a].2 as f64);
            if (0..2).any(|a| at[a] < -1.0 || at[a] > size[a] as f64) {
                continue;
            }
            let low = [0, 1].map(|a| (at[a].max(0.0) as usize).min(size[a] - 1));
            let part = [0, 1].map(|a| (at[a].max(0.0) - low[a] as f64).min(1.0));
            for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let place = [(low[0] + y).min(size[0] - 1), (low[1] + x).min(size[1] - 1)];
                let weight =
                    [(y, part[0]), (x, part[1])].map(|(k, p)| if k == 1 { p } else { 1.0 - p });
                found[place[0] * size[1] + place[1]] +=
                    weight[0] * weight[1] / (cut[0].2 * cut[1].2) as f64;
            }
        }
    }
    found
}

#[test]
fn means_and_their_gradients_follow_the_loops() {
    for (size, channels) in [([9, 13], 3), ([1, 1], 70), ([4, 2], 0)] {
        let images = Images {
            batch: 2,
            channels,
            size,
        };
        let plane = images.plane();
        let batch: Vec<usize> = (0..BOXES.len()).map(|i| i % 2).collect();
        let x = numbers(2 * channels * plane);
        for (output, scale, sampling, aligned) in [
            ([2, 3], 1.0, 2, false),
            ([3, 2], 0.5, 0, true),
            ([1, 1], 1.0, 0, false),
        ] {
            let form = Form {
                output,
                scale,
                sampling,
                aligned,
                max: false,
            };
            let bins = output[0] * output[1];
            let g = numbers(BOXES.len() * channels * bins);
            let (mut y, mut dx) = (vec![9.0; g.len()], vec![9.0; x.len()]);
            let (mut wanted, mut wanted_dx) = (vec![0.0; g.len()], vec![0.0; x.len()]);
            // What covers a whole plane and more reads it all, unlike the loops here.
            let boxes: Vec<[f64; 4]> = BOXES
                .iter()
                .map(|b| if b[2] == 1e30 { BOXES[3] } else { *b })
                .collect();
            for (region, corners) in boxes.iter().enumerate() {
                for bin in 0..bins {
                    let place = [bin / output[1], bin % output[1]];
                    let weights = weights(&form, size, corners, place);
                    for c in 0..channels {
                        let to = (region * channels + c) * bins + bin;
                        let from = (batch[region] * channels + c) * plane;
                        for (i, weight) in weights.iter().enumerate() {
                            wanted[to] += weight * x[from + i];
                            wanted_dx[from + i] += weight * g[to];
                        }
                    }
                }
            }
            let flat = boxes.concat();
            roi_align(&images, &form, &x, &flat, &batch, &mut y);
            roi_align_backward(&images, &form, &g, &flat, &batch, &mut dx);
            for (got, wanted) in y.iter().zip(&wanted).chain(dx.iter().zip(&wanted_dx)) {
                assert!(
                    (got - wanted).abs() < 1e-10,
                    "{form:?}: {got}, wanted {wanted}"
                );
            }
            // However large, they end.
            roi_align(&images, &form, &x, &BOXES.concat(), &batch, &mut y);
            let max = Form { max: true, ..form };
            roi_align(&images, &max, &x, &BOXES.concat(), &batch, &mut y);
            assert!(y.iter().all(|y| y.is_finite()));
        }
    }
}

#[test]
fn bins_cover_their_region() {
    for (ends, bins, size) in [([0.0, 9.0], 3, 10), ([-2.6, 5.5], 4, 6), ([3.0, 3.0], 7, 5)] {
        let cut: Vec<_> = (0..bins)
            .map(|i| roi_pool::bin(ends, bins, i, size))
            .collect();
        let [start, end] = ends.map(f64::round);
        for at in 0..size {
            let inside = (at as f64) >= start && (at as f64) <= end;
            assert_eq!(inside, cut.iter().any(|r| r.contains(&at)), "{ends:?} {at}");
        }
    }
    assert_eq!(roi_pool::bin([f64::NAN, 3.0], 2, 0, 5), 0..0);
    assert_eq!(roi_pool::bin([-1e30, 1e30], 1, 0, 5), 0..5);
}
