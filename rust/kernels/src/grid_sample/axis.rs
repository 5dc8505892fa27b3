//! Where a coordinate of a grid reads along one axis.

/// How values between elements are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Halves go to the even one.
    Nearest,
    Linear,
    /// Keys' kernel with a = -0.75.
    Cubic,
}

/// What lies outside of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    Zeros,
    /// The nearest element.
    Border,
    /// Mirrored at the first and last element's centres (`align_corners`) or
    /// outer edges.
    Reflection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub mode: Mode,
    pub padding: Padding,
    /// Whether -1 and 1 are the centres of the first and last element, and not
    /// their outer edges.
    pub align_corners: bool,
}

/// No element.
pub const NONE: usize = usize::MAX;

/// Coordinates beyond this are as far as any: infinite ones too.
const FAR: f64 = 1e9;
const CUBIC: f64 = -0.75;

/// Up to four elements of an axis with their weights, and how the weights
/// change with the grid's coordinate.
#[derive(Clone, Copy, Debug)]
pub struct Taps {
    pub places: [usize; 4],
    pub weights: [f64; 4],
    pub slopes: [f64; 4],
}

impl Form {
    /// How many taps an axis has.
    pub const fn taps(self) -> usize {
        match self.mode {
            Mode::Nearest => 1,
            Mode::Linear => 2,
            Mode::Cubic => 4,
        }
    }

    /// What `coordinate` reads of an axis of `size` elements, at least one.
    /// NaN counts as -1, and so does what is too far away to be mirrored.
    pub fn locate(self, coordinate: f64, size: usize) -> Taps {
        let far = coordinate.is_nan() || coordinate.abs() > FAR;
        let lost = coordinate.is_nan() || (far && self.padding == Padding::Reflection);
        let near = if lost {
            -1.0
        } else {
            coordinate.clamp(-FAR, FAR)
        };
        let n = size as f64;
        let span = if self.align_corners { n - 1.0 } else { n };
        let at = ((near + 1.0) * span - if self.align_corners { 0.0 } else { 1.0 }) / 2.0;
        let scale = if far { 0.0 } else { span / 2.0 };
        if self.mode == Mode::Cubic {
            return self.cubic(at, scale, size);
        }
        let (at, turn) = self.inside(at, n);
        // What is left outside (of zeros) is nowhere, however far.
        let at = at.clamp(-2.0, n + 1.0);
        let place = |at: f64| {
            if at >= 0.0 && at < n {
                at as usize
            } else {
                NONE
            }
        };
        let mut taps = Taps::NOWHERE;
        if self.mode == Mode::Nearest {
            taps.places[0] = place(nearest(at));
            taps.weights[0] = 1.0;
            return taps;
        }
        let low = floor(at);
        taps.places[..2].copy_from_slice(&[place(low), place(low + 1.0)]);
        taps.weights[..2].copy_from_slice(&[low + 1.0 - at, at - low]);
        taps.slopes[..2].copy_from_slice(&[-scale * turn, scale * turn]);
        taps
    }

    /// A place after padding, and its derivative.
    fn inside(self, at: f64, n: f64) -> (f64, f64) {
        let (at, turn) = match self.padding {
            Padding::Zeros => return (at, 1.0),
            Padding::Border => (at, 1.0),
            Padding::Reflection => self.reflect(at, n),
        };
        let within = at > 0.0 && at < n - 1.0;
        (at.clamp(0.0, n - 1.0), if within { turn } else { 0.0 })
    }

    fn reflect(self, at: f64, n: f64) -> (f64, f64) {
        let (low, span) = if self.align_corners {
            (0.0, n - 1.0)
        } else {
            (-0.5, n)
        };
        if span == 0.0 {
            return (0.0, 0.0);
        }
        let sign = if at < low { -1.0 } else { 1.0 };
        let from = (at - low).abs();
        let turns = floor(from / span);
        let rest = from - turns * span;
        if turns as i64 % 2 == 0 {
            (low + rest, sign)
        } else {
            (low + span - rest, -sign)
        }
    }

    /// Each of the four taps is padded by itself.
    fn cubic(self, at: f64, scale: f64, size: usize) -> Taps {
        let n = size as f64;
        let at = match self.padding {
            Padding::Reflection => at,
            Padding::Zeros | Padding::Border => at.clamp(-4.0, n + 3.0),
        };
        let low = floor(at);
        let t = at - low;
        let distances = [1.0 + t, t, 1.0 - t, 2.0 - t];
        let mut taps = Taps::NOWHERE;
        for (tap, distance) in distances.into_iter().enumerate() {
            let place = low + tap as f64 - 1.0;
            let outside = place < 0.0 || place >= n;
            if self.padding != Padding::Zeros || !outside {
                taps.places[tap] = nearest(self.inside(place, n).0) as usize;
            }
            let (weight, slope) = keys(distance);
            taps.weights[tap] = weight;
            taps.slopes[tap] = if tap < 2 { slope } else { -slope } * scale;
        }
        taps
    }
}

impl Taps {
    const NOWHERE: Taps = Taps {
        places: [NONE; 4],
        weights: [0.0; 4],
        slopes: [0.0; 4],
    };
}

/// As `f64::floor`, which is a call where the processor at hand is not known;
/// of what fits an i64.
fn floor(x: f64) -> f64 {
    let whole = x as i64 as f64;
    if whole > x { whole - 1.0 } else { whole }
}

/// The nearest whole number, the even one of two; of less than 2^51.
fn nearest(x: f64) -> f64 {
    // Numbers of this size are whole.
    const WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
    (x + WHOLE) - WHOLE
}

/// Keys' cubic convolution kernel at a distance up to 2, and its derivative.
fn keys(d: f64) -> (f64, f64) {
    const A: f64 = CUBIC;
    if d <= 1.0 {
        let value = ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
        (value, (3.0 * (A + 2.0) * d - 2.0 * (A + 3.0)) * d)
    } else {
        let value = ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
        (value, (3.0 * A * d - 10.0 * A) * d + 8.0 * A)
    }
}
