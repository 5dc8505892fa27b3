//! Strided copies and fills, for elements of any kind.

use crate::pool::{DisjointMut, parallel_chunks};
use crate::view::{Nest, View, region_fits, row_major};
use std::ops::Range;

/// Fewer elements than this are copied by the calling thread alone.
const MIN_CHUNK: usize = 1 << 15;
/// Edge of a transposition tile: 16 floats are a cache line, so that each line
/// is read once and written once, whatever the strides' powers of two.
const TILE: usize = 16;

/// Writes `src` contiguously, in row-major order.
pub fn copy<T: Copy + Send + Sync>(src: &View<T>, out: &mut [T]) {
    assert!(src.fits() && out.len() == src.len());
    // SAFETY: every element of both regions lies in its slice.
    unsafe {
        copy_strided(
            src.shape,
            src.data.as_ptr().wrapping_add(src.offset),
            src.strides,
            out.as_mut_ptr(),
            &row_major(src.shape),
        );
    }
}

/// Writes `src` to the region of `out` that begins at `offset` and has the
/// shape of `src` and the given strides; the rest of `out` stays.
pub fn copy_into<T: Copy + Send + Sync>(
    src: &View<T>,
    out: &mut [T],
    offset: usize,
    strides: &[isize],
) {
    assert!(src.fits() && region_fits(out.len(), offset, src.shape, strides));
    // SAFETY: every element of both regions lies in its slice.
    unsafe {
        copy_strided(
            src.shape,
            src.data.as_ptr().wrapping_add(src.offset),
            src.strides,
            out.as_mut_ptr().wrapping_add(offset),
            strides,
        );
    }
}

/// [`copy_strided`] for elements of `size` 1, 2, 4 or 8 bytes.  Strides are in
/// elements.
///
/// # Safety
/// As for [`copy_strided`]; the pointers are aligned to `size`.
pub unsafe fn copy_bytes(
    size: usize,
    shape: &[usize],
    src: *const u8,
    src_strides: &[isize],
    dst: *mut u8,
    dst_strides: &[isize],
) {
    // SAFETY: the caller's.
    unsafe {
        match size {
            1 => copy_strided::<u8>(shape, src, src_strides, dst, dst_strides),
            2 => copy_strided::<u16>(shape, src.cast(), src_strides, dst.cast(), dst_strides),
            4 => copy_strided::<u32>(shape, src.cast(), src_strides, dst.cast(), dst_strides),
            8 => copy_strided::<u64>(shape, src.cast(), src_strides, dst.cast(), dst_strides),
            _ => unreachable!("elements have 1, 2, 4 or 8 bytes, not {size}"),
        }
    }
}

/// Copies a strided region to a strided region of the same shape.
///
/// # Safety
/// All elements of `src` can be read and all of `dst` written; the regions do
/// not overlap and no element of `dst` is there twice.
pub unsafe fn copy_strided<T: Copy + Send + Sync>(
    shape: &[usize],
    src: *const T,
    src_strides: &[isize],
    dst: *mut T,
    dst_strides: &[isize],
) {
    let nest = Nest::new(shape, &[src_strides, dst_strides]);
    if nest.is_empty() {
        return;
    }
    let ends = Ends { src, dst };
    let last = nest.dims.len() - 1;
    let turned = (nest.inner_stride(0) != 1 && nest.inner_stride(1) == 1)
        .then(|| (0..last).rev().find(|&axis| nest.strides[0][axis] == 1))
        .flatten();
    // SAFETY: the caller's; ranges of a parallel cut do not overlap.
    match turned {
        Some(axis) => unsafe { transpose(&nest, axis, &ends) },
        None => parallel_chunks(nest.len(), MIN_CHUNK, |range| unsafe {
            rows(&nest, range, &ends);
        }),
    }
}

struct Ends<T> {
    src: *const T,
    dst: *mut T,
}

// SAFETY: only used to reach disjoint parts from several threads.
unsafe impl<T: Sync + Send> Sync for Ends<T> {}

/// # Safety
/// As for [`copy_strided`], for the elements of `range`.
unsafe fn rows<T: Copy>(nest: &Nest, range: Range<usize>, ends: &Ends<T>) {
    let (from, to) = (nest.inner_stride(0), nest.inner_stride(1));
    nest.segments(range, |offsets, n| {
        let src = ends.src.wrapping_offset(offsets[0]);
        let dst = ends.dst.wrapping_offset(offsets[1]);
        // SAFETY: the caller's; the arithmetic stays in both regions.
        unsafe {
            match (from, to) {
                (1, 1) => dst.copy_from_nonoverlapping(src, n),
                (0, 1) => std::slice::from_raw_parts_mut(dst, n).fill(*src),
                _ => {
                    for i in 0..n as isize {
                        *dst.offset(i * to) = *src.offset(i * from);
                    }
                }
            }
        }
    });
}

/// Copies planes in which the source runs along `axis` and the target along
/// the last dimension, tile by tile.
///
/// # Safety
/// As for [`copy_strided`].
unsafe fn transpose<T: Copy + Send + Sync>(nest: &Nest, axis: usize, ends: &Ends<T>) {
    let last = nest.dims.len() - 1;
    let (height, width) = (nest.dims[axis], nest.dims[last]);
    let (src_step, dst_step) = (nest.strides[0][last], nest.strides[1][axis]);
    let keep =
        |v: &[isize]| -> Vec<isize> { (0..last).filter(|d| *d != axis).map(|d| v[d]).collect() };
    let dims: Vec<usize> = (0..last)
        .filter(|d| *d != axis)
        .map(|d| nest.dims[d])
        .collect();
    let outer = Nest::new(&dims, &[&keep(&nest.strides[0]), &keep(&nest.strides[1])]);
    let bands = height.div_ceil(TILE);
    let min_bands = MIN_CHUNK.div_ceil(TILE * width);
    parallel_chunks(outer.len() * bands, min_bands, |range| {
        for unit in range {
            let (plane, band) = (unit / bands, unit % bands);
            let top = band * TILE;
            let src = ends.src.wrapping_offset(outer.offset(0, plane));
            let dst = ends.dst.wrapping_offset(outer.offset(1, plane));
            for left in (0..width).step_by(TILE) {
                let src = src.wrapping_offset(top as isize + left as isize * src_step);
                let dst = dst.wrapping_offset(top as isize * dst_step + left as isize);
                let (tall, wide) = (TILE.min(height - top), TILE.min(width - left));
                // SAFETY: the tile lies in the plane of both regions.
                unsafe { tile(src, src_step, dst, dst_step, tall, wide) };
            }
        }
    });
}

/// `dst[i dst_step + j] = src[i + j src_step]` for `i < tall`, `j < wide`,
/// both at most [`TILE`].
///
/// # Safety
/// All of that can be read and written.
#[inline]
unsafe fn tile<T: Copy>(
    src: *const T,
    src_step: isize,
    dst: *mut T,
    dst_step: isize,
    tall: usize,
    wide: usize,
) {
    // SAFETY: the caller's; what is read of `lines` was written before.
    unsafe {
        if tall == TILE && wide == TILE {
            let mut lines = [[*src; TILE]; TILE];
            for (j, line) in lines.iter_mut().enumerate() {
                *line = src
                    .offset(j as isize * src_step)
                    .cast::<[T; TILE]>()
                    .read_unaligned();
            }
            // Row i is column i of the lines.
            #[allow(clippy::needless_range_loop)]
            for i in 0..TILE {
                let turned: [T; TILE] = std::array::from_fn(|j| lines[j][i]);
                let to = dst.offset(i as isize * dst_step).cast::<[T; TILE]>();
                to.write_unaligned(turned);
            }
            return;
        }
        for i in 0..tall as isize {
            for j in 0..wide as isize {
                *dst.offset(i * dst_step + j) = *src.offset(i + j * src_step);
            }
        }
    }
}

/// Sets every element to `value`.
pub fn fill<T: Copy + Send + Sync>(out: &mut [T], value: T) {
    let len = out.len();
    let out = DisjointMut::new(out);
    // SAFETY: ranges of one cut do not overlap.
    parallel_chunks(len, 4 * MIN_CHUNK, |range| unsafe {
        out.slice(range).fill(value);
    });
}

#[cfg(test)]
mod tests {
    use super::{copy, copy_bytes, copy_into, fill};
    use crate::view::{View, row_major};

    /// Index arithmetic, one element at a time.
    fn elements<T: Copy>(src: &View<T>) -> Vec<T> {
        (0..src.len())
            .map(|flat| {
                let (mut rest, mut at) = (flat, src.offset as isize);
                for (&dim, &stride) in src.shape.iter().zip(src.strides).rev() {
                    at += (rest % dim) as isize * stride;
                    rest /= dim;
                }
                src.data[at as usize]
            })
            .collect()
    }

    fn check(data: &[u32], offset: usize, shape: &[usize], strides: &[isize]) {
        let src = View {
            data,
            offset,
            shape,
            strides,
        };
        let want = elements(&src);
        let mut out = vec![u32::MAX; want.len()];
        copy(&src, &mut out);
        assert_eq!(out, want, "{shape:?} {strides:?}");
    }

    #[test]
    fn strided_copies_follow_the_index_arithmetic() {
        let data: Vec<u32> = (0..300_000).collect();
        for (h, w) in [
            (1, 1),
            (31, 33),
            (32, 32),
            (33, 31),
            (65, 3),
            (3, 65),
            (400, 300),
        ] {
            let (hs, ws) = (h as isize, w as isize);
            check(&data, 0, &[h, w], &[ws, 1]);
            check(&data, 0, &[w, h], &[1, ws]);
            check(&data, 5, &[2, w, h], &[ws * hs, 1, ws]);
            check(&data, 0, &[w, 2, h], &[1, ws * hs, ws]);
            check(&data, h * w, &[h, w], &[-ws, -1]);
            check(&data, 7, &[h, w], &[0, 1]);
            check(&data, 7, &[h, w], &[1, 0]);
            check(&data, 7, &[h, w], &[2, 3]);
        }
        check(&data, 0, &[2, 3, 4, 5, 6], &[1, 2, 6, 24, 120]);
        check(&data, 0, &[], &[]);
        check(&data, 0, &[3, 0], &[1, 1]);
        check(&data, 0, &[250_000], &[1]);
    }

    #[test]
    fn a_region_is_written_and_the_rest_stays() {
        let src: Vec<u16> = (1..=6).collect();
        let view = View {
            data: &src,
            offset: 0,
            shape: &[2, 3],
            strides: &[3, 1],
        };
        let mut out = [0; 15];
        copy_into(&view, &mut out, 6, &[5, 1]);
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0]);
        let mut out = [0; 12];
        copy_into(&view, &mut out, 11, &[-6, -2]);
        assert_eq!(out, [0, 6, 0, 5, 0, 4, 0, 3, 0, 2, 0, 1]);
    }

    #[test]
    fn bytes_move_by_element_size() {
        let shape = [3, 5];
        let to = row_major(&shape);
        for size in [1, 2, 4, 8] {
            let src: Vec<u64> = (0..15).map(|i| 0x0101_0101_0101_0101 * i).collect();
            let mut dst = vec![0u64; 15];
            // SAFETY: 15 elements of at most 8 bytes, aligned to 8.
            unsafe {
                let (src, dst) = (src.as_ptr().cast(), dst.as_mut_ptr().cast());
                copy_bytes(size, &shape, src, &[1, 3], dst, &to);
            }
            let bytes = |v: &[u64]| -> Vec<u8> { v.iter().flat_map(|x| x.to_ne_bytes()).collect() };
            let (src, dst) = (bytes(&src), bytes(&dst));
            for flat in 0..15 {
                let from = (flat % 5) * 3 + flat / 5;
                let at = |i: usize| i * size..(i + 1) * size;
                assert_eq!(dst[at(flat)], src[at(from)]);
            }
        }
    }

    #[test]
    fn fill_reaches_every_element() {
        let mut out = vec![0u8; 1_000_003];
        fill(&mut out, 3);
        assert!(out.iter().all(|x| *x == 3));
        fill(&mut out[..0], 4);
    }
}
