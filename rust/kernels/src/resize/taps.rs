//! Which input positions make an output position, and with what weights.

/// From an output position to a coordinate in the input (ONNX's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coordinates {
    /// (o + 1/2) / scale - 1/2
    HalfPixel,
    /// As `HalfPixel`, about the middle of an output whose size was rounded.
    HalfPixelSymmetric,
    /// As `HalfPixel`; 0 where the output has one element.
    PytorchHalfPixel,
    /// o (in - 1) / (in scale - 1): the corners meet.
    AlignCorners,
    /// o / scale
    Asymmetric,
}

/// How a coordinate between two positions is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nearest {
    /// Halves down.
    RoundPreferFloor,
    /// Halves up.
    RoundPreferCeil,
    Floor,
    Ceil,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    Nearest(Nearest),
    Linear,
    /// Keys' convolution with parameter `a` (-0.75 in ONNX and PyTorch);
    /// with `exclude_outside` taps outside weigh nothing and the others are
    /// scaled to sum to 1, else the edge is repeated.
    Cubic {
        a: f64,
        exclude_outside: bool,
    },
}

/// For each output position some input positions and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    input: usize,
    /// Where each output position's begin, and where the last one's end.
    starts: Vec<usize>,
    places: Vec<usize>,
    weights: Vec<f64>,
}

impl Taps {
    /// From `input >= 1` positions to `output`; `scale` is what was asked
    /// for, or `output / input` where sizes were.
    pub fn new(
        input: usize,
        output: usize,
        scale: f64,
        coordinates: Coordinates,
        interpolation: Interpolation,
    ) -> Taps {
        assert!(input > 0 || output == 0);
        let mut taps = Taps {
            input,
            starts: vec![0],
            places: Vec::new(),
            weights: Vec::new(),
        };
        for o in 0..output {
            let at = coordinate(coordinates, o, input, output, scale);
            match interpolation {
                Interpolation::Nearest(mode) => taps.push(round(mode, at), 1.0),
                Interpolation::Linear => {
                    let low = at.floor();
                    taps.push(low, 1.0 - (at - low));
                    taps.push(low + 1.0, at - low);
                }
                Interpolation::Cubic { a, exclude_outside } => taps.cubic(at, a, exclude_outside),
            }
            taps.starts.push(taps.places.len());
        }
        taps
    }

    /// The other way, as the gradient goes: for each input position the output
    /// positions that it is part of.
    #[must_use]
    pub fn turned(&self) -> Taps {
        let mut parts = vec![Vec::new(); self.input];
        for o in 0..self.output() {
            let (places, weights) = self.of(o);
            for (&place, &weight) in places.iter().zip(weights) {
                parts[place].push((o, weight));
            }
        }
        let mut turned = Taps {
            input: self.output(),
            starts: vec![0],
            places: Vec::with_capacity(self.places.len()),
            weights: Vec::with_capacity(self.places.len()),
        };
        for part in parts {
            turned.places.extend(part.iter().map(|tap| tap.0));
            turned.weights.extend(part.iter().map(|tap| tap.1));
            turned.starts.push(turned.places.len());
        }
        turned
    }

    pub fn input(&self) -> usize {
        self.input
    }

    pub fn output(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether every output position is one input position.
    pub fn picks(&self) -> bool {
        let ones = self.weights.iter().all(|weight| *weight == 1.0);
        ones && self.starts.windows(2).all(|pair| pair[1] - pair[0] == 1)
    }

    /// Places and weights of output position `o`.
    #[inline]
    pub fn of(&self, o: usize) -> (&[usize], &[f64]) {
        let range = self.starts[o]..self.starts[o + 1];
        (&self.places[range.clone()], &self.weights[range])
    }

    fn push(&mut self, place: f64, weight: f64) {
        let last = self.input as f64 - 1.0;
        self.places.push(place.clamp(0.0, last) as usize);
        self.weights.push(weight);
    }

    fn cubic(&mut self, at: f64, a: f64, exclude_outside: bool) {
        let low = at.floor();
        let mut weights = [-1.0, 0.0, 1.0, 2.0].map(|step| keys(at - (low + step), a));
        let place = |tap: usize| low - 1.0 + tap as f64;
        if exclude_outside {
            for (tap, weight) in weights.iter_mut().enumerate() {
                if place(tap) < 0.0 || place(tap) >= self.input as f64 {
                    *weight = 0.0;
                }
            }
            let sum: f64 = weights.iter().sum();
            for weight in &mut weights {
                *weight /= sum;
            }
        }
        for (tap, weight) in weights.into_iter().enumerate() {
            self.push(place(tap), weight);
        }
    }
}

fn coordinate(mode: Coordinates, o: usize, input: usize, output: usize, scale: f64) -> f64 {
    let (o, input) = (o as f64, input as f64);
    let half_pixel = (o + 0.5) / scale - 0.5;
    match mode {
        Coordinates::HalfPixel => half_pixel,
        Coordinates::HalfPixelSymmetric => {
            // The rounded size as a share of the one asked for.
            let share = output as f64 / (scale * input);
            input / 2.0 * (1.0 - share) + half_pixel
        }
        Coordinates::PytorchHalfPixel if output == 1 => 0.0,
        Coordinates::PytorchHalfPixel => half_pixel,
        Coordinates::AlignCorners => {
            let last = input * scale - 1.0;
            if last == 0.0 || output == 1 {
                0.0
            } else {
                o * (input - 1.0) / last
            }
        }
        Coordinates::Asymmetric => o / scale,
    }
}

fn round(mode: Nearest, at: f64) -> f64 {
    match mode {
        Nearest::RoundPreferFloor => (at - 0.5).ceil(),
        Nearest::RoundPreferCeil => (at + 0.5).floor(),
        Nearest::Floor => at.floor(),
        Nearest::Ceil => at.ceil(),
    }
}

/// Keys' cubic convolution kernel at distance `t`.
fn keys(t: f64, a: f64) -> f64 {
    let t = t.abs();
    if t <= 1.0 {
        ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    } else if t < 2.0 {
        ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a
    } else {
        0.0
    }
}
