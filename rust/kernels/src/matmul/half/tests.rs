use super::super::tests::{assert_close, values};
use super::super::{Epilogue, MatRef, PackedRhs, Rhs, matmul_f32};
use crate::activation::Activation;
use crate::isa::Isa;
use crate::pool::set_num_threads;
use half::f16;

/// Products with the halves next to the values of `b` are those with the
/// widened halves, bit by bit.
fn check(a: MatRef<'_, f32>, b: MatRef<'_, f32>) {
    let halves: Vec<f16> = b.data.iter().map(|x| f16::from_f32(*x)).collect();
    let bits: Vec<u16> = halves.iter().map(|x| x.to_bits()).collect();
    let wide: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
    let wide = MatRef { data: &wide, ..b };
    let half = MatRef {
        data: &bits,
        rows: b.rows,
        cols: b.cols,
        row_stride: b.row_stride,
        col_stride: b.col_stride,
    };
    let (bias, residual) = (values(b.cols, 7), values(a.rows * b.cols, 8));
    let finished = Epilogue {
        scale: 0.5,
        bias: Some(&bias),
        residual: Some(&residual),
        activation: Activation {
            lo: 0.0,
            ..Activation::NONE
        },
        tail: None,
    };
    for isa in Isa::available() {
        let packed = [PackedRhs::new(isa, wide), PackedRhs::half(isa, half)];
        let what = format!("{isa} {} {} {}", a.rows, a.cols, b.cols);
        for threads in [1, 2] {
            set_num_threads(threads);
            for (epilogue, plain) in [(&Epilogue::NONE, true), (&finished, false)] {
                let [single, half] = [&packed[0], &packed[1]].map(|right| {
                    let mut c = vec![f32::NAN; a.rows * b.cols];
                    matmul_f32(isa, a, &Rhs::Packed(right), &mut c, epilogue);
                    c
                });
                if plain {
                    assert_close(&half, a, wide, &what);
                }
                // One column is a dot product where it is f32.
                if b.cols > 1 {
                    assert_eq!(single, half, "{what}, {threads} threads");
                }
            }
        }
        assert!(packed[1].bytes() <= packed[0].bytes() / 2 + 64);
    }
}

#[test]
fn few_rows_and_many() {
    for m in [1, 2, 3, 4, 6, 7, 13, 15, 18, 19, 43] {
        for [k, n] in [
            [1, 1],
            [3, 7],
            [40, 8],
            [33, 16],
            [384, 33],
            [385, 64],
            [801, 150],
        ] {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            check(MatRef::contiguous(&a, m, k), MatRef::contiguous(&b, k, n));
        }
    }
}

#[test]
fn any_strides() {
    let store = values(20_000, 3);
    for m in [1, 5, 20] {
        for (row_stride, col_stride) in [(70, 1), (1, 61), (2, 130), (0, 1)] {
            let b = MatRef {
                data: &store[9..],
                rows: 60,
                cols: 70,
                row_stride,
                col_stride,
            };
            check(MatRef::contiguous(&store, m, 60), b);
            let a = MatRef::contiguous(&store, 60, m).transposed();
            check(a, b);
        }
    }
}

#[test]
fn wide_enough_for_tasks() {
    let (a, b) = (values(3 * 500, 4), values(500 * 1100, 5));
    for m in [1, 3] {
        let a = MatRef::contiguous(&a[..m * 500], m, 500);
        check(a, MatRef::contiguous(&b, 500, 1100));
    }
}

#[test]
fn no_inner_size() {
    for isa in Isa::available() {
        let packed = PackedRhs::half(isa, MatRef::contiguous(&[], 0, 4));
        for m in [0, 1, 9] {
            let mut c = vec![7.0; 4 * m];
            let a = MatRef::contiguous(&[], m, 0);
            matmul_f32(isa, a, &Rhs::Packed(&packed), &mut c, &Epilogue::NONE);
            assert_eq!(c, vec![0.0; 4 * m]);
        }
    }
}
