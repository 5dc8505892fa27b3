//! Speed of the matrix kernels on every instance of this machine, in GF/s and
//! as a part of the FMA peak measured beside them:
//!
//! `cargo run --release --example speed -- matmul|conv2d [threads] [instance]`

mod algorithms;
mod conv2d;
mod matmul;

use lamina_kernels::isa::Isa;
use lamina_kernels::machine::peak;
use lamina_kernels::pool::set_num_threads;
use std::time::Instant;

/// The best of several runs, in seconds.
fn best(mut f: impl FnMut()) -> f64 {
    f();
    let mut best = f64::MAX;
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < 0.2 {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// Values without a pattern that matters.
fn values(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i * 7919 % 1009) as f32 * 1e-3 - 0.5)
        .collect()
}

/// Operations done in a time, as text.
fn rate(flops: usize, seconds: f64, peak: f64) -> String {
    let rate = flops as f64 / seconds;
    format!("{:6.1} GF/s ({:4.1} %)", rate / 1e9, 100.0 * rate / peak)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let kind = args.next().unwrap_or_else(|| "matmul".into());
    let threads = args
        .next()
        .map_or(1, |n| n.parse().expect("a number of threads"));
    let only = args.next();
    set_num_threads(threads);
    for isa in Isa::available() {
        if only.as_deref().is_some_and(|name| name != isa.name()) {
            continue;
        }
        let peak = peak(isa, threads);
        println!("{isa}, {threads} threads: FMA peak {:.1} GF/s", peak / 1e9);
        match &*kind {
            "matmul" => matmul::run(isa, peak),
            "conv2d" => conv2d::run(isa, peak),
            "algorithms" => algorithms::run(isa),
            _ => panic!("got '{kind}', wanted matmul or conv2d"),
        }
    }
}
