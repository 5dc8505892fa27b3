//! A factor for each output channel of a weight, applied when it is packed.

use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Clone, Debug)]
pub struct Scale {
    factors: Vec<f64>,
    /// Tells packings of one weight by different scales apart.
    pub key: u64,
}

impl Scale {
    pub fn new(factors: Vec<f64>) -> Scale {
        let mut hasher = DefaultHasher::new();
        for factor in &factors {
            factor.to_bits().hash(&mut hasher);
        }
        Scale {
            factors,
            key: hasher.finish(),
        }
    }

    /// `w`, of which each factor takes an equal part.
    pub fn apply(&self, w: &[f32]) -> Vec<f32> {
        let each = w.len() / self.factors.len().max(1);
        let rows = w.chunks_exact(each.max(1)).zip(&self.factors);
        rows.flat_map(|(row, scale)| row.iter().map(move |w| (f64::from(*w) * scale) as f32))
            .collect()
    }
}
