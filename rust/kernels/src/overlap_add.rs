//! Frames along an axis summed where they overlap: (outer, count, size,
//! inner) to (outer, length, inner).

use crate::number::Float;
use crate::pool::{DisjointMut, parallel_chunks};

/// Fewer elements than this are summed by the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Where frames lie: element `tap` of frame `frame` at
/// `frame * step + tap * dilation` of `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frames {
    pub count: usize,
    pub size: usize,
    pub step: usize,
    pub dilation: usize,
    pub length: usize,
}

impl Frames {
    fn place(&self, frame: usize, tap: usize) -> usize {
        frame * self.step + tap * self.dilation
    }

    /// Elements from the first to the last that a frame reaches.
    fn reach(&self) -> usize {
        match self.count * self.size {
            0 => 0,
            _ => self.place(self.count - 1, self.size - 1) + 1,
        }
    }
}

/// `out`, whole; 0 where there is no frame.
pub fn overlap_add<T: Float>(x: &[T], [outer, inner]: [usize; 2], frames: &Frames, out: &mut [T]) {
    let (from, to) = (frames.count * frames.size * inner, frames.length * inner);
    assert!(x.len() == outer * from && out.len() == outer * to);
    assert!(frames.reach() <= frames.length);
    let shared = DisjointMut::new(out);
    parallel_chunks(outer, MIN_CHUNK.div_ceil((from + to).max(1)), |range| {
        for o in range {
            // SAFETY: the parts do not overlap.
            let out = unsafe { shared.slice(o * to..(o + 1) * to) };
            out.fill(T::ZERO);
            let x = &x[o * from..(o + 1) * from];
            if inner == 1 {
                numbers(x, frames, out);
            } else {
                rows(x, inner, frames, out);
            }
        }
    });
}

fn rows<T: Float>(x: &[T], inner: usize, frames: &Frames, out: &mut [T]) {
    let mut rows = x.chunks_exact(inner.max(1));
    for frame in 0..frames.count {
        for tap in 0..frames.size {
            let at = frames.place(frame, tap) * inner;
            let Some(row) = rows.next() else { return };
            for (sum, x) in out[at..at + inner].iter_mut().zip(row) {
                *sum += *x;
            }
        }
    }
}

/// Rows of one element, tap by tap.
fn numbers<T: Float>(x: &[T], frames: &Frames, out: &mut [T]) {
    if frames.count == 0 {
        return;
    }
    for tap in 0..frames.size {
        let places = out[tap * frames.dilation..].iter_mut().step_by(frames.step);
        for (sum, x) in places.zip(x[tap..].iter().step_by(frames.size)) {
            *sum += *x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, overlap_add};

    #[test]
    fn sums_follow_the_loops() {
        let forms = [
            (1, 1, 1, 1, 0),
            (3, 2, 2, 1, 0),
            (5, 3, 1, 1, 2),
            (4, 3, 3, 2, 1),
            (2, 4, 5, 1, 0),
            (0, 3, 1, 1, 4),
        ];
        for (count, size, step, dilation, more) in forms {
            let mut frames = Frames {
                count,
                size,
                step,
                dilation,
                length: 0,
            };
            frames.length = frames.reach() + more;
            for [outer, inner] in [[1, 1], [3, 1], [2, 33], [0, 2], [2, 0]] {
                let n = outer * count * size * inner;
                let x: Vec<f64> = (0..n).map(|i| ((i * 7919) % 13) as f64 - 6.0).collect();
                let mut wanted = vec![0.0; outer * frames.length * inner];
                for o in 0..outer {
                    for c in 0..count {
                        for k in 0..size {
                            for i in 0..inner {
                                let at = o * frames.length + c * step + k * dilation;
                                wanted[at * inner + i] +=
                                    x[((o * count + c) * size + k) * inner + i];
                            }
                        }
                    }
                }
                let mut got = vec![-1.0; wanted.len()];
                overlap_add(&x, [outer, inner], &frames, &mut got);
                assert_eq!(got, wanted, "{frames:?} {outer} {inner}");
            }
        }
    }
}
