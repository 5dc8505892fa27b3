//! Orders, running sums, random numbers and what depends on the data.

mod common;

use common::{affine_gradient, devices, floats, ints, message, numbers, one, ramp};
use lamina_core::ops::elementwise::{self as e, cast};
use lamina_core::{Attrs, DType, Device, Tensor, grad, random, record};

fn int(name: &str, value: i64) -> Attrs {
    Attrs::new().with(name, value)
}

#[test]
fn extremes_sorts_and_topk() {
    for device in devices() {
        for (shape, dim) in [([33, 1, 1], 0_i64), ([3, 65, 2], 1), ([2, 3, 33], -1)] {
            let axis = (dim + 3) as usize % 3;
            let [outer, length, inner] = [
                shape[..axis].iter().product::<usize>(),
                shape[axis],
                shape[axis + 1..].iter().product(),
            ];
            let data = numbers(1, outer * length * inner);
            for dtype in [DType::F32, DType::I64, DType::U8, DType::F16] {
                let x = cast(&floats(&data, &shape, device), dtype).unwrap();
                let plain: Vec<f32> = cast(&x, DType::F32).unwrap().to_vec().unwrap();
                let xs = std::slice::from_ref(&x);
                let largest: Vec<i64> = one("argmax", xs, &int("dim", dim)).to_vec().unwrap();
                let smallest: Vec<i64> = one("argmin", xs, &int("dim", dim)).to_vec().unwrap();
                let rising = record("sort", xs, &int("dim", dim)).unwrap();
                let top = record(
                    "topk",
                    xs,
                    &int("dim", dim).with("k", 2_i64.min(length as i64)),
                )
                .unwrap();
                assert_eq!((rising[0].dtype(), top[0].dtype()), (dtype, dtype));
                let kept: Vec<f32> = cast(&rising[0], DType::F32).unwrap().to_vec().unwrap();
                let (places, best): (Vec<i64>, Vec<i64>) =
                    (rising[1].to_vec().unwrap(), top[1].to_vec().unwrap());
                let k = top[1].shape()[axis];
                for line in 0..outer * inner {
                    let (o, j) = (line / inner, line % inner);
                    let at = |i: usize| (o * length + i) * inner + j;
                    let mut order: Vec<usize> = (0..length).collect();
                    order.sort_by(|&a, &b| plain[at(a)].total_cmp(&plain[at(b)]));
                    for (i, &place) in order.iter().enumerate() {
                        assert_eq!(places[at(i)], place as i64, "{device} {dtype} {shape:?}");
                        assert_eq!(kept[at(i)], plain[at(place)]);
                    }
                    assert_eq!(smallest[line], order[0] as i64);
                    order.sort_by(|&a, &b| plain[at(b)].total_cmp(&plain[at(a)]));
                    assert_eq!(largest[line], order[0] as i64);
                    for (i, &place) in order[..k].iter().enumerate() {
                        assert_eq!(best[(o * k + i) * inner + j], place as i64);
                    }
                }
            }
        }
        let x = ramp(1, &[3, 5], device);
        let flat = one(
            "argmax",
            std::slice::from_ref(&x),
            &Attrs::new().with("keepdim", true),
        );
        assert_eq!(flat.shape(), [1, 1]);
        let plain = x.to_vec::<f32>().unwrap();
        let wanted = (0..15)
            .rev()
            .max_by(|&a, &b| plain[a].total_cmp(&plain[b]))
            .unwrap();
        assert_eq!(flat.item().unwrap(), wanted as f64);
    }
}

#[test]
fn the_gradient_of_sorted_values_goes_where_they_were() {
    for device in devices() {
        let x = floats(&[3.0, 1.0, 2.0, 5.0], &[4], device);
        x.set_requires_grad(true).unwrap();
        let weights = floats(&[10.0, 20.0], &[2], device);
        let top = record("topk", std::slice::from_ref(&x), &int("k", 2)).unwrap();
        let y = e::mul(&top[0], &weights).unwrap();
        let g = grad(&[one("sum", &[y], &Attrs::new())], &[x], None, false).unwrap();
        let g = g[0].clone().unwrap().to_vec::<f32>().unwrap();
        assert_eq!(g, [20.0, 0.0, 0.0, 10.0]);
    }
}

#[test]
fn running_sums() {
    for device in devices() {
        for (exclusive, reverse) in [(false, false), (true, false), (true, true)] {
            let attrs = int("dim", 1)
                .with("exclusive", exclusive)
                .with("reverse", reverse);
            let op = |x: &Tensor| one("cumsum", std::slice::from_ref(x), &attrs);
            affine_gradient("cumsum", &[3, 65, 2], device, &op);
            let x = ramp(1, &[1, 129], device);
            let (plain, got) = (x.to_vec::<f32>().unwrap(), op(&x).to_vec::<f32>().unwrap());
            for (i, got) in got.iter().enumerate() {
                let range = match (exclusive, reverse) {
                    (false, _) => 0..i + 1,
                    (true, false) => 0..i,
                    (true, true) => i + 1..129,
                };
                // Quarters: exact in any order.
                assert_eq!(*got, plain[range].iter().sum::<f32>(), "{device} {i}");
            }
        }
        let bits = cast(&ints(&[1, 0, 1], &[3], device), DType::Bool).unwrap();
        let counts = one("cumsum", &[bits], &int("dim", 0));
        assert_eq!(counts.to_vec::<i64>().unwrap(), [1, 1, 2]);
    }
}

#[test]
fn draws_are_the_same_everywhere() {
    let mut first: Option<[Vec<f32>; 2]> = None;
    for device in devices() {
        random::manual_seed(5);
        let there = |shape: i64| {
            let attrs = Attrs::new().with("shape", vec![shape]);
            attrs.with("device", device.to_string().as_str())
        };
        let u = one(
            "uniform",
            &[],
            &there(4099).with("low", -1.0).with("high", 3.0),
        );
        let n = one(
            "normal",
            &[],
            &there(4099).with("mean", 1.0).with("std", 2.0),
        );
        let again = one(
            "uniform",
            &[],
            &there(4099).with("low", -1.0).with("high", 3.0),
        );
        let (u, n, again): (Vec<f32>, Vec<f32>, Vec<f32>) = (
            u.to_vec().unwrap(),
            n.to_vec().unwrap(),
            again.to_vec().unwrap(),
        );
        assert_ne!(u, again);
        assert!(u.iter().all(|x| (-1.0..3.0).contains(x)));
        let mean = |x: &[f32]| x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
        assert!((mean(&u) - 1.0).abs() < 0.1 && (mean(&n) - 1.0).abs() < 0.1);
        match &first {
            None => first = Some([u, n]),
            Some([cpu_u, cpu_n]) => {
                assert_eq!(&u, cpu_u);
                assert!(n.iter().zip(cpu_n).all(|(a, b)| (a - b).abs() < 2.5e-6));
            }
        }
        let ones = Tensor::full(&[4099], 1.0, DType::F32, device).unwrap();
        let kept = one("dropout", &[ones], &Attrs::new().with("p", 0.25))
            .to_vec::<f32>()
            .unwrap();
        let zeros = kept.iter().filter(|&&v| v == 0.0).count();
        assert!(kept.iter().all(|&v| v == 0.0 || v == 1.0 / 0.75) && (900..1150).contains(&zeros));
    }
}

#[test]
fn what_depends_on_the_data() {
    for device in devices() {
        let x = floats(&[0.0, 2.0, 0.0, -1.0, 0.0, 3.0], &[2, 3], device);
        let found = one("nonzero", &[x], &Attrs::new());
        assert_eq!((found.shape(), found.device()), (&[3, 2][..], device));
        assert_eq!(found.to_vec::<i64>().unwrap(), [0, 1, 1, 0, 1, 2]);
        let boxes = [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 1.0, 5.0, 5.0, 6.0, 6.0];
        let boxes = floats(&boxes, &[3, 4], device);
        let scores = floats(&[0.8, 0.9, 0.1], &[3], device);
        let run = |threshold: f64, more: &[Tensor]| {
            let inputs = [&[boxes.clone(), scores.clone()][..], more].concat();
            one(
                "nms",
                &inputs,
                &Attrs::new().with("iou_threshold", threshold),
            )
            .to_vec::<i64>()
            .unwrap()
        };
        assert_eq!(run(0.5, &[]), [1, 0, 2]);
        assert_eq!(run(0.49, &[]), [1, 2]);
        assert_eq!(run(0.49, &[ints(&[0, 1, 0], &[3], device)]), [1, 0, 2]);
    }
    let x = ramp(1, &[3], Device::Cpu);
    assert_eq!(
        message(record("nms", &[x.clone(), x.clone()], &Attrs::new())),
        "nms: boxes has shape [3], wanted (count, 4)"
    );
    assert_eq!(
        message(record("topk", &[x], &int("k", 4))),
        "topk: k=4 is more than axis 0 has, which is 3"
    );
}
