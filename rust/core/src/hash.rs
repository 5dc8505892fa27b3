//! Hashing of our own ids and of structure.  Nothing hostile comes here, so
//! it need only be quick and spread well.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// By the id of a tensor or node.
pub type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;
pub type IdSet = HashSet<u64, BuildHasherDefault<IdHasher>>;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// For one u64.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = fold(self.0 ^ x, FIRST);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// 128 bits of a sequence of numbers: two products, each folded to 64 bits.
#[derive(Clone, Copy)]
pub struct Fingerprint(u64, u64);

impl Fingerprint {
    pub fn new() -> Self {
        Fingerprint(SECOND, FIRST)
    }

    #[inline]
    pub fn put(&mut self, x: u64) {
        self.0 = fold(self.0.rotate_left(23) ^ x, FIRST);
        self.1 = fold(self.1.rotate_left(41) ^ x, SECOND);
    }

    pub fn finish(self) -> u128 {
        (u128::from(self.1) << 64) | u128::from(self.0)
    }
}

#[inline]
fn fold(x: u64, by: u64) -> u64 {
    let product = u128::from(x) * u128::from(by);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;
    use std::collections::HashSet;

    fn of(numbers: &[u64]) -> u128 {
        let mut print = Fingerprint::new();
        for &x in numbers {
            print.put(x);
        }
        print.finish()
    }

    #[test]
    fn near_sequences_differ_in_either_half() {
        let mut all = Vec::new();
        for a in 0..40 {
            for b in 0..40 {
                all.extend([
                    vec![a, b],
                    vec![a, b, 0],
                    vec![0, a, b],
                    vec![a << 32, b << 1],
                ]);
            }
        }
        all.sort();
        all.dedup();
        let prints: Vec<u128> = all.iter().map(|numbers| of(numbers)).collect();
        let low: HashSet<u64> = prints.iter().map(|&p| p as u64).collect();
        let high: HashSet<u64> = prints.iter().map(|&p| (p >> 64) as u64).collect();
        assert_eq!((low.len(), high.len()), (all.len(), all.len()));
    }
}
