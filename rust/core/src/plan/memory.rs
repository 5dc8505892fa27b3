//! Memory by lifetime: values that are not alive together share memory.

/// A value's need: bytes, and the first and last step that touch it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub bytes: usize,
    pub first: usize,
    pub last: usize,
}

pub const ALIGN: usize = 64;

/// Offsets into one arena, and its size.  Larger values are placed first,
/// each at the lowest gap left by those alive with it.
pub fn arena(needs: &[Need]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(needs[i].bytes), needs[i].first));
    if needs.len() > 4096 {
        return arena_in_order(needs);
    }
    let mut offsets = vec![0; needs.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut size = 0;
    for &i in &order {
        let need = needs[i];
        let bytes = need.bytes.next_multiple_of(ALIGN);
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&j| needs[j].first <= need.last && need.first <= needs[j].last)
            .map(|&j| {
                (
                    offsets[j],
                    offsets[j] + needs[j].bytes.next_multiple_of(ALIGN),
                )
            })
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, end) in taken {
            if at + bytes <= start {
                break;
            }
            at = at.max(end);
        }
        offsets[i] = at;
        size = size.max(at + bytes);
        placed.push(i);
    }
    (offsets, size)
}

/// For very long plans: slots reused in order of need, linear in their number.
fn arena_in_order(needs: &[Need]) -> (Vec<usize>, usize) {
    let (slots, sizes) = slots(needs);
    let mut starts = Vec::with_capacity(sizes.len());
    let mut end = 0;
    for bytes in sizes {
        starts.push(end);
        end += bytes;
    }
    (slots.into_iter().map(|s| starts[s]).collect(), end)
}

/// Separate buffers: which one each value uses, and their sizes.
pub fn slots(needs: &[Need]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&i| needs[i].first);
    let mut sizes: Vec<usize> = Vec::new();
    let mut free: std::collections::BTreeSet<(usize, usize)> = std::collections::BTreeSet::new();
    let mut busy: std::collections::BinaryHeap<std::cmp::Reverse<(usize, usize)>> =
        std::collections::BinaryHeap::new();
    let mut chosen = vec![0; needs.len()];
    for i in order {
        let need = needs[i];
        while let Some(&std::cmp::Reverse((last, slot))) = busy.peek() {
            if last >= need.first {
                break;
            }
            busy.pop();
            free.insert((sizes[slot], slot));
        }
        let bytes = need.bytes.next_multiple_of(ALIGN).max(ALIGN);
        // A buffer up to four times as large is reused rather than added to.
        let fit = free
            .range((bytes, 0)..)
            .next()
            .copied()
            .filter(|(size, _)| *size <= bytes * 4);
        let slot = if let Some(found) = fit {
            free.remove(&found);
            found.1
        } else {
            sizes.push(bytes);
            sizes.len() - 1
        };
        chosen[i] = slot;
        busy.push(std::cmp::Reverse((need.last, slot)));
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
        let peak = (0..220)
            .map(|t| {
                needs
                    .iter()
                    .filter(|n| n.first <= t && t <= n.last)
                    .map(|n| n.bytes.next_multiple_of(ALIGN))
                    .sum::<usize>()
            })
            .max();
        assert!(
            size as f64 <= 1.25 * peak.unwrap_or(0) as f64,
            "{size} against {peak:?}"
        );
        let (offsets, _) = arena_in_order(&needs);
        assert!(!overlap(&needs, &offsets));
    }
}
