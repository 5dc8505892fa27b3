//! Convolution on images in the blocked layout ([`crate::blocked`]): a vector
//! holds neighbouring channels of one pixel, so that every kernel runs at full
//! width for any image width, and results leave the registers as the next
//! convolution reads them.
//!
//! The first layer's kernel reads the plain layout: its few channels would
//! fill a block with nothing.

mod backward_weight;
mod band;
mod depthwise;
mod direct;
mod gathered;
pub mod inverted_residual;
mod pointwise;
mod task;
#[cfg(test)]
mod tests;
mod tile;
pub mod trial;
mod weight;
mod winograd;

use super::shape::Conv2dShape;
use super::tail;
use crate::activation::Activation;
use crate::blocked;
use crate::isa::Isa;
use crate::matmul::Tail;
pub use backward_weight::backward_weight;
use tile::VECTORS;
pub use weight::BlockedConvWeight;

/// How a convolution is computed; its weight is packed for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// From the plain layout: few input channels.
    Stem,
    /// Taps and channels run by, from a copy of some rows with their
    /// surroundings.
    Direct,
    /// The same from a copy of what each tap finds, of many small images.
    Gathered,
    /// The gradient to the input, by phases of the stride, gathered so.
    Phases,
    /// A 1x1 window that moves by one pixel: a product, read in place.
    Pointwise,
    /// F(2, 3): 16 products for 4 pixels instead of 36.
    WinogradF2,
    /// F(4, 3): 36 products for 16 pixels instead of 144.
    WinogradF4,
    /// One input and one output channel in a group.
    Depthwise,
}

/// Input channels up to which the first layer's kernel is used.
const FEW_CHANNELS: usize = 4;

/// Tiles of an image up to which several images are taken together.
const FEW_TILES: usize = 4;

/// Costs whose ratio is less may be the other way round on a machine.
const CLOSE: f64 = 1.1;

impl Algorithm {
    /// The one for these sizes; None: the blocked layout has no kernel.
    /// `blocked` says that the input lies in blocks already.
    pub fn choose(isa: Isa, shape: &Conv2dShape, blocked: bool) -> Option<Algorithm> {
        let Conv2dShape {
            groups,
            in_c,
            out_c,
            ..
        } = *shape;
        if !blocked {
            let stem = groups == 1 && in_c <= FEW_CHANNELS;
            return stem.then_some(Algorithm::Stem);
        }
        if groups > 1 && groups == in_c && groups == out_c {
            return Some(Algorithm::Depthwise);
        }
        if !whole_groups(isa, shape) {
            return None;
        }
        let still = shape.stride == [1, 1] && shape.pads == [0; 4];
        if shape.kernel() == 1 && still {
            return Some(Algorithm::Pointwise);
        }
        Some(match winograd::costs(isa, shape) {
            Some(costs) => costs[0].0,
            None => Algorithm::plain(isa, shape),
        })
    }

    /// All taps of all channels: the one that fills its tiles.
    fn plain(isa: Isa, shape: &Conv2dShape) -> Algorithm {
        let small = shape.out_plane() <= FEW_TILES * tile::pixels(isa);
        if shape.groups == 1 && shape.batch > 1 && small {
            Algorithm::Gathered
        } else {
            Algorithm::Direct
        }
    }

    /// The ways to compute it from blocks between which its sizes do not
    /// decide, [`Algorithm::choose`]'s first: their costs are close.
    pub fn close(isa: Isa, shape: &Conv2dShape) -> Vec<Algorithm> {
        let costs = winograd::costs(isa, shape).unwrap_or_default();
        let least = costs.first().map_or(0.0, |(_, cost)| *cost);
        let close = costs.iter().filter(|(_, cost)| *cost <= least * CLOSE);
        close.map(|(way, _)| *way).collect()
    }

    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Stem => "stem",
            Algorithm::Direct => "direct",
            Algorithm::Gathered => "gathered",
            Algorithm::Phases => "phases",
            Algorithm::Pointwise => "pointwise",
            Algorithm::WinogradF2 => "winograd f(2, 3)",
            Algorithm::WinogradF4 => "winograd f(4, 3)",
            Algorithm::Depthwise => "depthwise",
        }
    }
}

/// Whether each group gives whole blocks, from whole blocks or from a part of
/// one: no channel of another group is then multiplied, by zeros either.
fn whole_groups(isa: Isa, shape: &Conv2dShape) -> bool {
    let (lanes, group_in) = (isa.lanes(), shape.group_in());
    shape.groups == 1
        || shape.group_out().is_multiple_of(lanes)
            && (group_in.is_multiple_of(lanes) || lanes.is_multiple_of(group_in))
}

/// What happens to sums before they are written.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    /// One for each output channel, filled up to whole blocks.
    pub bias: Option<&'a [f32]>,
    /// Added to the result; as long as it.
    pub residual: Option<&'a [f32]>,
    pub activation: Activation,
    /// Called with the start and the final values of pieces of the result.
    pub tail: Option<Tail<'a>>,
}

impl Epilogue<'_> {
    pub const NONE: Epilogue<'static> = Epilogue {
        bias: None,
        residual: None,
        activation: Activation::NONE,
        tail: None,
    };

    /// For results of `len` values, of `channels` with those that stand for
    /// none.
    fn check(&self, channels: usize, len: usize) {
        let biased = self.bias.is_none_or(|bias| bias.len() >= channels);
        assert!(biased, "conv2d: bias");
        let added = self.residual.is_none_or(|residual| residual.len() == len);
        assert!(added, "conv2d: residual");
    }

    /// The biases from channel `at` on; null: none.
    fn bias_at(&self, at: usize) -> *const f32 {
        self.bias
            .map_or(std::ptr::null(), |bias| bias[at..].as_ptr())
    }

    /// The residual from `at` on; null: none.
    fn residual_at(&self, at: usize) -> *const f32 {
        self.residual
            .map_or(std::ptr::null(), |residual| residual[at..].as_ptr())
    }
}

/// y = the convolution of x with the packed weight, and its epilogue.
///
/// x lies (batch, in blocks, height, width, lanes), for [`Algorithm::Stem`]
/// (batch, channels, height, width); y (batch, out blocks, height, width,
/// lanes).  The lanes of the last block that stand for no channel are not
/// read, and get the epilogue of 0.
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn forward(
    shape: &Conv2dShape,
    x: &[f32],
    weight: &BlockedConvWeight,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let in_len = match weight.algorithm() {
        Algorithm::Stem => shape.input_len(),
        _ => blocked::len(isa, shape.batch, shape.in_c, shape.in_plane()),
    };
    assert_eq!(x.len(), in_len, "conv2d: x");
    let out_len = blocked::len(isa, shape.batch, shape.out_c, shape.out_plane());
    assert_eq!(y.len(), out_len, "conv2d: y");
    epilogue.check(blocked::blocks(isa, shape.out_c) * isa.lanes(), y.len());
    weight.check(shape);
    if y.is_empty() {
        return;
    }
    match weight.algorithm() {
        Algorithm::Stem | Algorithm::Direct => direct::forward(shape, x, weight, y, epilogue),
        Algorithm::Gathered => gathered::forward(shape, x, weight, y, epilogue),
        Algorithm::Pointwise => pointwise::forward(shape, x, weight, y, epilogue),
        Algorithm::WinogradF2 | Algorithm::WinogradF4 => {
            winograd::forward(shape, x, weight, y, epilogue);
            tail::at_once(y, epilogue.tail);
        }
        Algorithm::Depthwise => {
            depthwise::forward(shape, x, weight, y, epilogue);
            tail::at_once(y, epilogue.tail);
        }
        Algorithm::Phases => panic!("conv2d: packed for the gradient to the input"),
    }
}

/// dx = the gradient to the input of the convolution of `shape`, whose output's
/// is dy, with a weight packed by [`BlockedConvWeight::phases`]; by another name
/// the transposed convolution.  The epilogue is of dx.
///
/// dy lies (batch, out blocks, height, width, lanes), dx (batch, in blocks,
/// height, width, lanes), as for [`forward`].
///
/// # Panics
/// Where a slice has another size than `shape` says.
pub fn backward_input(
    shape: &Conv2dShape,
    dy: &[f32],
    weight: &BlockedConvWeight,
    dx: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let isa = weight.isa();
    let out_len = blocked::len(isa, shape.batch, shape.out_c, shape.out_plane());
    assert_eq!(dy.len(), out_len, "conv2d: dy");
    let in_len = blocked::len(isa, shape.batch, shape.in_c, shape.in_plane());
    assert_eq!(dx.len(), in_len, "conv2d: dx");
    epilogue.check(blocked::blocks(isa, shape.in_c) * isa.lanes(), dx.len());
    assert_eq!(weight.algorithm(), Algorithm::Phases, "conv2d: packed");
    weight.check(shape);
    if !dx.is_empty() {
        gathered::backward_input(shape, dy, weight, dx, epilogue);
    }
}

/// Sizes in blocks.
struct Shape {
    in_blocks: usize,
    out_blocks: usize,
    /// Of a group.
    group_in: usize,
    group_out: usize,
    /// Pixels of the result.
    plane: usize,
}

/// One or two output blocks, which a tile gives.
struct Pair {
    /// Output block.
    first: usize,
    vectors: usize,
    /// The input block where its group's channels begin, and the lane there.
    block: usize,
    lane: usize,
}

impl Shape {
    fn new(isa: Isa, shape: &Conv2dShape) -> Shape {
        Shape {
            in_blocks: blocked::blocks(isa, shape.in_c),
            out_blocks: blocked::blocks(isa, shape.out_c),
            group_in: shape.group_in(),
            group_out: blocked::blocks(isa, shape.group_out()),
            plane: shape.out_plane(),
        }
    }

    /// Pair `index` of all groups'.
    fn pair(&self, lanes: usize, index: usize) -> Pair {
        let each = self.group_out.div_ceil(VECTORS);
        let (group, first) = (index / each, index % each * VECTORS);
        let channel = group * self.group_in;
        Pair {
            first: group * self.group_out + first,
            vectors: VECTORS.min(self.group_out - first),
            block: channel / lanes,
            lane: channel % lanes,
        }
    }
}
