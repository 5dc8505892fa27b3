use super::{Dft, Numbers, dft};
use crate::isa::Isa;

fn numbers(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0)
        .collect()
}

/// The definition, in float64.
fn wanted(form: &Dft, x: &[f64]) -> Vec<f64> {
    let [from, to] = form.components();
    let mut y = Vec::new();
    for o in 0..form.outer {
        for k in 0..form.output {
            for i in 0..form.inner {
                let mut sum = [0.0; 2];
                for j in 0..form.input.min(form.length) {
                    let at = ((o * form.input + j) * form.inner + i) * from;
                    let (re, im) = (x[at], if from == 2 { x[at + 1] } else { 0.0 });
                    let turns = (j * k % form.length) as f64 / form.length as f64;
                    let angle = std::f64::consts::TAU * if form.inverse { turns } else { -turns };
                    let (sin, cos) = angle.sin_cos();
                    sum[0] += re * cos - im * sin;
                    sum[1] += re * sin + im * cos;
                }
                y.extend(sum[..to].iter().map(|s| s * form.scale));
            }
        }
    }
    y
}

fn check<T: Numbers>(isa: Isa, form: &Dft, tolerance: f64) {
    let [from, to] = form.components();
    let x: Vec<T> = numbers(form.outer * form.input * form.inner * from)
        .into_iter()
        .map(T::from_f64)
        .collect();
    let wide: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
    let wanted = wanted(form, &wide);
    let mut got = vec![T::from_f64(9.0); form.outer * form.output * form.inner * to];
    dft(isa, form, &x, &mut got);
    let largest = wanted.iter().fold(1e-3, |m: f64, w| m.max(w.abs()));
    for (at, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        let error = (got.to_f64() - wanted).abs() / largest;
        assert!(
            error < tolerance,
            "{isa} {form:?} at {at}: {}, wanted {wanted}",
            got.to_f64()
        );
    }
}

fn forms(length: usize, outer: usize, inner: usize) -> Vec<Dft> {
    let mut all = Vec::new();
    for (complex_input, complex_output) in
        [(true, true), (false, true), (true, false), (false, false)]
    {
        for inverse in [false, true] {
            for input in [length, length.div_ceil(3), length + 2] {
                all.push(Dft {
                    outer,
                    inner,
                    input,
                    length,
                    output: if input < length {
                        length / 2 + 1
                    } else {
                        length
                    },
                    complex_input,
                    complex_output,
                    inverse,
                    scale: 0.5,
                });
            }
        }
    }
    all
}

#[test]
fn transforms_follow_the_definition() {
    for length in (1..=33).chain([36, 45, 49, 64, 97, 100, 122, 240]) {
        for [outer, inner] in [[1, 1], [3, 1], [2, 9]] {
            for form in forms(length, outer, inner) {
                for isa in Isa::available() {
                    check::<f32>(isa, &form, 1e-6);
                }
                check::<f64>(Isa::current(), &form, 1e-14);
            }
        }
    }
}

#[test]
fn long_ones_too() {
    for length in [1000, 1013, 2 * 509] {
        for form in forms(length, 1, 1)
            .into_iter()
            .filter(|f| f.input == length)
        {
            check::<f32>(Isa::current(), &form, 2e-6);
            check::<f64>(Isa::current(), &form, 1e-13);
        }
    }
}

#[test]
fn a_line_does_not_reach_another() {
    let form = Dft {
        scale: 1.0,
        ..forms(21, 1, 5)[0].clone()
    };
    let mut x = vec![1.0f32; 21 * 5 * 2];
    x[2] = f32::NAN;
    let mut y = vec![0.0; x.len()];
    dft(Isa::current(), &form, &x, &mut y);
    for (at, y) in y.iter().enumerate() {
        assert_eq!(y.is_nan(), at / 2 % 5 == 1);
    }
}
