//! Ops that put elements elsewhere, against loops.

mod common;

use common::{affine_gradient, devices, floats, ints, message, numbers, one, ramp};
use lamina_core::ops::elementwise::cast;
use lamina_core::{Attrs, DType, Tensor, record};

const DTYPES: [DType; 5] = [DType::F32, DType::I64, DType::U8, DType::F16, DType::Bool];

/// Every element of a result that is `x` moved: `source(index)` says from where, None is `fill`.
fn moved(
    what: &str,
    shape: &[usize],
    out: &[usize],
    op: &dyn Fn(&Tensor) -> Tensor,
    source: &dyn Fn(&[usize]) -> Option<Vec<usize>>,
    fill: f32,
) {
    let data = numbers(1, shape.iter().product());
    for device in devices() {
        for dtype in DTYPES {
            let x = cast(&floats(&data, shape, device), dtype).unwrap();
            let plain = cast(&x, DType::F32).unwrap().to_vec::<f32>().unwrap();
            let y = op(&x);
            assert_eq!((y.shape(), y.dtype()), (out, dtype), "{what}");
            let got = cast(&y, DType::F32).unwrap().to_vec::<f32>().unwrap();
            for (at, got) in got.iter().enumerate() {
                let mut index = vec![0; out.len()];
                let mut rest = at;
                for i in (0..out.len()).rev() {
                    index[i] = rest % out[i];
                    rest /= out[i];
                }
                let wanted = source(&index).map_or(fill, |from| {
                    plain[from.iter().zip(shape).fold(0, |at, (&i, &n)| {
                        assert!(i < n);
                        at * n + i
                    })]
                });
                assert_eq!(*got, wanted, "{what} {device} {dtype} {index:?}");
            }
        }
        affine_gradient(what, shape, device, op);
    }
}

#[test]
fn pads_go_around_and_cut() {
    let pad = |pads: &[i64], mode: &str| {
        let attrs = Attrs::new().with("pads", pads.to_vec()).with("mode", mode);
        move |x: &Tensor| {
            one(
                "pad",
                std::slice::from_ref(x),
                &attrs.clone().with("value", 1.0),
            )
        }
    };
    let inside = |index: &[usize], before: [usize; 2], shape: [usize; 2]| {
        let at = [
            index[0].wrapping_sub(before[0]),
            index[1].wrapping_sub(before[1]),
        ];
        (at[0] < shape[0] && at[1] < shape[1]).then(|| at.to_vec())
    };
    moved(
        "constant",
        &[5, 33],
        &[8, 36],
        &pad(&[1, 0, 2, 3], "constant"),
        &|i| inside(i, [1, 0], [5, 33]),
        1.0,
    );
    moved(
        "cut",
        &[5, 33],
        &[4, 36],
        &pad(&[-1, 2, 0, 1], "constant"),
        &|i| inside(i, [0, 2], [4, 33]).map(|p| vec![p[0] + 1, p[1]]),
        1.0,
    );
    let clamped = |i: usize, before: usize, n: usize| i.saturating_sub(before).min(n - 1);
    moved(
        "edge",
        &[3, 5],
        &[6, 8],
        &pad(&[1, 3, 2, 0], "edge"),
        &|i| Some(vec![clamped(i[0], 1, 3), clamped(i[1], 3, 5)]),
        0.0,
    );
    let mirrored = |i: usize, before: usize, n: usize| {
        let at = (i as i64 - before as i64).unsigned_abs() as usize;
        if at < n { at } else { 2 * (n - 1) - at }
    };
    moved(
        "reflect",
        &[3, 5],
        &[7, 12],
        &pad(&[2, 3, 2, 4], "reflect"),
        &|i| Some(vec![mirrored(i[0], 2, 3), mirrored(i[1], 3, 5)]),
        0.0,
    );
}

#[test]
fn concat_and_split_are_each_other_s_inverse() {
    for dim in [0_i64, 1, -1] {
        let op = move |x: &Tensor| {
            let sizes = Attrs::new()
                .with("sizes", vec![1i64, 0, 4])
                .with("dim", 1i64);
            let pieces = record("split", std::slice::from_ref(x), &sizes).unwrap();
            let turned = [pieces[2].clone(), pieces[0].clone(), pieces[1].clone()];
            let back = one("concat", &turned, &Attrs::new().with("dim", 1i64));
            one("concat", &[back, x.clone()], &Attrs::new().with("dim", dim))
        };
        let axis = (dim + 3) as usize % 3;
        let mut out = [2, 5, 33];
        out[axis] *= 2;
        moved(
            "concat",
            &[2, 5, 33],
            &out,
            &op,
            &|i| {
                let mut from = i.to_vec();
                let n = [2, 5, 33][axis];
                if i[axis] < n {
                    from[1] = (i[1] + 1) % 5;
                } else {
                    from[axis] -= n;
                }
                Some(from)
            },
            0.0,
        );
    }
}

#[test]
fn stack_tile_flip_and_select() {
    let attrs = |name: &str, value: Vec<i64>| Attrs::new().with(name, value);
    moved(
        "stack",
        &[3, 5],
        &[3, 2, 5],
        &|x| {
            one(
                "stack",
                &[x.clone(), x.clone()],
                &Attrs::new().with("dim", 1i64),
            )
        },
        &|i| Some(vec![i[0], i[2]]),
        0.0,
    );
    moved(
        "tile",
        &[3, 5],
        &[2, 3, 15],
        &|x| {
            one(
                "tile",
                std::slice::from_ref(x),
                &attrs("repeats", vec![2, 1, 3]),
            )
        },
        &|i| Some(vec![i[1], i[2] % 5]),
        0.0,
    );
    moved(
        "flip",
        &[3, 33],
        &[3, 33],
        &|x| one("flip", std::slice::from_ref(x), &attrs("dims", vec![-1])),
        &|i| Some(vec![i[0], 32 - i[1]]),
        0.0,
    );
    moved(
        "select",
        &[3, 33],
        &[3],
        &|x| {
            let place = Attrs::new().with("dim", 1i64).with("index", -2i64);
            one("select", std::slice::from_ref(x), &place)
        },
        &|i| Some(vec![i[0], 31]),
        0.0,
    );
    moved(
        "slice",
        &[5, 33],
        &[2, 11],
        &|x| {
            let cut = Attrs::new()
                .with("starts", vec![3i64, 32])
                .with("ends", vec![0i64, -99]);
            one(
                "slice",
                std::slice::from_ref(x),
                &cut.with("steps", vec![-2i64, -3]),
            )
        },
        &|i| Some(vec![3 - 2 * i[0], 32 - 3 * i[1]]),
        0.0,
    );
}

#[test]
fn makers_count_and_fill() {
    let got = |name: &str, attrs: Attrs| one(name, &[], &attrs);
    for device in devices() {
        let there = || Attrs::new().with("device", device.to_string().as_str());
        let y = got(
            "arange",
            there()
                .with("start", 5i64)
                .with("end", -4i64)
                .with("step", -2i64),
        );
        assert_eq!(y.to_vec::<i64>().unwrap(), [5, 3, 1, -1, -3], "{device}");
        assert_eq!(y.device(), device);
        let y = got(
            "arange",
            there()
                .with("start", 0.5)
                .with("end", 2.0)
                .with("step", 0.25),
        );
        assert_eq!(
            y.to_vec::<f32>().unwrap(),
            [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
        );
        let y = got(
            "arange",
            there().with("end", 300i64).with("dtype", DType::U8),
        );
        assert_eq!(
            y.to_vec::<u8>().unwrap()[250..260],
            [250, 251, 252, 253, 254, 255, 0, 1, 2, 3]
        );
        let y = got(
            "ones",
            there()
                .with("shape", vec![2i64, 2])
                .with("dtype", DType::Bool),
        );
        assert_eq!(y.to_vec::<u8>().unwrap(), [1; 4]);
        let y = got(
            "eye",
            there()
                .with("rows", 2i64)
                .with("columns", 3i64)
                .with("diagonal", 1i64),
        );
        assert_eq!(y.to_vec::<f32>().unwrap(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let x = ramp(1, &[4, 4], device);
        let low = one("tril", std::slice::from_ref(&x), &Attrs::new());
        let high = one(
            "triu",
            std::slice::from_ref(&x),
            &Attrs::new().with("diagonal", 1i64),
        );
        let (x, low, high): (Vec<f32>, Vec<f32>, Vec<f32>) = (
            x.to_vec().unwrap(),
            low.to_vec().unwrap(),
            high.to_vec().unwrap(),
        );
        for i in 0..16 {
            let below = i % 4 <= i / 4;
            assert_eq!(
                (low[i], high[i]),
                if below { (x[i], 0.0) } else { (0.0, x[i]) }
            );
        }
        let index = ints(&[1, 0, 7, -1], &[4], device);
        let y = one("one_hot", &[index], &Attrs::new().with("num_classes", 2i64));
        assert_eq!(
            y.to_vec::<f32>().unwrap(),
            [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
    }
}

#[test]
fn errors_say_what_to_mend() {
    let x = ramp(1, &[2, 3], lamina_core::Device::Cpu);
    let y = ramp(1, &[2, 4], lamina_core::Device::Cpu);
    assert_eq!(
        message(record("concat", &[x.clone(), y], &Attrs::new())),
        "concat: tensors 0 and 1 have shapes [2, 3] and [2, 4]; they may differ on axis 0 alone"
    );
    let x = std::slice::from_ref(&x);
    assert_eq!(
        message(record(
            "split",
            x,
            &Attrs::new().with("sizes", vec![1i64, 2]).with("dim", 0i64)
        )),
        "split: sizes=[1, 2] do not add up to axis 0, which has 2"
    );
    assert_eq!(
        message(record("pad", x, &Attrs::new().with("pads", vec![1i64]))),
        "pad: 1 pads given for 2 axes; wanted 4, all before, then all after"
    );
    let reflect = Attrs::new()
        .with("pads", vec![2i64, 0, 0, 0])
        .with("mode", "reflect");
    assert_eq!(
        message(record("pad", x, &reflect)),
        "pad: mode='reflect' cannot put 2 elements beside axis 0 of 2"
    );
}
