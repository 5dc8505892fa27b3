//! The instruction sets a kernel is instantiated for, and which one runs.

use std::sync::OnceLock;

/// The environment variable that overrides the choice.
const VARIABLE: &str = "LAMINA_CPU_ISA";

/// One instance of every kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, eight lanes, compiled for the target's baseline.
    Portable,
    /// AVX2 with FMA and F16C: eight lanes, sixteen registers.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: sixteen lanes, thirty-two registers.
    Avx512,
    /// NEON: eight lanes in two registers each, sixteen such pairs; part of
    /// every 64-bit ARM processor.
    Neon,
}

impl Isa {
    pub const ALL: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon];

    pub const fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
        }
    }

    /// The f32 in one vector; so the channels of a block in the blocked layout.
    pub const fn lanes(self) -> usize {
        match self {
            Isa::Portable | Isa::Avx2 | Isa::Neon => 8,
            Isa::Avx512 => 16,
        }
    }

    /// Whether it has an instruction that widens 16-bit floats: without one
    /// that takes longer than to read them as f32.
    pub const fn widens_halves(self) -> bool {
        !matches!(self, Isa::Portable)
    }

    /// Whether this machine runs it.
    #[inline]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Isa::Portable => true,
            Isa::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            Isa::Neon => false,
        }
        #[cfg(not(target_arch = "x86_64"))]
        match self {
            Isa::Portable => true,
            Isa::Neon => cfg!(target_arch = "aarch64"),
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }

    /// All that this machine runs, the best last.
    pub fn available() -> Vec<Isa> {
        Isa::ALL
            .into_iter()
            .filter(|isa| isa.is_available())
            .collect()
    }

    /// The best that this machine runs.
    pub fn best() -> Isa {
        Isa::available().pop().unwrap_or(Isa::Portable)
    }

    /// What the environment asks for, else the best.  A library checks this
    /// once when it is loaded, so that a mistyped value is an error there.
    pub fn from_env() -> Result<Isa, String> {
        let Some(value) = std::env::var_os(VARIABLE) else {
            return Ok(Isa::best());
        };
        Isa::parse(&value.to_string_lossy())
    }

    fn parse(value: &str) -> Result<Isa, String> {
        let names = |set: &[Isa]| set.iter().map(|i| i.name()).collect::<Vec<_>>().join(", ");
        let Some(isa) = Isa::ALL.into_iter().find(|isa| isa.name() == value) else {
            return Err(format!(
                "{VARIABLE}: got '{value}', wanted one of {}",
                names(&Isa::ALL)
            ));
        };
        if isa.is_available() {
            Ok(isa)
        } else {
            let have = names(&Isa::available());
            Err(format!(
                "{VARIABLE}: this machine cannot run '{value}'; it runs {have}"
            ))
        }
    }

    /// The instance kernels use, decided once: [`Isa::from_env`], or the best
    /// where the environment is in error (which loading has reported).
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| Isa::from_env().unwrap_or_else(|_| Isa::best()))
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn names_are_checked() {
        assert_eq!(Isa::parse("portable"), Ok(Isa::Portable));
        assert_eq!(
            Isa::parse("sse9").unwrap_err(),
            "LAMINA_CPU_ISA: got 'sse9', wanted one of portable, avx2, avx512, neon"
        );
        assert_eq!(Isa::available()[0], Isa::Portable);
        assert!(Isa::current().is_available());
    }
}
