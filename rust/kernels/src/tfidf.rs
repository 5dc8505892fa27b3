//! How often known n-grams stand in rows of integers.

use crate::pool::parallel_chunks_mut;
use std::collections::HashMap;

/// Known n-grams as a tree: a step for each integer.
#[derive(Clone, Debug)]
pub struct Grams {
    steps: HashMap<(usize, i64), usize>,
    /// By node: the column that counts the n-gram which ends there.
    columns: Vec<Option<usize>>,
    shortest: usize,
    longest: usize,
    most_skipped: usize,
}

impl Grams {
    /// N-grams of `shortest` to `longest` integers, between which up to
    /// `most_skipped` others are passed over, as many each time.
    pub fn new(shortest: usize, longest: usize, most_skipped: usize) -> Self {
        Grams {
            steps: HashMap::new(),
            columns: vec![None],
            shortest,
            longest,
            most_skipped,
        }
    }

    /// Adds one; of two that are equal the later counts.
    pub fn insert(&mut self, gram: &[i64], column: usize) {
        if !(self.shortest..=self.longest).contains(&gram.len()) {
            return;
        }
        let mut node = 0;
        for &value in gram {
            let next = self.columns.len();
            node = *self.steps.entry((node, value)).or_insert(next);
            if node == next {
                self.columns.push(None);
            }
        }
        self.columns[node] = Some(column);
    }

    fn count(&self, row: &[i64], counts: &mut [f32]) {
        let mut shortest = self.shortest;
        for distance in 1..=self.most_skipped.saturating_add(1) {
            let reach = distance.saturating_mul(shortest - 1);
            if reach >= row.len() || shortest > self.longest {
                break;
            }
            for start in 0..row.len() - reach {
                self.follow(row, start, distance, shortest, counts);
            }
            // Single integers are the same whatever is skipped: counted once.
            shortest = shortest.max(2);
        }
    }

    fn follow(
        &self,
        row: &[i64],
        start: usize,
        distance: usize,
        shortest: usize,
        counts: &mut [f32],
    ) {
        let mut node = 0;
        for (size, &value) in (1..=self.longest).zip(row[start..].iter().step_by(distance)) {
            let Some(&next) = self.steps.get(&(node, value)) else {
                return;
            };
            node = next;
            if let Some(column) = self.columns[node].filter(|_| size >= shortest) {
                counts[column] += 1.0;
            }
        }
    }
}

/// What a count becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    Count,
    /// Whether there is one.
    Presence,
}

/// `out` (rows, columns), whole: for rows of `length` integers the counts of
/// n-grams, times the column's weight if there are weights.
pub fn tfidf(
    grams: &Grams,
    x: &[i64],
    length: usize,
    weighing: Weighing,
    weights: &[f32],
    columns: usize,
    out: &mut [f32],
) {
    if columns == 0 {
        return;
    }
    parallel_chunks_mut(out, columns, |row, out| {
        out.fill(0.0);
        grams.count(&x[row * length..(row + 1) * length], out);
        for (column, count) in out.iter_mut().enumerate() {
            if weighing == Weighing::Presence {
                *count = count.min(1.0);
            }
            if let Some(weight) = weights.get(column) {
                *count *= weight;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Grams, Weighing, tfidf};

    #[test]
    fn grams_are_counted_with_what_is_skipped() {
        let mut grams = Grams::new(1, 2, 1);
        grams.insert(&[2], 0);
        grams.insert(&[2, 3], 1);
        grams.insert(&[2, 3, 4], 2);
        let x = [2, 3, 3, 2, 5, 3];
        let mut out = [9.0; 3];
        tfidf(&grams, &x, 6, Weighing::Count, &[], 3, &mut out);
        // 2 twice; (2, 3) once side by side, twice with one between.
        assert_eq!(out, [2.0, 3.0, 0.0]);
        tfidf(
            &grams,
            &x,
            6,
            Weighing::Presence,
            &[0.5, 2.0, 1.0],
            3,
            &mut out,
        );
        assert_eq!(out, [0.5, 2.0, 0.0]);
        let mut grams = Grams::new(1, 1, usize::MAX);
        grams.insert(&[3], 0);
        tfidf(&grams, &x, 3, Weighing::Count, &[], 1, &mut out[..2]);
        assert_eq!(out[..2], [2.0, 1.0]);
    }
}
