use super::super::tests::{EXTRAS, Extras, all, in_blocks, shape, values};
use super::super::{Algorithm, BlockedConvWeight, Epilogue, backward_input};
use crate::blocked::{from_blocked, len, pad_channels, to_blocked};
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;
use crate::pool;

#[test]
fn forward_is_the_definition() {
    let mut shapes = vec![
        shape([5, 16, 16, 7, 7], 3, 1, [1; 4]),
        shape([4, 20, 33, 4, 4], 3, 2, [1; 4]),
        shape([3, 17, 24, 8, 5], 1, 2, [0; 4]),
        shape([1, 32, 8, 6, 6], 5, 3, [2, 0, 3, 1]),
        // Nothing of the image under the first windows.
        shape([2, 16, 16, 3, 3], 2, 1, [4; 4]),
    ];
    shapes.push(Conv2dShape {
        dilation: [2, 3],
        kernel_w: 2,
        ..shape([2, 18, 17, 12, 13], 3, 2, [1, 2, 0, 3])
    });
    all(Algorithm::Gathered, &shapes);
}

/// dx by its definition in float64: every product of the forward convolution
/// the other way; and the sum of the terms' sizes.
fn reference(shape: &Conv2dShape, dy: &[f32], w: &[f32]) -> Vec<(f64, f64)> {
    let mut dx = vec![(0.0, 0.0); shape.input_len()];
    let [out_h, out_w] = [shape.out_h(), shape.out_w()];
    for (at, dy) in dy.iter().enumerate() {
        let (j, i) = (at % out_w, at / out_w % out_h);
        let (o, n) = (
            at / out_w / out_h % shape.out_c,
            at / out_w / out_h / shape.out_c,
        );
        for c in 0..shape.in_c {
            for (tap, [down, right]) in shape.taps().into_iter().enumerate() {
                let y = (i * shape.stride[0]) as isize + down;
                let x = (j * shape.stride[1]) as isize + right;
                let inside =
                    (0..shape.in_h as isize).contains(&y) && (0..shape.in_w as isize).contains(&x);
                if inside {
                    let w = w[(o * shape.in_c + c) * shape.kernel() + tap];
                    let term = f64::from(*dy) * f64::from(w);
                    let place = ((n * shape.in_c + c) * shape.in_h + y as usize) * shape.in_w;
                    let (sum, size) = &mut dx[place + x as usize];
                    *sum += term;
                    *size += term.abs();
                }
            }
        }
    }
    dx
}

fn run(isa: Isa, shape: &Conv2dShape, [dy, w]: [&[f32]; 2], epilogue: &Epilogue<'_>) -> Vec<f32> {
    let dy = in_blocks(isa, [shape.batch, shape.out_c, shape.out_plane()], dy);
    let weight = BlockedConvWeight::phases(isa, shape, w);
    let mut dx = vec![f32::NAN; len(isa, shape.batch, shape.in_c, shape.in_plane())];
    backward_input(shape, &dy, &weight, &mut dx, epilogue);
    dx
}

fn check(isa: Isa, shape: &Conv2dShape, extras: &Extras) {
    let (dy, w) = (values(shape.output_len(), 1), values(shape.weight_len(), 2));
    let (bias, residual) = (values(shape.in_c, 3), values(shape.input_len(), 4));
    let sizes = [shape.batch, shape.in_c, shape.in_plane()];
    let mut blocked_residual = vec![0.0; len(isa, shape.batch, shape.in_c, sizes[2])];
    to_blocked(isa, sizes, &residual, &mut blocked_residual);
    let padded = pad_channels(isa, &bias);
    let double = |_: usize, piece: &mut [f32]| piece.iter_mut().for_each(|v| *v *= 2.0);
    let epilogue = Epilogue {
        bias: extras.bias.then_some(&padded),
        residual: extras.residual.then_some(&blocked_residual),
        activation: extras.activation,
        tail: if extras.tail { Some(&double) } else { None },
    };
    let dx = run(isa, shape, [&dy, &w], &epilogue);
    let mut got = vec![f32::NAN; shape.input_len()];
    from_blocked(isa, sizes, &dx, &mut got);
    for (i, (sum, size)) in reference(shape, &dy, &w).into_iter().enumerate() {
        let channel = i / sizes[2] % shape.in_c;
        let want = extras.apply(sum, bias[channel], residual[i]);
        let error = (f64::from(got[i]) - want).abs();
        assert!(
            error <= 2e-6 * (size + 1.0),
            "{isa} {shape:?}: element {i}: got {}, wanted {want}",
            got[i]
        );
    }
}

/// Strides, dilations and paddings that share no factor and that do; windows
/// smaller than the stride; images of which some is never seen.
fn strided() -> Vec<Conv2dShape> {
    let uneven = Conv2dShape {
        stride: [2, 3],
        dilation: [3, 2],
        kernel_w: 4,
        ..shape([2, 18, 17, 12, 13], 3, 1, [1, 2, 0, 3])
    };
    vec![
        shape([4, 16, 16, 8, 8], 3, 2, [1; 4]),
        shape([3, 33, 20, 9, 15], 3, 2, [1; 4]),
        shape([2, 24, 17, 8, 9], 1, 2, [0; 4]),
        shape([1, 8, 32, 11, 10], 5, 3, [2, 0, 3, 1]),
        shape([2, 17, 9, 10, 12], 2, 2, [0; 4]),
        shape([1, 40, 34, 7, 6], 2, 3, [0; 4]),
        shape([1, 16, 16, 12, 30], 4, 2, [1; 4]),
        // One row of one pixel, in a stride that is longer.
        shape([2, 16, 8, 1, 1], 1, 4, [0; 4]),
        // Nothing of the image under the first windows.
        shape([1, 16, 16, 3, 3], 2, 1, [4; 4]),
        Conv2dShape {
            dilation: [2, 2],
            ..shape([1, 20, 18, 9, 9], 3, 2, [2; 4])
        },
        uneven,
    ]
}

#[test]
fn backward_input_is_the_definition() {
    for isa in Isa::available() {
        for shape in strided() {
            for extras in &EXTRAS {
                check(isa, &shape, extras);
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let threads = pool::num_threads();
    for isa in Isa::available() {
        for shape in [
            shape([8, 70, 130, 28, 28], 3, 2, [1; 4]),
            shape([16, 300, 200, 4, 4], 3, 2, [1; 4]),
        ] {
            let (dy, w) = (values(shape.output_len(), 1), values(shape.weight_len(), 2));
            pool::set_num_threads(1);
            let one = run(isa, &shape, [&dy, &w], &Epilogue::NONE);
            for n in 2..5 {
                pool::set_num_threads(n);
                assert!(one == run(isa, &shape, [&dy, &w], &Epilogue::NONE));
            }
            pool::set_num_threads(threads);
        }
    }
}

#[test]
fn the_gradient_of_nothing_is_nothing() {
    let isa = Isa::best();
    // The window does not fit.
    let shape = shape([1, 16, 16, 2, 2], 3, 2, [0; 4]);
    let dx = run(
        isa,
        &shape,
        [&[], &values(shape.weight_len(), 1)],
        &Epilogue::NONE,
    );
    assert!(dx.iter().all(|v| *v == 0.0));
}
