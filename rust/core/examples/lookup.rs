//! What it costs to find the plan of a recorded graph, a node:
//! `cargo run --release -p lamina-core --example lookup`.

use lamina_core::{Attrs, Result, Tensor, explain, record};
use std::time::Instant;

/// `length` nodes in pairs, each pair reading the one before and a value of
/// its own, as a training step's do.
fn chain(length: usize, values: &[Tensor]) -> Result<Tensor> {
    let mut x = values[0].clone();
    for pair in 0..length / 2 {
        let value = &values[pair % values.len()];
        let y = record("mul", &[x.clone(), value.clone()], &Attrs::default())?.remove(0);
        x = record("add", &[y, x], &Attrs::default())?.remove(0);
    }
    Ok(x)
}

fn main() -> Result<()> {
    let values = (0..16)
        .map(|_| {
            Tensor::from_bytes(
                lamina_core::DType::F32,
                &[1],
                &[0; 4],
                lamina_core::Device::Cpu,
            )
        })
        .collect::<Result<Vec<Tensor>>>()?;
    for length in [20, 200, 2000] {
        let x = chain(length, &values)?;
        explain(std::slice::from_ref(&x))?;
        let mut times: Vec<f64> = (0..200_000 / length)
            .map(|_| {
                let begin = Instant::now();
                let plan = explain(std::slice::from_ref(&x));
                let time = begin.elapsed().as_secs_f64();
                drop(plan);
                time
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        let ns = times[times.len() / 2] * 1e9 / length as f64;
        println!("{length:5} nodes: {ns:.0} ns a node");
    }
    Ok(())
}
