//! Reductions and softmax against loops, on each device.

mod common;

use common::devices;
use lamina_core::ops::{elementwise as e, reduce};
use lamina_core::{Attrs, DType, Device, Tensor, grad, record};

fn tensor<T: Copy>(dtype: DType, values: &[T], shape: &[usize], device: Device) -> Tensor {
    // SAFETY: plain numbers, seen as bytes.
    let bytes =
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
    Tensor::from_bytes(dtype, shape, bytes, device).unwrap()
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + i * i % 31) % 41) as f32 / 10.0 - 2.0)
        .collect()
}

fn one(name: &str, x: &Tensor, attrs: &Attrs) -> Tensor {
    record(name, std::slice::from_ref(x), attrs).unwrap()[0].clone()
}

fn close(what: &str, got: &[f32], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        let error = (f64::from(*g) - w).abs();
        assert!(
            error <= 1e-5 * (1.0 + w.abs()),
            "{what}: {i}: got {g}, wanted {w}"
        );
    }
}

/// x seen as (outer, axis, inner), reduced along the middle.
fn along(x: &[f32], [outer, axis, inner]: [usize; 3], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut out = Vec::new();
    for row in 0..outer * inner {
        let all: Vec<f64> = (0..axis)
            .map(|k| f64::from(x[(row / inner * axis + k) * inner + row % inner]))
            .collect();
        out.push(f(&all));
    }
    out
}

#[test]
fn along_the_first_the_middle_and_the_last_axis() {
    let x = numbers(31 * 33 * 2);
    for device in devices() {
        let t = tensor(DType::F32, &x, &[31, 33, 2], device);
        for (dim, dims) in [(0i64, [1, 31, 66]), (1, [31, 33, 2]), (-1, [31 * 33, 2, 1])] {
            let attrs = Attrs::new().with("dim", vec![dim]);
            let of = |name: &str, f: fn(&[f64]) -> f64| {
                let got = one(name, &t, &attrs).to_vec::<f32>().unwrap();
                close(&format!("{name} {dim} {device}"), &got, &along(&x, dims, f));
            };
            of("sum", |v| v.iter().sum());
            of("mean", |v| v.iter().sum::<f64>() / v.len() as f64);
            of("max", |v| {
                v.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            });
            of("min", |v| v.iter().copied().fold(f64::INFINITY, f64::min));
            let soft = |log: bool| {
                let mut out = vec![0.0; x.len()];
                let [_, axis, inner] = dims;
                for (i, out) in out.iter_mut().enumerate() {
                    let (first, row) = (i / (axis * inner) * axis * inner, i % inner);
                    let each = (0..axis).map(|k| f64::from(x[first + row + k * inner]).exp());
                    let p = f64::from(x[i]).exp() / each.sum::<f64>();
                    *out = if log { p.ln() } else { p };
                }
                out
            };
            for name in ["softmax", "log_softmax"] {
                let got = one(name, &t, &Attrs::new().with("dim", dim));
                let wanted = soft(name == "log_softmax");
                close(
                    &format!("{name} {dim} {device}"),
                    &got.to_vec::<f32>().unwrap(),
                    &wanted,
                );
            }
        }
        let total = one("sum", &t, &Attrs::new()).item().unwrap();
        let wanted: f64 = x.iter().map(|v| f64::from(*v)).sum();
        assert!((total - wanted).abs() < 1e-3, "{device}: {total} {wanted}");
        let kept = one(
            "max",
            &t,
            &Attrs::new()
                .with("dim", vec![0i64, 2])
                .with("keepdim", true),
        );
        assert_eq!(kept.shape(), [1, 33, 1]);
    }
}

#[test]
fn integers_bools_and_nothing() {
    for device in devices() {
        let x: Vec<i64> = (0..6).map(|i| (1 << 40) * (i - 2)).collect();
        let t = tensor(DType::I64, &x, &[2, 3], device);
        let rows = Attrs::new().with("dim", vec![1i64]);
        assert_eq!(
            one("sum", &t, &rows).to_vec::<i64>().unwrap(),
            [-3 << 40, 6 << 40]
        );
        assert_eq!(one("max", &t, &rows).to_vec::<i64>().unwrap(), [0, 3 << 40]);
        let flags = tensor(DType::Bool, &[0u8, 1, 0, 0, 0, 0, 1, 1, 1], &[3, 3], device);
        assert_eq!(one("max", &flags, &rows).to_vec::<u8>().unwrap(), [1, 0, 1]);
        assert_eq!(one("min", &flags, &rows).to_vec::<u8>().unwrap(), [0, 0, 1]);
        let count = one("sum", &flags, &rows);
        assert_eq!(count.dtype(), DType::I64);
        assert_eq!(count.to_vec::<i64>().unwrap(), [1, 0, 3]);
        let none = tensor::<f32>(DType::F32, &[], &[2, 0], device);
        assert_eq!(one("sum", &none, &rows).to_vec::<f32>().unwrap(), [0.0; 2]);
        let mean = one("mean", &none, &rows).to_vec::<f32>().unwrap();
        assert!(mean.iter().all(|v| v.is_nan()), "{device}: {mean:?}");
    }
}

/// The gradient of sum(w y) against differences of the same in float64.
#[test]
fn gradients_against_differences() {
    let cases = [
        ("sum", Attrs::new().with("dim", vec![1i64])),
        ("mean", Attrs::new()),
        ("prod", Attrs::new().with("dim", vec![0i64])),
        ("max", Attrs::new().with("dim", vec![1i64])),
        ("softmax", Attrs::new().with("dim", 1i64)),
        ("log_softmax", Attrs::new().with("dim", 0i64)),
    ];
    let x: Vec<f64> = (0..15).map(|i| f64::from(i * 7 % 15) / 4.0 - 1.5).collect();
    for (name, attrs) in cases {
        let loss = |t: &Tensor| {
            let y = one(name, t, &attrs);
            let weights: Vec<f64> = (0..y.len()).map(|i| (i % 5) as f64 - 1.5).collect();
            let w = tensor(DType::F64, &weights, y.shape(), Device::Cpu);
            let w = e::cast(&w, t.dtype())
                .unwrap()
                .to_device(t.device())
                .unwrap();
            let all: Vec<usize> = (0..y.rank()).collect();
            reduce::sum(&e::mul(&y, &w).unwrap(), &all, false).unwrap()
        };
        let at = |i: usize, step: f64| {
            let mut moved = x.clone();
            moved[i] += step;
            loss(&tensor(DType::F64, &moved, &[3, 5], Device::Cpu))
                .item()
                .unwrap()
        };
        let wanted: Vec<f64> = (0..15)
            .map(|i| (at(i, 1e-5) - at(i, -1e-5)) / 2e-5)
            .collect();
        for device in devices() {
            let narrow: Vec<f32> = x.iter().map(|v| *v as f32).collect();
            let t = tensor(DType::F32, &narrow, &[3, 5], device);
            t.set_requires_grad(true).unwrap();
            let g = grad(&[loss(&t)], &[t], None, false).unwrap()[0]
                .clone()
                .unwrap();
            close(
                &format!("{name} on {device}"),
                &g.to_vec::<f32>().unwrap(),
                &wanted,
            );
        }
    }
}
