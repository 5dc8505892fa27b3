//! Box-Muller: two uniforms to two normals.

use super::{Draw, WORDS, unit_f32, unit_f64};
use crate::math::log;
use crate::simd::Simd;

const PAIRS: usize = WORDS / 2;

pub(super) struct Normal32;
pub(super) struct Normal64;

impl Draw for Normal32 {
    type Out = f32;
    const ELEMENTS: usize = WORDS;
    #[inline(always)]
    fn draw<S: Simd>(s: S, words: &[u32; WORDS], out: &mut [f32; WORDS]) {
        let (mut u, mut v) = ([0.0; PAIRS], [0.0; PAIRS]);
        for (i, [first, second]) in words.as_chunks::<2>().0.iter().enumerate() {
            // In (0, 1], so that the logarithm is finite.
            u[i] = unit_f32(*first) + 1.0 / (1 << 24) as f32;
            v[i] = unit_f32(*second);
        }
        for i in (0..PAIRS).step_by(S::LANES) {
            let (uniform, turns) = (s.load(&u[i..]), s.load(&v[i..]));
            let radius = s.sqrt(s.mul(s.splat(-2.0), log(s, uniform)));
            let (sin, cos) = sin_cos_of_turns(s, turns);
            s.store(&mut u[i..], s.mul(radius, cos));
            s.store(&mut v[i..], s.mul(radius, sin));
        }
        for (pair, (cos, sin)) in out.as_chunks_mut::<2>().0.iter_mut().zip(u.iter().zip(&v)) {
            *pair = [*cos, *sin];
        }
    }
}

/// Sine and cosine of 2 pi x for x in [0, 1]: the nearest quarter turn comes
/// off exactly, and minimax polynomials do the rest, at most pi/4 on each side.
#[inline(always)]
fn sin_cos_of_turns<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let quarters = s.mul(x, s.splat(4.0));
    // Pushes the fraction out: to the nearest whole number.
    let push = s.splat(12_582_912.0);
    let q = s.sub(s.add(quarters, push), push);
    let r = s.mul(s.sub(quarters, q), s.splat(std::f32::consts::FRAC_PI_2));
    let z = s.mul(r, r);
    let p = s.fma(s.splat(-1.950_784_6e-4), z, s.splat(8.332_106e-3));
    let p = s.fma(p, z, s.splat(-1.666_665_4e-1));
    let sin = s.fma(s.mul(p, z), r, r);
    let p = s.fma(s.splat(2.443_008_8e-5), z, s.splat(-1.388_729_8e-3));
    let p = s.fma(p, z, s.splat(4.166_664_6e-2));
    let cos = s.fma(s.mul(p, z), z, s.fnma(s.splat(0.5), z, s.splat(1.0)));
    // A quarter turn on: sin becomes cos, cos becomes -sin.
    let q = s.round_to_i(q);
    let odd = s.eq_i(s.and_i(q, s.splat_i(1)), s.splat_i(1));
    let sign_of = |q: S::I| s.shl_i::<30>(s.and_i(q, s.splat_i(2)));
    let flip = |x: S::F, sign: S::I| s.from_bits(s.xor_i(s.bits(x), sign));
    (
        flip(s.select(odd, cos, sin), sign_of(q)),
        flip(s.select(odd, sin, cos), sign_of(s.add_i(q, s.splat_i(1)))),
    )
}

impl Draw for Normal64 {
    type Out = f64;
    const ELEMENTS: usize = WORDS / 2;
    #[inline(always)]
    fn draw<S: Simd>(_: S, words: &[u32; WORDS], out: &mut [f64; WORDS]) {
        let pairs = out.as_chunks_mut::<2>().0;
        for (pair, [a, b, c, d]) in pairs.iter_mut().zip(words.as_chunks::<4>().0) {
            let u = unit_f64([*a, *b]) + 1.0 / (1u64 << 53) as f64;
            let radius = (-2.0 * u.ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * unit_f64([*c, *d])).sin_cos();
            *pair = [radius * cos, radius * sin];
        }
    }
}
