//! Numbers of two to eight bits, which are stored, moved and cast, and in which
//! nothing is computed.  Each takes a byte in memory, in its low bits.

use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_chunks};
use crate::simd::{Kernel, Simd, dispatch};

/// The dtypes that exist only to be stored, under ONNX's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stored {
    F8E4M3FN,
    F8E4M3FNUZ,
    F8E5M2,
    F8E5M2FNUZ,
    /// A power of two: the exponents of block formats.
    F8E8M0,
    F4E2M1,
    U4,
    I4,
    U2,
    I2,
}

/// The layout of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub exponent_bits: u32,
    pub mantissa_bits: u32,
    pub bias: i32,
    /// The code of the largest finite number.
    pub largest: u8,
    /// What NaN becomes.
    pub nan: u8,
    /// What is too large becomes where it is not cut to the largest; a sign is added if `signed`.
    pub beyond: u8,
    /// -0 exists, and `beyond` has a sign.
    pub signed: bool,
}

/// What lies between two powers of two, as [`Stored::F8E8M0`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Round {
    Up,
    Down,
    Nearest,
}

impl Stored {
    pub const ALL: [Stored; 10] = [
        Stored::F8E4M3FN,
        Stored::F8E4M3FNUZ,
        Stored::F8E5M2,
        Stored::F8E5M2FNUZ,
        Stored::F8E8M0,
        Stored::F4E2M1,
        Stored::U4,
        Stored::I4,
        Stored::U2,
        Stored::I2,
    ];

    /// The name that NumPy has for it through the ml_dtypes package.
    pub const fn name(self) -> &'static str {
        match self {
            Stored::F8E4M3FN => "float8_e4m3fn",
            Stored::F8E4M3FNUZ => "float8_e4m3fnuz",
            Stored::F8E5M2 => "float8_e5m2",
            Stored::F8E5M2FNUZ => "float8_e5m2fnuz",
            Stored::F8E8M0 => "float8_e8m0fnu",
            Stored::F4E2M1 => "float4_e2m1fn",
            Stored::U4 => "uint4",
            Stored::I4 => "int4",
            Stored::U2 => "uint2",
            Stored::I2 => "int2",
        }
    }

    /// Bits of one number, the low ones of its byte.
    pub const fn bits(self) -> u32 {
        match self {
            Stored::F4E2M1 | Stored::U4 | Stored::I4 => 4,
            Stored::U2 | Stored::I2 => 2,
            _ => 8,
        }
    }

    /// Of a float with a sign and a mantissa; None for integers and powers of two.
    pub const fn layout(self) -> Option<Layout> {
        const fn of(bits: (u32, u32), bias: i32, codes: (u8, u8, u8), signed: bool) -> Layout {
            Layout {
                exponent_bits: bits.0,
                mantissa_bits: bits.1,
                bias,
                largest: codes.0,
                nan: codes.1,
                beyond: codes.2,
                signed,
            }
        }
        Some(match self {
            Stored::F8E4M3FN => of((4, 3), 7, (0x7e, 0x7f, 0x7f), true),
            Stored::F8E4M3FNUZ => of((4, 3), 8, (0x7f, 0x80, 0x80), false),
            Stored::F8E5M2 => of((5, 2), 15, (0x7b, 0x7e, 0x7c), true),
            Stored::F8E5M2FNUZ => of((5, 2), 16, (0x7f, 0x80, 0x80), false),
            // It has neither infinity nor NaN: NaN is -0, as ml_dtypes has it.
            Stored::F4E2M1 => of((2, 1), 1, (0x07, 0x08, 0x07), true),
            _ => return None,
        })
    }

    /// The number of a code.
    pub fn decode(self, code: u8) -> f32 {
        let wide = i32::from(code);
        match self {
            Stored::U4 => (wide & 15) as f32,
            Stored::U2 => (wide & 3) as f32,
            Stored::I4 => (wide << 28 >> 28) as f32,
            Stored::I2 => (wide << 30 >> 30) as f32,
            Stored::F8E8M0 if code == 255 => f32::NAN,
            // 2^-127 is subnormal.
            Stored::F8E8M0 if code == 0 => f32::from_bits(1 << 22),
            Stored::F8E8M0 => f32::from_bits(u32::from(code) << 23),
            _ => self.layout().map_or(0.0, |layout| layout.decode(code)),
        }
    }

    /// The code of a number: to the nearest, ties to even; too large is cut to the largest where
    /// it `saturates`.  Integers truncate and wrap.
    pub fn encode(self, x: f32, saturates: bool, round: Round) -> u8 {
        match self {
            Stored::U4 | Stored::I4 => (x as i32 & 15) as u8,
            Stored::U2 | Stored::I2 => (x as i32 & 3) as u8,
            Stored::F8E8M0 => power(x, saturates, round),
            _ => self
                .layout()
                .map_or(0, |layout| layout.encode(x, saturates)),
        }
    }
}

impl Layout {
    fn decode(self, code: u8) -> f32 {
        let (bits, m) = (self.exponent_bits + self.mantissa_bits, self.mantissa_bits);
        if !self.signed && code == 0x80 {
            return f32::NAN;
        }
        let size = u32::from(code) & ((1 << bits) - 1);
        let sign = if u32::from(code) >> bits & 1 == 1 {
            -1.0
        } else {
            1.0
        };
        if size > u32::from(self.largest) {
            let infinite = self.beyond != self.nan && size == u32::from(self.beyond);
            return sign * if infinite { f32::INFINITY } else { f32::NAN };
        }
        let (exponent, fraction) = ((size >> m) as i32, (size & ((1 << m) - 1)) as f32);
        let unit = 2f32.powi(exponent.max(1) - self.bias - m as i32);
        let hidden = if exponent == 0 {
            0.0
        } else {
            2f32.powi(m as i32)
        };
        sign * (hidden + fraction) * unit
    }

    fn encode(self, x: f32, saturates: bool) -> u8 {
        if x.is_nan() {
            return self.nan;
        }
        let m = self.mantissa_bits;
        let bits = x.to_bits() & 0x7fff_ffff;
        let size = f32::from_bits(bits);
        let code = if size < 2f32.powi(1 - self.bias) {
            // Units of the smallest subnormal; the first normal follows the last of them.
            (size * 2f32.powi(self.bias - 1 + m as i32)).round_ties_even() as u32
        } else {
            let drop = 23 - m;
            let rounded = bits + (1 << (drop - 1)) - 1 + (bits >> drop & 1);
            (rounded >> drop) - ((127 - self.bias as u32) << m)
        };
        let sign = (x.to_bits() >> 31) << (self.exponent_bits + m);
        if code > u32::from(self.largest) {
            if saturates {
                return self.largest | sign as u8;
            }
            return self.beyond | if self.signed { sign as u8 } else { 0 };
        }
        // 0 has no sign where 0x80 is NaN.
        code as u8
            | if code == 0 && !self.signed {
                0
            } else {
                sign as u8
            }
    }
}

/// The exponent of |x|, a power of two between two of which `round` decides.
fn power(x: f32, saturates: bool, round: Round) -> u8 {
    if x.is_nan() {
        return 255;
    }
    let bits = x.to_bits() & 0x7fff_ffff;
    if bits == 0x7f80_0000 {
        return if saturates { 254 } else { 255 };
    }
    let (exponent, rest) = (bits >> 23, bits & 0x007f_ffff);
    if exponent == 0 {
        // At and below 2^-127 there is nothing but that.
        let above = match round {
            Round::Up => rest > 1 << 22,
            Round::Down => false,
            Round::Nearest => rest >= 3 << 21,
        };
        return u8::from(above);
    }
    let up = match round {
        Round::Up => rest > 0,
        Round::Down => false,
        Round::Nearest => rest >= 1 << 22,
    };
    match exponent + u32::from(up) {
        255 if saturates => 254,
        code => code as u8,
    }
}

struct Decode<'a>(&'a [u8], &'a mut [f32], &'a [f32; 256]);

impl Kernel for Decode<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (to, &code) in self.1.iter_mut().zip(self.0) {
            *to = self.2[usize::from(code)];
        }
    }
}

/// Fewer elements than this are for the calling thread alone.
const MIN_CHUNK: usize = 1 << 14;

/// Codes as numbers.
pub fn decode(isa: Isa, dtype: Stored, codes: &[u8], out: &mut [f32]) {
    assert_eq!(codes.len(), out.len());
    let mut table = [0.0; 256];
    for code in 0..=255u8 {
        table[usize::from(code)] = dtype.decode(code);
    }
    let shared = DisjointMut::new(out);
    parallel_chunks(codes.len(), MIN_CHUNK, |range| {
        // SAFETY: the ranges do not overlap.
        let to = unsafe { shared.slice(range.clone()) };
        dispatch(isa, Decode(&codes[range], to, &table));
    });
}

/// Numbers as codes.
pub fn encode(dtype: Stored, x: &[f32], saturates: bool, round: Round, out: &mut [u8]) {
    assert_eq!(x.len(), out.len());
    let shared = DisjointMut::new(out);
    parallel_chunks(x.len(), MIN_CHUNK, |range| {
        // SAFETY: the ranges do not overlap.
        let to = unsafe { shared.slice(range.clone()) };
        for (to, &x) in to.iter_mut().zip(&x[range]) {
            *to = dtype.encode(x, saturates, round);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Round, Stored};
    use crate::dtype::DType;

    /// The codes that stand for a finite number.
    fn finite(dtype: Stored) -> impl Iterator<Item = (u8, f32)> {
        (0..1u32 << dtype.bits())
            .map(move |code| (code as u8, dtype.decode(code as u8)))
            .filter(|(_, x)| x.is_finite())
    }

    #[test]
    fn every_number_keeps_its_code() {
        for dtype in Stored::ALL {
            for (code, x) in finite(dtype) {
                assert_eq!(dtype.encode(x, true, Round::Nearest), code, "{dtype:?} {x}");
            }
        }
    }

    #[test]
    fn between_two_numbers_the_nearer_one_is_taken_and_the_even_one_of_a_tie() {
        for dtype in Stored::ALL.into_iter().filter(|d| d.layout().is_some()) {
            let mut all: Vec<(u8, f32)> = finite(dtype).filter(|(_, x)| *x >= 0.0).collect();
            all.retain(|(code, x)| *x > 0.0 || *code == 0);
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            for pair in all.windows(2) {
                let ((low, a), (high, b)) = (pair[0], pair[1]);
                let even = if low & 1 == 0 { low } else { high };
                for (share, wanted) in [(0.25, low), (0.5, even), (0.75, high)] {
                    let x = a + (b - a) * share;
                    assert_eq!(
                        dtype.encode(x, true, Round::Nearest),
                        wanted,
                        "{dtype:?} {x}"
                    );
                }
            }
            let (largest, most) = all[all.len() - 1];
            assert_eq!(dtype.encode(f32::INFINITY, true, Round::Nearest), largest);
            assert_eq!(dtype.encode(most * 4.0, true, Round::Nearest), largest);
        }
    }

    #[test]
    fn dtypes_are_numbered_in_their_order() {
        for (at, dtype) in DType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(dtype.number()), at, "{dtype}");
        }
    }

    #[test]
    fn known_codes() {
        let plain = |dtype: Stored, x: f32| dtype.encode(x, false, Round::Nearest);
        assert_eq!(Stored::F8E4M3FN.decode(0x7e), 448.0);
        assert_eq!(Stored::F8E4M3FNUZ.decode(0x7f), 240.0);
        assert_eq!(Stored::F8E5M2.decode(0x7b), 57344.0);
        assert_eq!(Stored::F8E5M2FNUZ.decode(0x7f), 57344.0);
        assert_eq!(Stored::F4E2M1.decode(0x0f), -6.0);
        assert_eq!(plain(Stored::F8E5M2, f32::NEG_INFINITY), 0xfc);
        assert_eq!(plain(Stored::F8E4M3FN, 1e6) & 0x7f, 0x7f);
        assert_eq!(plain(Stored::F8E4M3FNUZ, -1e6), 0x80);
        assert_eq!(plain(Stored::F8E4M3FNUZ, -0.0), 0x00);
        assert_eq!(plain(Stored::F8E4M3FN, -0.0), 0x80);
        assert!(Stored::F8E5M2.decode(0x7d).is_nan() && Stored::F8E4M3FN.decode(0xff).is_nan());
        assert_eq!(plain(Stored::I4, -9.0), 7);
        assert_eq!(Stored::I4.decode(0xf), -1.0);
        assert_eq!(Stored::I2.decode(2), -2.0);
        for (round, code) in [(Round::Up, 128), (Round::Down, 127), (Round::Nearest, 127)] {
            assert_eq!(Stored::F8E8M0.encode(1.25, true, round), code);
        }
        assert_eq!(Stored::F8E8M0.encode(0.0, true, Round::Up), 0);
        assert_eq!(Stored::F8E8M0.encode(f32::MAX, true, Round::Up), 254);
    }
}
