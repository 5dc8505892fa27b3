//! Transforms of lengths with and without large factors, against the definition.

mod common;

use common::{bytes, close, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{Dft, dft},
};

fn wanted(form: &Dft, x: &[f32]) -> Vec<f64> {
    let [from, to] = [form.complex_input, form.complex_output].map(|c| 1 + usize::from(c));
    let mut y = Vec::new();
    for o in 0..form.outer {
        for k in 0..form.output {
            for i in 0..form.inner {
                let mut sum = [0.0; 2];
                for j in 0..form.input.min(form.length) {
                    let at = ((o * form.input + j) * form.inner + i) * from;
                    let re = f64::from(x[at]);
                    let im = if from == 2 { f64::from(x[at + 1]) } else { 0.0 };
                    let turns = (j * k % form.length) as f64 / form.length as f64;
                    let angle = std::f64::consts::TAU * if form.inverse { turns } else { -turns };
                    let (sin, cos) = angle.sin_cos();
                    sum[0] += re * cos - im * sin;
                    sum[1] += re * sin + im * cos;
                }
                y.extend(sum[..to].iter().map(|s| s * f64::from(form.scale)));
            }
        }
    }
    y
}

#[test]
fn transforms_follow_the_definition() {
    let Some(gpu) = gpu() else { return };
    for (length, input, output) in [
        (1, 1, 1),
        (2, 3, 2),
        (5, 5, 3),
        (12, 9, 12),
        (60, 60, 31),
        (128, 128, 128),
        (7, 7, 7),
        (22, 30, 12),
        (101, 90, 101),
    ] {
        for [outer, inner] in [[1, 1], [3, 1], [2, 5]] {
            for (complex_input, complex_output, inverse) in [
                (true, true, false),
                (true, true, true),
                (false, true, false),
                (true, false, true),
            ] {
                let form = Dft {
                    outer,
                    inner,
                    input,
                    length,
                    output,
                    complex_input,
                    complex_output,
                    inverse,
                    scale: 0.5,
                };
                let [from, to] = [complex_input, complex_output].map(|c| 1 + usize::from(c));
                let mut x = Operand::contiguous(Storage::F32, &[outer, input, inner, from]);
                x.offset = 3;
                let source = random(1, x.size() + 3);
                let kernels = dft(&x, &form, &Caps::portable()).unwrap();
                let size = 4 * (outer * output * inner * to) as u64;
                let got = run(&gpu, &kernels, &[bytes(&source)], &[], &[size]).unwrap();
                let what = format!("{form:?}");
                close(&what, &values(&got[0]), &wanted(&form, &source[3..]), 2e-6);
            }
        }
    }
}
