//! Where the elements of a view lie: shape, strides and offset in elements.

use crate::{Error, Result};

pub type Shape = Vec<usize>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub shape: Shape,
    /// In elements; 0 for broadcast axes, negative for reversed ones.
    pub strides: Vec<isize>,
    /// Of the first element, in elements.
    pub offset: usize,
}

/// The number of elements; an error when it does not fit in memory.
pub fn checked_len(shape: &[usize]) -> Result<usize> {
    let mut nonzero = 1usize;
    for &n in shape.iter().filter(|&&n| n != 0) {
        nonzero = nonzero
            .checked_mul(n)
            .filter(|&len| len <= isize::MAX as usize / 16)
            .ok_or_else(|| {
                Error::shape(format!(
                    "a shape of {shape:?} has more elements than memory can hold"
                ))
            })?;
    }
    Ok(if shape.contains(&0) { 0 } else { nonzero })
}

pub fn contiguous_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1isize;
    for (stride, &n) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= n.max(1) as isize;
    }
    strides
}

impl Layout {
    pub fn contiguous(shape: &[usize]) -> Self {
        Layout {
            shape: shape.to_vec(),
            strides: contiguous_strides(shape),
            offset: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Row-major without gaps (wherever it starts).
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1isize;
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if n != 1 && stride != step && !self.is_empty() {
                return false;
            }
            step *= n as isize;
        }
        true
    }

    #[must_use]
    pub fn permute(&self, order: &[usize]) -> Layout {
        Layout {
            shape: order.iter().map(|&i| self.shape[i]).collect(),
            strides: order.iter().map(|&i| self.strides[i]).collect(),
            offset: self.offset,
        }
    }

    /// Broadcast to `shape` (NumPy's rule, already checked).
    #[must_use]
    pub fn expand(&self, shape: &[usize]) -> Layout {
        let lead = shape.len() - self.shape.len();
        let strides = shape
            .iter()
            .enumerate()
            .map(|(i, &n)| match i.checked_sub(lead) {
                Some(j) if self.shape[j] == n => self.strides[j],
                _ => 0,
            })
            .collect();
        Layout {
            shape: shape.to_vec(),
            strides,
            offset: self.offset,
        }
    }

    /// Element `start`, then every `step`-th, `len` of them, along `axis`.
    #[must_use]
    pub fn slice(&self, axis: usize, start: usize, step: isize, len: usize) -> Layout {
        let mut out = self.clone();
        if len > 0 {
            out.offset = (out.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        // The step to a second element that is there is no longer than the axis.
        if len > 1 {
            out.strides[axis] *= step;
        }
        out.shape[axis] = len;
        out
    }

    /// The same elements under another shape, if strides can say it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Layout> {
        if self.is_contiguous() {
            return Some(Layout {
                shape: shape.to_vec(),
                strides: contiguous_strides(shape),
                offset: self.offset,
            });
        }
        // Walk both shapes from the left in runs of equal product; a run of
        // old axes must be evenly strided to be cut anew.
        let old: Vec<(usize, isize)> = self
            .shape
            .iter()
            .copied()
            .zip(self.strides.iter().copied())
            .filter(|(n, _)| *n != 1)
            .collect();
        let mut strides = vec![0isize; shape.len()];
        let (mut i, mut j) = (0, 0);
        while i < old.len() {
            let (start_i, start_j) = (i, j);
            let (mut a, mut b) = (old[i].0, *shape.get(j)?);
            while a != b {
                if a < b {
                    i += 1;
                    a *= old.get(i)?.0;
                } else {
                    j += 1;
                    b *= *shape.get(j)?;
                }
            }
            for k in start_i..i {
                if old[k].1 != old[k + 1].1 * old[k + 1].0 as isize {
                    return None;
                }
            }
            let mut step = old[i].1;
            for k in (start_j..=j).rev() {
                strides[k] = step;
                step *= shape[k] as isize;
            }
            i += 1;
            j += 1;
        }
        if shape[j..].iter().any(|&n| n != 1) {
            return None;
        }
        Some(Layout {
            shape: shape.to_vec(),
            strides,
            offset: self.offset,
        })
    }
}

/// NumPy's broadcasting of two shapes.
pub fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Result<Shape> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            (x, y) => Err(Error::shape(format!(
                "{op}: shapes {a:?} and {b:?} do not broadcast: axis {i} has {x} and {y}; they must be equal or one of them 1"
            ))),
        })
        .collect()
}

/// An axis counted from either end.
pub fn resolve_axis(op: &str, axis: i64, rank: usize) -> Result<usize> {
    let rank_i = rank as i64;
    if (-rank_i..rank_i).contains(&axis) {
        Ok(axis.rem_euclid(rank_i) as usize)
    } else if rank == 0 {
        Err(Error::index(format!(
            "{op}: axis {axis} given for a 0-d tensor, which has no axes"
        )))
    } else {
        Err(Error::index(format!(
            "{op}: axis {axis} is out of range for {rank} axes: wanted {} to {}",
            -rank_i,
            rank_i - 1
        )))
    }
}

/// Axes without repetition, sorted; None or empty means all.
pub fn resolve_axes(op: &str, axes: Option<&[i64]>, rank: usize) -> Result<Vec<usize>> {
    let Some(axes) = axes else {
        return Ok((0..rank).collect());
    };
    let mut out = axes
        .iter()
        .map(|&a| resolve_axis(op, a, rank))
        .collect::<Result<Vec<_>>>()?;
    out.sort_unstable();
    if let Some([axis, _]) = out.array_windows::<2>().find(|[a, b]| a == b) {
        return Err(Error::argument(format!("{op}: axis {axis} is given twice")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_keeps_strides_where_it_can() {
        let x = Layout::contiguous(&[4, 6]);
        let t = x.permute(&[1, 0]);
        assert_eq!(t.reshape(&[24]), None);
        assert_eq!(t.reshape(&[2, 3, 4]).unwrap().strides, vec![3, 1, 6]);
        assert_eq!(
            t.reshape(&[6, 1, 2, 2]).unwrap().strides,
            vec![1, 24, 12, 6]
        );
        let every_other = x.slice(1, 0, 2, 3);
        assert_eq!(every_other.reshape(&[12]).unwrap().strides, vec![2]);
        assert_eq!(x.slice(1, 0, 1, 3).reshape(&[12]), None);
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        assert!(checked_len(&[1 << 40, 1 << 40]).is_err());
        assert_eq!(checked_len(&[1 << 40, 0]).unwrap(), 0);
    }
}
