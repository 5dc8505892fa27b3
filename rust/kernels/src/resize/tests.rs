use super::{
    Coordinates, Interpolation, Nearest, Taps, resize_axis, resize_axis_backward, resize2d,
    resize2d_backward, resize2d_blocked, resize2d_nearest,
};
use crate::blocked;
use crate::isa::Isa;

const CUBIC: Interpolation = Interpolation::Cubic {
    a: -0.75,
    exclude_outside: false,
};

fn line(x: &[f64], out: usize, scale: f64, c: Coordinates, i: Interpolation) -> Vec<f64> {
    let taps = Taps::new(x.len(), out, scale, c, i);
    let mut y = vec![f64::NAN; out];
    resize_axis(x, [1, 1], &taps, &mut y);
    y
}

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() < 1e-5, "{got:?}, not {want:?}");
    }
}

/// Values worked out by hand from the formulas.
#[test]
fn lines_follow_the_formulas() {
    use Coordinates::{AlignCorners, Asymmetric, HalfPixel, HalfPixelSymmetric, PytorchHalfPixel};
    let linear = Interpolation::Linear;
    let x = [1.0, 2.0, 3.0, 4.0];
    near(
        &line(&x[..2], 4, 2.0, HalfPixel, linear),
        &[1.0, 1.25, 1.75, 2.0],
    );
    near(
        &line(&x[..2], 4, 2.0, AlignCorners, linear),
        &[1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0],
    );
    near(
        &line(&x[..2], 4, 2.0, Asymmetric, linear),
        &[1.0, 1.5, 2.0, 2.0],
    );
    near(&line(&x, 2, 0.6, HalfPixel, linear), &[4.0 / 3.0, 3.0]);
    near(
        &line(&x, 2, 0.6, AlignCorners, linear),
        &[1.0, 1.0 + 3.0 / 1.4],
    );
    near(&line(&x, 1, 0.25, PytorchHalfPixel, linear), &[1.0]);
    near(&line(&x, 1, 0.25, HalfPixel, linear), &[2.5]);
    near(
        &line(&x, 2, 0.6, HalfPixelSymmetric, linear),
        &[1.0 + 2.0 * (1.0 - 2.0 / 2.4) + 1.0 / 3.0, 3.0 + 1.0 / 3.0],
    );
    // t = 1/4: weights -27/256 + ..., from Keys' formula with a = -3/4.
    let near_quarter = line(&x, 8, 2.0, HalfPixel, CUBIC);
    let (w1, w0) = (
        -0.75 * (1.25f64.powi(3) - 5.0 * 1.25 * 1.25 + 8.0 * 1.25 - 4.0),
        1.25 * 0.25f64.powi(3) - 2.25 * 0.0625 + 1.0,
    );
    let (w2, w3) = (
        1.25 * 0.75f64.powi(3) - 2.25 * 0.5625 + 1.0,
        -0.75 * (1.75f64.powi(3) - 5.0 * 1.75 * 1.75 + 8.0 * 1.75 - 4.0),
    );
    near(
        &near_quarter[3..4],
        &[w1 * 1.0 + w0 * 2.0 + w2 * 3.0 + w3 * 4.0],
    );
    near(
        &near_quarter[..1],
        &[w3 * 1.0 + w2 * 1.0 + w0 * 1.0 + w1 * 2.0],
    );
    let only = Interpolation::Cubic {
        a: -0.75,
        exclude_outside: true,
    };
    near(
        &line(&x, 8, 2.0, HalfPixel, only)[..1],
        &[(w0 * 1.0 + w1 * 2.0) / (w0 + w1)],
    );
}

#[test]
fn halves_are_rounded_as_asked() {
    let x = [0.0, 1.0, 2.0, 3.0];
    // Coordinates 0, 0.5, 1, 1.5, ...
    let get = |mode| {
        line(
            &x,
            8,
            2.0,
            Coordinates::Asymmetric,
            Interpolation::Nearest(mode),
        )
    };
    near(
        &get(Nearest::RoundPreferFloor),
        &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0],
    );
    near(
        &get(Nearest::Floor),
        &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0],
    );
    near(
        &get(Nearest::RoundPreferCeil),
        &[0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0],
    );
    near(
        &get(Nearest::Ceil),
        &[0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0],
    );
}

/// The planes as channels of an image in blocks come to the same, on every
/// instance.
fn in_blocks([planes, h, w]: [usize; 3], x: &[f32], taps: [&Taps; 2], want: &[f32]) {
    for isa in Isa::available() {
        let out = taps.map(Taps::output);
        let count = blocked::blocks(isa, planes);
        let mut image = vec![0.0; blocked::len(isa, 1, planes, h * w)];
        blocked::to_blocked(isa, [1, planes, h * w], x, &mut image);
        let mut y = vec![f32::NAN; blocked::len(isa, 1, planes, out[0] * out[1])];
        resize2d_blocked(isa, &image, count, taps, &mut y);
        let mut got = vec![f32::NAN; want.len()];
        blocked::from_blocked(isa, [1, planes, out[0] * out[1]], &y, &mut got);
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-4, "{isa}: {got}, not {want}");
        }
    }
}

#[test]
fn planes_are_two_lines_and_backward_is_the_transpose() {
    let kinds = [
        Interpolation::Nearest(Nearest::RoundPreferFloor),
        Interpolation::Linear,
        CUBIC,
    ];
    for (planes, h, w, oh, ow) in [
        (1, 1, 1, 3, 2),
        (3, 31, 33, 65, 20),
        (2, 5, 4, 5, 9),
        (40, 32, 32, 64, 64),
    ] {
        for kind in kinds {
            let taps = |i: usize, o: usize| {
                Taps::new(i, o, o as f64 / i as f64, Coordinates::HalfPixel, kind)
            };
            let (rows, columns) = (taps(h, oh), taps(w, ow));
            let x: Vec<f32> = (0..planes * h * w)
                .map(|i| (i * 37 % 101) as f32 / 10.0)
                .collect();
            let dy: Vec<f32> = (0..planes * oh * ow)
                .map(|i| (i * 53 % 97) as f32 / 10.0 - 4.0)
                .collect();
            let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
            resize2d(&x, planes, [&rows, &columns], &mut y);
            resize2d_backward(&dy, planes, [&rows, &columns], &mut dx);
            let mut want_dx = vec![0.0; x.len()];
            for p in 0..planes {
                for i in 0..oh {
                    for j in 0..ow {
                        let at = (p * oh + i) * ow + j;
                        let mut want = 0.0;
                        for (r, a) in rows.of(i).0.iter().zip(rows.of(i).1) {
                            for (c, b) in columns.of(j).0.iter().zip(columns.of(j).1) {
                                want += a * b * f64::from(x[(p * h + r) * w + c]);
                                want_dx[(p * h + r) * w + c] += a * b * f64::from(dy[at]);
                            }
                        }
                        assert!((f64::from(y[at]) - want).abs() < 1e-5);
                    }
                }
            }
            in_blocks([planes, h, w], &x, [&rows, &columns], &y);
            in_blocks(
                [planes, oh, ow],
                &dy,
                [&rows.turned(), &columns.turned()],
                &dx,
            );
            for (dx, want) in dx.iter().zip(&want_dx) {
                assert!((f64::from(*dx) - want).abs() < 1e-4);
            }
            if rows.picks() {
                let bits: Vec<u16> = (0..x.len() as u16).collect();
                let mut taken = vec![0; y.len()];
                resize2d_nearest(&bits, planes, [&rows, &columns], &mut taken);
                assert!(taken.iter().zip(&y).all(|(t, y)| x[usize::from(*t)] == *y));
            }
        }
    }
}

#[test]
fn one_axis_of_many() {
    let taps = Taps::new(2, 4, 2.0, Coordinates::HalfPixel, Interpolation::Linear);
    let x = [0.0f64, 10.0, 4.0, 14.0];
    let mut y = [0.0; 8];
    resize_axis(&x, [1, 2], &taps, &mut y);
    assert_eq!(y, [0.0, 10.0, 1.0, 11.0, 3.0, 13.0, 4.0, 14.0]);
    let mut dx = [0.0; 4];
    resize_axis_backward(
        &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 8.0],
        [1, 2],
        &taps,
        &mut dx,
    );
    assert_eq!(dx, [2.0, 0.0, 2.0, 8.0]);
}
