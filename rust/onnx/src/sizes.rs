//! Arithmetic on shapes from a file, which may say anything.

use lamina_core::{Error, Result};

/// The number of elements; an error when it does not fit in memory.
pub(crate) fn checked_len(shape: &[usize]) -> Result<usize> {
    let len = shape
        .iter()
        .filter(|&&n| n != 0)
        .try_fold(1usize, |len, &n| len.checked_mul(n));
    match len.filter(|&len| len <= isize::MAX as usize / 16) {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(len) => Ok(len),
        None => Err(Error::model(format!(
            "shape {shape:?} has more elements than memory can hold"
        ))),
    }
}

/// NumPy's broadcasting of two shapes.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(Error::model(format!(
                "shapes {a:?} and {b:?} do not broadcast"
            ))),
        })
        .collect()
}
