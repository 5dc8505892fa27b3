//! Orders along an axis, against loops.

mod common;

use common::{bytes, close, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{argmax, cumsum, sort},
};

/// (outer, axis, inner).
const CASES: &[[usize; 3]] = &[
    [1, 1, 1],
    [1, 33, 1],
    [3, 65, 1],
    [65, 3, 2],
    [2, 100, 33],
    [3, 2048, 1],
    [2, 2049, 2],
    [1, 9000, 1],
];

/// Numbers with many equals, a NaN, infinities and both zeros.
fn numbers(size: usize) -> Vec<f32> {
    let mut numbers: Vec<f32> = random(7, size).iter().map(|x| (x * 50.0).round()).collect();
    for (i, special) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0]
        .into_iter()
        .enumerate()
    {
        if size > 30 {
            numbers[3 * i + 4] = special;
        }
    }
    numbers
}

/// The places of each line's elements in rising order (NaN last) or the reverse, stable.
fn order(line: &[f32], descending: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..line.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = if descending { (b, a) } else { (a, b) };
        let nan = line[a].is_nan().cmp(&line[b].is_nan());
        nan.then(
            line[a]
                .partial_cmp(&line[b])
                .unwrap_or(std::cmp::Ordering::Equal),
        )
    });
    order
}

fn line(x: &[f32], [_, axis, inner]: [usize; 3], o: usize, j: usize) -> Vec<f32> {
    (0..axis).map(|i| x[(o * axis + i) * inner + j]).collect()
}

#[test]
fn lines_are_sorted_stably() {
    let Some(gpu) = gpu() else { return };
    for &sizes in CASES {
        let [outer, axis, inner] = sizes;
        let x = numbers(outer * axis * inner);
        for (descending, k) in [(false, axis), (true, axis), (true, axis.min(5))] {
            let operand = Operand::contiguous(Storage::F32, &sizes);
            let kernels = sort(&operand, 1, k, descending, &Caps::portable()).unwrap();
            let count = (outer * k * inner) as u64;
            let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[4 * count, 8 * count]).unwrap();
            let (kept, places) = (values::<f32>(&got[0]), values::<i64>(&got[1]));
            for o in 0..outer {
                for j in 0..inner {
                    let line = line(&x, sizes, o, j);
                    for (i, &place) in order(&line, descending)[..k].iter().enumerate() {
                        let at = (o * k + i) * inner + j;
                        assert_eq!(places[at], place as i64, "{sizes:?} {descending} {k}");
                        assert_eq!(kept[at].to_bits(), line[place].to_bits());
                    }
                }
            }
        }
    }
    let bytes_of: Vec<u8> = vec![3, 250, 3, 0, 9];
    let kernels = sort(
        &Operand::contiguous(Storage::U8, &[5]),
        0,
        5,
        true,
        &Caps::portable(),
    );
    let got = run(&gpu, &kernels.unwrap(), &[&bytes_of], &[], &[5, 40]).unwrap();
    assert_eq!(got[0], [250, 9, 3, 3, 0]);
    assert_eq!(values::<i64>(&got[1]), [1, 4, 0, 2, 3]);
}

#[test]
fn the_first_of_the_extremes_is_found() {
    let Some(gpu) = gpu() else { return };
    for &sizes in CASES {
        let [outer, axis, inner] = sizes;
        for nan in [false, true] {
            let mut x = numbers(outer * axis * inner);
            if !nan {
                x.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = 1.0);
            }
            for smallest in [false, true] {
                let operand = Operand::contiguous(Storage::F32, &sizes);
                let kernels = argmax(&operand, 1, smallest, &Caps::portable()).unwrap();
                let count = (outer * inner) as u64;
                let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[8 * count]).unwrap();
                for (at, place) in values::<i64>(&got[0]).into_iter().enumerate() {
                    let line = line(&x, sizes, at / inner, at % inner);
                    let mut wanted = 0;
                    for i in 1..axis {
                        let (new, old) = (line[i], line[wanted]);
                        let better = if smallest { new < old } else { new > old };
                        if !old.is_nan() && (better || new.is_nan()) {
                            wanted = i;
                        }
                    }
                    assert_eq!(place, wanted as i64, "{sizes:?} {smallest}");
                }
            }
        }
    }
}

#[test]
fn sums_run_along_lines() {
    let Some(gpu) = gpu() else { return };
    for &sizes in CASES {
        let [outer, axis, inner] = sizes;
        let x = random(3, outer * axis * inner);
        let whole: Vec<i64> = (0..x.len() as i64).map(|i| (i << 31) - i).collect();
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut wanted = vec![0.0; x.len()];
            let mut wanted_whole = vec![0; x.len()];
            for o in 0..outer {
                for j in 0..inner {
                    let (mut sum, mut sum_whole) = (0.0, 0);
                    for step in 0..axis {
                        let i = if reverse { axis - 1 - step } else { step };
                        let at = (o * axis + i) * inner + j;
                        if exclusive {
                            (wanted[at], wanted_whole[at]) = (sum, sum_whole);
                        }
                        sum += f64::from(x[at]);
                        sum_whole += whole[at];
                        if !exclusive {
                            (wanted[at], wanted_whole[at]) = (sum, sum_whole);
                        }
                    }
                }
            }
            let kernels = |storage| {
                let operand = Operand::contiguous(storage, &sizes);
                cumsum(&operand, 1, exclusive, reverse, &Caps::portable()).unwrap()
            };
            let size = x.len() as u64;
            let got = run(&gpu, &kernels(Storage::F32), &[bytes(&x)], &[], &[4 * size]).unwrap();
            close("cumsum", &values(&got[0]), &wanted, 1e-5);
            let got = run(
                &gpu,
                &kernels(Storage::I64),
                &[bytes(&whole)],
                &[],
                &[8 * size],
            );
            assert_eq!(values::<i64>(&got.unwrap()[0]), wanted_whole);
        }
    }
}
