use super::{Attention, Heads, Seats, attention_f32};
use crate::isa::Isa;
use crate::matmul::MatRef;
use crate::pool::set_num_threads;

/// Values about zero of a fixed sequence.
fn values(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[derive(Clone, Copy, Debug)]
struct Case {
    heads: usize,
    rows: usize,
    keys: usize,
    depth: usize,
    values: usize,
    scale: f32,
}

/// The definition, in float64; heads side by side in each row of Q, V and the
/// result, keys as rows of K.
fn plain(
    case: Case,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    mask: &dyn Fn(usize, usize, usize) -> f32,
) -> Vec<f64> {
    let Case {
        heads,
        rows,
        keys,
        depth,
        values,
        scale,
    } = case;
    let mut out = vec![0.0; rows * heads * values];
    for head in 0..heads {
        for r in 0..rows {
            let score = |key: usize| {
                let dot: f64 = (0..depth)
                    .map(|d| {
                        f64::from(q[(r * heads + head) * depth + d])
                            * f64::from(k[(key * heads + head) * depth + d])
                    })
                    .sum();
                dot * f64::from(scale) + f64::from(mask(head, r, key))
            };
            let scores: Vec<f64> = (0..keys).map(score).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if top == f64::NEG_INFINITY {
                continue;
            }
            let e: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
            let sum: f64 = e.iter().sum();
            for c in 0..values {
                let at = |key: usize| f64::from(v[(key * heads + head) * values + c]);
                out[(r * heads + head) * values + c] =
                    (0..keys).map(|key| e[key] / sum * at(key)).sum();
            }
        }
    }
    out
}

const CASES: [Case; 7] = {
    const fn case(
        heads: usize,
        rows: usize,
        keys: usize,
        depth: usize,
        values: usize,
        scale: f32,
    ) -> Case {
        Case {
            heads,
            rows,
            keys,
            depth,
            values,
            scale,
        }
    }
    [
        case(1, 1, 1, 1, 1, 1.0),
        case(3, 33, 31, 32, 32, 0.3),
        case(2, 15, 129, 8, 40, 1.0),
        // More than one block of the depth, and of the keys.
        case(1, 29, 17, 400, 3, 0.05),
        case(1, 20, 800, 20, 33, 0.4),
        // More rows than are held at once, and than a task has.
        case(1, 200, 1024, 16, 16, 0.5),
        case(2, 300, 70, 16, 16, 2.0),
    ]
};

#[test]
fn results_are_the_definition_s() {
    for isa in Isa::available() {
        for (i, case) in CASES.into_iter().enumerate() {
            let Case {
                heads,
                rows,
                keys,
                depth,
                values: wide,
                scale,
            } = case;
            let q = values(rows * heads * depth, 1 + i as u32);
            let k = values(keys * heads * depth, 11 + i as u32);
            let v = values(keys * heads * wide, 21 + i as u32);
            let full: Vec<f32> = values(heads * rows * keys, 31 + i as u32)
                .into_iter()
                .enumerate()
                // Some keys are out of sight, and all of them from row 1.
                .map(|(at, x)| match at {
                    at if at / keys % rows == 1 || x > 0.6 => f32::NEG_INFINITY,
                    _ => x,
                })
                .collect();
            let at = |step: usize| (0..heads).map(|h| h * step).collect::<Vec<_>>();
            // How masks lie: a row for all rows of all heads, one for each row
            // and head, and one whose keys are apart.
            let masks: [Option<(usize, usize, usize)>; 4] = [
                None,
                Some((0, 0, 1)),
                Some((rows * keys, keys, 1)),
                Some((rows * keys, 1, rows)),
            ];
            for lies in masks {
                let mask = |h: usize, r: usize, c: usize| {
                    lies.map_or(0.0, |(head, row, col)| full[h * head + r * row + c * col])
                };
                let want = plain(case, &q, &k, &v, &mask);
                let heads_of = |data, rows, cols, at| Heads {
                    matrix: MatRef {
                        data,
                        rows,
                        cols,
                        row_stride: heads * cols,
                        col_stride: 1,
                    },
                    at,
                };
                let (q_at, v_at) = (at(depth), at(wide));
                let mask_at = at(lies.map_or(0, |l| l.0));
                let attention = Attention {
                    query: heads_of(&q, rows, depth, &q_at),
                    key: Heads {
                        matrix: heads_of(&k, keys, depth, &q_at).matrix.transposed(),
                        at: &q_at,
                    },
                    value: heads_of(&v, keys, wide, &v_at),
                    mask: lies.map(|(_, row_stride, col_stride)| Heads {
                        matrix: MatRef {
                            data: &full,
                            rows,
                            cols: keys,
                            row_stride,
                            col_stride,
                        },
                        at: &mask_at,
                    }),
                    scale,
                };
                let to = Seats {
                    row: heads * wide,
                    at: &v_at,
                };
                let mut first = None;
                for threads in [1, 2] {
                    set_num_threads(threads);
                    let mut got = vec![f32::NAN; want.len()];
                    attention_f32(isa, &attention, to, &mut got);
                    for (got, want) in got.iter().zip(&want) {
                        let error = (f64::from(*got) - want).abs();
                        assert!(error < 3e-6, "{isa} {case:?} {lies:?}: {got} for {want}");
                    }
                    assert_eq!(*first.get_or_insert(got.clone()), got, "threads");
                }
            }
        }
    }
}
