use super::super::tests::{in_blocks, shape, values};
use super::backward_weight;
use crate::conv2d::shape::Conv2dShape;
use crate::isa::Isa;
use crate::pool;

/// The definition in float64, and the sum of the terms' sizes.
fn reference(shape: &Conv2dShape, x: &[f32], dy: &[f32]) -> Vec<(f64, f64)> {
    let [out_h, out_w] = [shape.out_h(), shape.out_w()];
    let mut out = Vec::with_capacity(shape.weight_len());
    for o in 0..shape.out_c {
        for c in 0..shape.in_c {
            for [down, right] in shape.taps() {
                let (mut sum, mut size) = (0.0, 0.0);
                for n in 0..shape.batch {
                    for i in 0..out_h {
                        for j in 0..out_w {
                            let y = (i * shape.stride[0]) as isize + down;
                            let xx = (j * shape.stride[1]) as isize + right;
                            let inside = (0..shape.in_h as isize).contains(&y)
                                && (0..shape.in_w as isize).contains(&xx);
                            if inside {
                                let at = ((n * shape.in_c + c) * shape.in_h + y as usize)
                                    * shape.in_w
                                    + xx as usize;
                                let dy = dy[((n * shape.out_c + o) * out_h + i) * out_w + j];
                                let term = f64::from(x[at]) * f64::from(dy);
                                sum += term;
                                size += term.abs();
                            }
                        }
                    }
                }
                out.push((sum, size));
            }
        }
    }
    out
}

/// The kernel's result, from x and dy as they lie plain.
fn run(isa: Isa, shape: &Conv2dShape, plain: bool, [x, dy]: [&[f32]; 2]) -> Vec<f32> {
    let sizes = [shape.batch, shape.in_c, shape.in_h * shape.in_w];
    let blocked_x = if plain {
        x.to_vec()
    } else {
        in_blocks(isa, sizes, x)
    };
    let plane = shape.out_h() * shape.out_w();
    let blocked_dy = in_blocks(isa, [shape.batch, shape.out_c, plane], dy);
    let mut dw = vec![f32::NAN; shape.weight_len()];
    backward_weight(isa, shape, &blocked_x, plain, &blocked_dy, &mut dw);
    dw
}

fn check(isa: Isa, shape: &Conv2dShape, plain: bool) {
    let (x, dy) = (values(shape.input_len(), 1), values(shape.output_len(), 2));
    let dw = run(isa, shape, plain, [&x, &dy]);
    for (i, (want, size)) in reference(shape, &x, &dy).into_iter().enumerate() {
        let error = (f64::from(dw[i]) - want).abs();
        assert!(
            error <= 2e-6 * (size + 1.0),
            "{isa} plain: {plain} {shape:?}: element {i}: got {}, wanted {want}",
            dw[i]
        );
    }
}

#[test]
fn is_the_definition() {
    let mut shapes = vec![
        shape([2, 16, 16, 7, 7], 3, 1, [1; 4]),
        shape([5, 20, 33, 9, 15], 3, 2, [1; 4]),
        shape([1, 17, 24, 8, 29], 1, 2, [0; 4]),
        shape([3, 50, 40, 6, 5], 1, 1, [0; 4]),
        shape([2, 9, 19, 5, 6], 1, 1, [1; 4]),
        shape([1, 32, 8, 6, 6], 5, 3, [2, 0, 3, 1]),
        shape([1, 18, 50, 11, 12], 7, 1, [3; 4]),
        shape([40, 24, 16, 4, 4], 3, 1, [1; 4]),
        // More than a band in a row.
        shape([1, 8, 16, 3, 300], 3, 1, [1; 4]),
        // Nothing of the image under the first windows.
        shape([1, 16, 16, 3, 3], 2, 1, [4; 4]),
    ];
    shapes.push(Conv2dShape {
        dilation: [2, 3],
        kernel_w: 2,
        ..shape([2, 18, 17, 12, 13], 3, 2, [1, 2, 0, 3])
    });
    for isa in Isa::available() {
        for shape in &shapes {
            check(isa, shape, false);
        }
        for shape in [
            shape([2, 3, 24, 19, 23], 7, 2, [3; 4]),
            shape([9, 3, 32, 32, 32], 3, 1, [1; 4]),
            shape([1, 1, 16, 16, 16], 5, 1, [2; 4]),
            shape([1, 4, 17, 13, 11], 3, 3, [0, 1, 2, 0]),
        ] {
            check(isa, &shape, true);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let threads = pool::num_threads();
    for isa in Isa::available() {
        for (shape, plain) in [
            (shape([16, 3, 16, 30, 33], 3, 1, [1; 4]), true),
            (shape([16, 33, 70, 14, 14], 3, 1, [1; 4]), false),
            (shape([6, 150, 130, 12, 12], 1, 1, [0; 4]), false),
        ] {
            let (x, dy) = (values(shape.input_len(), 1), values(shape.output_len(), 2));
            pool::set_num_threads(1);
            let one = run(isa, &shape, plain, [&x, &dy]);
            for n in 2..6 {
                pool::set_num_threads(n);
                assert_eq!(one, run(isa, &shape, plain, [&x, &dy]));
            }
            pool::set_num_threads(threads);
        }
    }
}

#[test]
fn nothing_gives_zeros() {
    let isa = Isa::best();
    let empty = shape([0, 16, 16, 5, 5], 3, 1, [1; 4]);
    let mut dw = vec![f32::NAN; empty.weight_len()];
    backward_weight(isa, &empty, &[], false, &[], &mut dw);
    assert!(dw.iter().all(|v| *v == 0.0));
}
