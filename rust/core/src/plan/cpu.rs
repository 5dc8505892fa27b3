//! A part of a plan that runs on the CPU: steps on an arena, some of them
//! image by image ([`super::images`]).

mod build;
mod run;
mod stretch;

use super::graph::Id;
use crate::call::Keeps;
use crate::memory::CpuBuffer;
use crate::{DType, Layout, OpRef};
use lamina_kernels::elementwise;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stretch::Stretch;

/// Where an operand's storage is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A value that crosses the part's border.
    Slot(usize),
    /// In the arena, at this byte.
    Arena(usize),
    /// In what a stretch has for each of the images at hand, at this byte of
    /// one image's.
    Image(usize),
}

struct Arg {
    place: Place,
    layout: Layout,
    dtype: DType,
    keeps: Keeps,
    /// In a stretch: axis 0 counts images.
    images: bool,
}

enum Kernel {
    Op(OpRef),
    Chain(elementwise::Prepared),
}

struct Step {
    kernel: Kernel,
    name: String,
    inputs: Vec<Arg>,
    outputs: Vec<Arg>,
    tail: Option<(elementwise::Prepared, usize)>,
}

pub struct CpuPart {
    steps: Vec<Step>,
    /// In order, apart from each other.
    stretches: Vec<Stretch>,
    arena_bytes: usize,
    /// Bytes of the largest set of values that lie in it together.
    live_bytes: usize,
    /// Arenas of runs that are over.
    idle: Mutex<Vec<Arc<CpuBuffer>>>,
}

/// Which slot, if any, holds each root that crosses the part's border.
pub type Border = HashMap<Id, usize>;

/// Who is told of steps that are done: of the first of them, and of each its
/// share of the time since the last call.
pub type Observer<'a> = &'a mut dyn FnMut(usize, &[f64]);

impl CpuPart {
    /// For how many images at a time a step runs; None: for all.
    pub fn images_at_once(&self, step: usize) -> Option<usize> {
        let stretch = self.stretches.iter().find(|s| s.steps.contains(&step))?;
        Some(stretch.together)
    }

    /// Bytes that intermediates take in one run, a thread's images at hand
    /// included.
    pub fn arena_bytes(&self) -> usize {
        let images = self.stretches.iter().map(|s| s.bytes() * s.together);
        self.arena_bytes + images.max().unwrap_or(0)
    }

    /// Bytes of the most intermediates at once, counted likewise.
    pub fn live_bytes(&self) -> usize {
        let images = self.stretches.iter().map(|s| s.live_bytes() * s.together);
        self.live_bytes + images.max().unwrap_or(0)
    }
}
