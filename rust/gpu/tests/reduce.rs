//! Reductions against loops.

mod common;

use common::{at, bytes, close, f32s, gpu, indices, random, run, validate, values};
use lamina_gpu::{
    Caps, GpuError, Operand, Storage,
    kernels::{Reduction, reduce},
};

const KINDS: [Reduction; 5] = [
    Reduction::Sum,
    Reduction::Mean,
    Reduction::Prod,
    Reduction::Max,
    Reduction::Min,
];

/// For each result, the places of its elements.
fn groups(x: &Operand, axes: &[usize]) -> Vec<Vec<usize>> {
    let mut kept = x.shape.clone();
    let mut reduced = vec![1; x.shape.len()];
    for &axis in axes {
        (kept[axis], reduced[axis]) = (1, x.shape[axis]);
    }
    let places = |start: &Vec<usize>| {
        let sum =
            |k: &Vec<usize>| -> Vec<usize> { start.iter().zip(k).map(|(a, b)| a + b).collect() };
        indices(&reduced).iter().map(|k| at(x, &sum(k))).collect()
    };
    indices(&kept).iter().map(places).collect()
}

fn wanted(kind: Reduction, all: &[f64]) -> f64 {
    match kind {
        Reduction::Sum => all.iter().sum(),
        Reduction::Mean => all.iter().sum::<f64>() / all.len() as f64,
        Reduction::Prod => all.iter().product(),
        Reduction::Max => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => all.iter().copied().fold(f64::INFINITY, f64::min),
    }
}

fn check(x: &Operand, axes: &[usize]) {
    let Some(gpu) = gpu() else { return };
    // Products of these neither vanish nor overflow.
    let data: Vec<f32> = (random(3, x.offset + 2 * x.size() + 64).iter())
        .map(|v| 1.0 + v / 64.0)
        .collect();
    for kind in KINDS {
        if kind == Reduction::Prod && x.size() > 10_000 {
            continue;
        }
        let kernels = reduce(kind, x, axes, &Caps::portable()).unwrap();
        let groups = groups(x, axes);
        let size = 4 * groups.len() as u64;
        let got = run(&gpu, &kernels, &[bytes(&data)], &[], &[size]).unwrap();
        let all = |places: &Vec<usize>| {
            let read: Vec<f64> = places.iter().map(|&p| f64::from(data[p])).collect();
            wanted(kind, &read)
        };
        let wanted: Vec<f64> = groups.iter().map(all).collect();
        let what = format!("{kind:?} of {x:?} over {axes:?}");
        // A product rounds at each step.
        let tolerance = if kind == Reduction::Prod { 2e-5 } else { 3e-6 };
        close(&what, &values(&got[0]), &wanted, tolerance);
    }
}

#[test]
fn any_axes_of_any_view() {
    let shapes: [(&[usize], &[usize]); 14] = [
        (&[1], &[0]),
        (&[7], &[]),
        (&[1000], &[0]),
        (&[31, 33], &[0]),
        (&[31, 33], &[1]),
        (&[33, 31], &[0, 1]),
        (&[2, 300], &[1]),
        (&[300, 2], &[0]),
        (&[2, 3, 4, 5], &[0, 2]),
        (&[2, 3, 4, 5], &[1, 3]),
        (&[4, 33, 9, 7], &[0, 2, 3]),
        (&[3, 1, 257], &[0, 1]),
        (&[1, 5000], &[1]),
        (&[5000, 3], &[0]),
    ];
    for (shape, axes) in shapes {
        check(&f32s(shape), axes);
        let mut strides = f32s(shape).strides;
        for s in &mut strides {
            *s *= 2;
        }
        check(&Operand::view(Storage::F32, shape, &strides, 3), axes);
        let mut turned = shape.to_vec();
        turned.reverse();
        let mut turned = f32s(&turned).strides;
        turned.reverse();
        check(&Operand::view(Storage::F32, shape, &turned, 1), axes);
        let flipped: Vec<isize> = f32s(shape).strides.iter().map(|s| -s).collect();
        let last = shape.iter().product::<usize>() - 1;
        check(&Operand::view(Storage::F32, shape, &flipped, last), axes);
    }
}

#[test]
fn long_reductions_are_cut_into_parts() {
    check(&f32s(&[300_001]), &[0]);
    check(&f32s(&[3, 70_000]), &[1]);
    check(&f32s(&[9_000, 33]), &[0]);
    let kernels = reduce(Reduction::Sum, &f32s(&[300_001]), &[0], &Caps::portable()).unwrap();
    assert_eq!(kernels.dispatches.len(), 2);
}

#[test]
fn integers_wrap_and_compare() {
    let Some(gpu) = gpu() else { return };
    let x: Vec<i64> = (0..31 * 17)
        .map(|i: i64| (i - 200).wrapping_mul(0x0123_4567_89ab_cdef))
        .collect();
    let column = |j: usize| (0..31).map(move |i| i * 17 + j);
    let run64 = |kind, storage| -> Vec<i64> {
        let x_shape = Operand::contiguous(storage, &[31, 17]);
        let kernels = reduce(kind, &x_shape, &[0], &Caps::portable()).unwrap();
        values(&run(&gpu, &kernels, &[bytes(&x)], &[], &[8 * 17]).unwrap()[0])
    };
    for j in 0..17 {
        let of = || column(j).map(|p| x[p]);
        assert_eq!(
            run64(Reduction::Sum, Storage::I64)[j],
            of().fold(0, i64::wrapping_add)
        );
        assert_eq!(
            run64(Reduction::Prod, Storage::I64)[j],
            of().fold(1, i64::wrapping_mul)
        );
        assert_eq!(run64(Reduction::Max, Storage::I64)[j], of().max().unwrap());
        assert_eq!(run64(Reduction::Min, Storage::I64)[j], of().min().unwrap());
        let unsigned = || of().map(|v| v as u64);
        assert_eq!(
            run64(Reduction::Max, Storage::U64)[j] as u64,
            unsigned().max().unwrap()
        );
        assert_eq!(
            run64(Reduction::Min, Storage::U64)[j] as u64,
            unsigned().min().unwrap()
        );
    }
    let x: Vec<i32> = (0..600)
        .map(|i: i32| (i - 300).wrapping_mul(12_345_678))
        .collect();
    let run32 = |kind| -> Vec<i32> {
        let x_shape = Operand::contiguous(Storage::I32, &[2, 300]);
        let kernels = reduce(kind, &x_shape, &[1], &Caps::portable()).unwrap();
        values(&run(&gpu, &kernels, &[bytes(&x)], &[], &[8]).unwrap()[0])
    };
    for (j, row) in x.chunks(300).enumerate() {
        let of = || row.iter().copied();
        assert_eq!(run32(Reduction::Sum)[j], of().fold(0, i32::wrapping_add));
        assert_eq!(run32(Reduction::Prod)[j], of().fold(1, i32::wrapping_mul));
        assert_eq!(run32(Reduction::Max)[j], of().max().unwrap());
        assert_eq!(run32(Reduction::Min)[j], of().min().unwrap());
    }
}

#[test]
fn narrow_elements_share_words() {
    let Some(gpu) = gpu() else { return };
    // Rows: none, one, all but one, all.
    let flags: Vec<u8> = (0..5 * 33)
        .map(|i| match i / 33 {
            0 => 0,
            1 => u8::from(i % 33 == 32),
            2 => u8::from(i % 33 != 7),
            _ => 1,
        })
        .collect();
    let x = Operand::contiguous(Storage::Bool, &[5, 33]);
    for (kind, wanted) in [
        (Reduction::Max, [0, 1, 1, 1, 1]),
        (Reduction::Min, [0, 0, 0, 1, 1]),
    ] {
        let kernels = reduce(kind, &x, &[1], &Caps::portable()).unwrap();
        let got = run(&gpu, &kernels, &[&flags], &[], &[5]).unwrap();
        assert_eq!(got[0], wanted, "{kind:?}");
    }
    let data: Vec<i8> = (0..3 * 50).map(|i| (i * 37 % 251) as u8 as i8).collect();
    let x = Operand::contiguous(Storage::I8, &[3, 50]);
    for kind in [Reduction::Sum, Reduction::Max, Reduction::Min] {
        let kernels = reduce(kind, &x, &[0], &Caps::portable()).unwrap();
        let got = run(&gpu, &kernels, &[bytes(&data)], &[], &[50]).unwrap();
        for (j, &got) in got[0].iter().enumerate() {
            let of = || (0..3).map(|i| data[i * 50 + j]);
            let wanted = match kind {
                Reduction::Sum => of().fold(0, i8::wrapping_add),
                Reduction::Max => of().max().unwrap(),
                _ => of().min().unwrap(),
            };
            assert_eq!(got as i8, wanted, "{kind:?} {j}");
        }
    }
}

#[test]
fn nan_and_infinity_arrive() {
    let Some(gpu) = gpu() else { return };
    let mut x = random(9, 4 * 300);
    x[300 + 299] = f32::NAN;
    x[2 * 300] = f32::INFINITY;
    x[2 * 300 + 1] = f32::NEG_INFINITY;
    x[3 * 300..].fill(f32::NEG_INFINITY);
    let shape = f32s(&[4, 300]);
    let of = |kind| -> Vec<f32> {
        let kernels = reduce(kind, &shape, &[1], &Caps::portable()).unwrap();
        values(&run(&gpu, &kernels, &[bytes(&x)], &[], &[16]).unwrap()[0])
    };
    let (max, min) = (of(Reduction::Max), of(Reduction::Min));
    assert!(!max[0].is_nan() && max[1].is_nan() && min[1].is_nan());
    assert_eq!(max[2..], [f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(min[2..], [f32::NEG_INFINITY, f32::NEG_INFINITY]);
}

#[test]
fn of_nothing() {
    let Some(gpu) = gpu() else { return };
    let x = f32s(&[3, 0]);
    for (kind, wanted) in [
        (Reduction::Sum, 0.0),
        (Reduction::Prod, 1.0),
        (Reduction::Mean, f32::NAN),
    ] {
        let kernels = reduce(kind, &x, &[1], &Caps::portable()).unwrap();
        let got = run(&gpu, &kernels, &[&[0; 16]], &[], &[12]).unwrap();
        for value in values::<f32>(&got[0]) {
            assert!(
                value == wanted || (value.is_nan() && wanted.is_nan()),
                "{kind:?}"
            );
        }
    }
    let none = reduce(Reduction::Sum, &f32s(&[0, 3]), &[1], &Caps::portable()).unwrap();
    validate(&none);
    assert!(none.dispatches.is_empty());
    let bools = Operand::contiguous(Storage::Bool, &[3]);
    let refused = reduce(Reduction::Sum, &bools, &[0], &Caps::portable());
    assert!(matches!(refused, Err(GpuError::Unsupported { .. })));
}
