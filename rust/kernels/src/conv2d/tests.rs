use super::{
    Conv2dShape, ConvWeight, PackedConvWeight, backward_input, backward_input_generic,
    backward_weight, backward_weight_generic, forward, forward_generic,
};
use crate::isa::Isa;
use crate::pool::set_num_threads;
use std::sync::Mutex;

fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A result in float64 and the sum of its terms' sizes.
struct Want(Vec<f64>, Vec<f64>);

impl Want {
    fn new(n: usize) -> Want {
        Want(vec![0.0; n], vec![0.0; n])
    }

    fn add(&mut self, at: usize, a: f32, b: f32) {
        let term = f64::from(a) * f64::from(b);
        self.0[at] += term;
        self.1[at] += term.abs();
    }

    fn check(&self, got: &[f32], what: &str) {
        assert_eq!(got.len(), self.0.len());
        for (i, got) in got.iter().enumerate() {
            let err = (f64::from(*got) - self.0[i]).abs();
            let most = 1e-5 * self.1[i];
            assert!(
                err <= most,
                "{what}: element {i}: got {got}, wanted {}",
                self.0[i]
            );
        }
    }
}

struct Case {
    shape: Conv2dShape,
    x: Vec<f32>,
    w: Vec<f32>,
    dy: Vec<f32>,
    y: Want,
    dx: Want,
    dw: Want,
}

impl Case {
    /// Every product that the definition names, in float64.
    fn new(shape: Conv2dShape) -> Case {
        let Conv2dShape {
            batch,
            in_c,
            in_h,
            in_w,
            out_c,
            kernel_h,
            kernel_w,
            ..
        } = shape;
        let (out_h, out_w) = (shape.out_h(), shape.out_w());
        let x = values(shape.input_len(), 1);
        let w = values(shape.weight_len(), 2);
        let dy = values(shape.output_len(), 3);
        let mut y = Want::new(dy.len());
        let (mut dx, mut dw) = (Want::new(x.len()), Want::new(w.len()));
        let (ins, outs) = (in_c / shape.groups, out_c / shape.groups);
        for n in 0..batch {
            for o in 0..out_c {
                for (i, j) in (0..out_h).flat_map(|i| (0..out_w).map(move |j| (i, j))) {
                    let at_y = ((n * out_c + o) * out_h + i) * out_w + j;
                    for c in 0..ins {
                        for (a, b) in (0..kernel_h).flat_map(|a| (0..kernel_w).map(move |b| (a, b)))
                        {
                            let row = i * shape.stride[0] + a * shape.dilation[0];
                            let col = j * shape.stride[1] + b * shape.dilation[1];
                            let row = row.wrapping_sub(shape.pads[0]);
                            let col = col.wrapping_sub(shape.pads[1]);
                            if row >= in_h || col >= in_w {
                                continue;
                            }
                            let channel = n * in_c + o / outs * ins + c;
                            let at_x = (channel * in_h + row) * in_w + col;
                            let at_w = ((o * ins + c) * kernel_h + a) * kernel_w + b;
                            y.add(at_y, x[at_x], w[at_w]);
                            dx.add(at_x, dy[at_y], w[at_w]);
                            dw.add(at_w, dy[at_y], x[at_x]);
                        }
                    }
                }
            }
        }
        Case {
            shape,
            x,
            w,
            dy,
            y,
            dx,
            dw,
        }
    }

    fn check(&self) {
        self.check_generic();
        for isa in Isa::available() {
            let packed = PackedConvWeight::forward(isa, &self.shape, &self.w);
            let turned = PackedConvWeight::backward_input(isa, &self.shape, &self.w);
            let plain = ConvWeight::Plain(&self.w);
            let mut results = Vec::new();
            for threads in [1, 2] {
                set_num_threads(threads);
                let what = |name| format!("{name} {isa} {threads} {:?}", self.shape);
                let run = |w, tail: bool| {
                    let mut y = vec![f32::NAN; self.dy.len()];
                    with_tail(&mut y, tail, |y, tail| {
                        forward(isa, &self.shape, &self.x, w, y, tail);
                    });
                    y
                };
                let run_dx = |w, tail: bool| {
                    let mut dx = vec![f32::NAN; self.x.len()];
                    with_tail(&mut dx, tail, |dx, tail| {
                        backward_input(isa, &self.shape, &self.dy, w, dx, tail);
                    });
                    dx
                };
                let y = run(plain, false);
                self.y.check(&y, &what("y"));
                assert_eq!(
                    run(ConvWeight::Packed(&packed), false),
                    y,
                    "{}",
                    what("packed y")
                );
                assert_eq!(run(plain, true), doubled(&y), "{}", what("y tail"));
                let dx = run_dx(plain, false);
                self.dx.check(&dx, &what("dx"));
                let packed_dx = run_dx(ConvWeight::Packed(&turned), false);
                assert_eq!(packed_dx, dx, "{}", what("packed dx"));
                assert_eq!(run_dx(plain, true), doubled(&dx), "{}", what("dx tail"));
                let mut dw = vec![f32::NAN; self.w.len()];
                backward_weight(isa, &self.shape, &self.x, &self.dy, &mut dw);
                self.dw.check(&dw, &what("dw"));
                results.push([y, dx, dw]);
            }
            assert_eq!(
                results[0], results[1],
                "threads change {isa} {:?}",
                self.shape
            );
        }
    }

    fn check_generic(&self) {
        let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (x, w, dy) = (wide(&self.x), wide(&self.w), wide(&self.dy));
        let close = |got: &[f64], want: &Want| {
            for (got, (want, size)) in got.iter().zip(want.0.iter().zip(&want.1)) {
                assert!((got - want).abs() <= 1e-14 * size, "{:?}", self.shape);
            }
        };
        let mut y = vec![f64::NAN; dy.len()];
        forward_generic(&self.shape, &x, &w, &mut y);
        close(&y, &self.y);
        let mut dx = vec![f64::NAN; x.len()];
        backward_input_generic(&self.shape, &dy, &w, &mut dx);
        close(&dx, &self.dx);
        let mut dw = vec![f64::NAN; w.len()];
        backward_weight_generic(&self.shape, &x, &dy, &mut dw);
        close(&dw, &self.dw);
    }
}

fn doubled(v: &[f32]) -> Vec<f32> {
    v.iter()
        .enumerate()
        .map(|(i, v)| 2.0 * v + i as f32)
        .collect()
}

/// Runs `f` with the tail of [`doubled`], checking that it sees every element
/// once; without one if not wanted.
fn with_tail(
    out: &mut [f32],
    wanted: bool,
    f: impl Fn(&mut [f32], Option<crate::matmul::Tail<'_>>),
) {
    if !wanted {
        f(out, None);
        return;
    }
    let seen = Mutex::new(vec![0u8; out.len()]);
    let tail = |start: usize, piece: &mut [f32]| {
        for (i, v) in piece.iter_mut().enumerate() {
            *v = 2.0 * *v + (start + i) as f32;
            seen.lock().unwrap()[start + i] += 1;
        }
    };
    f(out, Some(&tail));
    assert!(seen.into_inner().unwrap().iter().all(|n| *n == 1));
}

/// Channels in and out, image, kernel; the rest plain.
fn plain(batch: usize, channels: [usize; 2], image: [usize; 2], kernel: [usize; 2]) -> Conv2dShape {
    Conv2dShape {
        batch,
        in_c: channels[0],
        in_h: image[0],
        in_w: image[1],
        out_c: channels[1],
        kernel_h: kernel[0],
        kernel_w: kernel[1],
        stride: [1, 1],
        dilation: [1, 1],
        pads: [0; 4],
        groups: 1,
    }
}

#[test]
fn kernels_strides_pads_and_dilations() {
    let base = plain(2, [3, 5], [11, 13], [3, 3]);
    for stride in [[1, 1], [2, 2], [1, 2], [3, 1], [4, 5]] {
        for dilation in [[1, 1], [2, 1], [2, 3]] {
            for pads in [[0; 4], [1; 4], [0, 1, 2, 3], [5, 6, 4, 7]] {
                for kernel in [[3, 3], [1, 1], [2, 4], [1, 3]] {
                    let [kernel_h, kernel_w] = kernel;
                    Case::new(Conv2dShape {
                        kernel_h,
                        kernel_w,
                        stride,
                        dilation,
                        pads,
                        ..base
                    })
                    .check();
                }
            }
        }
    }
}

#[test]
fn channels_and_images_astride_the_tiles() {
    for (channels, image) in [
        ([1, 1], [1, 1]),
        ([1, 6], [3, 31]),
        ([16, 14], [4, 8]),
        ([17, 15], [3, 11]),
        ([31, 33], [7, 7]),
        ([40, 29], [5, 33]),
        ([2, 70], [32, 32]),
    ] {
        for batch in [1, 3] {
            let shape = plain(batch, channels, image, [3, 3]);
            Case::new(Conv2dShape {
                pads: [1; 4],
                ..shape
            })
            .check();
            Case::new(plain(batch, channels, image, [1, 1])).check();
            let stride = [2, 2];
            Case::new(Conv2dShape {
                pads: [1; 4],
                stride,
                ..shape
            })
            .check();
            Case::new(Conv2dShape {
                stride,
                ..plain(batch, channels, image, [1, 1])
            })
            .check();
        }
    }
}

#[test]
fn groups() {
    let base = Conv2dShape {
        pads: [1, 0, 1, 2],
        ..plain(2, [12, 18], [9, 10], [3, 2])
    };
    for groups in [2, 3, 6] {
        for stride in [[1, 1], [2, 3]] {
            Case::new(Conv2dShape {
                stride,
                groups,
                ..base
            })
            .check();
        }
    }
}

#[test]
fn depthwise() {
    for (out_c, kernel) in [
        (6, [3, 3]),
        (6, [5, 5]),
        (12, [3, 3]),
        (18, [2, 4]),
        (6, [1, 1]),
    ] {
        for image in [[7, 7], [5, 35], [16, 16], [1, 40]] {
            for (stride, dilation) in [
                ([1, 1], [1, 1]),
                ([2, 2], [1, 1]),
                ([1, 1], [2, 3]),
                ([3, 2], [2, 2]),
            ] {
                for pads in [[2; 4], [3, 4, 5, 2]] {
                    let base = plain(2, [6, out_c], image, kernel);
                    Case::new(Conv2dShape {
                        groups: 6,
                        stride,
                        dilation,
                        pads,
                        ..base
                    })
                    .check();
                }
            }
        }
    }
}

#[test]
fn long_sums_and_wide_images() {
    // More than one block of K; more columns than a task takes; the weight's
    // gradient in parts.
    Case::new(Conv2dShape {
        pads: [1; 4],
        ..plain(2, [90, 7], [6, 9], [3, 3])
    })
    .check();
    Case::new(Conv2dShape {
        pads: [1; 4],
        ..plain(1, [5, 7], [130, 70], [3, 3])
    })
    .check();
    Case::new(Conv2dShape {
        stride: [2, 2],
        ..plain(1, [5, 7], [131, 140], [3, 3])
    })
    .check();
    Case::new(Conv2dShape {
        pads: [1; 4],
        ..plain(3, [1, 8], [60, 60], [3, 3])
    })
    .check();
}

#[test]
fn empty_and_degenerate() {
    let base = plain(2, [3, 4], [5, 5], [3, 3]);
    for shape in [
        Conv2dShape { batch: 0, ..base },
        Conv2dShape { in_c: 0, ..base },
        Conv2dShape { out_c: 0, ..base },
        Conv2dShape { in_h: 2, ..base },
        Conv2dShape {
            in_h: 0,
            pads: [2; 4],
            ..base
        },
        Conv2dShape { in_w: 0, ..base },
        Conv2dShape {
            in_w: 2,
            stride: [2, 2],
            ..base
        },
        Conv2dShape {
            in_c: 3,
            out_c: 0,
            groups: 3,
            ..base
        },
        Conv2dShape {
            in_c: 3,
            out_c: 3,
            groups: 3,
            in_h: 1,
            ..base
        },
    ] {
        Case::new(shape).check();
    }
}

#[test]
fn nan_stays_where_it_belongs() {
    // Lanes and zeros beyond an edge must not meet it.
    for shape in [
        Conv2dShape {
            pads: [1; 4],
            ..plain(1, [2, 3], [5, 19], [3, 3])
        },
        Conv2dShape {
            pads: [1; 4],
            groups: 2,
            ..plain(1, [2, 2], [5, 19], [3, 3])
        },
    ] {
        let w = values(shape.weight_len(), 4);
        let mut x = values(shape.input_len(), 5);
        x[0] = f32::NAN;
        for isa in Isa::available() {
            let mut y = vec![0.0; shape.output_len()];
            forward(isa, &shape, &x, ConvWeight::Plain(&w), &mut y, None);
            let hit = |i: &usize| i / 19 % 5 < 2 && i % 19 < 2;
            let reached = (0..y.len()).filter(|i| y[*i].is_nan());
            let groups = shape.groups;
            assert!(reached.clone().all(|i| hit(&i) && (groups == 1 || i < 95)));
            assert_eq!(reached.count(), 4 * 3 / if groups == 1 { 1 } else { 3 });
            let mut dw = vec![0.0; w.len()];
            let dy = values(y.len(), 6);
            backward_weight(isa, &shape, &x, &dy, &mut dw);
            // Only taps that reach the corner: not the last row or column's.
            let inputs = shape.group_in();
            for (i, v) in dw.iter().enumerate() {
                let first = if groups == 1 {
                    i / 9 % inputs == 0
                } else {
                    i < 9
                };
                let meets = first && i % 9 / 3 < 2 && i % 3 < 2;
                assert_eq!(v.is_nan(), meets, "{isa} {groups} {i}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "packed for another use")]
fn packed_for_another_use() {
    let shape = plain(1, [2, 2], [3, 3], [1, 1]);
    let packed = PackedConvWeight::forward(Isa::Portable, &shape, &[1.0; 4]);
    let w = ConvWeight::Packed(&packed);
    backward_input(Isa::Portable, &shape, &[0.0; 18], w, &mut [0.0; 18], None);
}
