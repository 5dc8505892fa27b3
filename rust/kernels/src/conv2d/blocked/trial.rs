//! Ways to compute a convolution, by the clock.

use super::weight::BlockedConvWeight;
use super::{Algorithm, Conv2dShape, Epilogue, forward, winograd};
use crate::isa::Isa;
use crate::scratch::AlignedBuf;
use crate::{blocked, cache, pool};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Runs of each way, in turn: what disturbs one seldom disturbs all.
const ROUNDS: usize = 3;
/// Output channels that are computed: time is in proportion to them, but for
/// the input's transform, of which more would hide no more.
const CHANNELS: usize = 128;
/// The first way is kept unless another takes less than this part of its time.
const CLEARLY: f64 = 0.97;
/// Multiply-adds of one lane, and bytes written anew, in a nanosecond: what a
/// slow machine does, so that a trial that begins is short of its limit.
const FLOPS: f64 = 8.0;
const BYTES: f64 = 1.0;

/// Where a weight is when its layer comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// In the last cache, where all of the network's are.
    Near,
    /// In memory.
    Far,
}

impl Weights {
    /// Of a network whose weights have so many bytes, before they are packed.
    pub fn of_network(bytes: usize) -> Weights {
        // Images and larger packings take the other half.
        if bytes < cache::last() / 2 {
            Weights::Near
        } else {
            Weights::Far
        }
    }
}

/// The fastest of `ways` on this thread, the first in doubt; None where the
/// trial would take longer than `limit`.
pub fn fastest(
    isa: Isa,
    shape: &Conv2dShape,
    ways: &[Algorithm],
    weights: Weights,
    limit: Duration,
) -> Option<Algorithm> {
    let shape = Conv2dShape {
        out_c: shape.out_c.min(CHANNELS),
        ..*shape
    };
    let costs = winograd::costs(isa, &shape)?;
    let cost = |way: &Algorithm| costs.iter().find(|(w, _)| w == way).map(|(_, cost)| cost);
    let costs: f64 = ways.iter().filter_map(cost).sum();
    let len_of = |way| BlockedConvWeight::len(isa, way, &shape);
    let len = ways.iter().map(|&way| len_of(way)).max()?;
    let images = [
        (shape.in_c, shape.in_plane()),
        (shape.out_c, shape.out_plane()),
    ];
    let [x, y] = images.map(|(channels, plane)| blocked::len(isa, shape.batch, channels, plane));
    let bytes = (len + x + y) * size_of::<f32>();
    let expected = costs * ROUNDS as f64 / FLOPS + bytes as f64 / BYTES;
    if expected > limit.as_nanos() as f64 {
        return None;
    }
    // What the values are does not matter, only that sums stay small.
    let filled = |len: usize| {
        let mut data = AlignedBuf::zeroed(len);
        data.as_mut_slice().fill(2.0f32.powi(-12));
        data
    };
    let (x, mut y) = (filled(x), filled(y));
    // Twice what the second-level cache holds.
    let mut other = filled(2 * cache::l2() / size_of::<f32>());
    let mut weight = BlockedConvWeight::made_up(isa, &shape, filled(len));
    let mut best = vec![f64::MAX; ways.len()];
    pool::alone(|| {
        for _ in 0..ROUNDS {
            for (best, &way) in best.iter_mut().zip(ways) {
                weight.pretend(way);
                match weights {
                    Weights::Far => flush(&weight.data()[..len_of(way)]),
                    Weights::Near => other.as_mut_slice().iter_mut().for_each(|v| *v += 1.0),
                }
                black_box(x.as_slice().iter().sum::<f32>());
                let start = Instant::now();
                forward(
                    &shape,
                    x.as_slice(),
                    &weight,
                    black_box(y.as_mut_slice()),
                    &Epilogue::NONE,
                );
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
    });
    let mut first = best[0] * CLEARLY;
    let mut fastest = ways[0];
    for (&time, &way) in best.iter().zip(ways).skip(1) {
        if time < first {
            (first, fastest) = (time, way);
        }
    }
    Some(fastest)
}

/// Drives values from all caches.
#[cfg(target_arch = "x86_64")]
fn flush(values: &[f32]) {
    use std::arch::x86_64::{_mm_clflush, _mm_mfence};
    // SAFETY: every x86-64 processor has these; the addresses are of values.
    unsafe {
        for line in values.chunks(cache::LINE) {
            _mm_clflush(line.as_ptr().cast());
        }
        _mm_mfence();
    }
}

/// Here programs have no such instruction: weights are as near as they are.
#[cfg(not(target_arch = "x86_64"))]
fn flush(_values: &[f32]) {}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Conv2dShape, Duration, Weights, fastest};
    use crate::isa::Isa;

    /// Costs of Winograd's two forms lie close together.
    const SHAPE: Conv2dShape = Conv2dShape {
        batch: 1,
        in_c: 64,
        in_h: 13,
        in_w: 13,
        out_c: 160,
        kernel_h: 3,
        kernel_w: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pads: [1; 4],
        groups: 1,
    };

    #[test]
    fn one_of_the_ways_within_the_limit_or_none() {
        for isa in Isa::available() {
            let ways = Algorithm::close(isa, &SHAPE);
            assert_eq!(Some(ways[0]), Algorithm::choose(isa, &SHAPE, true));
            assert_eq!(ways.len(), 2, "{ways:?}");
            for weights in [Weights::Near, Weights::Far] {
                let trial = |limit| fastest(isa, &SHAPE, &ways, weights, limit);
                assert_eq!(trial(Duration::from_micros(100)), None);
                assert!(ways.contains(&trial(Duration::from_secs(10)).unwrap()));
            }
        }
    }

    #[test]
    fn sizes_decide_where_costs_are_far_apart_or_there_is_one_way() {
        let wide = Conv2dShape {
            in_h: 56,
            in_w: 56,
            ..SHAPE
        };
        let strided = Conv2dShape {
            stride: [2; 2],
            ..SHAPE
        };
        for isa in Isa::available() {
            assert_eq!(Algorithm::close(isa, &wide), [Algorithm::WinogradF4]);
            assert!(Algorithm::close(isa, &strided).len() < 2);
        }
    }
}
