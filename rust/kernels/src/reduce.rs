//! Reductions of contiguous arrays over any set of axes.
//!
//! Neighbouring axes of one kind are merged, and the reduced groups are taken
//! one by one, the innermost first: each pass reduces the middle of
//! `(outer, axis, inner)`.  Sums are pairwise over blocks, so their error
//! grows with the logarithm of the length.

mod arg;
mod fold;
#[cfg(test)]
mod tests;

pub use arg::arg_reduce;

use crate::isa::Isa;
use crate::number::Number;
use crate::pool::{DisjointMut, parallel_chunks, parallel_for};
use fold::{columns, row};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Integers wrap.
    Sum,
    /// Integers truncate.
    Mean,
    Prod,
    /// NaN where any element is; of bools: any.
    Max,
    /// NaN where any element is; of bools: all.
    Min,
}

/// Fewer elements than this are reduced by the calling thread alone.
const MIN_CHUNK: usize = 1 << 15;
/// Columns taken together when the axis is not the last one.
const TILE: usize = 512;
/// Long axes are cut into this many parts at most.
const PARTS: usize = 64;

/// Reduces `input` of `shape` over `axes` (in any order) into `out`, which
/// has the shape without those axes.  Over no elements, sum and mean are 0,
/// prod is 1, max the lowest and min the highest value.
pub fn reduce<T: Number>(
    isa: Isa,
    op: Reduction,
    input: &[T],
    shape: &[usize],
    axes: &[usize],
    out: &mut [T],
) {
    let groups = groups(shape, axes);
    let count: usize = axes.iter().map(|axis| shape[*axis]).product();
    assert_eq!(input.len(), shape.iter().product::<usize>());
    assert_eq!(out.len(), kept(&groups));
    if input.is_empty() {
        out.fill(identity(op));
        return;
    }
    match op {
        Reduction::Sum | Reduction::Mean => passes::<T, Add>(isa, input, groups, out),
        Reduction::Prod => passes::<T, Multiply>(isa, input, groups, out),
        Reduction::Max => passes::<T, Largest>(isa, input, groups, out),
        Reduction::Min => passes::<T, Smallest>(isa, input, groups, out),
    }
    if op == Reduction::Mean {
        for x in out {
            *x = x.over(count);
        }
    }
}

fn identity<T: Number>(op: Reduction) -> T {
    match op {
        Reduction::Sum | Reduction::Mean => Add::START,
        Reduction::Prod => Multiply::START,
        Reduction::Max => Largest::START,
        Reduction::Min => Smallest::START,
    }
}

/// How two partial results become one.
trait Combine<T>: 'static {
    const START: T;
    fn combine(a: T, b: T) -> T;
}

struct Add;
struct Multiply;
struct Largest;
struct Smallest;

impl<T: Number> Combine<T> for Add {
    const START: T = T::ZERO;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        a.plus(b)
    }
}

impl<T: Number> Combine<T> for Multiply {
    const START: T = T::ONE;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        a.times(b)
    }
}

impl<T: Number> Combine<T> for Largest {
    const START: T = T::LOWEST;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        if b > a || b.is_nan() { b } else { a }
    }
}

impl<T: Number> Combine<T> for Smallest {
    const START: T = T::HIGHEST;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        if b < a || b.is_nan() { b } else { a }
    }
}

/// A run of neighbouring axes that are all kept or all reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    size: usize,
    reduced: bool,
}

/// The shape as alternating groups, axes of size 1 left out.
fn groups(shape: &[usize], axes: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (axis, &size) in shape.iter().enumerate() {
        let reduced = axes.contains(&axis);
        match groups.last_mut() {
            _ if size == 1 => {}
            Some(last) if last.reduced == reduced => last.size *= size,
            _ => groups.push(Group { size, reduced }),
        }
    }
    groups
}

fn kept(groups: &[Group]) -> usize {
    groups
        .iter()
        .filter(|g| !g.reduced)
        .map(|g| g.size)
        .product()
}

fn passes<T: Number, C: Combine<T>>(isa: Isa, input: &[T], mut groups: Vec<Group>, out: &mut [T]) {
    let mut partial: Option<Vec<T>> = None;
    while let Some(at) = groups.iter().rposition(|g| g.reduced) {
        let size = |groups: &[Group]| -> usize { groups.iter().map(|g| g.size).product() };
        let (outer, inner) = (size(&groups[..at]), size(&groups[at + 1..]));
        let axis = groups[at].size;
        groups.remove(at);
        let source = partial.as_deref().unwrap_or(input);
        if groups.iter().any(|g| g.reduced) {
            let mut next = vec![C::START; outer * inner];
            middle::<T, C>(isa, source, [outer, axis, inner], &mut next);
            partial = Some(next);
        } else {
            return middle::<T, C>(isa, source, [outer, axis, inner], out);
        }
    }
    out.copy_from_slice(input);
}

/// Reduces the middle of three axes.
fn middle<T: Number, C: Combine<T>>(isa: Isa, input: &[T], dims: [usize; 3], out: &mut [T]) {
    let [outer, axis, inner] = dims;
    if inner.div_ceil(TILE) >= PARTS || axis * inner < 4 * MIN_CHUNK {
        return across::<T, C>(isa, input, dims, out);
    }
    // A long axis is cut and the parts combined: by its own length, so that a
    // result is the same however many others there are.
    let part = axis.div_ceil(PARTS).max(MIN_CHUNK.div_ceil(inner));
    let parts = axis.div_ceil(part);
    let mut partial = vec![C::START; outer * parts * inner];
    let shared = DisjointMut::new(&mut partial);
    parallel_for(outer * parts, &|task| {
        let from = task % parts * part;
        let len = part.min(axis - from);
        let start = (task / parts * axis + from) * inner;
        let piece = &input[start..start + len * inner];
        // SAFETY: one part is written by one task.
        let to = unsafe { shared.slice(task * inner..(task + 1) * inner) };
        across::<T, C>(isa, piece, [1, len, inner], to);
    });
    across::<T, C>(isa, &partial, [outer, parts, inner], out);
}

/// Reduces the middle of three axes with one task per result or tile.
fn across<T: Number, C: Combine<T>>(
    isa: Isa,
    input: &[T],
    [outer, axis, inner]: [usize; 3],
    out: &mut [T],
) {
    let shared = DisjointMut::new(out);
    if inner == 1 {
        parallel_chunks(outer, MIN_CHUNK.div_ceil(axis), |range| {
            // SAFETY: the ranges do not overlap.
            let to = unsafe { shared.slice(range.clone()) };
            for (o, to) in range.zip(to) {
                *to = row::<T, C>(isa, &input[o * axis..(o + 1) * axis]);
            }
        });
        return;
    }
    let tiles = inner.div_ceil(TILE);
    let min_tiles = MIN_CHUNK.div_ceil(axis * inner.min(TILE));
    parallel_chunks(outer * tiles, min_tiles, |range| {
        for unit in range {
            let (o, left) = (unit / tiles, unit % tiles * TILE);
            let width = TILE.min(inner - left);
            let from = &input[o * axis * inner + left..(o + 1) * axis * inner];
            let at = o * inner + left;
            // SAFETY: tiles do not overlap.
            let to = unsafe { shared.slice(at..at + width) };
            columns::<T, C>(isa, from, inner, axis, to);
        }
    });
}
