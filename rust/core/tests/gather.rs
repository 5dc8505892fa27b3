//! Reading and writing by index, against loops.

mod common;

use common::{affine_gradient, devices, floats, ints, message, numbers, one, ramp};
use lamina_core::ops::elementwise::cast;
use lamina_core::ops::gather;
use lamina_core::{Attrs, DType, Tensor, record};

/// (shape, axis, indices on the axis).
const CASES: &[([usize; 3], usize, usize)] = &[
    ([2, 3, 5], 1, 7),
    ([33, 2, 31], 0, 65),
    ([3, 1, 33], 2, 4),
    ([2, 4, 1], 1, 0),
];

fn picks(count: usize, axis: usize) -> Vec<i64> {
    (0..count)
        .map(|i| ((i * 7919 + 5) % (2 * axis)) as i64 - axis as i64)
        .collect()
}

/// (outer, axis, inner) around an axis.
fn around(shape: [usize; 3], axis: usize) -> [usize; 3] {
    [
        shape[..axis].iter().product(),
        shape[axis],
        shape[axis + 1..].iter().product(),
    ]
}

fn close(what: &str, got: &Tensor, wanted: &[f64]) {
    let got = got.to_vec::<f32>().unwrap();
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (at, (&g, &w)) in got.iter().zip(wanted).enumerate() {
        assert!(
            (f64::from(g) - w).abs() <= 1e-4 * (1.0 + w.abs()),
            "{what} {at}: {g} {w}"
        );
    }
}

#[test]
fn take_and_gather_read() {
    for device in devices() {
        for &(shape, axis, count) in CASES {
            let [outer, length, inner] = around(shape, axis);
            let data = numbers(1, shape.iter().product());
            let few = picks(count, length);
            let mut each_shape = shape;
            each_shape[axis] = count;
            let each = picks(outer * count * inner, length);
            for dtype in [DType::F32, DType::U8, DType::F16, DType::I64] {
                let x = cast(&floats(&data, &shape, device), dtype).unwrap();
                let plain: Vec<f32> = cast(&x, DType::F32).unwrap().to_vec().unwrap();
                let index = ints(&few, &[1, count], device);
                let taken = gather::take(&x, &index, axis as i64).unwrap();
                let index = cast(&ints(&each, &each_shape, device), DType::I32).unwrap();
                let gathered = gather::gather(&x, &index, axis as i64 - 3).unwrap();
                assert_eq!(taken.rank(), 4);
                let taken: Vec<f32> = cast(&taken, DType::F32).unwrap().to_vec().unwrap();
                let gathered: Vec<f32> = cast(&gathered, DType::F32).unwrap().to_vec().unwrap();
                for at in 0..outer * count * inner {
                    let (o, k, i) = (at / (count * inner), at / inner % count, at % inner);
                    let from =
                        |p: i64| (o * length + p.rem_euclid(length as i64) as usize) * inner + i;
                    assert_eq!(
                        taken[at],
                        plain[from(few[k])],
                        "{device} {dtype} {shape:?} {at}"
                    );
                    assert_eq!(
                        gathered[at],
                        plain[from(each[at])],
                        "{device} {dtype} {shape:?} {at}"
                    );
                }
            }
            affine_gradient("take", &shape, device, &|x| {
                gather::take(x, &ints(&few, &[count], device), axis as i64).unwrap()
            });
            affine_gradient("gather", &shape, device, &|x| {
                gather::gather(x, &ints(&each, &each_shape, device), axis as i64).unwrap()
            });
        }
    }
}

#[test]
fn sums_and_places_are_written() {
    for device in devices() {
        for &(shape, axis, count) in CASES {
            let [outer, length, inner] = around(shape, axis);
            let mut each_shape = shape;
            each_shape[axis] = count;
            let size = outer * count * inner;
            let (data, source) = (numbers(1, shape.iter().product()), numbers(2, size));
            let (few, each) = (picks(count, length), picks(size, length));
            let base: Vec<f64> = data.iter().map(|&v| f64::from(v)).collect();
            let (mut added, mut summed, mut put) = (base.clone(), base.clone(), base);
            for at in 0..size {
                let (o, k, i) = (at / (count * inner), at / inner % count, at % inner);
                let to = |p: i64| (o * length + p.rem_euclid(length as i64) as usize) * inner + i;
                added[to(few[k])] += f64::from(source[at]);
                summed[to(each[at])] += f64::from(source[at]);
                put[to(each[at])] = f64::from(source[at]);
            }
            let x = floats(&data, &shape, device);
            let s = floats(&source, &each_shape, device);
            let (few, each) = (
                ints(&few, &[count], device),
                ints(&each, &each_shape, device),
            );
            let dim = axis as i64;
            close(
                "index_add",
                &gather::index_add(&x, &few, &s, dim).unwrap(),
                &added,
            );
            close(
                "scatter_add",
                &gather::scatter_add(&x, &each, &s, dim).unwrap(),
                &summed,
            );
            close(
                "scatter",
                &gather::scatter(&x, &each, &s, dim).unwrap(),
                &put,
            );
            for (what, source) in [
                ("index_add", true),
                ("scatter_add", true),
                ("index_add", false),
                ("scatter", false),
            ] {
                affine_gradient(
                    what,
                    if source { &each_shape } else { &shape },
                    device,
                    &|v| {
                        let (x, s) = if source { (&x, v) } else { (v, &s) };
                        match what {
                            "index_add" => gather::index_add(x, &few, s, dim),
                            "scatter" => gather::scatter(x, &each, s, dim),
                            _ => gather::scatter_add(x, &each, s, dim),
                        }
                        .unwrap()
                    },
                );
            }
        }
    }
}

#[test]
fn an_index_reaches_a_corner_of_x() {
    for device in devices() {
        let x = ramp(1, &[4, 3], device);
        let index = ints(&[3, 0, -1, 1], &[2, 2], device);
        let picked = gather::gather(&x, &index, 0)
            .unwrap()
            .to_vec::<f32>()
            .unwrap();
        let plain = x.to_vec::<f32>().unwrap();
        assert_eq!(picked, [plain[9], plain[1], plain[9], plain[4]]);
        let ones = floats(&[1.0; 6], &[3, 2], device);
        let more = gather::scatter_add(&x, &index, &ones, 0)
            .unwrap()
            .to_vec::<f32>()
            .unwrap();
        let put = gather::scatter(&x, &index, &ones, 0)
            .unwrap()
            .to_vec::<f32>()
            .unwrap();
        for at in 0..12 {
            let count = match at {
                9 => 2.0,
                1 | 4 => 1.0,
                _ => 0.0,
            };
            assert_eq!(more[at], plain[at] + count, "{at}");
            assert_eq!(put[at], if count > 0.0 { 1.0 } else { plain[at] }, "{at}");
        }
        let rows = ints(&[2, 0], &[2], device);
        let put = gather::index_put(&x, &rows, &ramp(5, &[3], device), 0).unwrap();
        let (put, row) = (put.to_vec::<f32>().unwrap(), numbers(5, 3));
        let wanted = [&row[..], &plain[3..6], &row[..], &plain[9..]].concat();
        assert_eq!(put, wanted);
    }
}

#[test]
fn an_index_out_of_range_names_op_and_axis() {
    for device in devices() {
        let x = ramp(1, &[3, 2], device);
        let index = ints(&[0, 3], &[2], device);
        let text = message(gather::take(&x, &index, 0).unwrap().to_vec::<f32>());
        let cpu = "take: index 3 is out of range for axis 0, which has 3 elements; wanted -3 to 2";
        let gpu =
            "take: an index is out of range of the indexed axis; the result holds clamped elements";
        assert_eq!(
            text,
            if device == lamina_core::Device::Cpu {
                cpu
            } else {
                gpu
            }
        );
    }
    let x = ramp(1, &[3, 2], lamina_core::Device::Cpu);
    assert_eq!(
        message(gather::take(&x, &x, 0)),
        "take: index has dtype float32, wanted integers; cast it first"
    );
    let index = ints(&[0], &[1], lamina_core::Device::Cpu);
    assert_eq!(
        message(record("gather", &[x.clone(), index], &Attrs::new())),
        "gather: x has shape [3, 2], index [1]; index needs as many axes, none longer than x's but for axis 0"
    );
    let weight = one(
        "embedding",
        &[ints(&[2, 0], &[2], lamina_core::Device::Cpu), x.clone()],
        &Attrs::new(),
    );
    assert_eq!(weight.shape(), [2, 2]);
}
