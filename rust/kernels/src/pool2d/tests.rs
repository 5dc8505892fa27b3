use super::{
    Pool2dShape, Pooling, average_pool2d, average_pool2d_backward, max_pool2d, max_pool2d_backward,
    max_pool2d_backward_blocked, max_pool2d_backward_indices, pool2d_blocked,
};
use crate::isa::Isa;

fn shapes() -> Vec<Pool2dShape> {
    let make =
        |planes, input: [usize; 2], kernel, stride, dilation, pads: [usize; 4], ceil: bool| {
            let out = |a: usize| {
                let reach = dilation_of(dilation, a) * (kernel_of(kernel, a) - 1) + 1;
                let room = input[a] + pads[a] + pads[a + 2] - reach;
                let s: [usize; 2] = stride;
                let n = if ceil {
                    room.div_ceil(s[a]) + 1
                } else {
                    room / s[a] + 1
                };
                // The last window starts inside the input or its left padding.
                if ceil && (n - 1) * s[a] >= input[a] + pads[a] {
                    n - 1
                } else {
                    n
                }
            };
            Pool2dShape {
                planes,
                in_h: input[0],
                in_w: input[1],
                out_h: out(0),
                out_w: out(1),
                kernel,
                stride,
                dilation,
                pads,
            }
        };
    vec![
        make(3, [8, 8], [2, 2], [2, 2], [1, 1], [0; 4], false),
        make(3, [9, 37], [2, 2], [2, 2], [1, 1], [0; 4], false),
        make(2, [31, 33], [3, 3], [2, 2], [1, 1], [1; 4], false),
        make(2, [31, 32], [3, 3], [2, 2], [1, 1], [0; 4], true),
        make(5, [33, 31], [3, 2], [1, 1], [1, 1], [1, 0, 1, 1], false),
        make(1, [17, 40], [3, 3], [1, 3], [2, 3], [2, 3, 1, 0], false),
        make(4, [7, 7], [7, 7], [1, 1], [1, 1], [0; 4], false),
        make(2, [5, 5], [2, 2], [3, 3], [1, 1], [0, 0, 0, 0], true),
        make(1, [1, 1], [1, 1], [1, 1], [1, 1], [0; 4], false),
        make(40, [64, 65], [2, 2], [2, 2], [1, 1], [0, 0, 0, 1], true),
    ]
}

fn dilation_of(dilation: [usize; 2], axis: usize) -> usize {
    dilation[axis]
}

fn kernel_of(kernel: [usize; 2], axis: usize) -> usize {
    kernel[axis]
}

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Few values, so that maxima tie.
            ((state >> 40) % 50) as f32 * 0.25 - 6.0
        })
        .collect()
}

/// Of each output: the input positions of its taps in order, and how many
/// taps lie in the padded input.
fn windows(s: &Pool2dShape) -> Vec<(Vec<usize>, usize)> {
    let mut all = Vec::new();
    for p in 0..s.planes {
        for oy in 0..s.out_h {
            for ox in 0..s.out_w {
                let (mut taps, mut padded) = (Vec::new(), 0);
                for ky in 0..s.kernel[0] {
                    for kx in 0..s.kernel[1] {
                        let y =
                            (oy * s.stride[0] + ky * s.dilation[0]) as isize - s.pads[0] as isize;
                        let x =
                            (ox * s.stride[1] + kx * s.dilation[1]) as isize - s.pads[1] as isize;
                        let inside = |v: isize, n: usize| v >= 0 && v < n as isize;
                        if inside(y, s.in_h) && inside(x, s.in_w) {
                            taps.push((p * s.in_h + y as usize) * s.in_w + x as usize);
                        }
                        padded += usize::from(
                            y < (s.in_h + s.pads[2]) as isize && x < (s.in_w + s.pads[3]) as isize,
                        );
                    }
                }
                all.push((taps, padded));
            }
        }
    }
    all
}

#[test]
fn max_takes_the_first_maximum_and_its_gradient() {
    for s in shapes() {
        let n = s.planes * s.in_h * s.in_w;
        let (x, windows) = (noise(n, 5), windows(&s));
        let dy: Vec<f32> = (0..windows.len()).map(|i| i as f32 % 7.0 - 2.5).collect();
        let first: Vec<usize> = windows
            .iter()
            .map(|(taps, _)| {
                let best = taps.iter().map(|t| x[*t]).fold(f32::MIN, f32::max);
                *taps.iter().find(|t| x[**t] == best).unwrap()
            })
            .collect();
        let want: Vec<f32> = first.iter().map(|i| x[*i]).collect();
        let mut want_dx = vec![0.0f32; n];
        for (i, d) in first.iter().zip(&dy) {
            want_dx[*i] += d;
        }
        for isa in Isa::available() {
            let mut y = vec![f32::NAN; want.len()];
            max_pool2d(isa, &s, &x, &mut y, None);
            assert_eq!(y, want, "{s:?}");
        }
        let (mut y, mut indices) = (vec![0.0; want.len()], vec![0; want.len()]);
        max_pool2d(Isa::current(), &s, &x, &mut y, Some(&mut indices));
        assert_eq!(y, want);
        let plane = s.in_h * s.in_w;
        assert!(
            indices
                .iter()
                .zip(&first)
                .all(|(a, b)| *a as usize == b % plane)
        );
        let mut dx = vec![f32::NAN; n];
        max_pool2d_backward(&s, &x, &dy, &mut dx);
        assert_eq!(dx, want_dx);
        dx.fill(f32::NAN);
        max_pool2d_backward_indices(&s, &indices, &dy, &mut dx);
        assert_eq!(dx, want_dx);
    }
}

#[test]
fn averages_divide_by_the_counted_taps() {
    for s in shapes() {
        let n = s.planes * s.in_h * s.in_w;
        let (x, windows) = (noise(n, 5), windows(&s));
        let dy: Vec<f32> = (0..windows.len()).map(|i| i as f32 % 7.0 - 2.5).collect();
        for include_pad in [false, true] {
            let mut want_dx = vec![0.0f64; n];
            let mut want = Vec::new();
            for ((taps, padded), dy) in windows.iter().zip(&dy) {
                let count = if include_pad { *padded } else { taps.len() } as f64;
                want.push(taps.iter().map(|t| f64::from(x[*t])).sum::<f64>() / count);
                for t in taps {
                    want_dx[*t] += f64::from(*dy) / count;
                }
            }
            for isa in Isa::available() {
                let mut y = vec![f32::NAN; want.len()];
                average_pool2d(isa, &s, include_pad, &x, &mut y);
                for (y, want) in y.iter().zip(&want) {
                    assert!(
                        (f64::from(*y) - want).abs() < 2e-5,
                        "{s:?}: {y}, not {want}"
                    );
                }
            }
            let mut dx = vec![f32::NAN; n];
            average_pool2d_backward(&s, include_pad, &dy, &mut dx);
            for (dx, want) in dx.iter().zip(&want_dx) {
                assert!((f64::from(*dx) - want).abs() < 2e-5);
            }
        }
    }
}

#[test]
fn nan_wins_and_padding_alone_is_lowest() {
    let s = Pool2dShape {
        planes: 1,
        in_h: 1,
        in_w: 3,
        out_h: 1,
        out_w: 4,
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        pads: [0, 0, 0, 1],
    };
    let x = [1.0f32, f32::NAN, 2.0];
    for indices in [None, Some(&mut [7i64; 4][..])] {
        let mut y = [0.0; 4];
        max_pool2d(Isa::current(), &s, &x, &mut y, indices);
        assert!(y[0] == 1.0 && y[1].is_nan() && y[2] == 2.0 && y[3] == f32::NEG_INFINITY);
    }
    for isa in Isa::available() {
        let spread = |v: &[f32]| {
            v.iter()
                .flat_map(|v| vec![*v; isa.lanes()])
                .collect::<Vec<_>>()
        };
        // NaN wins over what comes before and after it.
        for (kernel, want) in [
            ([1, 1], [1.0, f32::NAN, 2.0, f32::NEG_INFINITY]),
            ([1, 2], [f32::NAN, f32::NAN, 2.0, f32::NEG_INFINITY]),
        ] {
            let mut y = vec![0.0; 4 * isa.lanes()];
            pool2d_blocked(
                isa,
                &Pool2dShape { kernel, ..s },
                Pooling::Max,
                &spread(&x),
                &mut y,
            );
            let same = |(y, want): (&f32, f32)| {
                y.to_bits() == want.to_bits() || (y.is_nan() && want.is_nan())
            };
            assert!(y.iter().zip(spread(&want)).all(same));
        }
    }
    let mut indices = [0i64; 4];
    max_pool2d(Isa::current(), &s, &x, &mut [0.0; 4], Some(&mut indices));
    assert_eq!(indices, [0, 1, 2, -1]);
}

#[test]
fn blocks_are_pooled_as_planes() {
    for s in shapes() {
        for isa in Isa::available() {
            let lanes = isa.lanes();
            // A plane of the windows' list is a lane of a block here.
            let n = s.in_h * s.in_w * lanes;
            let block = Pool2dShape { planes: 1, ..s };
            let x: Vec<f32> = (0..s.planes).flat_map(|p| noise(n, p as u64)).collect();
            let len = s.out_h * s.out_w * lanes;
            let pool = |pooling| {
                let mut y = vec![f32::NAN; len * s.planes];
                pool2d_blocked(isa, &s, pooling, &x, &mut y);
                y
            };
            let largest = pool(Pooling::Max);
            let average = pool(Pooling::Average {
                count_include_pad: false,
            });
            let padded = pool(Pooling::Average {
                count_include_pad: true,
            });
            let dy: Vec<f32> = (0..len * s.planes).map(|i| i as f32 % 7.0 - 2.5).collect();
            let (mut dx, mut want_dx) = (vec![f32::NAN; x.len()], vec![0.0; x.len()]);
            max_pool2d_backward_blocked(isa, &s, &x, &dy, &mut dx);
            for (i, (taps, counted)) in windows(&block).into_iter().enumerate() {
                for p in 0..s.planes {
                    for lane in 0..lanes {
                        let at = p * len + i * lanes + lane;
                        let x = || taps.iter().map(|t| x[p * n + t * lanes + lane]);
                        let sum: f64 = x().map(f64::from).sum();
                        assert_eq!(largest[at], x().fold(f32::MIN, f32::max), "{s:?}");
                        let first = x().position(|x| x == largest[at]).unwrap();
                        want_dx[p * n + taps[first] * lanes + lane] += dy[at];
                        let near =
                            |y: f32, count: usize| (f64::from(y) - sum / count as f64).abs() < 2e-5;
                        assert!(near(average[at], taps.len()), "{s:?}");
                        assert!(near(padded[at], counted), "{s:?}");
                    }
                }
            }
            assert_eq!(dx, want_dx, "{s:?}");
        }
    }
}
