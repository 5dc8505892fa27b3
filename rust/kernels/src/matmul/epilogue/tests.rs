use super::super::tests::values;
use super::Epilogue;
use crate::activation::Activation;
use crate::isa::Isa;
use crate::matmul::{MatRef, PackedRhs, Rhs, matmul_f32};
use crate::pool::set_num_threads;
use std::sync::Mutex;

#[test]
fn the_tail_sees_every_final_element_once() {
    for isa in Isa::available() {
        for [m, k, n] in [
            [3, 4, 5],
            [1, 300, 700],
            [700, 300, 1],
            [300, 700, 90],
            [20, 30, 900],
            [6, 400, 700],
        ] {
            let (a, b) = (values(m * k, 8), values(k * n, 9));
            let (a, b) = (MatRef::contiguous(&a, m, k), MatRef::contiguous(&b, k, n));
            let mut plain = vec![0.0; m * n];
            matmul_f32(isa, a, &Rhs::Plain(b), &mut plain, &Epilogue::NONE);
            for threads in [1, 2] {
                set_num_threads(threads);
                let seen = Mutex::new(vec![0u8; m * n]);
                let tail = |start: usize, piece: &mut [f32]| {
                    assert_eq!(start / n, (start + piece.len() - 1) / n, "more than a row");
                    for (i, v) in piece.iter_mut().enumerate() {
                        assert_eq!(*v, plain[start + i]);
                        *v = 2.0 * *v + (start + i) as f32;
                        seen.lock().unwrap()[start + i] += 1;
                    }
                };
                let mut c = vec![0.0; m * n];
                matmul_f32(isa, a, &Rhs::Plain(b), &mut c, &Epilogue::tail(Some(&tail)));
                assert!(seen.into_inner().unwrap().iter().all(|n| *n == 1));
                let want: Vec<f32> = plain
                    .iter()
                    .enumerate()
                    .map(|(i, v)| 2.0 * v + i as f32)
                    .collect();
                assert_eq!(c, want);
            }
        }
    }
}

#[test]
fn the_epilogue_finishes_every_element() {
    for isa in Isa::available() {
        // One row, one column, small, few rows, packed in one and in several
        // blocks of K.
        for [m, k, n] in [
            [1, 300, 700],
            [700, 300, 1],
            [3, 4, 5],
            [6, 400, 700],
            [45, 70, 39],
            [30, 900, 50],
        ] {
            let (a, b) = (values(m * k, 8), values(k * n, 9));
            let (a, b) = (MatRef::contiguous(&a, m, k), MatRef::contiguous(&b, k, n));
            let (bias, residual) = (values(n, 10), values(m * n, 11));
            let mut plain = vec![0.0; m * n];
            matmul_f32(isa, a, &Rhs::Plain(b), &mut plain, &Epilogue::NONE);
            let tail = |start: usize, piece: &mut [f32]| {
                for (i, v) in piece.iter_mut().enumerate() {
                    *v += (start + i) as f32;
                }
            };
            let packed = PackedRhs::new(isa, b);
            for case in 0..32 {
                let has = |bit: usize| case >> bit & 1 == 1;
                let epilogue = Epilogue {
                    scale: if has(0) { 0.5 } else { 1.0 },
                    bias: has(1).then_some(&bias[..]),
                    residual: has(2).then_some(&residual[..]),
                    activation: Activation {
                        slope: has(3).then_some(0.25),
                        hi: if has(3) { 1.5 } else { f32::INFINITY },
                        ..Activation::NONE
                    },
                    tail: if has(4) { Some(&tail) } else { None },
                };
                let want: Vec<f64> = (0..m * n)
                    .map(|i| {
                        let mut y = f64::from(plain[i]) * f64::from(epilogue.scale);
                        y += epilogue.bias.map_or(0.0, |b| f64::from(b[i % n]));
                        y += epilogue.residual.map_or(0.0, |r| f64::from(r[i]));
                        if has(3) {
                            y = if y < 0.0 { 0.25 * y } else { y }.min(1.5);
                        }
                        y + if has(4) { i as f64 } else { 0.0 }
                    })
                    .collect();
                for right in [Rhs::Plain(b), Rhs::Packed(&packed)] {
                    let mut c = vec![f32::NAN; m * n];
                    matmul_f32(isa, a, &right, &mut c, &epilogue);
                    for (i, (got, want)) in c.iter().zip(&want).enumerate() {
                        let error = (f64::from(*got) - want).abs();
                        let limit = 1e-5 * want.abs().max(10.0);
                        assert!(error <= limit, "{isa} {m}x{k}x{n} case {case} at {i}");
                    }
                }
            }
        }
    }
}
