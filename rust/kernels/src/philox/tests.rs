use super::normal::{Normal32, Normal64};
use super::{Bits, Draw, Uniform32, Uniform64, fill, philox, uniform_bits};
use crate::isa::Isa;

const KEY: [u32; 2] = [0x1234_5678, 0x9ABC_DEF0];

fn drawn<D: Draw>(isa: Isa, start: u64, n: usize) -> Vec<D::Out> {
    let mut out = vec![D::Out::default(); n];
    fill::<D>(isa, KEY, start, &mut out);
    out
}

/// The known answers of the Random123 library.
#[test]
fn known_answers() {
    let cases = [
        (
            [0; 4],
            [0; 2],
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
        ),
        (
            [u32::MAX; 4],
            [u32::MAX; 2],
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
        ),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];
    for (counter, key, answer) in cases {
        let mut x = counter.map(|word| [word]);
        philox(&mut x, key);
        assert_eq!(x.map(|word| word[0]), answer);
    }
    let mut out = [0; 4];
    uniform_bits([0, 0], 0, &mut out);
    assert_eq!(out, cases[0].2);
}

/// Word `i` is word `i % 4` of block `i / 4`, however a draw is cut.
#[test]
fn a_word_depends_on_its_index_alone() {
    let starts = [0, 1, 3, 61, 64, (1 << 34) - 7, u64::MAX - 200];
    for isa in Isa::available() {
        for start in starts {
            let all = drawn::<Bits>(isa, start, 200);
            for (i, word) in all.iter().enumerate() {
                let index = start + i as u64;
                let block = index / 4;
                let mut x = [block as u32, (block >> 32) as u32, 0, 0].map(|w| [w]);
                philox(&mut x, KEY);
                assert_eq!(*word, x[(index % 4) as usize][0]);
            }
        }
        for (start, n) in [(0, 1), (5, 1), (63, 66), (7, 0)] {
            let all = drawn::<Normal32>(isa, 0, 200);
            assert_eq!(drawn::<Normal32>(isa, start, n), all[start as usize..][..n]);
            let all = drawn::<Normal64>(isa, 0, 200);
            assert_eq!(drawn::<Normal64>(isa, start, n), all[start as usize..][..n]);
            let all = drawn::<Uniform64>(isa, 0, 200);
            assert_eq!(
                drawn::<Uniform64>(isa, start, n),
                all[start as usize..][..n]
            );
        }
        // Cut among threads.
        let long = drawn::<Uniform32>(isa, 11, 100_001);
        assert_eq!(drawn::<Uniform32>(isa, 11 + 99_000, 1001), long[99_000..]);
    }
}

#[test]
fn normals_follow_their_formula() {
    let n = 20_000;
    for isa in Isa::available() {
        let words = drawn::<Bits>(isa, 0, 2 * n);
        let (single, double) = (drawn::<Normal32>(isa, 0, n), drawn::<Normal64>(isa, 0, n));
        for j in 0..n / 2 {
            let u = f64::from((words[2 * j] >> 8) + 1) / f64::from(1 << 24);
            let v = f64::from(words[2 * j + 1] >> 8) / f64::from(1 << 24);
            let (r, angle) = ((-2.0 * u.ln()).sqrt(), std::f64::consts::TAU * v);
            assert!((f64::from(single[2 * j]) - r * angle.cos()).abs() < 7e-7);
            assert!((f64::from(single[2 * j + 1]) - r * angle.sin()).abs() < 7e-7);
            let long = |i: usize| (u64::from(words[i + 1]) << 32 | u64::from(words[i])) >> 11;
            let scale = 1.0 / (1u64 << 53) as f64;
            let r = (-2.0 * ((long(4 * j) + 1) as f64 * scale).ln()).sqrt();
            let angle = std::f64::consts::TAU * (long(4 * j + 2) as f64 * scale);
            assert!((double[2 * j] - r * angle.cos()).abs() < 1e-14);
            assert!((double[2 * j + 1] - r * angle.sin()).abs() < 1e-14);
        }
    }
}

#[test]
fn moments_are_those_of_the_distributions() {
    let n = 1 << 20;
    let moments = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / n as f64;
        let central = |power| x.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n as f64;
        [mean, central(2), central(4)]
    };
    let near = |got: [f64; 3], want: [f64; 3]| {
        // Some five standard errors of the fourth moment of the normal.
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 0.005 + 0.01 * want, "{got} {want}");
        }
    };
    let widen = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
    let isa = Isa::best();
    let uniform = widen(drawn::<Uniform32>(isa, 0, n));
    assert!(uniform.iter().all(|v| (0.0..1.0).contains(v)));
    near(moments(&uniform), [0.5, 1.0 / 12.0, 1.0 / 80.0]);
    let uniform = drawn::<Uniform64>(isa, 0, n);
    assert!(uniform.iter().all(|v| (0.0..1.0).contains(v)));
    near(moments(&uniform), [0.5, 1.0 / 12.0, 1.0 / 80.0]);
    near(
        moments(&widen(drawn::<Normal32>(isa, 0, n))),
        [0.0, 1.0, 3.0],
    );
    near(moments(&drawn::<Normal64>(isa, 0, n)), [0.0, 1.0, 3.0]);
}
