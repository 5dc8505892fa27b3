//! Max and average pooling, and their gradients, against loops.

mod common;

use common::{bytes, close, f32s, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand,
    kernels::{Pool2d, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward},
};

fn pool(
    planes: usize,
    input: [usize; 2],
    [kernel, stride, dilation]: [[usize; 2]; 3],
    pads: [usize; 4],
    ceil: bool,
) -> Pool2d {
    let output = [0, 1].map(|axis| {
        let room =
            input[axis] + pads[axis] + pads[axis + 2] - dilation[axis] * (kernel[axis] - 1) - 1;
        let mut n = room / stride[axis] + 1;
        if ceil && !room.is_multiple_of(stride[axis]) && n * stride[axis] < input[axis] + pads[axis]
        {
            n += 1;
        }
        n
    });
    Pool2d {
        planes,
        input,
        output,
        kernel,
        stride,
        dilation,
        pads,
    }
}

fn cases() -> Vec<Pool2d> {
    let one = [1, 1];
    vec![
        pool(1, [1, 1], [one, one, one], [0; 4], false),
        pool(6, [8, 9], [[2, 2], [2, 2], one], [0; 4], false),
        pool(33, [7, 7], [[3, 3], [2, 2], one], [1; 4], false),
        pool(2, [9, 8], [[2, 3], [1, 2], [3, 2]], [1, 0, 2, 3], false),
        pool(3, [8, 8], [[3, 3], [2, 2], one], [0; 4], true),
        pool(2, [5, 6], [[2, 2], [3, 3], one], [0; 4], true),
        pool(2, [6, 5], [[3, 3], [2, 2], one], [1; 4], true),
        pool(3, [32, 31], [[5, 5], one, one], [2; 4], false),
        pool(2, [31, 33], [[2, 2], [3, 4], one], [0; 4], false),
        // The taps of some windows lie in the padding alone.
        pool(2, [1, 2], [[2, 2], one, [2, 2]], [1; 4], false),
    ]
}

/// The input places under a window, by plane.
fn taps(p: &Pool2d, oy: usize, ox: usize) -> Vec<usize> {
    let mut all = Vec::new();
    for ky in 0..p.kernel[0] {
        for kx in 0..p.kernel[1] {
            let y = (oy * p.stride[0] + ky * p.dilation[0]).checked_sub(p.pads[0]);
            let x = (ox * p.stride[1] + kx * p.dilation[1]).checked_sub(p.pads[1]);
            if let (Some(y), Some(x)) = (y, x)
                && y < p.input[0]
                && x < p.input[1]
            {
                all.push(y * p.input[1] + x);
            }
        }
    }
    all
}

/// How many taps of a window lie in the padded image.
fn padded(p: &Pool2d, oy: usize, ox: usize) -> usize {
    let inside = |axis: usize, o: usize| {
        let size = p.input[axis] + p.pads[axis] + p.pads[axis + 2];
        (0..p.kernel[axis])
            .filter(|k| o * p.stride[axis] + k * p.dilation[axis] < size)
            .count()
    };
    inside(0, oy) * inside(1, ox)
}

fn windows(p: &Pool2d) -> impl Iterator<Item = (usize, usize, usize)> {
    let [height, width] = p.output;
    (0..p.planes * height * width)
        .map(move |i| (i / (height * width), i / width % height, i % width))
}

/// With ties, so that the first has to win.
fn coarse(seed: u64, count: usize) -> Vec<f32> {
    random(seed, count)
        .iter()
        .map(|v| (v * 3.0).round())
        .collect()
}

#[test]
fn max_and_its_gradient() {
    let Some(gpu) = gpu() else { return };
    let caps = Caps::portable();
    for p in cases() {
        let pixels = p.input[0] * p.input[1];
        let x = coarse(1, p.planes * pixels);
        let outputs = windows(&p).count();
        let mut y = Vec::new();
        let mut places = Vec::new();
        for (plane, oy, ox) in windows(&p) {
            let of = |at: usize| x[plane * pixels + at];
            let mut best: Option<usize> = None;
            for at in taps(&p, oy, ox) {
                if best.is_none_or(|b| of(at) > of(b)) {
                    best = Some(at);
                }
            }
            y.push(best.map_or(f32::NEG_INFINITY, of));
            places.push(best.map_or(-1, |b| b as i64));
        }
        let x_shape = f32s(&[p.planes, p.input[0], p.input[1]]);
        let (four, eight) = (4 * outputs as u64, 8 * outputs as u64);
        let kernels = max_pool2d(&x_shape, &p, true, &caps).unwrap();
        let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[four, eight]).unwrap();
        assert_eq!(values::<f32>(&got[0]), y, "{p:?}");
        assert_eq!(values::<i64>(&got[1]), places, "{p:?}");
        let kernels = max_pool2d(&x_shape, &p, false, &caps).unwrap();
        let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[four]).unwrap();
        assert_eq!(values::<f32>(&got[0]), y, "{p:?}");

        let dy = random(2, outputs);
        let mut dx = vec![0.0; x.len()];
        for (i, (plane, ..)) in windows(&p).enumerate() {
            if places[i] >= 0 {
                dx[plane * pixels + places[i] as usize] += f64::from(dy[i]);
            }
        }
        let kernels = max_pool2d_backward(&x_shape, &f32s(&[outputs]), &p, &caps).unwrap();
        let size = 4 * x.len() as u64;
        let got = run(&gpu, &kernels, &[bytes(&x), bytes(&dy)], &[], &[size]).unwrap();
        close(&format!("{p:?}"), &values(&got[0]), &dx, 1e-6);
    }
}

#[test]
fn means_and_their_gradient() {
    let Some(gpu) = gpu() else { return };
    let caps = Caps::portable();
    for p in cases() {
        let pixels = p.input[0] * p.input[1];
        let x = random(1, p.planes * pixels);
        for include_pad in [false, true] {
            let dy = random(2, windows(&p).count());
            let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
            for (i, (plane, oy, ox)) in windows(&p).enumerate() {
                let all = taps(&p, oy, ox);
                let count = if include_pad {
                    padded(&p, oy, ox)
                } else {
                    all.len()
                };
                let share = if count == 0 { 0.0 } else { 1.0 / count as f64 };
                let sum: f64 = all.iter().map(|at| f64::from(x[plane * pixels + at])).sum();
                y.push(sum * share);
                for at in all {
                    dx[plane * pixels + at] += f64::from(dy[i]) * share;
                }
            }
            let what = format!("{p:?} {include_pad}");
            let x_shape = f32s(&[x.len()]);
            let kernels = avg_pool2d(&x_shape, &p, include_pad, &caps).unwrap();
            let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[4 * y.len() as u64]).unwrap();
            close(&what, &values(&got[0]), &y, 1e-6);
            let kernels = avg_pool2d_backward(&f32s(&[y.len()]), &p, include_pad, &caps).unwrap();
            let got = run(&gpu, &kernels, &[bytes(&dy)], &[], &[4 * dx.len() as u64]).unwrap();
            close(&what, &values(&got[0]), &dx, 1e-6);
        }
    }
}

#[test]
fn nan_is_the_largest() {
    let Some(gpu) = gpu() else { return };
    let nan = f32::NAN;
    let x = [1.0, nan, 3.0, 9.0, 0.0, nan, nan, 2.0];
    let p = pool(1, [2, 4], [[2, 2], [2, 2], [1, 1]], [0; 4], false);
    let kernels = max_pool2d(&f32s(&[8]), &p, true, &Caps::portable()).unwrap();
    let got = run(&gpu, &kernels, &[bytes(&x)], &[], &[8, 16]).unwrap();
    assert!(values::<f32>(&got[0]).iter().all(|v| v.is_nan()));
    assert_eq!(values::<i64>(&got[1]), [1, 6]);
}

#[test]
fn other_layouts_are_refused() {
    let p = pool(1, [2, 4], [[2, 2], [2, 2], [1, 1]], [0; 4], false);
    let turned = Operand::view(lamina_gpu::Storage::F32, &[2, 4], &[1, 2], 0);
    assert!(max_pool2d(&turned, &p, false, &Caps::portable()).is_err());
    assert!(avg_pool2d(&f32s(&[9]), &p, true, &Caps::portable()).is_err());
}
