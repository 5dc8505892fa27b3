//! Products.

use crate::{best, rate, values};
use half::f16;
use lamina_kernels::isa::Isa;
use lamina_kernels::matmul::{Epilogue, MatRef, PackedRhs, Rhs, matmul_f32};
use std::hint::black_box;

const SHAPES: [[usize; 3]; 16] = [
    [64, 64, 64],
    [128, 128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [1797, 64, 10],
    [32, 784, 128],
    [128, 384, 1536],
    [8, 1024, 1024],
    [1, 1024, 1024],
    [1, 4096, 4096],
    [4, 4096, 4096],
    [8, 4096, 4096],
    [128, 4096, 4096],
    [1024, 1024, 1],
];

pub fn run(isa: Isa, peak: f64) {
    for [m, k, n] in SHAPES {
        let (a, b, mut c) = (values(m * k), values(k * n), vec![0.0; m * n]);
        let left = MatRef::contiguous(&a, m, k);
        let packed = PackedRhs::new(isa, MatRef::contiguous(&b, k, n));
        let bits: Vec<u16> = b.iter().map(|x| f16::from_f32(*x).to_bits()).collect();
        let half = PackedRhs::half(isa, MatRef::contiguous(&bits, k, n));
        let rights = [
            ("plain", Rhs::Plain(MatRef::contiguous(&b, k, n))),
            (
                "transposed",
                Rhs::Plain(MatRef::contiguous(&b, n, k).transposed()),
            ),
            ("packed", Rhs::Packed(&packed)),
            ("half", Rhs::Packed(&half)),
        ];
        print!("  {m:>4} x {k:>4} x {n:>4}:");
        for (name, right) in rights {
            let seconds =
                best(|| matmul_f32(isa, left, &right, black_box(&mut c), &Epilogue::NONE));
            print!("  {name} {}", rate(2 * m * k * n, seconds, peak));
        }
        println!();
    }
}
