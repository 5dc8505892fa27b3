//! Resizing by ONNX's definitions, against loops.

mod common;

use common::{affine_gradient, devices, message, one, ramp};
use lamina_core::ops::elementwise::cast;
use lamina_core::{Attrs, DType, Device, record};

/// Where an output position lies in the input.
fn place(at: usize, old: usize, new: usize, mode: &str) -> f64 {
    let (at, scale) = (at as f64, new as f64 / old as f64);
    match mode {
        "half_pixel" => (at + 0.5) / scale - 0.5,
        "pytorch_half_pixel" if new == 1 => 0.0,
        "pytorch_half_pixel" => (at + 0.5) / scale - 0.5,
        "align_corners" if new == 1 => 0.0,
        "align_corners" => at * (old - 1) as f64 / (new - 1) as f64,
        _ => at / scale,
    }
}

/// Positions and weights along an axis.
fn taps(at: f64, mode: &str) -> Vec<(i64, f64)> {
    let low = at.floor();
    let t = at - low;
    let low = low as i64;
    match mode {
        "nearest" => vec![(if t <= 0.5 { low } else { low + 1 }, 1.0)],
        "linear" => vec![(low, 1.0 - t), (low + 1, t)],
        _ => {
            let near = |d: f64| 1.25 * d.powi(3) - 2.25 * d * d + 1.0;
            let far = |d: f64| -0.75 * (d.powi(3) - 5.0 * d * d + 8.0 * d - 4.0);
            vec![
                (low - 1, far(1.0 + t)),
                (low, near(t)),
                (low + 1, near(1.0 - t)),
                (low + 2, far(2.0 - t)),
            ]
        }
    }
}

#[test]
fn pictures_follow_the_definitions() {
    let (h, w) = (5, 7);
    for device in devices() {
        let x = ramp(1, &[2, 3, h, w], device);
        let data = x.to_vec::<f32>().unwrap();
        for mode in ["nearest", "linear", "cubic"] {
            for coordinates in [
                "half_pixel",
                "pytorch_half_pixel",
                "align_corners",
                "asymmetric",
            ] {
                for (new_h, new_w) in [(10, 14), (3, 5), (1, 33)] {
                    let attrs = Attrs::new()
                        .with("size", vec![new_h as i64, new_w as i64])
                        .with("mode", mode)
                        .with("coordinate_mode", coordinates);
                    let op =
                        |x: &lamina_core::Tensor| one("resize", std::slice::from_ref(x), &attrs);
                    let got = op(&x).to_vec::<f32>().unwrap();
                    for (at, got) in got.iter().enumerate() {
                        let (p, r, c) = (at / (new_h * new_w), at / new_w % new_h, at % new_w);
                        let mut wanted = 0.0;
                        for (i, a) in taps(place(r, h, new_h, coordinates), mode) {
                            for (j, b) in taps(place(c, w, new_w, coordinates), mode) {
                                let i = i.clamp(0, h as i64 - 1) as usize;
                                let j = j.clamp(0, w as i64 - 1) as usize;
                                wanted += a * b * f64::from(data[(p * h + i) * w + j]);
                            }
                        }
                        assert!(
                            (f64::from(*got) - wanted).abs() < 1e-5,
                            "{device} {mode} {coordinates} {new_h} {new_w} {at}: {got} {wanted}"
                        );
                    }
                    affine_gradient("resize", &[2, 3, h, w], device, &op);
                }
            }
        }
        let bytes = cast(&ramp(2, &[1, 2, 2], device), DType::U8).unwrap();
        let plain = bytes.to_vec::<u8>().unwrap();
        let twice = Attrs::new().with("scales", vec![1.0, 2.5]);
        let got = one(
            "resize",
            &[bytes],
            &twice.with("coordinate_mode", "asymmetric"),
        );
        assert_eq!(got.shape(), [1, 2, 5]);
        let row = |i: usize| [plain[i], plain[i], plain[i + 1], plain[i + 1], plain[i + 1]];
        assert_eq!(got.to_vec::<u8>().unwrap(), [row(0), row(2)].concat());
    }
    let x = ramp(1, &[1, 1, 2, 2], Device::Cpu);
    assert_eq!(
        message(record(
            "resize",
            &[x],
            &Attrs::new()
                .with("size", vec![2i64, 2])
                .with("mode", "area")
        )),
        "resize: mode='area' is not one of 'nearest', 'linear', 'cubic'"
    );
}
