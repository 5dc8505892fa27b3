use super::{PadMode, Pads, pad, pad_backward};

const MODES: [PadMode; 4] = [
    PadMode::Constant,
    PadMode::Edge,
    PadMode::Reflect,
    PadMode::Wrap,
];

/// The source of position `i` of an axis of `n`, walked step by step.
fn source(mode: PadMode, i: isize, n: isize) -> Option<isize> {
    let mut i = i;
    while !(0..n).contains(&i) {
        i = match mode {
            PadMode::Constant => return None,
            PadMode::Edge => i + if i < 0 { 1 } else { -1 },
            PadMode::Wrap => i + if i < 0 { n } else { -n },
            PadMode::Reflect if n == 1 => 0,
            PadMode::Reflect => {
                if i < 0 {
                    -i
                } else {
                    2 * (n - 1) - i
                }
            }
        };
    }
    Some(i)
}

fn check(shape: [usize; 3], before: [isize; 3], after: [isize; 3]) {
    let pads = Pads {
        before: &before,
        after: &after,
    };
    let out_shape = pads.apply(&shape).unwrap();
    let x: Vec<i32> = (1..=shape.iter().product::<usize>() as i32).collect();
    let n: usize = out_shape.iter().product();
    let dy: Vec<i32> = (0..n as i32).map(|i| i % 11 - 3).collect();
    for mode in MODES {
        let (mut want, mut want_dx) = (Vec::new(), vec![0; x.len()]);
        for (flat, dy) in dy.iter().enumerate() {
            let index = [
                flat / (out_shape[1] * out_shape[2]),
                flat / out_shape[2] % out_shape[1],
                flat % out_shape[2],
            ];
            let at: Option<isize> = (0..3).try_fold(0, |at, a| {
                let n = shape[a] as isize;
                source(mode, index[a] as isize - before[a], n).map(|i| at * n + i)
            });
            want.push(at.map_or(-7, |at| x[at as usize]));
            if let Some(at) = at {
                want_dx[at as usize] += dy;
            }
        }
        let mut out = vec![0; n];
        pad(&x, &shape, pads, mode, -7, &mut out);
        assert_eq!(out, want, "{mode:?} {shape:?} {before:?} {after:?}");
        let mut dx = vec![9; x.len()];
        pad_backward(&dy, &shape, pads, mode, &mut dx);
        assert_eq!(dx, want_dx, "{mode:?} {shape:?} {before:?} {after:?}");
    }
}

#[test]
fn every_mode_follows_the_index() {
    check([2, 3, 4], [0, 0, 0], [0, 0, 0]);
    check([2, 3, 4], [1, 2, 3], [0, 1, 2]);
    check([2, 3, 4], [0, 0, 2], [0, 0, 0]);
    check([2, 3, 4], [0, 5, 9], [0, 7, 12]);
    check([2, 3, 4], [0, -1, -2], [0, 0, 1]);
    check([2, 3, 4], [0, 2, -1], [1, -2, -3]);
    check([3, 1, 1], [0, 1, 2], [0, 3, 1]);
    check([9, 31, 33], [0, 1, 1], [0, 1, 1]);
    check([2, 65, 600], [0, 0, 3], [0, 2, 0]);
}

#[test]
fn empty_and_scalar() {
    let pads = Pads {
        before: &[1, 0],
        after: &[1, 2],
    };
    assert_eq!(pads.apply(&[0, 1]), Some(vec![2, 3]));
    let mut out = [0.0f32; 6];
    pad(&[], &[0, 1], pads, PadMode::Constant, 2.0, &mut out);
    assert_eq!(out, [2.0; 6]);
    let none = Pads {
        before: &[],
        after: &[],
    };
    let mut out = [0];
    pad(&[5], &[], none, PadMode::Edge, 0, &mut out);
    assert_eq!(out, [5]);
    let too_much = Pads {
        before: &[-2],
        after: &[-2],
    };
    assert_eq!(too_much.apply(&[3]), None);
}
