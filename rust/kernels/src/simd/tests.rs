use super::{Kernel, MAX_LANES, Simd, dispatch};
use crate::isa::Isa;

struct Check;

impl Kernel for Check {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n = S::LANES;
        assert!(n <= MAX_LANES);
        let xs: Vec<f32> = (0..n).map(|i| (i as f32 - 3.5) * 1.25).collect();
        let ys: Vec<f32> = (0..n).map(|i| 2.0 - i as f32 * 0.75).collect();
        let (x, y) = (s.load(&xs), s.load(&ys));
        let get = |v: S::F| {
            let mut out = vec![0.0; n];
            s.store(&mut out, v);
            out
        };
        let geti = |v: S::I| {
            let mut out = vec![0; n];
            s.store_i(&mut out, v);
            out
        };
        let two = |f: &dyn Fn(f32, f32) -> f32| -> Vec<f32> {
            xs.iter().zip(&ys).map(|(a, b)| f(*a, *b)).collect()
        };
        assert_eq!(get(s.add(x, y)), two(&|a, b| a + b));
        assert_eq!(get(s.sub(x, y)), two(&|a, b| a - b));
        assert_eq!(get(s.mul(x, y)), two(&|a, b| a * b));
        assert_eq!(get(s.div(x, y)), two(&|a, b| a / b));
        assert_eq!(get(s.fma(x, y, x)), two(&|a, b| a * b + a));
        assert_eq!(get(s.fnma(x, y, x)), two(&|a, b| a - a * b));
        assert_eq!(get(s.min(x, y)), two(&f32::min));
        assert_eq!(get(s.max(x, y)), two(&f32::max));
        assert_eq!(get(s.round(x)), two(&|a, _| a.round_ties_even()));
        assert_eq!(get(s.floor(x)), two(&|a, _| a.floor()));
        assert_eq!(get(s.ceil(x)), two(&|a, _| a.ceil()));
        assert_eq!(get(s.trunc(x)), two(&|a, _| a.trunc()));
        assert_eq!(get(s.abs(x)), two(&|a, _| a.abs()));
        assert_eq!(get(s.neg(x)), two(&|a, _| -a));
        assert_eq!(get(s.copysign(x, y)), two(&f32::copysign));
        assert_eq!(get(s.sqrt(s.abs(x))), two(&|a, _| a.abs().sqrt()));
        assert_eq!(
            get(s.select(s.lt(x, y), x, y)),
            two(&|a, b| if a < b { a } else { b })
        );
        assert_eq!(
            get(s.select(s.ge(x, y), x, y)),
            two(&|a, b| if a >= b { a } else { b })
        );

        let bit = |f: &dyn Fn(f32, f32) -> bool| {
            (0..n).fold(0u32, |m, i| m | u32::from(f(xs[i], ys[i])) << i)
        };
        assert_eq!(s.mask_bits(s.lt(x, y)), bit(&|a, b| a < b));
        assert_eq!(s.mask_bits(s.le(x, x)), u32::MAX >> (32 - n));
        assert_eq!(s.mask_bits(s.not_m(s.eq(x, y))), bit(&|a, b| a != b));
        let both = s.and_m(s.gt(x, y), s.lt(x, s.splat(3.0)));
        assert_eq!(s.mask_bits(both), bit(&|a, b| a > b && a < 3.0));
        assert_eq!(s.mask_bits(s.mask_from_bits(0b1001_0110)), 0b1001_0110);
        let nan = s.splat(f32::NAN);
        assert!(s.all(s.is_nan(nan)) && s.all(s.ne(nan, nan)) && !s.any(s.eq(nan, nan)));
        assert_eq!(get(s.max(nan, x)), xs);
        assert_eq!(get(s.min(nan, x)), xs);

        let is: Vec<i32> = (0..n as i32).map(|i| i * 77_777_777 - 99).collect();
        let i = s.load_i(&is);
        let one = |f: &dyn Fn(i32) -> i32| -> Vec<i32> { is.iter().map(|a| f(*a)).collect() };
        let seven = s.splat_i(0x7654_3217);
        assert_eq!(
            geti(s.add_i(i, seven)),
            one(&|a| a.wrapping_add(0x7654_3217))
        );
        assert_eq!(
            geti(s.sub_i(i, seven)),
            one(&|a| a.wrapping_sub(0x7654_3217))
        );
        assert_eq!(
            geti(s.mul_i(i, seven)),
            one(&|a| a.wrapping_mul(0x7654_3217))
        );
        for other in [0x7654_3217, -0x7fff_8000, i32::MIN] {
            let half = |x: i32, y: i32| i64::from(x as i16) * i64::from(y as i16);
            assert_eq!(
                geti(s.add_pairs(seven, i, s.splat_i(other))),
                one(&|a| (0x7654_3217 + half(a, other) + half(a >> 16, other >> 16)) as i32)
            );
        }
        let least = s.splat_i(i32::from_ne_bytes([0, 0x80, 0, 0x80]));
        assert_eq!(
            geti(s.add_pairs(s.splat_i(0), least, least)),
            vec![i32::MIN; n]
        );
        assert_eq!(geti(s.and_i(i, seven)), one(&|a| a & 0x7654_3217));
        assert_eq!(geti(s.or_i(i, seven)), one(&|a| a | 0x7654_3217));
        assert_eq!(geti(s.xor_i(i, seven)), one(&|a| a ^ 0x7654_3217));
        assert_eq!(geti(s.min_i(i, seven)), one(&|a| a.min(0x7654_3217)));
        assert_eq!(geti(s.max_i(i, seven)), one(&|a| a.max(0x7654_3217)));
        assert_eq!(geti(s.shl_i::<5>(i)), one(&|a| a << 5));
        assert_eq!(geti(s.shr_i::<5>(i)), one(&|a| a >> 5));
        assert_eq!(geti(s.shr_u::<5>(i)), one(&|a| (a as u32 >> 5) as i32));
        assert_eq!(
            geti(s.select_i(s.lt_i(i, seven), i, seven)),
            one(&|a| a.min(0x7654_3217))
        );
        assert_eq!(s.mask_bits(s.eq_i(i, s.splat_i(is[2]))), 0b100);
        let x_round: Vec<i32> = xs.iter().map(|a| a.round_ties_even() as i32).collect();
        let x_trunc: Vec<i32> = xs.iter().map(|a| *a as i32).collect();
        assert_eq!(geti(s.round_to_i(x)), x_round);
        assert_eq!(geti(s.trunc_to_i(x)), x_trunc);
        assert_eq!(
            get(s.to_f(i)),
            is.iter().map(|a| *a as f32).collect::<Vec<_>>()
        );

        let table: [f32; 32] = std::array::from_fn(|at| at as f32);
        assert_eq!(
            get(s.look_up(&table, i)),
            one(&|a| a & 31)
                .iter()
                .map(|a| *a as f32)
                .collect::<Vec<_>>()
        );
        for by in [-152, -150, -140, -126, -3, 0, 100, 127, 128] {
            let scaled = get(s.scale(s.splat(1.5), s.splat(by as f32)));
            let want = (1.5 * 2f64.powi(by)) as f32;
            assert!(
                scaled.iter().all(|y| *y == want),
                "1.5 x 2^{by}: {scaled:?}"
            );
        }

        let twice: Vec<f32> = (0..2 * n).map(|i| i as f32).collect();
        let even = get(s.even(s.load(&twice), s.load(&twice[n..])));
        assert_eq!(even, (0..n).map(|i| 2.0 * i as f32).collect::<Vec<_>>());

        assert_eq!(s.sum(x), xs.iter().sum::<f32>());
        assert_eq!(s.max_lane(y), 2.0);
        assert_eq!(s.min_lane(x), xs[0]);
        for part in 0..=n {
            let loaded = get(s.load_part(&xs[..part]));
            assert_eq!(loaded[..part], xs[..part]);
            assert!(loaded[part..].iter().all(|v| *v == 0.0));
            let mut out = vec![9.0; n + 1];
            s.store_part(&mut out[..part], x);
            assert_eq!(out[..part], xs[..part]);
            assert!(out[part..].iter().all(|v| *v == 9.0));
            let mut bytes = vec![7u8; part];
            s.store_mask(&mut bytes, s.lt(x, y));
            assert_eq!(
                s.mask_bits(s.load_mask(&bytes)),
                bit(&|a, b| a < b) & ((1 << part) - 1)
            );
        }
    }
}

#[test]
fn every_instance_agrees_with_scalar_rust() {
    for isa in Isa::available() {
        dispatch(isa, Check);
    }
}

/// Every half, the last `LANES` of memory too.
struct Halves;

impl Kernel for Halves {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let bits: Vec<u16> = (0..=u16::MAX).collect();
        for from in bits.chunks_exact(S::LANES) {
            let mut to = vec![0.0; S::LANES];
            // SAFETY: `LANES` halves.
            s.store(&mut to, unsafe { s.load_half_ptr(from.as_ptr()) });
            for (half, wide) in from.iter().zip(to) {
                let want = half::f16::from_bits(*half).to_f32();
                let same = wide.to_bits() == want.to_bits() || wide.is_nan() && want.is_nan();
                assert!(same, "{half:#06x}: got {wide}, wanted {want}");
            }
        }
    }
}

#[test]
fn halves_are_widened_exactly() {
    for isa in Isa::available() {
        dispatch(isa, Halves);
    }
}

#[test]
fn a_kernel_runs_as_the_instance_asked_for() {
    struct Which;
    impl Kernel for Which {
        type Out = Isa;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> Isa {
            S::ISA
        }
    }
    for isa in Isa::available() {
        assert_eq!(dispatch(isa, Which), isa);
    }
}
