//! Strided views and the walk over them.

use std::ops::Range;

/// An n-dimensional strided look at a slice.  Strides are in elements and may
/// be 0 (broadcast) or negative.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub shape: &'a [usize],
    pub strides: &'a [isize],
}

impl<T> View<'_, T> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_contiguous(&self) -> bool {
        is_row_major(self.shape, self.strides)
    }

    /// Whether every element lies in the slice.
    pub fn fits(&self) -> bool {
        region_fits(self.data.len(), self.offset, self.shape, self.strides)
    }
}

/// Whether all elements of a strided region lie within `len` elements.
pub fn region_fits(len: usize, offset: usize, shape: &[usize], strides: &[isize]) -> bool {
    if shape.len() != strides.len() {
        return false;
    }
    if shape.contains(&0) {
        return true;
    }
    let (mut low, mut high) = (offset as i128, offset as i128);
    for (&dim, &stride) in shape.iter().zip(strides) {
        let reach = (dim as i128 - 1) * stride as i128;
        low += reach.min(0);
        high += reach.max(0);
    }
    low >= 0 && high < len as i128
}

/// The strides of a contiguous row-major array.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1) as isize;
    }
    strides
}

/// Whether `strides` are those of a contiguous array (axes of size 1 may have
/// any stride).
pub fn is_row_major(shape: &[usize], strides: &[isize]) -> bool {
    let mut want = 1;
    for (&dim, &stride) in shape.iter().zip(strides).rev() {
        if dim != 1 && stride != want {
            return dim == 0;
        }
        want *= dim as isize;
    }
    true
}

/// Loops over one shape for several operands, with dimensions of size 1
/// dropped and neighbours merged where every operand allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nest {
    pub dims: Vec<usize>,
    /// Per operand, one stride for each of `dims`.
    pub strides: Vec<Vec<isize>>,
}

impl Nest {
    /// `operands`: the strides of each operand in `shape`.
    pub fn new(shape: &[usize], operands: &[&[isize]]) -> Nest {
        let mut dims: Vec<usize> = Vec::with_capacity(shape.len());
        let mut strides = vec![Vec::with_capacity(shape.len()); operands.len()];
        for (axis, &dim) in shape.iter().enumerate() {
            if dim == 1 {
                continue;
            }
            // (i, j) -> i * s0 + j * s1 is one index when s0 == dim * s1.
            let merges = !dims.is_empty()
                && operands
                    .iter()
                    .zip(&strides)
                    .all(|(o, kept): (_, &Vec<isize>)| {
                        kept[dims.len() - 1] == o[axis] * dim as isize
                    });
            if merges {
                let last = dims.len() - 1;
                dims[last] *= dim;
                for (kept, operand) in strides.iter_mut().zip(operands) {
                    kept[last] = operand[axis];
                }
            } else {
                dims.push(dim);
                for (kept, operand) in strides.iter_mut().zip(operands) {
                    kept.push(operand[axis]);
                }
            }
        }
        if dims.is_empty() {
            dims.push(1);
            for s in &mut strides {
                s.push(1);
            }
        }
        Nest { dims, strides }
    }

    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The innermost dimension.
    pub fn inner(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    /// The stride of `operand` along the innermost dimension.
    pub fn inner_stride(&self, operand: usize) -> isize {
        self.strides[operand][self.dims.len() - 1]
    }

    /// Where flat element `flat` of `operand` lies.
    #[inline]
    pub fn offset(&self, operand: usize, flat: usize) -> isize {
        let mut rest = flat;
        let mut offset = 0;
        for (&dim, &stride) in self.dims.iter().zip(&self.strides[operand]).rev() {
            offset += (rest % dim) as isize * stride;
            rest /= dim;
        }
        offset
    }

    /// Cuts the flat range into pieces along the innermost dimension and
    /// calls `body(offsets, n)` on each, in order; `offsets` has one element
    /// offset per operand.
    pub fn segments(&self, range: Range<usize>, mut body: impl FnMut(&[isize], usize)) {
        if range.is_empty() {
            return;
        }
        let last = self.dims.len() - 1;
        let mut index = self.coordinates(range.start);
        let mut offsets: Vec<isize> = (0..self.strides.len())
            .map(|operand| self.offset(operand, range.start))
            .collect();
        let mut left = range.len();
        loop {
            let n = left.min(self.dims[last] - index[last]);
            body(&offsets, n);
            left -= n;
            if left == 0 {
                return;
            }
            // On to the start of the next row.
            let mut axis = last;
            let mut step = self.dims[last] - index[last];
            loop {
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset += strides[axis] * step as isize;
                }
                index[axis] += step;
                if index[axis] < self.dims[axis] || axis == 0 {
                    break;
                }
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset -= strides[axis] * self.dims[axis] as isize;
                }
                index[axis] = 0;
                axis -= 1;
                step = 1;
            }
        }
    }

    fn coordinates(&self, flat: usize) -> Vec<usize> {
        let mut index = vec![0; self.dims.len()];
        let mut rest = flat;
        for (i, &dim) in index.iter_mut().zip(&self.dims).rev() {
            *i = rest % dim;
            rest /= dim;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::{Nest, View, is_row_major, region_fits, row_major};

    #[test]
    fn neighbours_merge_where_every_operand_allows_it() {
        let dense = row_major(&[2, 3, 1, 4]);
        assert_eq!(dense, [12, 4, 4, 1]);
        assert_eq!(Nest::new(&[2, 3, 1, 4], &[&dense]).dims, [24]);
        let bias = [0, 1, 1, 0];
        let nest = Nest::new(&[2, 3, 1, 4], &[&dense, &bias]);
        assert_eq!(nest.dims, [2, 3, 4]);
        assert_eq!(nest.strides, [vec![12, 4, 1], vec![0, 1, 0]]);
        assert_eq!(Nest::new(&[1, 1], &[&[5, 7]]).dims, [1]);
        assert_eq!(Nest::new(&[3, 4], &[&[-4, -1]]).dims, [12]);
    }

    #[test]
    fn segments_visit_every_element_of_a_range_in_order() {
        let nest = Nest::new(&[2, 3, 4], &[&[12, 4, 1], &[1, -2, 6]]);
        for start in 0..24 {
            for end in start..=24 {
                let mut seen = Vec::new();
                nest.segments(start..end, |offsets, n| {
                    for i in 0..n as isize {
                        seen.push((
                            offsets[0] + i * nest.inner_stride(0),
                            offsets[1] + i * nest.inner_stride(1),
                        ));
                    }
                });
                let want: Vec<_> = (start..end)
                    .map(|flat| {
                        let (i, j, k) = (flat / 12, flat / 4 % 3, flat % 4);
                        (flat as isize, i as isize - 2 * j as isize + 6 * k as isize)
                    })
                    .collect();
                assert_eq!(seen, want);
                if start < end {
                    assert_eq!(nest.offset(1, start), want[0].1);
                }
            }
        }
    }

    #[test]
    fn bounds_see_negative_and_zero_strides() {
        assert!(region_fits(6, 5, &[2, 3], &[-3, -1]));
        assert!(!region_fits(6, 4, &[2, 3], &[-3, -1]));
        assert!(region_fits(1, 0, &[100], &[0]));
        assert!(!region_fits(0, 0, &[1], &[1]));
        assert!(region_fits(0, 9, &[0], &[1]));
        let view = View {
            data: &[1, 2, 3, 4],
            offset: 0,
            shape: &[2, 2],
            strides: &[2, 1],
        };
        assert!(view.fits() && view.is_contiguous() && view.len() == 4);
        assert!(is_row_major(&[1, 3], &[77, 1]));
        assert!(!is_row_major(&[2, 3], &[1, 2]));
    }
}
