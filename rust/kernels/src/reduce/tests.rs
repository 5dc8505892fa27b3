use super::{Reduction, arg_reduce, reduce};
use crate::isa::Isa;
use crate::number::Number;

fn noise(n: usize) -> Vec<f64> {
    let mut state = 1u64;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
        })
        .collect()
}

/// Elements of each result, by index arithmetic.
fn collect<T: Copy>(input: &[T], shape: &[usize], axes: &[usize]) -> Vec<Vec<T>> {
    let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
    let count: usize = kept.iter().map(|a| shape[*a]).product();
    let mut results = vec![Vec::new(); count];
    for (flat, x) in input.iter().enumerate() {
        let (mut rest, mut index) = (flat, vec![0; shape.len()]);
        for axis in (0..shape.len()).rev() {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        let at = kept.iter().fold(0, |at, a| at * shape[*a] + index[*a]);
        results[at].push(*x);
    }
    results
}

const CASES: [(&[usize], &[usize]); 14] = [
    (&[31, 33], &[1]),
    (&[31, 33], &[0]),
    (&[31, 33], &[0, 1]),
    (&[2, 3, 4, 5], &[0, 2, 3]),
    (&[2, 3, 4, 5], &[1, 3]),
    (&[2, 3, 4, 5], &[]),
    (&[3, 1, 7], &[1]),
    (&[5, 1000], &[1]),
    (&[5000, 9], &[0]),
    (&[3, 700, 600], &[1]),
    (&[200_001], &[0]),
    (&[2, 90_000, 2], &[1]),
    (&[8, 4, 33, 65], &[0, 2, 3]),
    (&[1, 1], &[0]),
];

#[test]
fn sums_means_and_extremes_over_any_axes() {
    for isa in Isa::available() {
        for (shape, axes) in CASES {
            let n = shape.iter().product();
            let wide = noise(n);
            let input: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
            let parts = collect(&input, shape, axes);
            let get = |op| {
                let mut out = vec![f32::NAN; parts.len()];
                reduce(isa, op, &input, shape, axes, &mut out);
                out
            };
            let exact = |v: &[f32]| v.iter().map(|x| f64::from(*x)).sum::<f64>();
            for (part, sum) in parts.iter().zip(get(Reduction::Sum)) {
                // 32 additions a lane, then pairs.
                let size: f64 = part.iter().map(|x| f64::from(x.abs())).sum();
                assert!(
                    (f64::from(sum) - exact(part)).abs()
                        <= 20.0 * size * 2f64.powi(-24) / (part.len() as f64).sqrt().max(1.0)
                            + 1e-7
                );
            }
            for (part, mean) in parts.iter().zip(get(Reduction::Mean)) {
                assert!((f64::from(mean) - exact(part) / part.len() as f64).abs() < 1e-6);
            }
            let fold = |f: fn(f32, f32) -> f32| -> Vec<f32> {
                parts
                    .iter()
                    .map(|p| p.iter().copied().reduce(f).unwrap())
                    .collect()
            };
            assert_eq!(get(Reduction::Max), fold(f32::max), "{shape:?} {axes:?}");
            assert_eq!(get(Reduction::Min), fold(f32::min), "{shape:?} {axes:?}");
        }
    }
}

#[test]
fn a_long_sum_loses_little() {
    let input = vec![0.1f32; 10_000_000];
    for isa in Isa::available() {
        let mut out = [0.0];
        reduce(isa, Reduction::Sum, &input, &[10_000_000], &[0], &mut out);
        let want = f64::from(0.1f32) * 1e7;
        assert!((f64::from(out[0]) - want).abs() / want < 1e-6);
        let mut out = [0.0; 2];
        reduce(isa, Reduction::Sum, &input, &[5_000_000, 2], &[0], &mut out);
        assert!((f64::from(out[1]) - want / 2.0).abs() / want < 1e-6);
    }
}

#[test]
fn integers_wrap_and_other_types_follow() {
    let isa = Isa::current();
    let input = [200u8, 100, 3, 4, 5, 6];
    let mut out = [0u8; 2];
    reduce(isa, Reduction::Sum, &input, &[2, 3], &[1], &mut out);
    assert_eq!(out, [47, 15]);
    reduce(
        isa,
        Reduction::Mean,
        &[-7i32, 2, 9, 9],
        &[2, 2],
        &[1],
        &mut [0, 0],
    );
    let mut out = [0i64; 2];
    reduce(
        isa,
        Reduction::Mean,
        &[-7i64, 2, 9, 9],
        &[2, 2],
        &[1],
        &mut out,
    );
    assert_eq!(out, [-2, 9]);
    reduce(
        isa,
        Reduction::Prod,
        &[-7i64, 2, 9, 9],
        &[2, 2],
        &[0],
        &mut out,
    );
    assert_eq!(out, [-63, 18]);
    let wide = noise(3000);
    let mut out = [0.0];
    reduce(isa, Reduction::Sum, &wide, &[3000], &[0], &mut out);
    assert!((out[0] - wide.iter().sum::<f64>()).abs() < 1e-12);
}

#[test]
fn nothing_gives_the_neutral_element() {
    fn empty<T: Number>(op: Reduction) -> T {
        let mut out = [T::ZERO.plus(T::ONE).plus(T::ONE)];
        reduce(Isa::current(), op, &[], &[0], &[0], &mut out);
        out[0]
    }
    assert_eq!(empty::<f32>(Reduction::Sum), 0.0);
    assert_eq!(empty::<i32>(Reduction::Prod), 1);
    assert_eq!(empty::<f32>(Reduction::Max), f32::NEG_INFINITY);
    assert_eq!(empty::<u8>(Reduction::Min), 255);
    reduce(
        Isa::current(),
        Reduction::Sum,
        &[0.0f32; 0],
        &[0, 3],
        &[1],
        &mut [],
    );
}

#[test]
fn nan_wins_wherever_it_is() {
    for isa in Isa::available() {
        for at in [0, 1, 63, 64, 5000] {
            let mut input = vec![1.0f32; 5001];
            input[at] = f32::NAN;
            for op in [Reduction::Max, Reduction::Min] {
                let mut out = [0.0];
                reduce(isa, op, &input, &[5001], &[0], &mut out);
                assert!(out[0].is_nan());
                let mut out = [0.0; 3];
                reduce(isa, op, &input, &[1667, 3], &[0], &mut out);
                assert!(out[at % 3].is_nan() && !out[(at + 1) % 3].is_nan());
            }
        }
    }
}

#[test]
fn the_first_of_equals_is_found() {
    let isa = Isa::current();
    for (dims, big) in [
        ([3, 100, 1], 5),
        ([2, 33, 31], 7),
        ([1, 70_000, 1], 3),
        ([1, 1, 4], 2),
    ] {
        let [outer, axis, inner] = dims;
        let input: Vec<i32> = (0..outer * axis * inner)
            .map(|i| (i * 7 % big) as i32)
            .collect();
        for largest in [true, false] {
            let mut out = vec![-1; outer * inner];
            arg_reduce(isa, largest, &input, dims, &mut out);
            for o in 0..outer {
                for j in 0..inner {
                    let column: Vec<i32> = (0..axis)
                        .map(|r| input[(o * axis + r) * inner + j])
                        .collect();
                    let best = if largest {
                        column.iter().max()
                    } else {
                        column.iter().min()
                    };
                    let want = column.iter().position(|x| Some(x) == best).unwrap();
                    assert_eq!(out[o * inner + j], want as i64);
                }
            }
        }
    }
    let nan = f32::NAN;
    let mut out = [0];
    arg_reduce(isa, true, &[1.0, nan, 9.0, nan], [1, 4, 1], &mut out);
    assert_eq!(out, [1]);
    let mut out = [0, 0];
    arg_reduce(
        isa,
        false,
        &[5.0, nan, nan, 1.0, 2.0, nan],
        [1, 3, 2],
        &mut out,
    );
    assert_eq!(out, [1, 0]);
}
