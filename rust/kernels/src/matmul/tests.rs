use super::{
    Epilogue, MatRef, PackedRhs, Rhs, Scalar, matmul_f32, matmul_f32_batched, matmul_generic,
};
use crate::isa::Isa;
use crate::pool::set_num_threads;

/// Values in -1..1 without a pattern that tiles share.
pub(super) fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// The product in float64, and the same with absolute values.
fn oracle(a: MatRef<'_, f32>, b: MatRef<'_, f32>) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![0.0; a.rows * b.cols];
    let mut sizes = sums.clone();
    for i in 0..a.rows {
        for j in 0..b.cols {
            for k in 0..a.cols {
                let x = f64::from(a.data[i * a.row_stride + k * a.col_stride]);
                let y = f64::from(b.data[k * b.row_stride + j * b.col_stride]);
                sums[i * b.cols + j] += x * y;
                sizes[i * b.cols + j] += (x * y).abs();
            }
        }
    }
    (sums, sizes)
}

/// Every element within rounding of the true sum.
pub(super) fn assert_close(got: &[f32], a: MatRef<'_, f32>, b: MatRef<'_, f32>, what: &str) {
    let (want, sizes) = oracle(a, b);
    for (i, (got, (want, size))) in got.iter().zip(want.iter().zip(&sizes)).enumerate() {
        let err = (f64::from(*got) - want).abs();
        assert!(
            err <= 1e-5 * size,
            "{what}: element {i}: got {got}, wanted {want}"
        );
    }
}

/// The product on every instance, plain and packed, on one and two threads.
fn check(a: MatRef<'_, f32>, b: MatRef<'_, f32>) {
    let size = a.rows * b.cols;
    for isa in Isa::available() {
        let packed = PackedRhs::new(isa, b);
        let mut results = Vec::new();
        for threads in [1, 2] {
            set_num_threads(threads);
            for right in [Rhs::Plain(b), Rhs::Packed(&packed)] {
                let mut c = vec![f32::NAN; size];
                matmul_f32(isa, a, &right, &mut c, &Epilogue::NONE);
                let what = format!("{isa} {threads} {} {} {}", a.rows, a.cols, b.cols);
                assert_close(&c, a, b, &what);
                results.push(c);
            }
        }
        assert_eq!(results[0], results[2], "threads change the plain product");
        assert_eq!(results[1], results[3], "threads change the packed product");
        if a.rows > 1 && b.cols > 1 {
            assert_eq!(results[0], results[1], "packing changes the product");
        }
    }
}

#[test]
fn sizes_astride_the_tiles() {
    let sizes = [1, 2, 3, 5, 6, 7, 13, 14, 15, 16, 17, 31, 32, 33];
    for (i, m) in sizes.into_iter().enumerate() {
        for (j, n) in sizes.into_iter().enumerate() {
            let k = [1, 4, 7, 33, 64][(i + j) % 5];
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            check(MatRef::contiguous(&a, m, k), MatRef::contiguous(&b, k, n));
        }
    }
}

#[test]
fn sizes_astride_the_blocks() {
    let shapes = [
        [100, 319, 65],
        [257, 321, 33],
        [300, 640, 40],
        [29, 641, 700],
        [300, 40, 300],
        [2, 1000, 513],
        [530, 64, 1],
        [1, 70, 530],
        [1100, 9, 1100],
        [8, 400, 700],
        [5, 390, 1031],
    ];
    for [m, k, n] in shapes {
        let (a, b) = (values(m * k, 3), values(k * n, 4));
        check(MatRef::contiguous(&a, m, k), MatRef::contiguous(&b, k, n));
    }
}

#[test]
fn any_strides() {
    for [m, k, n] in [
        [31, 33, 35],
        [5, 70, 90],
        [90, 330, 34],
        [1, 40, 50],
        [40, 50, 1],
    ] {
        let store = values(4 * (m + 7) * (k + 7) + 4 * (k + 7) * (n + 7), 5);
        let views = |rows: usize, cols: usize| {
            [
                (cols, 1),
                (1, rows),
                (cols + 5, 1),
                (1, rows + 5),
                (2 * cols, 2),
                (0, 1),
                (1, 0),
            ]
            .map(|(row_stride, col_stride)| MatRef {
                data: &store,
                rows,
                cols,
                row_stride,
                col_stride,
            })
        };
        for a in views(m, k) {
            for b in views(k, n) {
                let b = MatRef {
                    data: &b.data[3..],
                    ..b
                };
                check(a, b);
            }
        }
    }
}

#[test]
fn a_last_row_that_ends_the_data() {
    // Vectors of the last row's edge must not be read past the end.
    for n in [1, 3, 15, 17, 30] {
        let (a, b) = (values(6 * 4, 6), values(4 * n, 7));
        check(MatRef::contiguous(&a, 6, 4), MatRef::contiguous(&b, 4, n));
    }
}

#[test]
fn empty_sizes() {
    for isa in Isa::available() {
        let none = MatRef::contiguous(&[], 3, 0);
        let mut c = vec![7.0; 12];
        matmul_f32(
            isa,
            none,
            &Rhs::Plain(MatRef::contiguous(&[], 0, 4)),
            &mut c,
            &Epilogue::NONE,
        );
        assert_eq!(c, [0.0; 12]);
        let packed = PackedRhs::new(isa, MatRef::contiguous(&[], 0, 4));
        c.fill(7.0);
        matmul_f32(isa, none, &Rhs::Packed(&packed), &mut c, &Epilogue::NONE);
        assert_eq!(c, [0.0; 12]);
        for (m, n) in [(0, 4), (3, 0), (1, 4), (4, 1)] {
            let mut c = vec![7.0; m * n];
            let a = MatRef::contiguous(&[], m, 0);
            matmul_f32(
                isa,
                a,
                &Rhs::Plain(MatRef::contiguous(&[], 0, n)),
                &mut c,
                &Epilogue::NONE,
            );
            assert_eq!(c, vec![0.0; m * n]);
        }
    }
}

#[test]
fn batches() {
    let store = values(40_000, 10);
    let (m, k, n) = (7, 20, 33);
    let a = MatRef::contiguous(&store[..], m, k);
    let b = MatRef {
        data: &store[1000..],
        rows: k,
        cols: n,
        row_stride: 1,
        col_stride: k,
    };
    let one = [0, m * k, 2 * m * k, 3 * m * k, 4 * m * k];
    let cases: [(&[usize], &[usize]); 5] = [
        (&one, &[0; 5]),
        (&one, &[0, 660, 1320, 1980, 2640]),
        (&[0; 5], &[0, 660, 1320, 1980, 2640]),
        (&[280, 0, 140], &[5; 3]),
        (&[], &[]),
    ];
    for isa in Isa::available() {
        for (a_offsets, b_offsets) in cases {
            let size = m * n;
            let mut runs = Vec::new();
            for threads in [1, 2] {
                set_num_threads(threads);
                let mut c = vec![f32::NAN; a_offsets.len() * size];
                let tail = |start: usize, piece: &mut [f32]| {
                    piece
                        .iter_mut()
                        .enumerate()
                        .for_each(|(i, v)| *v += (start + i) as f32);
                };
                matmul_f32_batched(
                    isa,
                    a,
                    a_offsets,
                    &Rhs::Plain(b),
                    b_offsets,
                    &mut c,
                    &Epilogue::NONE,
                );
                for (i, c) in c.chunks(size).enumerate() {
                    let a = MatRef {
                        data: &a.data[a_offsets[i]..],
                        ..a
                    };
                    let b = MatRef {
                        data: &b.data[b_offsets[i]..],
                        ..b
                    };
                    assert_close(c, a, b, &format!("{isa} batch {i}"));
                }
                let mut with_tail = vec![0.0; c.len()];
                let right = Rhs::Plain(b);
                matmul_f32_batched(
                    isa,
                    a,
                    a_offsets,
                    &right,
                    b_offsets,
                    &mut with_tail,
                    &Epilogue::tail(Some(&tail)),
                );
                let want: Vec<f32> = c.iter().enumerate().map(|(i, v)| v + i as f32).collect();
                assert_eq!(with_tail, want);
                runs.push(c);
            }
            assert_eq!(runs[0], runs[1]);
        }
        let packed = PackedRhs::new(isa, b);
        let mut c = vec![0.0; 5 * m * n];
        matmul_f32_batched(
            isa,
            a,
            &one,
            &Rhs::Packed(&packed),
            &[0; 5],
            &mut c,
            &Epilogue::NONE,
        );
        assert_close(&c, MatRef { rows: 5 * m, ..a }, b, "packed batch");
    }
}

#[test]
#[should_panic(expected = "packed for another instance")]
fn packed_for_another_instance() {
    let b = MatRef {
        data: &[1.0],
        rows: 1,
        cols: 1,
        row_stride: 1,
        col_stride: 1,
    };
    let packed = PackedRhs::new(Isa::Portable, b);
    matmul_f32(
        Isa::Avx2,
        b,
        &Rhs::Packed(&packed),
        &mut [0.0],
        &Epilogue::NONE,
    );
}

#[test]
fn one_number_is_a_whole_operand() {
    for (rows, cols) in [(1, 5), (5, 5), (7, 1)] {
        let a = MatRef {
            data: &[3.0][..],
            rows,
            cols,
            row_stride: 0,
            col_stride: 0,
        };
        let ones = vec![1.0; cols * 2];
        check(a, MatRef::contiguous(&ones, cols, 2));
        check(a, MatRef::contiguous(&ones[..cols], cols, 1));
        check(
            MatRef::contiguous(&ones[..rows.min(2)], rows.min(2), 1),
            MatRef { rows: 1, ..a },
        );
    }
}

#[test]
#[should_panic(expected = "a matrix exceeds its data")]
fn a_matrix_must_lie_in_its_data() {
    let a = MatRef::contiguous(&[1.0; 5][..], 2, 3);
    let b = MatRef::contiguous(&[1.0; 6][..], 3, 2);
    matmul_f32(
        Isa::Portable,
        a,
        &Rhs::Plain(b),
        &mut [0.0; 4],
        &Epilogue::NONE,
    );
}

fn check_generic<T: Scalar + std::fmt::Debug>(of: impl Fn(usize) -> T) {
    for [m, k, n] in [[1, 1, 1], [9, 65, 17], [3, 0, 2], [0, 2, 2], [20, 7, 33]] {
        let store: Vec<T> = (0..4 * (m * k + k * n) + 8).map(&of).collect();
        let a = MatRef {
            data: &store,
            rows: m,
            cols: k,
            row_stride: 1,
            col_stride: m,
        };
        for (row_stride, col_stride) in [(n, 1), (1, k), (0, 1), (2, 2 * k)] {
            let b = MatRef {
                data: &store[1..],
                rows: k,
                cols: n,
                row_stride,
                col_stride,
            };
            let mut c = vec![of(3); m * n];
            matmul_generic(a, b, &mut c);
            for (at, c) in c.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let want = (0..k).fold(T::ZERO, |sum, k| {
                    sum.add_product(a.data[i + k * m], b.data[k * row_stride + j * col_stride])
                });
                assert_eq!(*c, want);
            }
        }
    }
}

#[test]
fn generic_products() {
    check_generic(|i| (i * 7919 % 1000) as f64 / 8.0);
    check_generic(|i| (i * 7919) as i32);
    check_generic(|i| (i as i64).wrapping_mul(i64::MAX / 5));
    check_generic(|i| (i * 7919) as u8);
    check_generic(|i| i as u64);
}
