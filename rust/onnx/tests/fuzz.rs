//! The fuzzers' entry points on a stable toolchain: a bounded, seeded loop of
//! mutations over the seeds in `rust/fuzz/seeds`.  `LAMINA_FUZZ_SECONDS` makes
//! it longer, `LAMINA_FUZZ_SEED` another one.

#[path = "../../fuzz/src/lib.rs"]
mod entry;

use std::time::{Duration, Instant};

/// Xorshift: the same bytes on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Bytes at which formats turn: ends of ranges, long varints, JSON's signs.
const BYTES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xff, b'"', b'{', b'9'];

fn mutate(data: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(data.len());
        match rng.below(7) {
            0 | 1 if !data.is_empty() => data[at] ^= 1 << rng.below(8),
            2 if !data.is_empty() => data[at] = BYTES[rng.below(BYTES.len())],
            3 => data.truncate(at),
            4 => data.insert(at, BYTES[rng.below(BYTES.len())]),
            5 if !data.is_empty() => {
                let end = (at + 1 + rng.below(16)).min(data.len());
                let piece: Vec<u8> = data.drain(at..end).collect();
                let to = rng.below(data.len());
                data.splice(to..to, piece.repeat(rng.below(3)));
            }
            _ => {
                let other = &others[rng.below(others.len())];
                let from = rng.below(other.len());
                let end = (from + rng.below(64)).min(other.len());
                data.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
}

/// What `rust/fuzz/seeds.py --few` wrote: lengths and bytes.
fn seeds(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = file;
    let mut all = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (seed, after) = after.split_at(u32::from_le_bytes(*len) as usize);
        all.push(seed.to_vec());
        rest = after;
    }
    all
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `rounds` mutants, or as many as fit into `LAMINA_FUZZ_SECONDS`.
fn run(kind: &str, entry: fn(&[u8]), seeds: &[Vec<u8>], rounds: usize) {
    entry::setup();
    let mut rng = Rng(number("LAMINA_FUZZ_SEED").unwrap_or(1) * 2 + 1);
    let long = number("LAMINA_FUZZ_SECONDS").map(Duration::from_secs);
    let begin = Instant::now();
    for seed in seeds {
        entry(seed);
    }
    let mut round = 0;
    while long.map_or(round < rounds, |limit| begin.elapsed() < limit) {
        let mut data = seeds[rng.below(seeds.len())].clone();
        mutate(&mut data, seeds, &mut rng);
        let witness = Witness(kind, &data);
        let before = Instant::now();
        entry(&data);
        let took = before.elapsed();
        assert!(took < Duration::from_secs(20), "{kind}: took {took:?}");
        std::mem::forget(witness);
        round += 1;
    }
    if long.is_some() {
        println!("{kind}: {round} inputs in {:?}", begin.elapsed());
    }
}

/// Keeps the bytes at which an entry panics.
struct Witness<'a>(&'a str, &'a [u8]);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        let path = std::env::temp_dir().join(format!("lamina-fuzz-{}.bin", self.0));
        if std::fs::write(&path, self.1).is_ok() {
            eprintln!("the input lies at {}", path.display());
        }
    }
}

#[test]
fn onnx() {
    run(
        "onnx",
        entry::onnx,
        &seeds(include_bytes!("../../fuzz/seeds/onnx.seeds")),
        6_000,
    );
}

#[test]
fn program() {
    run(
        "program",
        entry::program,
        &seeds(include_bytes!("../../fuzz/seeds/program.seeds")),
        3_000,
    );
}

#[test]
fn graph() {
    let mut rng = Rng(7);
    let mut seed = || (0..200).map(|_| rng.next() as u8).collect();
    let seeds: Vec<Vec<u8>> = (0..64).map(|_| seed()).collect();
    run("graph", entry::graph, &seeds, 1_500);
}
