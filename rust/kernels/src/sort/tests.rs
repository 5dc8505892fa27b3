use super::{Ordered, sort, topk};

fn noise(n: usize, values: u64) -> Vec<u64> {
    let mut state = 9u64;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % values
        })
        .collect()
}

/// A stable insertion sort of one line.
fn sorted(line: &[f64], descending: bool) -> Vec<usize> {
    let after = |a: f64, b: f64| {
        let rise = (a > b) || (a.is_nan() && !b.is_nan());
        let fall = (a < b) || (!a.is_nan() && b.is_nan());
        if descending { fall } else { rise }
    };
    let mut order: Vec<usize> = Vec::new();
    for i in 0..line.len() {
        let at = order
            .iter()
            .rposition(|j| !after(line[*j], line[i]))
            .map_or(0, |p| p + 1);
        order.insert(at, i);
    }
    order
}

fn check<T: Ordered>(x: &[T], wide: &[f64], dims: [usize; 3], k: usize) {
    let [outer, axis, inner] = dims;
    for largest in [false, true] {
        let mut values = vec![T::ZERO; outer * k * inner];
        let mut indices = vec![-1; values.len()];
        if k == axis {
            sort(x, dims, largest, &mut values, &mut indices);
        } else {
            topk(x, dims, k, largest, &mut values, &mut indices);
        }
        for o in 0..outer {
            for j in 0..inner {
                let at = |i: usize| (o * axis + i) * inner + j;
                let line: Vec<f64> = (0..axis).map(|i| wide[at(i)]).collect();
                for (i, place) in sorted(&line, largest).into_iter().take(k).enumerate() {
                    let to = (o * k + i) * inner + j;
                    assert_eq!(indices[to], place as i64);
                    assert!(values[to] == x[at(place)] || values[to].is_nan());
                }
            }
        }
    }
}

#[test]
fn order_is_stable_in_both_directions() {
    for (dims, k) in [
        ([1, 1, 1], 1),
        ([3, 33, 1], 33),
        ([2, 31, 5], 31),
        ([2, 400, 3], 7),
        ([1, 5, 2], 0),
        ([50, 300, 1], 10),
        ([2, 0, 3], 0),
    ] {
        let bits = noise(dims.iter().product(), 40);
        let mut wide: Vec<f64> = bits.iter().map(|b| *b as f64 - 20.0).collect();
        let ints: Vec<i32> = wide.iter().map(|x| *x as i32).collect();
        check(&ints, &wide, dims, k);
        let bytes: Vec<u8> = bits.iter().map(|b| *b as u8).collect();
        check(
            &bytes,
            &bits.iter().map(|b| *b as f64).collect::<Vec<_>>(),
            dims,
            k,
        );
        for (x, b) in wide.iter_mut().zip(&bits) {
            match b {
                3 => *x = f64::NAN,
                4 => *x = -0.0,
                20 => *x = 0.0,
                5 => *x = f64::NEG_INFINITY,
                6 => *x = f64::INFINITY,
                _ => {}
            }
        }
        check(&wide, &wide, dims, k);
        let single: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
        check(&single, &wide, dims, k);
    }
}
