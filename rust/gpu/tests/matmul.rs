//! Matrix products against float64 loops.

mod common;

use common::{at, bytes, close, f32s, gpu, indices, random, run, validate, values, whole};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{ElementCode, Epilogue, matmul},
};

/// The product in float64; operands read from `data`.
fn expected(a: &Operand, b: &Operand, data: [&[f32]; 2], shape: &[usize]) -> Vec<f64> {
    let rank = shape.len();
    let k = a.shape[a.shape.len() - 1];
    let term = |index: &[usize], k: usize| {
        let (mut row, mut column) = (index.to_vec(), index.to_vec());
        row[rank - 1] = k;
        column[rank - 2] = k;
        f64::from(data[0][at(a, &row)]) * f64::from(data[1][at(b, &column)])
    };
    let sum = |index: Vec<usize>| (0..k).map(|k| term(&index, k)).sum();
    indices(shape).into_iter().map(sum).collect()
}

fn check(a: &Operand, b: &Operand, shape: &[usize], epilogue: bool) {
    let size: usize = shape.iter().product();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let extras = [f32s(&[n]), f32s(shape), f32s(&[m, 1])];
    let end = Epilogue {
        code: ElementCode::new("out0 = max(in0 + in1, 0.0) + in2 * in3 + f32(index) * 1e-6;"),
        inputs: extras.to_vec(),
    };
    let end = epilogue.then_some(&end);
    let caps = Caps::portable();
    let kernels = matmul(a, b, Storage::F32, end, &caps).unwrap();
    validate(&kernels);
    let Some(gpu) = gpu() else { return };
    let length = |o: &Operand| o.offset + 2 * o.size() + 64;
    let (x, y) = (random(1, length(a)), random(2, length(b)));
    let more: Vec<Vec<f32>> = (extras.iter().zip(3..))
        .map(|(e, seed)| random(seed, e.size()))
        .collect();
    let more_bytes: Vec<&[u8]> = more.iter().map(|d| bytes(d)).collect();
    let given = if epilogue { &more_bytes[..] } else { &[] };
    let got = run(
        &gpu,
        &kernels,
        &[bytes(&x), bytes(&y)],
        given,
        &[4 * size as u64],
    )
    .unwrap();
    let mut wanted = expected(a, b, [&x, &y], shape);
    if epilogue {
        for (i, (w, index)) in wanted.iter_mut().zip(indices(shape)).enumerate() {
            let [bias, full, column] =
                [0, 1, 2].map(|j| f64::from(more[j][at(&extras[j], &index)]));
            *w = (*w + bias).max(0.0) + full * column + i as f64 * 1e-6;
        }
    }
    let what = format!(
        "{:?} {:?} x {:?} {:?}",
        a.shape, a.strides, b.shape, b.strides
    );
    close(&what, &values(&got[0]), &wanted, 2e-6);
}

fn transposed(shape: &[usize]) -> Operand {
    let mut view = f32s(shape);
    let rank = shape.len();
    view.strides[rank - 2] = 1;
    view.strides[rank - 1] = shape[rank - 2] as isize;
    view
}

#[test]
fn sizes_astride_tiles() {
    for (m, n, k) in [
        (1, 1, 1),
        (1, 10, 33),
        (4, 4, 4),
        (31, 33, 32),
        (32, 32, 16),
        (33, 31, 17),
        (64, 64, 64),
        (65, 63, 129),
        (7, 200, 40),
        (200, 7, 40),
        (8, 129, 64),
        (130, 8, 65),
        (3, 5, 0),
    ] {
        for epilogue in [false, true] {
            check(&f32s(&[m, k]), &f32s(&[k, n]), &[m, n], epilogue);
        }
        check(&transposed(&[m, k]), &f32s(&[k, n]), &[m, n], false);
        check(&f32s(&[m, k]), &transposed(&[k, n]), &[m, n], false);
        check(&transposed(&[m, k]), &transposed(&[k, n]), &[m, n], true);
    }
}

#[test]
fn larger_tiles() {
    check(
        &f32s(&[8, 260, 36]),
        &f32s(&[36, 256]),
        &[8, 260, 256],
        true,
    );
    check(
        &f32s(&[5, 321, 20]),
        &transposed(&[5, 20, 322]),
        &[5, 321, 322],
        false,
    );
}

#[test]
fn long_sums_are_split() {
    for epilogue in [false, true] {
        check(&f32s(&[9, 5000]), &f32s(&[5000, 10]), &[9, 10], epilogue);
        check(
            &f32s(&[2, 40, 1030]),
            &f32s(&[2, 1030, 36]),
            &[2, 40, 36],
            epilogue,
        );
    }
    let caps = Caps::portable();
    let kernels = matmul(
        &f32s(&[9, 5000]),
        &f32s(&[5000, 10]),
        Storage::F32,
        None,
        &caps,
    )
    .unwrap();
    assert_eq!((kernels.dispatches.len(), kernels.scratch.len()), (2, 1));
}

#[test]
fn batches_broadcast_and_views_are_read_in_place() {
    check(&f32s(&[3, 1, 5, 8]), &f32s(&[2, 8, 7]), &[3, 2, 5, 7], true);
    check(&f32s(&[5, 8]), &f32s(&[4, 8, 12]), &[4, 5, 12], true);
    check(&f32s(&[4, 33, 8]), &f32s(&[8, 31]), &[4, 33, 31], false);
    let every_other = Operand::view(Storage::F32, &[2, 12, 8], &[200, 16, 2], 3);
    check(&every_other, &f32s(&[8, 12]), &[2, 12, 12], true);
    let flipped = Operand::view(Storage::F32, &[16, 24], &[-24, 1], 15 * 24 + 4);
    check(&f32s(&[20, 16]), &flipped, &[20, 24], false);
    let off_by_one = Operand::view(Storage::F32, &[16, 24], &[24, 1], 1);
    check(&f32s(&[20, 16]), &off_by_one, &[20, 24], false);
}

#[test]
fn halves_are_multiplied_in_f32() {
    let Some(gpu) = gpu() else { return };
    let (m, k, n) = (17, 24, 20);
    let half = |seed, count| -> Vec<half::f16> {
        random(seed, count)
            .into_iter()
            .map(half::f16::from_f32)
            .collect()
    };
    let (x, y) = (half(1, m * k), half(2, k * n));
    let (a, b) = (
        Operand::contiguous(Storage::F16, &[m, k]),
        Operand::contiguous(Storage::F16, &[k, n]),
    );
    let kernels = matmul(&a, &b, Storage::F32, None, &Caps::portable()).unwrap();
    let as_bytes = |v: &[half::f16]| v.iter().flat_map(|h| h.to_le_bytes()).collect::<Vec<u8>>();
    let (xb, yb) = (as_bytes(&x), as_bytes(&y));
    let got = run(&gpu, &kernels, &[&xb, &yb], &[], &[4 * (m * n) as u64]).unwrap();
    let wide = |v: &[half::f16]| v.iter().map(|h| h.to_f32()).collect::<Vec<f32>>();
    let wanted = expected(&a, &b, [&wide(&x), &wide(&y)], &[m, n]);
    close("f16", &values(&got[0]), &wanted, 1e-6);
}

#[test]
fn integers_are_summed_exactly() {
    for (m, k, n, most) in [
        (1, 1, 1, 255.0),
        (5, 33, 18, 255.0),
        (64, 64, 64, 255.0),
        (130, 8, 65, 255.0),
        (9, 5000, 10, 255.0),
        (9, 700, 10, 32_767.0),
    ] {
        let (a, b) = (
            Operand::contiguous(Storage::I16, &[m, k]),
            Operand::contiguous(Storage::I16, &[k, n]),
        );
        let kernels = matmul(&a, &b, Storage::I32, None, &Caps::portable()).unwrap();
        validate(&kernels);
        let Some(gpu) = gpu() else { return };
        // A buffer is of whole words.
        let (x, y) = (whole(1, m * k + 1, most), whole(2, k * n + 1, most));
        let whole_words = |v: &[i16]| bytes(&v[..v.len() & !1]).to_vec();
        let (xb, yb) = (whole_words(&x), whole_words(&y));
        let got = run(&gpu, &kernels, &[&xb, &yb], &[], &[4 * (m * n) as u64]).unwrap();
        let term = |row, t, column| i64::from(x[row * k + t]) * i64::from(y[t * n + column]);
        let wanted: Vec<i32> = (indices(&[m, n]).iter())
            .map(|at| (0..k).map(|t| term(at[0], t, at[1])).sum::<i64>() as i32)
            .collect();
        assert_eq!(values::<i32>(&got[0]), wanted, "{m}x{k}x{n}");
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let caps = Caps::portable();
    let refused = |a: &Operand, b: &Operand, output| {
        matmul(a, b, output, None, &caps).unwrap_err().to_string()
    };
    let message = refused(&f32s(&[2, 3]), &f32s(&[4, 5]), Storage::F32);
    assert_eq!(message, "matmul: shapes [2, 3] and [4, 5]");
    assert!(refused(&f32s(&[3]), &f32s(&[3, 5]), Storage::F32).contains("shapes"));
    assert!(refused(&f32s(&[2, 2, 3]), &f32s(&[3, 3, 5]), Storage::F32).contains("shapes"));
    let whole = Operand::contiguous(Storage::I64, &[3, 3]);
    assert!(refused(&whole, &whole, Storage::F32).contains("I64"));
    let bytes = Operand::contiguous(Storage::U8, &[3, 3]);
    assert_eq!(
        refused(&bytes, &f32s(&[3, 3]), Storage::I32),
        "matmul: it does not multiply U8 by F32"
    );
    assert!(refused(&f32s(&[3, 3]), &f32s(&[3, 3]), Storage::F16).contains("F16"));
}
