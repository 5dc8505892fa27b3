use super::{Algorithm, BlockedConvWeight, Epilogue, forward};
use crate::activation::Activation;
use crate::blocked::{blocks, from_blocked, len, pad_channels, to_blocked};
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;

pub(super) fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// The definition in float64, and the sum of the terms' sizes.
fn reference(shape: &Conv2dShape, x: &[f32], w: &[f32]) -> Vec<(f64, f64)> {
    let (group_in, group_out) = (shape.group_in(), shape.group_out());
    let mut out = Vec::with_capacity(shape.output_len());
    for n in 0..shape.batch {
        for o in 0..shape.out_c {
            for i in 0..shape.out_h() {
                for j in 0..shape.out_w() {
                    let (mut sum, mut size) = (0.0, 0.0);
                    for c in 0..group_in {
                        for (tap, [dy, dx]) in shape.taps().into_iter().enumerate() {
                            let y = (i * shape.stride[0]) as isize + dy;
                            let xx = (j * shape.stride[1]) as isize + dx;
                            let inside = (0..shape.in_h as isize).contains(&y)
                                && (0..shape.in_w as isize).contains(&xx);
                            if inside {
                                let channel = o / group_out * group_in + c;
                                let at = ((n * shape.in_c + channel) * shape.in_h + y as usize)
                                    * shape.in_w
                                    + xx as usize;
                                let weight = w[(o * group_in + c) * shape.kernel() + tap];
                                let term = f64::from(x[at]) * f64::from(weight);
                                sum += term;
                                size += term.abs();
                            }
                        }
                    }
                    out.push((sum, size));
                }
            }
        }
    }
    out
}

pub(super) struct Extras {
    pub bias: bool,
    pub residual: bool,
    pub activation: Activation,
    pub tail: bool,
}

impl Extras {
    /// What becomes of a sum.
    pub fn apply(&self, sum: f64, bias: f32, residual: f32) -> f64 {
        let mut want = sum;
        if self.bias {
            want += f64::from(bias);
        }
        if self.residual {
            want += f64::from(residual);
        }
        if let Some(slope) = self.activation.slope
            && want < 0.0
        {
            want *= f64::from(slope);
        }
        want = want.clamp(f64::from(self.activation.lo), f64::from(self.activation.hi));
        if self.tail { 2.0 * want } else { want }
    }
}

/// An image in blocks, NaN in the lanes that stand for no channel: they must
/// not matter.
pub(super) fn in_blocks(isa: Isa, [batch, channels, plane]: [usize; 3], x: &[f32]) -> Vec<f32> {
    let lanes = isa.lanes();
    let mut y = vec![0.0; len(isa, batch, channels, plane)];
    to_blocked(isa, [batch, channels, plane], x, &mut y);
    for (i, v) in y.iter_mut().enumerate() {
        let block = i / lanes / plane % blocks(isa, channels);
        if block * lanes + i % lanes >= channels {
            *v = f32::NAN;
        }
    }
    y
}

fn check(isa: Isa, algorithm: Algorithm, shape: &Conv2dShape, extras: &Extras) {
    let what = format!("{isa} {algorithm:?} {shape:?}");
    let x = values(shape.input_len(), 1);
    let w = values(shape.weight_len(), 2);
    let bias = values(shape.out_c, 3);
    let residual = values(shape.output_len(), 4);
    let [in_sizes, out_sizes] = [
        [shape.batch, shape.in_c, shape.in_h * shape.in_w],
        [shape.batch, shape.out_c, shape.out_h() * shape.out_w()],
    ];
    let out_len = len(isa, shape.batch, shape.out_c, out_sizes[2]);
    let mut blocked_x = in_blocks(isa, in_sizes, &x);
    if algorithm == Algorithm::Depthwise {
        // Each lane is a convolution of its own.
        to_blocked(isa, in_sizes, &x, &mut blocked_x);
    }
    let mut blocked_residual = vec![0.0; out_len];
    to_blocked(isa, out_sizes, &residual, &mut blocked_residual);
    let padded = pad_channels(isa, &bias);
    let weight = BlockedConvWeight::new(isa, algorithm, shape, &w);
    let double = |_: usize, piece: &mut [f32]| piece.iter_mut().for_each(|v| *v *= 2.0);
    let epilogue = Epilogue {
        bias: extras.bias.then_some(&padded),
        residual: extras.residual.then_some(&blocked_residual),
        activation: extras.activation,
        tail: if extras.tail { Some(&double) } else { None },
    };
    let input = if algorithm == Algorithm::Stem {
        &x
    } else {
        &blocked_x
    };
    let mut y = vec![f32::NAN; out_len];
    forward(shape, input, &weight, &mut y, &epilogue);
    let mut got = vec![f32::NAN; shape.output_len()];
    from_blocked(isa, out_sizes, &y, &mut got);
    // Winograd's points up to 2 cost digits.
    let tolerance = if algorithm == Algorithm::WinogradF4 {
        2e-5
    } else {
        2e-6
    };
    for (i, (sum, size)) in reference(shape, &x, &w).into_iter().enumerate() {
        let channel = i / out_sizes[2] % shape.out_c;
        let want = extras.apply(sum, bias[channel], residual[i]);
        let error = (f64::from(got[i]) - want).abs();
        let most = tolerance * (size + 1.0);
        assert!(
            error <= most,
            "{what}: element {i}: got {}, wanted {want}",
            got[i]
        );
    }
}

const RELU: Activation = Activation {
    slope: None,
    lo: 0.0,
    hi: f32::INFINITY,
};

pub(super) fn shape(
    sizes: [usize; 5],
    kernel: usize,
    stride: usize,
    pads: [usize; 4],
) -> Conv2dShape {
    let [batch, in_c, out_c, in_h, in_w] = sizes;
    Conv2dShape {
        batch,
        in_c,
        in_h,
        in_w,
        out_c,
        kernel_h: kernel,
        kernel_w: kernel,
        stride: [stride; 2],
        dilation: [1, 1],
        pads,
        groups: 1,
    }
}

/// Of each kind of epilogue.
pub(super) const EXTRAS: [Extras; 3] = [
    Extras {
        bias: false,
        residual: false,
        activation: Activation::NONE,
        tail: false,
    },
    Extras {
        bias: true,
        residual: false,
        activation: RELU,
        tail: false,
    },
    Extras {
        bias: true,
        residual: true,
        activation: Activation {
            slope: Some(0.1),
            lo: -0.3,
            hi: 6.0,
        },
        tail: true,
    },
];

pub(super) fn all(algorithm: Algorithm, shapes: &[Conv2dShape]) {
    for isa in Isa::available() {
        for shape in shapes {
            for extras in &EXTRAS {
                check(isa, algorithm, shape, extras);
            }
        }
    }
}

#[test]
fn pointwise() {
    let sizes = [
        [1, 16, 16, 3, 5],
        [2, 33, 47, 7, 7],
        [1, 8, 100, 1, 1],
        [1, 130, 5, 9, 31],
    ];
    all(Algorithm::Pointwise, &sizes.map(|s| shape(s, 1, 1, [0; 4])));
}

#[test]
fn direct() {
    let mut shapes = vec![
        shape([1, 16, 16, 7, 7], 3, 1, [1; 4]),
        shape([2, 20, 33, 9, 15], 3, 2, [1; 4]),
        shape([1, 17, 24, 8, 29], 1, 2, [0; 4]),
        shape([1, 32, 8, 6, 6], 5, 3, [2, 0, 3, 1]),
        shape([1, 9, 10, 5, 4], 3, 1, [2; 4]),
        // Nothing of the image under the first windows.
        shape([1, 16, 16, 3, 3], 2, 1, [4; 4]),
    ];
    shapes.push(Conv2dShape {
        dilation: [2, 3],
        kernel_w: 2,
        ..shape([1, 18, 17, 12, 13], 3, 2, [1, 2, 0, 3])
    });
    all(Algorithm::Direct, &shapes);
}

/// Groups of whole blocks and of parts of one, on each instance; only those
/// that it has a kernel for.
#[test]
fn groups() {
    let grouped = |groups, shape: Conv2dShape| Conv2dShape { groups, ..shape };
    let strided = grouped(2, shape([1, 64, 32, 9, 8], 3, 2, [1, 0, 0, 1]));
    let dilated = Conv2dShape {
        dilation: [2, 1],
        ..grouped(3, shape([1, 48, 144, 11, 6], 3, 1, [2, 1, 2, 1]))
    };
    let shapes = [
        grouped(4, shape([2, 64, 64, 7, 9], 3, 1, [1; 4])),
        grouped(8, shape([1, 32, 256, 5, 15], 3, 1, [1; 4])),
        strided,
        dilated,
    ];
    let flat = [
        grouped(4, shape([2, 64, 192, 7, 9], 1, 1, [0; 4])),
        grouped(16, shape([1, 64, 256, 3, 31], 1, 1, [0; 4])),
    ];
    for (algorithm, shapes) in [
        (Algorithm::Direct, &shapes[..]),
        (Algorithm::Pointwise, &flat),
    ] {
        for isa in Isa::available() {
            for shape in shapes {
                assert_eq!(Algorithm::choose(isa, shape, true), Some(algorithm));
                for extras in &EXTRAS {
                    check(isa, algorithm, shape, extras);
                }
            }
        }
    }
}

#[test]
fn stem() {
    let shapes = [
        shape([2, 3, 24, 19, 23], 7, 2, [3; 4]),
        shape([1, 3, 32, 9, 12], 3, 1, [1; 4]),
        shape([1, 1, 16, 16, 16], 5, 1, [2; 4]),
        shape([1, 4, 17, 13, 11], 3, 3, [0, 1, 2, 0]),
    ];
    all(Algorithm::Stem, &shapes);
}

#[test]
fn depthwise() {
    let grouped = |channels, size: [usize; 2], kernel, stride, pads| Conv2dShape {
        groups: channels,
        ..shape(
            [2, channels, channels, size[0], size[1]],
            kernel,
            stride,
            pads,
        )
    };
    let shapes = [
        grouped(32, [9, 14], 3, 1, [1; 4]),
        grouped(20, [14, 15], 3, 2, [1; 4]),
        grouped(48, [7, 7], 5, 1, [2; 4]),
        grouped(17, [6, 5], 3, 2, [0, 1, 1, 0]),
        // Wider than the image.
        grouped(16, [3, 2], 5, 1, [2; 4]),
    ];
    all(Algorithm::Depthwise, &shapes);
}

#[test]
fn winograd() {
    let shapes = [
        shape([1, 16, 16, 8, 8], 3, 1, [1; 4]),
        shape([2, 20, 33, 7, 9], 3, 1, [1; 4]),
        shape([1, 64, 48, 14, 13], 3, 1, [0; 4]),
        shape([3, 24, 16, 5, 6], 3, 1, [2, 0, 1, 3]),
        shape([1, 17, 40, 33, 31], 3, 1, [1; 4]),
    ];
    all(Algorithm::WinogradF2, &shapes);
    all(Algorithm::WinogradF4, &shapes);
}

#[test]
fn algorithms_are_chosen() {
    let isa = Isa::best();
    let choose = |shape: Conv2dShape, blocked| Algorithm::choose(isa, &shape, blocked);
    let image = shape([1, 64, 64, 56, 56], 3, 1, [1; 4]);
    assert_eq!(choose(image, true), Some(Algorithm::WinogradF4));
    assert_eq!(choose(image, false), None);
    let small = shape([1, 512, 512, 7, 7], 3, 1, [1; 4]);
    assert_eq!(choose(small, true), Some(Algorithm::WinogradF2));
    assert_eq!(
        choose(shape([1, 3, 64, 224, 224], 7, 2, [3; 4]), false),
        Some(Algorithm::Stem)
    );
    assert_eq!(
        choose(shape([1, 64, 64, 56, 56], 1, 1, [0; 4]), true),
        Some(Algorithm::Pointwise)
    );
    assert_eq!(
        choose(shape([1, 64, 64, 56, 56], 1, 2, [0; 4]), true),
        Some(Algorithm::Direct)
    );
    let strided = shape([8, 512, 512, 4, 4], 3, 2, [1; 4]);
    assert_eq!(choose(strided, true), Some(Algorithm::Gathered));
    let alone = Conv2dShape {
        batch: 1,
        ..strided
    };
    assert_eq!(choose(alone, true), Some(Algorithm::Direct));
    let grouped = |groups| Conv2dShape { groups, ..image };
    assert_eq!(choose(grouped(2), true), Some(Algorithm::Direct));
    assert_eq!(choose(grouped(2), false), None);
    // Its blocks would hold channels of several groups.
    assert_eq!(choose(grouped(32), true), None);
    assert_eq!(
        choose(
            Conv2dShape {
                groups: 64,
                ..image
            },
            true
        ),
        Some(Algorithm::Depthwise)
    );
}

/// In float64, as the three convolutions one after the other.
fn block_reference(
    shape: &Conv2dShape,
    [expand, project]: [&Conv2dShape; 2],
    x: &[f32],
    weights: [&[f32]; 3],
) -> Vec<f32> {
    let step = |shape: &Conv2dShape, x: &[f32], w: &[f32]| -> Vec<f32> {
        let sums = reference(shape, x, w);
        sums.into_iter().map(|(sum, _)| sum as f32).collect()
    };
    let relu6 = |x: Vec<f32>| -> Vec<f32> { x.into_iter().map(|v| v.clamp(0.0, 6.0)).collect() };
    let wide = relu6(step(expand, x, weights[0]));
    let deep = relu6(step(shape, &wide, weights[1]));
    step(project, &deep, weights[2])
}

#[test]
fn inverted_residual_is_its_three_convolutions() {
    use super::inverted_residual::{InvertedResidual, Stage};
    let relu6 = Activation {
        slope: None,
        lo: 0.0,
        hi: 6.0,
    };
    let activated = Epilogue {
        activation: relu6,
        ..Epilogue::NONE
    };
    for isa in Isa::available() {
        for (sizes, kernel, stride, expands) in [
            ([1, 8, 40, 12, 11], 3, 1, true),
            ([2, 20, 33, 23, 14], 3, 2, true),
            ([1, 16, 48, 9, 9], 5, 1, true),
            ([2, 24, 17, 21, 10], 3, 1, false),
        ] {
            let [batch, in_c, out_c, h, w] = sizes;
            let wide = if expands { 3 * in_c } else { in_c };
            let pads = [kernel / 2; 4];
            let middle = Conv2dShape {
                groups: wide,
                ..shape([batch, wide, wide, h, w], kernel, stride, pads)
            };
            let expand = shape([batch, in_c, wide, h, w], 1, 1, [0; 4]);
            let (out_h, out_w) = (middle.out_h(), middle.out_w());
            let project = shape([batch, wide, out_c, out_h, out_w], 1, 1, [0; 4]);
            let mut first = values(expand.weight_len(), 6);
            if !expands {
                // The identity.
                first = (0..wide * wide)
                    .map(|i| f32::from(u8::from(i / wide == i % wide)))
                    .collect();
            }
            let mut x = values(expand.input_len(), 5);
            if !expands {
                for v in &mut x {
                    *v = v.abs();
                }
            }
            let (second, third) = (
                values(middle.weight_len(), 7),
                values(project.weight_len(), 8),
            );
            let want = block_reference(&middle, [&expand, &project], &x, [&first, &second, &third]);
            let pack = |algorithm, shape: &Conv2dShape, w: &[f32]| {
                BlockedConvWeight::new(isa, algorithm, shape, w)
            };
            let packed = [
                pack(Algorithm::Pointwise, &expand, &first),
                pack(Algorithm::Depthwise, &middle, &second),
                pack(Algorithm::Pointwise, &project, &third),
            ];
            let stage = |at: usize, epilogue| Stage {
                weight: &packed[at],
                epilogue,
            };
            let mut blocked_x = vec![0.0; len(isa, batch, in_c, h * w)];
            to_blocked(isa, [batch, in_c, h * w], &x, &mut blocked_x);
            let out_len = len(isa, batch, out_c, out_h * out_w);
            let residual = values(out_len, 9);
            let last = Epilogue {
                residual: Some(&residual),
                ..Epilogue::NONE
            };
            let block = InvertedResidual {
                shape: &middle,
                in_c,
                out_c,
                expand: expands.then(|| stage(0, &activated)),
                depthwise: stage(1, &activated),
                project: stage(2, &last),
            };
            let mut y = vec![f32::NAN; out_len];
            block.run(&blocked_x, &mut y);
            let (mut got, mut added) = (want.clone(), want.clone());
            from_blocked(isa, [batch, out_c, out_h * out_w], &y, &mut got);
            from_blocked(isa, [batch, out_c, out_h * out_w], &residual, &mut added);
            for ((got, want), added) in got.iter().zip(&want).zip(&added) {
                assert!(
                    (got - want - added).abs() < 1e-4,
                    "{isa} {sizes:?}: {got}, not {want}"
                );
            }
        }
    }
}
