//! Convolution and its gradients against float64 loops.

mod common;

use common::{at, bytes, close, f32s, gpu, indices, random, run, validate, values, whole};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{
        Conv2d, ElementCode, Epilogue, conv2d, conv2d_backward_input, conv2d_backward_weight,
    },
};

struct Case {
    input: [usize; 4],
    weight: [usize; 4],
    conv: Conv2d,
}

fn case(
    input: [usize; 4],
    out: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    pads: [usize; 4],
    groups: usize,
) -> Case {
    Case {
        input,
        weight: [out, input[1] / groups, kernel[0], kernel[1]],
        conv: Conv2d {
            stride,
            dilation,
            pads,
            groups,
        },
    }
}

fn cases() -> Vec<Case> {
    let one = [1, 1];
    vec![
        case([1, 1, 1, 1], 1, one, one, one, [0; 4], 1),
        case([2, 3, 9, 11], 16, [3, 3], one, one, [1; 4], 1),
        case([2, 3, 9, 11], 16, [3, 3], [2, 2], one, [1, 1, 1, 1], 1),
        case([1, 16, 8, 8], 33, [3, 3], one, one, [1; 4], 1),
        case([3, 8, 7, 5], 31, [2, 3], [2, 1], [1, 2], [0, 1, 2, 3], 1),
        case([2, 12, 6, 7], 18, [3, 3], one, [2, 2], [2; 4], 3),
        case([2, 32, 9, 9], 24, one, one, one, [0; 4], 1),
        case([2, 16, 8, 6], 32, one, one, one, [0; 4], 2),
        case([2, 16, 8, 6], 32, one, [2, 2], one, [0; 4], 1),
        case([2, 16, 8, 6], 8, one, one, one, [1; 4], 1),
        case([2, 7, 9, 10], 7, [3, 3], one, one, [1; 4], 7),
        case([1, 5, 11, 9], 10, [5, 3], [2, 3], one, [2, 1, 2, 1], 5),
        case([1, 64, 5, 5], 64, [3, 3], one, one, [1; 4], 1),
        case([1, 20, 13, 17], 2, [3, 3], one, one, [1; 4], 1),
        case([4, 6, 12, 12], 40, [5, 5], [3, 3], one, [2; 4], 1),
    ]
}

impl Case {
    fn output(&self) -> [usize; 4] {
        let [n, _, h, w] = self.input;
        let [o, _, kh, kw] = self.weight;
        let Conv2d {
            stride,
            dilation,
            pads,
            ..
        } = self.conv;
        let oh = (h + pads[0] + pads[2] - dilation[0] * (kh - 1) - 1) / stride[0] + 1;
        let ow = (w + pads[1] + pads[3] - dilation[1] * (kw - 1) - 1) / stride[1] + 1;
        [n, o, oh, ow]
    }

    /// Calls `f(output index, input index, weight index)` for every product of the definition.
    fn each(&self, mut f: impl FnMut(&[usize], &[usize], &[usize])) {
        let [_, c, h, w] = self.input;
        let inner = c / self.conv.groups;
        let per_group = self.weight[0] / self.conv.groups;
        let taps = indices(&self.weight[1..]);
        for out in indices(&self.output()) {
            let [n, o, oy, ox] = [out[0], out[1], out[2], out[3]];
            for tap in &taps {
                let [ci, ky, kx] = [tap[0], tap[1], tap[2]];
                let y = oy * self.conv.stride[0] + ky * self.conv.dilation[0];
                let x = ox * self.conv.stride[1] + kx * self.conv.dilation[1];
                let (Some(y), Some(x)) = (
                    y.checked_sub(self.conv.pads[0]),
                    x.checked_sub(self.conv.pads[1]),
                ) else {
                    continue;
                };
                if y < h && x < w {
                    f(
                        &out,
                        &[n, (o / per_group) * inner + ci, y, x],
                        &[o, ci, ky, kx],
                    );
                }
            }
        }
    }

    fn name(&self) -> String {
        format!("{:?} {:?} {:?}", self.input, self.weight, self.conv)
    }
}

/// The row-major number of an index.
fn flat(shape: [usize; 4], index: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |i, (&x, n)| i * n + x)
}

/// A channels-last view of a shape, so that strides matter.
fn channels_last(shape: [usize; 4]) -> Operand {
    let [n, c, h, w] = shape;
    let [cs, ws, hs] = [1, c as isize, (c * w) as isize];
    let strides = [(n > 0) as isize * (c * h * w) as isize, cs, hs, ws];
    Operand::view(Storage::F32, &shape, &strides, 3)
}

#[test]
fn integers_are_summed_exactly() {
    for case in cases() {
        let (x, w) = (
            Operand::contiguous(Storage::I16, &case.input),
            Operand::contiguous(Storage::I16, &case.weight),
        );
        let caps = Caps::portable();
        let kernels = conv2d(&x, &w, &case.conv, Storage::I32, None, &caps).unwrap();
        validate(&kernels);
        let Some(gpu) = gpu() else { continue };
        // A buffer is of whole words.
        let data = [(1, &x), (2, &w)].map(|(seed, o)| whole(seed, o.size() + 1, 255.0));
        let whole_words = |v: &[i16]| bytes(&v[..v.len() & !1]).to_vec();
        let given = [whole_words(&data[0]), whole_words(&data[1])];
        let mut wanted = vec![0i64; case.output().iter().product()];
        case.each(|out, input, weight| {
            let (a, b) = (data[0][at(&x, input)], data[1][at(&w, weight)]);
            wanted[flat(case.output(), out)] += i64::from(a) * i64::from(b);
        });
        let size = 4 * wanted.len() as u64;
        let got = run(&gpu, &kernels, &[&given[0], &given[1]], &[], &[size]).unwrap();
        let got = values::<i32>(&got[0]).into_iter().map(i64::from);
        assert!(got.eq(wanted), "{}", case.name());
    }
}

#[test]
fn forward() {
    let caps = Caps::portable();
    for case in cases() {
        let out = case.output();
        for (x, epilogue) in [
            (f32s(&case.input), false),
            (channels_last(case.input), true),
            (f32s(&case.input), true),
        ] {
            let extras = [f32s(&[out[1], 1, 1]), f32s(&out)];
            let end = Epilogue {
                code: ElementCode::new("out0 = max(in0 + in1, 0.0) + in2;"),
                inputs: extras.to_vec(),
            };
            let w = f32s(&case.weight);
            let kernels = conv2d(
                &x,
                &w,
                &case.conv,
                Storage::F32,
                epilogue.then_some(&end),
                &caps,
            )
            .unwrap();
            validate(&kernels);
            let Some(gpu) = gpu() else { continue };
            let (data, weights) = (random(1, x.size() + 8), random(2, w.size()));
            let (bias, residual) = (random(3, out[1]), random(4, out.iter().product()));
            let given = [bytes(&bias), bytes(&residual)];
            let given = if epilogue { &given[..] } else { &[] };
            let size = residual.len();
            let got = run(
                &gpu,
                &kernels,
                &[bytes(&data), bytes(&weights)],
                given,
                &[4 * size as u64],
            )
            .unwrap();
            let mut wanted = vec![0.0; size];
            case.each(|o, i, k| {
                wanted[flat(out, o)] += f64::from(data[at(&x, i)]) * f64::from(weights[at(&w, k)]);
            });
            if epilogue {
                for (index, w) in indices(&out).iter().zip(&mut wanted) {
                    let sum = *w + f64::from(bias[index[1]]);
                    *w = sum.max(0.0) + f64::from(residual[flat(out, index)]);
                }
            }
            close(&case.name(), &values(&got[0]), &wanted, 2e-6);
        }
    }
}

#[test]
fn gradient_by_input() {
    let caps = Caps::portable();
    for case in cases() {
        let out = case.output();
        for gradient in [f32s(&out), channels_last(out)] {
            let w = f32s(&case.weight);
            let size = [case.input[2], case.input[3]];
            let kernels =
                conv2d_backward_input(&gradient, &w, size, &case.conv, Storage::F32, None, &caps)
                    .unwrap();
            validate(&kernels);
            let Some(gpu) = gpu() else { continue };
            let (data, weights) = (random(1, gradient.size() + 8), random(2, w.size()));
            let total: usize = case.input.iter().product();
            let got = run(
                &gpu,
                &kernels,
                &[bytes(&data), bytes(&weights)],
                &[],
                &[4 * total as u64],
            )
            .unwrap();
            let mut wanted = vec![0.0; total];
            case.each(|o, i, k| {
                wanted[flat(case.input, i)] +=
                    f64::from(data[at(&gradient, o)]) * f64::from(weights[at(&w, k)]);
            });
            close(&case.name(), &values(&got[0]), &wanted, 2e-6);
        }
    }
}

#[test]
fn gradient_by_weight() {
    let caps = Caps::portable();
    for case in cases() {
        let out = case.output();
        for (x, gradient) in [
            (f32s(&case.input), f32s(&out)),
            (channels_last(case.input), channels_last(out)),
        ] {
            let kernel = [case.weight[2], case.weight[3]];
            let kernels = conv2d_backward_weight(&x, &gradient, kernel, &case.conv, &caps).unwrap();
            validate(&kernels);
            let Some(gpu) = gpu() else { continue };
            let (data, slopes) = (random(1, x.size() + 8), random(2, gradient.size() + 8));
            let total: usize = case.weight.iter().product();
            let got = run(
                &gpu,
                &kernels,
                &[bytes(&data), bytes(&slopes)],
                &[],
                &[4 * total as u64],
            )
            .unwrap();
            let mut wanted = vec![0.0; total];
            case.each(|o, i, k| {
                wanted[flat(case.weight, k)] +=
                    f64::from(data[at(&x, i)]) * f64::from(slopes[at(&gradient, o)]);
            });
            close(&case.name(), &values(&got[0]), &wanted, 3e-6);
        }
    }
}

#[test]
fn impossible_sizes_are_errors() {
    let caps = Caps::portable();
    let conv = Conv2d {
        stride: [1, 1],
        dilation: [1, 1],
        pads: [0; 4],
        groups: 1,
    };
    let refused = |x: &[usize], w: &[usize], conv: &Conv2d| {
        conv2d(&f32s(x), &f32s(w), conv, Storage::F32, None, &caps)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(&[1, 1, 2, 2], &[1, 1, 3, 3], &conv)
            .starts_with("conv2d: a kernel of [3, 3] over [2, 2]")
    );
    assert!(refused(&[1, 2, 5, 5], &[1, 1, 3, 3], &conv).contains("for 2 channels"));
    assert!(refused(&[1, 2, 5], &[1, 1, 3, 3], &conv).contains("shape [1, 2, 5]"));
    let still = Conv2d {
        stride: [0, 1],
        ..conv
    };
    assert!(refused(&[1, 1, 5, 5], &[1, 1, 3, 3], &still).contains("stride: [0, 1]"));
    let empty = conv2d(
        &f32s(&[0, 1, 5, 5]),
        &f32s(&[1, 1, 3, 3]),
        &conv,
        Storage::F32,
        None,
        &caps,
    );
    assert!(empty.unwrap().dispatches.is_empty());
}
