//! Moves put together from views.

use crate::layout::{resolve_axes, resolve_axis};
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::inputs;
use crate::ops::views::{self, Slice};
use crate::{Attrs, Error, Result, Tensor, params};

params! {
    /// `DCR`: rows and columns of a block come before the depth in the channels; `CRD`: after it.
    pub struct Block { block_size: usize, mode: String = "DCR".to_owned() }
}

params! {
    pub struct Unflatten { dim: i64, sizes: Vec<i64> }
}

params! {
    pub struct Groups { groups: usize }
}

/// The whole tensor `repeats[i]` times along each axis; new axes in front
/// where there are more repeats than axes.
pub fn tile(x: &Tensor, repeats: &[i64]) -> Result<Tensor> {
    if let Some(bad) = repeats.iter().find(|&&r| r < 0) {
        return Err(Error::argument(format!(
            "tile: repeats={repeats:?} holds {bad}; wanted 0 or more"
        )));
    }
    let rank = x.rank().max(repeats.len());
    let size = |i: usize| (i + x.rank()).checked_sub(rank).map_or(1, |j| x.shape()[j]);
    let times = |i: usize| {
        (i + repeats.len())
            .checked_sub(rank)
            .map_or(1, |j| repeats[j] as usize)
    };
    // (a, b) -> (1, a, 1, b) -> (m, a, n, b) -> (ma, nb)
    let apart: Vec<usize> = (0..rank).flat_map(|i| [1, size(i)]).collect();
    let grown: Vec<usize> = (0..rank).flat_map(|i| [times(i), size(i)]).collect();
    let whole: Vec<usize> = (0..rank)
        .map(|i| times(i).saturating_mul(size(i)))
        .collect();
    views::reshape_to(
        &views::expand(&views::reshape_to(x, &apart)?, &grown)?,
        &whole,
    )
}

/// Axes in reverse; all of them for None.
pub fn flip(x: &Tensor, dims: Option<&[i64]>) -> Result<Tensor> {
    let axes = resolve_axes("flip", dims, x.rank())?;
    let slice = Slice {
        starts: vec![-1; axes.len()],
        ends: vec![i64::MIN; axes.len()],
        steps: Some(vec![-1; axes.len()]),
        axes: Some(axes.iter().map(|&a| a as i64).collect()),
    };
    record_one(&OpRef::new(slice), std::slice::from_ref(x))
}

/// Element `index` of an axis, which goes.
pub fn select(x: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    let axis = resolve_axis("select", dim, x.rank())?;
    let length = x.shape()[axis] as i64;
    if !(-length..length).contains(&index) {
        return Err(Error::index(format!(
            "select: index {index} is out of range for axis {axis}, which has {length}"
        )));
    }
    let start = index.rem_euclid(length) as usize;
    let mut shape = x.shape().to_vec();
    shape.remove(axis);
    views::reshape_to(&views::narrow(x, axis, start, start + 1)?, &shape)
}

impl Block {
    /// The size, and whether the depth comes first.
    fn checked(&self, name: &str) -> Result<(usize, bool)> {
        let first = match self.mode.as_str() {
            "DCR" => false,
            "CRD" => true,
            other => {
                return Err(Error::argument(format!(
                    "{name}: mode='{other}' is not 'DCR' or 'CRD'"
                )));
            }
        };
        if self.block_size == 0 || self.block_size > usize::from(u16::MAX) {
            return Err(Error::argument(format!(
                "{name}: block_size={} is not within 1 and {}",
                self.block_size,
                u16::MAX
            )));
        }
        Ok((self.block_size, first))
    }
}

fn picture(name: &str, x: &Tensor) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(x.shape()).map_err(|_| {
        Error::shape(format!(
            "{name}: x has shape {:?}, wanted (batch, channels, height, width)",
            x.shape()
        ))
    })
}

/// (batch, b b depth, height, width) to (batch, depth, b height, b width).
pub fn depth_to_space(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let (b, depth_first) = Block::from_attrs(name, attrs)?.checked(name)?;
    let [batch, channels, height, width] = picture(name, &x)?;
    let depth = channels / (b * b);
    if depth * b * b != channels {
        return Err(Error::shape(format!(
            "{name}: {channels} channels do not divide by the block's {}",
            b * b
        )));
    }
    let (split, order) = if depth_first {
        ([batch, depth, b, b, height, width], [0, 1, 4, 2, 5, 3])
    } else {
        ([batch, b, b, depth, height, width], [0, 3, 4, 1, 5, 2])
    };
    let x = views::permute(&views::reshape_to(&x, &split)?, &order)?;
    views::reshape_to(&x, &[batch, depth, height * b, width * b])
}

/// (batch, depth, b height, b width) to (batch, b b depth, height, width).
pub fn space_to_depth(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let (b, depth_first) = Block::from_attrs(name, attrs)?.checked(name)?;
    let [batch, channels, height, width] = picture(name, &x)?;
    let (rows, columns) = (height / b, width / b);
    if rows * b != height || columns * b != width {
        return Err(Error::shape(format!(
            "{name}: a picture of {height} x {width} does not divide by blocks of {b}"
        )));
    }
    let order = if depth_first {
        [0, 1, 3, 5, 2, 4]
    } else {
        [0, 3, 5, 1, 2, 4]
    };
    let x = views::reshape_to(&x, &[batch, channels, rows, b, columns, b])?;
    let x = views::permute(&x, &order)?;
    views::reshape_to(&x, &[batch, channels * b * b, rows, columns])
}

/// Channel i of group g becomes channel g of group i (Zhang et al. 2018).
pub fn channel_shuffle(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let groups = Groups::from_attrs(name, attrs)?.groups;
    let [batch, channels, rest @ ..] = x.shape() else {
        return Err(Error::shape(format!(
            "{name}: x has shape {:?}, wanted (batch, channels, ...)",
            x.shape()
        )));
    };
    if groups == 0 || channels % groups != 0 {
        return Err(Error::argument(format!(
            "{name}: groups={groups} must divide the {channels} channels of x {:?}",
            x.shape()
        )));
    }
    let split = [&[*batch, groups, channels / groups], rest].concat();
    let mut order: Vec<usize> = (0..split.len()).collect();
    order.swap(1, 2);
    let turned = views::permute(&views::reshape_to(&x, &split)?, &order)?;
    views::reshape_to(&turned, x.shape())
}

/// One axis as several; one of `sizes` may be -1.
pub fn unflatten(name: &str, xs: &[Tensor], attrs: &Attrs) -> Result<Tensor> {
    let [x] = inputs(name, xs)?;
    let Unflatten { dim, sizes } = Unflatten::from_attrs(name, attrs)?;
    let axis = resolve_axis(name, dim, x.rank())?;
    let length = x.shape()[axis];
    let given = sizes.iter().filter(|&&n| n != -1);
    let known = given.clone().try_fold(1usize, |all, &n| {
        usize::try_from(n).ok().and_then(|n| all.checked_mul(n))
    });
    let holes = sizes.len() - given.count();
    let fits = match (known, holes) {
        (Some(known), 0) => known == length,
        (Some(known), 1) => known > 0 && length % known == 0,
        _ => false,
    };
    if !fits {
        return Err(Error::shape(format!(
            "{name}: sizes={sizes:?} do not make up axis {axis} of x {:?}, which has {length}",
            x.shape()
        )));
    }
    let own = |axes: &[usize]| axes.iter().map(|&n| n as i64).collect::<Vec<_>>();
    let filled = sizes.iter().map(|&n| match (n, known) {
        (-1, Some(known)) => (length / known.max(1)) as i64,
        _ => n,
    });
    let mut shape = own(&x.shape()[..axis]);
    shape.extend(filled);
    shape.extend(own(&x.shape()[axis + 1..]));
    views::reshape(&x, &shape)
}
