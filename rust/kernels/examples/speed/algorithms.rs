//! The ways to compute a 3x3 convolution in blocks, weights coming from memory
//! as they do inside a network.

use crate::values;
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::{Algorithm, BlockedConvWeight, Epilogue, forward};
use lamina_kernels::isa::Isa;
use std::hint::black_box;
use std::time::Instant;

/// Batch, channels in, image size, channels out.
const LAYERS: [[usize; 4]; 15] = [
    [1, 64, 56, 64],
    [1, 128, 28, 128],
    [1, 256, 14, 256],
    [1, 512, 7, 512],
    [1, 16, 54, 64],
    [1, 32, 27, 128],
    [1, 48, 13, 192],
    [1, 64, 13, 256],
    [1, 16, 208, 32],
    [1, 32, 104, 64],
    [1, 64, 52, 128],
    [1, 128, 26, 256],
    [1, 256, 13, 512],
    [1, 512, 13, 1024],
    [1, 1024, 13, 1024],
];

const WAYS: [Algorithm; 4] = [
    Algorithm::Direct,
    Algorithm::Gathered,
    Algorithm::WinogradF2,
    Algorithm::WinogradF4,
];

pub fn run(isa: Isa) {
    let mut other = vec![1.0f32; 16 << 20];
    for batch in [1, 8] {
        for [_, in_c, size, out_c] in LAYERS {
            let shape = Conv2dShape {
                batch,
                in_c,
                in_h: size,
                in_w: size,
                out_c,
                kernel_h: 3,
                kernel_w: 3,
                stride: [1; 2],
                dilation: [1; 2],
                pads: [1; 4],
                groups: 1,
            };
            let blocks = |c| lamina_kernels::blocked::len(isa, batch, c, size * size);
            let x = values(blocks(in_c));
            let mut y = values(blocks(out_c));
            let w = values(shape.weight_len());
            let chosen = Algorithm::choose(isa, &shape, true);
            let packed = WAYS.map(|way| BlockedConvWeight::new(isa, way, &shape, &w));
            let mut best = [f64::MAX; WAYS.len()];
            let rounds = if batch == 1 { 25 } else { 7 };
            for _ in 0..rounds {
                for (best, packed) in best.iter_mut().zip(&packed) {
                    for v in &mut other {
                        *v += 1.0;
                    }
                    black_box(x.iter().sum::<f32>());
                    let start = Instant::now();
                    forward(&shape, &x, packed, black_box(&mut y), &Epilogue::NONE);
                    *best = best.min(start.elapsed().as_secs_f64());
                }
            }
            let least = best.iter().fold(f64::MAX, |a, &b| a.min(b));
            print!("{isa} {batch} x {in_c:>4} @{size:<3} -> {out_c:<4}");
            for (way, time) in WAYS.iter().zip(best) {
                print!("  {} {:8.1} us", way.name(), time * 1e6);
            }
            let place = WAYS.iter().position(|way| Some(*way) == chosen);
            let ratio = place.map_or(f64::NAN, |i| best[i] / least);
            let close = Algorithm::close(isa, &shape).len();
            println!(
                "  chosen {} {ratio:.3} of {close}",
                chosen.map_or("none", Algorithm::name)
            );
        }
    }
}
