//! Frames summed where they overlap, against loops.

mod common;

use common::{bytes, close, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{Frames, overlap_add},
};

#[test]
fn frames_are_summed() {
    let Some(gpu) = gpu() else { return };
    for (count, taps, step, dilation) in [(1, 1, 1, 1), (5, 3, 1, 1), (4, 3, 3, 2), (2, 4, 5, 1)] {
        for [outer, inner] in [[1, 1], [3, 1], [2, 33]] {
            let length = (count - 1) * step + (taps - 1) * dilation + 2;
            let mut x = Operand::contiguous(Storage::F32, &[outer, count, taps, inner]);
            x.offset = 3;
            let source = random(1, x.size() + 3);
            let mut wanted = vec![0.0; outer * length * inner];
            for at in 0..x.size() {
                let (o, f) = (at / inner / taps / count, at / inner / taps % count);
                let place = o * length + f * step + at / inner % taps * dilation;
                wanted[place * inner + at % inner] += f64::from(source[3 + at]);
            }
            let frames = Frames {
                step,
                dilation,
                length,
            };
            let kernels = overlap_add(&x, 1, &frames, &Caps::portable()).unwrap();
            let size = 4 * wanted.len() as u64;
            let got = run(&gpu, &kernels, &[bytes(&source)], &[], &[size]).unwrap();
            close("overlap_add", &values(&got[0]), &wanted, 1e-6);
        }
    }
    let x = Operand::contiguous(Storage::U8, &[1, 2, 3]);
    let frames = Frames {
        step: 1,
        dilation: 1,
        length: 4,
    };
    assert!(overlap_add(&x, 1, &frames, &Caps::portable()).is_err());
}
