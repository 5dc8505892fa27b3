//! Running a stretch of steps for some images after the others.

use super::super::images;
use super::run::Images;
use super::{CpuPart, Step};
use crate::memory::CpuBuffer;
use crate::{Result, Value};
use lamina_kernels::pool;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub struct Stretch {
    pub steps: Range<usize>,
    images: usize,
    /// Images that are at hand together.
    pub together: usize,
    /// Of what is kept of an image within the stretch.
    bytes: usize,
    live_bytes: usize,
}

impl Stretch {
    pub fn new(stretch: &images::Stretch, bytes: usize, live_bytes: usize) -> Stretch {
        Stretch {
            steps: stretch.steps.clone(),
            images: stretch.images,
            together: stretch.together,
            bytes,
            live_bytes,
        }
    }

    /// Bytes of one image's arena.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Runs the steps for all images; which share of its time each took.
    pub fn run(
        &self,
        part: &CpuPart,
        arena: &Arc<CpuBuffer>,
        slots: &[Option<Value>],
    ) -> Result<Vec<f64>> {
        let steps = &part.steps[self.steps.clone()];
        let work = Work {
            stretch: self,
            steps,
            arena,
            slots,
            nanos: steps.iter().map(|_| AtomicU64::new(0)).collect(),
            failed: Mutex::new(None),
        };
        // Each thread takes as many images; all threads together what is left.
        let threads = pool::threads_here();
        let each = self.images / threads;
        if each > 0 {
            let pieces = each.div_ceil(self.together);
            pool::parallel_for(threads * pieces, &|task| {
                let (first, piece) = (task / pieces * each, task % pieces);
                let cut = |at: usize| first + each * at / pieces;
                work.run(cut(piece)..cut(piece + 1));
            });
        }
        if each * threads < self.images {
            work.run(each * threads..self.images);
        }
        work.ended()
    }
}

/// A run of a stretch.
struct Work<'a> {
    stretch: &'a Stretch,
    steps: &'a [Step],
    arena: &'a Arc<CpuBuffer>,
    slots: &'a [Option<Value>],
    /// What each step took, all threads together.
    nanos: Vec<AtomicU64>,
    failed: Mutex<Option<crate::Error>>,
}

impl Work<'_> {
    fn run(&self, images: Range<usize>) {
        if self.failed.lock().is_some() {
            return;
        }
        if let Err(error) = self.try_run(&images) {
            self.failed.lock().get_or_insert(error);
        }
    }

    fn try_run(&self, images: &Range<usize>) -> Result<()> {
        let at_hand = Images {
            arena: CpuBuffer::new(self.stretch.bytes * images.len())?,
            first: images.start,
            count: images.len(),
        };
        let mut before = Instant::now();
        for (step, nanos) in self.steps.iter().zip(&self.nanos) {
            step.run_on(self.arena, self.slots, Some(&at_hand))?;
            let now = Instant::now();
            let took = now.duration_since(before).as_nanos() as u64;
            nanos.fetch_add(took, Ordering::Relaxed);
            before = now;
        }
        Ok(())
    }

    fn ended(self) -> Result<Vec<f64>> {
        if let Some(error) = self.failed.into_inner() {
            return Err(error);
        }
        let nanos: Vec<f64> = (self.nanos.into_iter())
            .map(|nanos| nanos.into_inner() as f64)
            .collect();
        let all = nanos.iter().sum::<f64>().max(1.0);
        Ok(nanos.into_iter().map(|nanos| nanos / all).collect())
    }
}
