use super::{NmsOptions, nms};
use crate::isa::Isa;

fn random_boxes(n: usize, size: f32) -> (Vec<f32>, Vec<f32>) {
    let mut state = 11u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut boxes = Vec::new();
    let mut scores = Vec::new();
    for i in 0..n {
        // Some are far larger than the others.
        let size = if i % 20 == 19 { size * 9.0 } else { size };
        let (x, y, w, h) = (next() * 640.0, next() * 640.0, next() * size, next() * size);
        // Corners in either order.
        if next() < 0.5 {
            boxes.extend([x, y, x + w, y + h]);
        } else {
            boxes.extend([x + w, y, x, y + h]);
        }
        scores.push((next() * 500.0).floor() / 500.0);
    }
    (boxes, scores)
}

fn iou(a: &[f32], b: &[f32]) -> f64 {
    let wide = |v: &[f32]| -> [f64; 4] {
        let [x0, y0, x1, y1] = [v[0], v[1], v[2], v[3]].map(f64::from);
        [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)]
    };
    let (a, b) = (wide(a), wide(b));
    let w = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let h = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |v: [f64; 4]| (v[2] - v[0]) * (v[3] - v[1]);
    let union = area(a) + area(b) - w * h;
    if union > 0.0 { w * h / union } else { 0.0 }
}

fn oracle(boxes: &[f32], scores: &[f32], group: &[(i64, i64)], options: NmsOptions) -> Vec<i64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap().then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let room = kept.len() < options.max_output.unwrap_or(usize::MAX);
        let good = options.score_threshold.is_none_or(|t| scores[i] > t);
        let free = kept.iter().all(|k| {
            group[*k] != group[i]
                || iou(&boxes[4 * k..4 * k + 4], &boxes[4 * i..4 * i + 4])
                    <= f64::from(options.iou_threshold)
        });
        if room && good && free {
            kept.push(i);
        }
    }
    kept.into_iter().map(|i| i as i64).collect()
}

#[test]
fn the_kept_are_those_of_the_definition() {
    for isa in Isa::available() {
        for n in [0, 1, 15, 16, 17, 33, 700] {
            let (boxes, scores) = random_boxes(n, 60.0);
            let classes: Vec<i64> = (0..n as i64).map(|i| i * 7 % 3).collect();
            let batches: Vec<i64> = (0..n as i64).map(|i| i % 2).collect();
            for (iou_threshold, score_threshold, max_output) in [
                (0.5, None, None),
                (0.3, Some(0.6), None),
                (0.1, Some(0.2), Some(9)),
                (1.0, None, Some(0)),
            ] {
                let options = NmsOptions {
                    iou_threshold,
                    score_threshold,
                    max_output,
                };
                let one = vec![(0, 0); n];
                let got = nms(isa, &boxes, &scores, None, None, options);
                assert_eq!(got, oracle(&boxes, &scores, &one, options));
                let groups: Vec<_> = batches
                    .iter()
                    .copied()
                    .zip(classes.iter().copied())
                    .collect();
                let got = nms(
                    isa,
                    &boxes,
                    &scores,
                    Some(&classes),
                    Some(&batches),
                    options,
                );
                assert_eq!(got, oracle(&boxes, &scores, &groups, options));
            }
        }
    }
}

#[test]
fn ties_thresholds_and_empty_boxes() {
    let options = NmsOptions {
        iou_threshold: 0.5,
        score_threshold: None,
        max_output: None,
    };
    let run = |boxes: &[f32], scores: &[f32], options| {
        let all: Vec<Vec<i64>> = Isa::available()
            .into_iter()
            .map(|isa| nms(isa, boxes, scores, None, None, options))
            .collect();
        assert!(all.iter().all(|a| *a == all[0]));
        all[0].clone()
    };
    // The same box twice: the lower index wins.
    let twice = [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 2.0];
    assert_eq!(run(&twice, &[0.5, 0.5], options), [0]);
    // IoU exactly 1/2: strictly more is needed.
    let half = [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 1.0];
    assert_eq!(run(&half, &[0.5, 0.9], options), [1, 0]);
    let below = NmsOptions {
        iou_threshold: 0.49,
        ..options
    };
    assert_eq!(run(&half, &[0.5, 0.9], below), [1]);
    // Two equal boxes without an area: IoU 0, not NaN.
    let points = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(run(&points, &[0.1, 0.2], options), [1, 0]);
    let nan = f32::NAN;
    let apart = [0.0, 0.0, 1.0, 1.0, 5.0, 5.0, 6.0, 6.0, 8.0, 8.0, 9.0, 9.0];
    assert_eq!(
        run(&apart, &[nan, f32::NEG_INFINITY, 0.3], options),
        [2, 1, 0]
    );
    let strict = NmsOptions {
        score_threshold: Some(0.3),
        ..options
    };
    assert_eq!(run(&apart, &[nan, 0.3, 0.31], strict), [2]);
}
