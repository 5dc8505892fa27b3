//! Memory by lifetime: values that are not alive together share memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A value's need: bytes, and the first and last step that touch it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub bytes: usize,
    pub first: usize,
    pub last: usize,
}

pub const ALIGN: usize = 64;

/// What no memory holds stays that large: it is refused when it is asked for.
fn aligned(bytes: usize) -> usize {
    bytes
        .checked_next_multiple_of(ALIGN)
        .unwrap_or(usize::MAX / ALIGN * ALIGN)
}

/// Bytes of the values alive at the step that has the most: no arena is
/// smaller.
pub fn largest_live(needs: &[Need]) -> usize {
    let steps = needs.iter().map(|need| need.last + 1).max().unwrap_or(0);
    let mut born = vec![0usize; steps];
    let mut died = vec![0usize; steps + 1];
    for need in needs {
        born[need.first] = need.bytes.saturating_add(born[need.first]);
        died[need.last + 1] = need.bytes.saturating_add(died[need.last + 1]);
    }
    let alive = (born.iter().zip(&died)).scan(0usize, |alive, (born, died)| {
        *alive = alive.saturating_add(*born).saturating_sub(*died);
        Some(*alive)
    });
    alive.max().unwrap_or(0)
}

/// More values are placed in the order of need.
const MOST_BY_SIZE: usize = 4096;

/// Offsets into one arena, and its size.  Larger values are placed first,
/// each at the lowest gap left by those alive with it.
pub fn arena(needs: &[Need]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| (Reverse(needs[i].bytes), needs[i].first));
    if needs.len() > MOST_BY_SIZE {
        return arena_in_order(needs);
    }
    let mut offsets = vec![0usize; needs.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut size = 0;
    for &i in &order {
        let need = needs[i];
        let bytes = aligned(need.bytes);
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&j| needs[j].first <= need.last && need.first <= needs[j].last)
            .map(|&j| {
                (
                    offsets[j],
                    offsets[j].saturating_add(aligned(needs[j].bytes)),
                )
            })
            .collect();
        taken.sort_unstable();
        let mut at = 0usize;
        for (start, end) in taken {
            if at.saturating_add(bytes) <= start {
                break;
            }
            at = at.max(end);
        }
        offsets[i] = at;
        size = size.max(at.saturating_add(bytes));
        placed.push(i);
    }
    (offsets, size)
}

/// For very long plans: each value in the lowest gap there is when it is made,
/// which does not know what comes later, but takes about as long for each.
fn arena_in_order(needs: &[Need]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| (needs[i].first, Reverse(needs[i].bytes)));
    let mut offsets = vec![0; needs.len()];
    let mut busy: BinaryHeap<Reverse<(usize, usize, usize)>> = BinaryHeap::new();
    let mut gaps = Gaps::default();
    for i in order {
        let need = needs[i];
        while let Some(&Reverse((last, start, bytes))) = busy.peek()
            && last < need.first
        {
            busy.pop();
            gaps.give(start, bytes);
        }
        let bytes = aligned(need.bytes);
        offsets[i] = gaps.take(bytes);
        busy.push(Reverse((need.last, offsets[i], bytes)));
    }
    (offsets, gaps.size)
}

/// Gaps that are looked at for one value.
const LOOKS: usize = 256;

/// What of an arena is free.
#[derive(Default)]
struct Gaps {
    /// Bytes by start; no two touch, none ends at `top`.
    free: BTreeMap<usize, usize>,
    /// From here on all is free.
    top: usize,
    /// The highest that `top` has been.
    size: usize,
}

impl Gaps {
    fn take(&mut self, bytes: usize) -> usize {
        let fits = |(_, free): &(&usize, &usize)| **free >= bytes;
        if let Some((&start, &free)) = self.free.iter().take(LOOKS).find(fits) {
            self.free.remove(&start);
            if free > bytes {
                self.free.insert(start + bytes, free - bytes);
            }
            return start;
        }
        let start = self.top;
        self.top = self.top.saturating_add(bytes);
        self.size = self.size.max(self.top);
        start
    }

    fn give(&mut self, mut start: usize, bytes: usize) {
        let mut end = start.saturating_add(bytes);
        if let Some(more) = self.free.remove(&end) {
            end += more;
        }
        if let Some((&below, &free)) = self.free.range(..start).next_back()
            && below + free == start
        {
            self.free.remove(&below);
            start = below;
        }
        if end == self.top {
            self.top = start;
        } else if end > start {
            self.free.insert(start, end - start);
        }
    }
}

/// Separate buffers: which one each value uses, and their sizes.
pub fn slots(needs: &[Need]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| needs[i].first);
    let mut sizes: Vec<usize> = Vec::new();
    let mut free: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut busy: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    let mut chosen = vec![0; needs.len()];
    for i in order {
        let need = needs[i];
        while let Some(&Reverse((last, slot))) = busy.peek() {
            if last >= need.first {
                break;
            }
            busy.pop();
            free.insert((sizes[slot], slot));
        }
        let bytes = aligned(need.bytes).max(ALIGN);
        // A buffer up to four times as large is reused rather than added to.
        let fit = free
            .range((bytes, 0)..)
            .next()
            .copied()
            .filter(|(size, _)| *size <= bytes.saturating_mul(4));
        let slot = if let Some(found) = fit {
            free.remove(&found);
            found.1
        } else {
            sizes.push(bytes);
            sizes.len() - 1
        };
        chosen[i] = slot;
        busy.push(Reverse((need.last, slot)));
    }
    (chosen, sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(needs: &[Need], offsets: &[usize]) -> bool {
        (0..needs.len()).any(|i| {
            (0..i).any(|j| {
                let together = needs[i].first <= needs[j].last && needs[j].first <= needs[i].last;
                let apart = offsets[i] + needs[i].bytes <= offsets[j]
                    || offsets[j] + needs[j].bytes <= offsets[i];
                together && !apart
            })
        })
    }

    #[test]
    fn values_alive_together_never_overlap() {
        let mut state = 1u64;
        let mut next = |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let needs: Vec<Need> = (0..200)
            .map(|i| Need {
                bytes: 1 + next(5000),
                first: i,
                last: i + next(12),
            })
            .collect();
        let (offsets, size) = arena(&needs);
        assert!(!overlap(&needs, &offsets));
        let live = (0..220).map(|t| {
            let alive = needs.iter().filter(|n| n.first <= t && t <= n.last);
            alive.map(|n| n.bytes).sum::<usize>()
        });
        let most = largest_live(&needs);
        assert_eq!(Some(most), live.max());
        assert!(size as f64 <= 1.2 * most as f64, "{size} against {most}");
        let (offsets, size) = arena_in_order(&needs);
        assert!(!overlap(&needs, &offsets));
        assert!(size as f64 <= 1.2 * most as f64, "{size} against {most}");
    }
}
