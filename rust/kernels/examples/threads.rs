//! What the thread pool costs, in microseconds:
//!
//! `cargo run --release -p lamina-kernels --example threads -- [threads]`

use lamina_kernels::pool::{Seat, parallel_for, set_num_threads};
use std::time::{Duration, Instant};

/// Minimum and median of the times of `f` after a pause.
fn times(rounds: usize, pause: Duration, f: impl Fn()) -> (f64, f64) {
    let mut all: Vec<f64> = (0..rounds)
        .map(|_| {
            std::thread::sleep(pause);
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    all.sort_by(f64::total_cmp);
    (all[0], all[rounds / 2])
}

fn main() {
    let threads = std::env::args().nth(1);
    let threads = threads.map_or(2, |n| n.parse().expect("a number of threads"));
    set_num_threads(threads);
    let empty = || parallel_for(threads, &|_| {});
    let report = |what: &str, (least, median): (f64, f64)| {
        println!("{what}, {threads} threads: {least:.2} us at least, {median:.2} us median");
    };
    let hundred = || (0..100).for_each(|_| empty());
    let each = |(least, median)| (least / 100.0, median / 100.0);
    {
        let _seat = Seat::take();
        report(
            "an empty region of a run",
            each(times(2000, Duration::ZERO, hundred)),
        );
    }
    report(
        "an empty region by itself",
        each(times(2000, Duration::ZERO, hundred)),
    );
    report(
        "the first after a pause",
        times(200, Duration::from_millis(2), empty),
    );
}
