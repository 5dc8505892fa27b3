//! Speed of the f32 product on every instance of this machine, in GF/s and as
//! a part of the measured FMA peak: `cargo run --release --example
//! matmul_speed [threads] [instance]`.

use lamina_kernels::isa::Isa;
use lamina_kernels::matmul::{MatRef, PackedRhs, Rhs, matmul_f32};
use lamina_kernels::pool::{parallel_for, set_num_threads};
use lamina_kernels::simd::{Kernel, Simd, dispatch};
use std::hint::black_box;
use std::time::Instant;

/// Independent chains: more than latency times units.
const CHAINS: usize = 12;
const ROUNDS: usize = 1 << 16;

struct Peak;

impl Kernel for Peak {
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let (x, y) = (s.splat(black_box(0.999)), s.splat(black_box(1e-3)));
        let mut acc = [s.zero(); CHAINS];
        for _ in 0..ROUNDS {
            for a in &mut acc {
                *a = s.fma(*a, x, y);
            }
        }
        black_box(acc.into_iter().map(|a| s.sum(a)).sum::<f32>());
        2 * ROUNDS * CHAINS * S::LANES
    }
}

/// The best of several runs, in seconds.
fn best(mut f: impl FnMut()) -> f64 {
    f();
    let mut best = f64::MAX;
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < 0.25 {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let mut args = std::env::args().skip(1);
    let threads = args
        .next()
        .map_or(1, |n| n.parse().expect("a number of threads"));
    let only = args.next();
    set_num_threads(threads);
    for isa in Isa::available() {
        if only.as_deref().is_some_and(|name| name != isa.name()) {
            continue;
        }
        let flops = dispatch(isa, Peak) * threads;
        let run = |_| {
            dispatch(isa, Peak);
        };
        let peak = flops as f64 / best(|| parallel_for(threads, &run));
        println!("{isa}, {threads} threads: FMA peak {:.1} GF/s", peak / 1e9);
        let shapes = [
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
            [1024, 1024, 1],
        ];
        for [m, k, n] in shapes {
            let a: Vec<f32> = (0..m * k).map(|i| (i % 31) as f32 * 0.03 - 0.4).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i % 29) as f32 * 0.03 - 0.4).collect();
            let mut c = vec![0.0; m * n];
            let a_ref = MatRef::contiguous(&a, m, k);
            let turned = MatRef::contiguous(&b, n, k).transposed();
            let packed = PackedRhs::new(isa, MatRef::contiguous(&b, k, n));
            let rate = |t: f64| 2.0 * (m * k * n) as f64 / t;
            let rights = [
                ("plain", Rhs::Plain(MatRef::contiguous(&b, k, n))),
                ("transposed", Rhs::Plain(turned)),
                ("packed", Rhs::Packed(&packed)),
            ];
            print!("  {m:>4} x {k:>4} x {n:>4}:");
            for (name, right) in rights {
                let r = rate(best(|| {
                    matmul_f32(isa, a_ref, &right, black_box(&mut c), None);
                }));
                print!("  {name} {:6.1} GF/s ({:4.1} %)", r / 1e9, 100.0 * r / peak);
            }
            println!();
        }
    }
}
