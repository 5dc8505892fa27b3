//! Which rows are equal, and where each was first.

/// Rows in groups of equal ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The first row of each group.
    pub first: Vec<usize>,
    /// The group of each row.
    pub inverse: Vec<usize>,
    /// Rows of each group.
    pub counts: Vec<usize>,
}

/// Groups `rows` rows of `width` keys (see [`crate::sort::Ordered`]), in rising
/// order of their rows if `sorted`, else as they first come.
pub fn groups(keys: &[u64], rows: usize, width: usize, sorted: bool) -> Groups {
    assert_eq!(keys.len(), rows * width);
    let row = |i: usize| &keys[i * width..(i + 1) * width];
    let mut order: Vec<usize> = (0..rows).collect();
    // Stable: the first of equal rows stays first.
    order.sort_by(|&a, &b| row(a).cmp(row(b)));
    let mut found = Groups {
        inverse: vec![0; rows],
        ..Groups::default()
    };
    for (place, &i) in order.iter().enumerate() {
        if place == 0 || row(order[place - 1]) != row(i) {
            found.first.push(i);
            found.counts.push(0);
        }
        found.inverse[i] = found.first.len() - 1;
        if let Some(count) = found.counts.last_mut() {
            *count += 1;
        }
    }
    if sorted { found } else { by_first(&found) }
}

/// The same groups in the order of their first rows.
fn by_first(sorted: &Groups) -> Groups {
    let mut order: Vec<usize> = (0..sorted.first.len()).collect();
    order.sort_by_key(|&group| sorted.first[group]);
    let mut place = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        place[from] = to;
    }
    let moved = |list: &[usize]| order.iter().map(|&from| list[from]).collect();
    Groups {
        first: moved(&sorted.first),
        inverse: sorted.inverse.iter().map(|&group| place[group]).collect(),
        counts: moved(&sorted.counts),
    }
}

#[cfg(test)]
mod tests {
    use super::{Groups, groups};

    #[test]
    fn rows_are_grouped() {
        let keys = [5, 1, 5, 3, 1, 1];
        let wanted = Groups {
            first: vec![1, 3, 0],
            inverse: vec![2, 0, 2, 1, 0, 0],
            counts: vec![3, 1, 2],
        };
        assert_eq!(groups(&keys, 6, 1, true), wanted);
        let wanted = Groups {
            first: vec![0, 1, 3],
            inverse: vec![0, 1, 0, 2, 1, 1],
            counts: vec![2, 3, 1],
        };
        assert_eq!(groups(&keys, 6, 1, false), wanted);
        let pairs = groups(&[2, 1, 1, 9, 2, 1], 3, 2, true);
        assert_eq!((pairs.first, pairs.inverse), (vec![1, 0], vec![1, 0, 1]));
        assert_eq!(groups(&[], 0, 3, true), Groups::default());
        assert_eq!(groups(&[], 2, 0, false).counts, [2]);
    }
}
