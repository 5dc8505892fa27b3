//! The blocked layout of images: (batch, channel blocks, height, width,
//! lanes), a block holding as many channels as a vector has lanes.  Where
//! the channels do not fill the last block, its other lanes hold anything.

use crate::cache;
use crate::isa::Isa;
use crate::matmul::pack::transpose;
use crate::pool::{DisjointMut, parallel_for};

/// Blocks that hold `channels`.
pub const fn blocks(isa: Isa, channels: usize) -> usize {
    channels.div_ceil(isa.lanes())
}

/// Values of a blocked image of `batch` times `channels` planes.
pub const fn len(isa: Isa, batch: usize, channels: usize, plane: usize) -> usize {
    batch * blocks(isa, channels) * plane * isa.lanes()
}

/// Pixels of one task.
fn pieces(plane: usize) -> usize {
    let most = cache::l2() / 64 / 16;
    plane.div_ceil(most.max(64))
}

/// From (batch, channels, plane) to (batch, blocks, plane, lanes); lanes
/// without a channel become 0.
///
/// # Panics
/// Where a slice has another size.
pub fn to_blocked(isa: Isa, [batch, channels, plane]: [usize; 3], x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), batch * channels * plane);
    assert_eq!(y.len(), len(isa, batch, channels, plane));
    let lanes = isa.lanes();
    let blocks = blocks(isa, channels);
    let cuts = pieces(plane);
    let y = DisjointMut::new(y);
    parallel_for(batch * blocks * cuts, &|task| {
        let (cut, unit) = (task % cuts, task / cuts);
        let (block, image) = (unit % blocks, unit / blocks);
        let (from, to) = (plane * cut / cuts, plane * (cut + 1) / cuts);
        let first = block * lanes;
        let here = lanes.min(channels - first);
        let x = &x[(image * channels + first) * plane..][..here * plane];
        // SAFETY: tasks write different pixels.
        let y = unsafe { y.slice((unit * plane + from) * lanes..(unit * plane + to) * lanes) };
        if here < lanes {
            y.fill(0.0);
        }
        if from < to {
            // SAFETY: `here` rows of `to - from` in x, pixels of `lanes` in y.
            unsafe {
                let x = x.as_ptr().add(from);
                transpose(x, plane, y.as_mut_ptr(), lanes, here, to - from);
            }
        }
    });
}

/// The inverse of [`to_blocked`].
///
/// # Panics
/// Where a slice has another size.
pub fn from_blocked(isa: Isa, [batch, channels, plane]: [usize; 3], x: &[f32], y: &mut [f32]) {
    assert_eq!(y.len(), batch * channels * plane);
    assert_eq!(x.len(), len(isa, batch, channels, plane));
    let lanes = isa.lanes();
    let blocks = blocks(isa, channels);
    let cuts = pieces(plane);
    let y = DisjointMut::new(y);
    parallel_for(batch * blocks * cuts, &|task| {
        let (cut, unit) = (task % cuts, task / cuts);
        let (block, image) = (unit % blocks, unit / blocks);
        let (from, to) = (plane * cut / cuts, plane * (cut + 1) / cuts);
        let first = block * lanes;
        let here = lanes.min(channels - first);
        if from < to {
            let x = &x[(unit * plane + from) * lanes..(unit * plane + to) * lanes];
            let start = (image * channels + first) * plane + from;
            assert!(start + (here - 1) * plane + to - from <= y.len());
            // SAFETY: tasks write different pixels or channels, inside y.
            unsafe {
                let y = y.as_mut_ptr().add(start);
                transpose(x.as_ptr(), lanes, y, plane, to - from, here);
            }
        }
    });
}

/// `values`, one for each channel, filled up to whole blocks with 0.
pub fn pad_channels(isa: Isa, values: &[f32]) -> Vec<f32> {
    let mut padded = values.to_vec();
    padded.resize(blocks(isa, values.len()) * isa.lanes(), 0.0);
    padded
}

#[cfg(test)]
mod tests {
    use super::{from_blocked, len, to_blocked};
    use crate::isa::Isa;

    #[test]
    fn there_and_back() {
        for isa in Isa::available() {
            let lanes = isa.lanes();
            for [batch, channels, plane] in [[1, 3, 5], [2, 16, 49], [2, 37, 4100], [1, 1, 1]] {
                let x: Vec<f32> = (0..batch * channels * plane).map(|i| i as f32).collect();
                let mut y = vec![-1.0; len(isa, batch, channels, plane)];
                to_blocked(isa, [batch, channels, plane], &x, &mut y);
                for (i, v) in y.iter().enumerate() {
                    let (lane, pixel) = (i % lanes, i / lanes % plane);
                    let unit = i / lanes / plane;
                    let (block, image) = (
                        unit % channels.div_ceil(lanes),
                        unit / channels.div_ceil(lanes),
                    );
                    let channel = block * lanes + lane;
                    let want = if channel < channels {
                        ((image * channels + channel) * plane + pixel) as f32
                    } else {
                        0.0
                    };
                    assert_eq!(*v, want);
                }
                let mut back = vec![-1.0; x.len()];
                from_blocked(isa, [batch, channels, plane], &y, &mut back);
                assert_eq!(back, x);
            }
        }
    }
}
