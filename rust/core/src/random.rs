//! The state of the random numbers: a seed, and how many draws were made.
//! Philox is keyed by both, so a draw depends on neither device nor threads.

use crate::{DType, Result, Tensor, Value};
use parking_lot::Mutex;

/// Seed and number of counter blocks handed out.
static STATE: Mutex<(u64, u64)> = Mutex::new((0, 0));

/// Starts anew from `seed`.
pub fn manual_seed(seed: u64) {
    *STATE.lock() = (seed, 0);
}

/// The seed and the first of `blocks` Philox counters (four words each) that
/// no other draw has.
pub fn take(blocks: u64) -> (u64, u64) {
    let mut state = STATE.lock();
    let first = state.1;
    state.1 = state.1.wrapping_add(blocks.max(1));
    (state.0, first)
}

/// As [`take`], as the tensor that random ops read: seed low, seed high,
/// counter low, counter high.  It is an input of the plan, not structure.
pub fn next(blocks: u64) -> Result<Tensor> {
    let (seed, counter) = take(blocks);
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..].copy_from_slice(&counter.to_le_bytes());
    let value = Value::from_bytes(DType::U32, &[4], &bytes)?;
    Ok(Tensor::from_value(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_do_not_overlap_and_a_seed_starts_anew() {
        manual_seed(0x1_0000_0002);
        let first = next(10).unwrap().to_vec::<u32>().unwrap();
        let second = next(0).unwrap().to_vec::<u32>().unwrap();
        let third = next(1).unwrap().to_vec::<u32>().unwrap();
        assert_eq!(first, [2, 1, 0, 0]);
        assert_eq!(second, [2, 1, 10, 0]);
        assert_eq!(third, [2, 1, 11, 0]);
        manual_seed(7);
        assert_eq!(next(1).unwrap().to_vec::<u32>().unwrap(), [7, 0, 0, 0]);
    }
}
