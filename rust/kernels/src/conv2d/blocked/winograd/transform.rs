//! The transforms of tiles, results and kernels, a column or a row at a time.

use super::Size;
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// B' d for the values of a column or row.
#[inline(always)]
pub(super) fn input<S: Simd, const SIDE: usize>(s: S, d: [S::F; SIDE]) -> [S::F; SIDE] {
    let mut out = d;
    if SIDE == 4 {
        out[0] = s.sub(d[0], d[2]);
        out[1] = s.add(d[1], d[2]);
        out[2] = s.sub(d[2], d[1]);
        out[3] = s.sub(d[1], d[3]);
        return out;
    }
    let (two, four, five) = (s.splat(2.0), s.splat(4.0), s.splat(5.0));
    let even = s.fnma(four, d[2], d[4]);
    let odd = s.fnma(four, d[1], d[3]);
    let far_even = s.sub(d[4], d[2]);
    let far_odd = s.mul(two, s.sub(d[3], d[1]));
    out[0] = s.add(s.fnma(five, d[2], s.mul(four, d[0])), d[4]);
    out[1] = s.add(even, odd);
    out[2] = s.sub(even, odd);
    out[3] = s.add(far_even, far_odd);
    out[4] = s.sub(far_even, far_odd);
    out[5] = s.add(s.fnma(five, d[3], s.mul(four, d[1])), d[5]);
    out
}

/// A' m for the values of a column or row.
#[inline(always)]
pub(super) fn output<S: Simd, const SIDE: usize, const OUT: usize>(
    s: S,
    m: [S::F; SIDE],
) -> [S::F; OUT] {
    let (sum, difference) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let mut out = [s.zero(); OUT];
    if SIDE == 4 {
        out[0] = s.add(m[0], sum);
        out[1] = s.sub(difference, m[3]);
        return out;
    }
    let (far_sum, far_difference) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    out[0] = s.add(s.add(m[0], sum), far_sum);
    out[1] = s.fma(s.splat(2.0), far_difference, difference);
    out[2] = s.fma(s.splat(4.0), far_sum, sum);
    out[3] = s.add(s.fma(s.splat(8.0), far_difference, difference), m[5]);
    out
}

/// G g for the three values of a column or row.
#[inline(always)]
pub(super) fn kernel<S: Simd, const SIDE: usize>(s: S, g: [S::F; 3]) -> [S::F; SIDE] {
    let ends = s.add(g[0], g[2]);
    let mut out = [s.zero(); SIDE];
    if SIDE == 4 {
        let half = s.splat(0.5);
        out[0] = g[0];
        out[1] = s.mul(half, s.add(ends, g[1]));
        out[2] = s.mul(half, s.sub(ends, g[1]));
        out[3] = g[2];
        return out;
    }
    let near = |sum| s.mul(s.splat(-1.0 / 6.0), sum);
    let far_ends = s.fma(s.splat(1.0 / 24.0), g[0], s.mul(s.splat(1.0 / 6.0), g[2]));
    let middle = s.mul(s.splat(1.0 / 12.0), g[1]);
    out[0] = s.mul(s.splat(0.25), g[0]);
    out[1] = near(s.add(ends, g[1]));
    out[2] = near(s.sub(ends, g[1]));
    out[3] = s.add(far_ends, middle);
    out[4] = s.sub(far_ends, middle);
    out[5] = g[2];
    out
}

/// \[in channel\]\[tap\]\[width\] to \[product\]\[in channel\]\[width\].
struct Weights<'a, const SIDE: usize> {
    rows: &'a [f32],
    /// The taps that stand for 0 to 8.
    kernel: &'a [usize],
    in_c: usize,
    width: usize,
    to: &'a mut [f32],
}

impl<const SIDE: usize> Kernel for Weights<'_, SIDE> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.width;
        for channel in 0..self.in_c {
            for at in (0..width).step_by(S::LANES) {
                let mut half = [[s.zero(); SIDE]; 3];
                for (x, half) in half.iter_mut().enumerate() {
                    let tap = |y: usize| {
                        let tap = self.kernel[y * 3 + x];
                        s.load(&self.rows[(channel * 9 + tap) * width + at..])
                    };
                    *half = kernel(s, [tap(0), tap(1), tap(2)]);
                }
                for y in 0..SIDE {
                    let row = half.map(|column| column[y]);
                    for (x, value) in kernel::<S, SIDE>(s, row).into_iter().enumerate() {
                        let to = ((y * SIDE + x) * self.in_c + channel) * width + at;
                        s.store(&mut self.to[to..], value);
                    }
                }
            }
        }
    }
}

/// The transformed kernels of `width` output channels.
pub fn weights(
    isa: Isa,
    size: Size,
    rows: &[f32],
    kernel: &[usize],
    [in_c, width]: [usize; 2],
    to: &mut [f32],
) {
    match size {
        Size::F2 => dispatch(
            isa,
            Weights::<4> {
                rows,
                kernel,
                in_c,
                width,
                to,
            },
        ),
        Size::F4 => dispatch(
            isa,
            Weights::<6> {
                rows,
                kernel,
                in_c,
                width,
                to,
            },
        ),
    }
}
