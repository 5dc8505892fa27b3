//! Windows that slide over axes, the padding around these, and what both come
//! to.

use crate::attrs::{FromAttr, ToAttr};
use crate::{Attr, Error, Result};

/// Around the image; the numbers are those of two axes or, as given, of any
/// number of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Padding<P = [usize; 4]> {
    /// Top, left, bottom, right: in front of each axis, then behind each.
    Explicit(P),
    /// Output ceil(input / stride), the odd element at the end.
    Same,
    /// As `Same`, the odd element at the start.
    SameLower,
}

impl Default for Padding {
    fn default() -> Self {
        Padding::Explicit([0; 4])
    }
}

/// The numbers of a padding.
pub trait Sides: Sized {
    const WANTED: &'static str;

    fn of(numbers: &[i64]) -> Option<Self>;

    fn to_vec(&self) -> Vec<i64>;
}

impl Sides for [usize; 4] {
    const WANTED: &'static str =
        "an int >= 0, (height, width), (top, left, bottom, right), 'valid', 'same' or 'same_lower'";

    fn of(numbers: &[i64]) -> Option<Self> {
        let sides = match *numbers {
            [n] => [n; 4],
            [h, w] => [h, w, h, w],
            [t, l, b, r] => [t, l, b, r],
            _ => return None,
        };
        (sides.iter().all(|n| *n >= 0)).then(|| sides.map(|n| n as usize))
    }

    fn to_vec(&self) -> Vec<i64> {
        self.iter().map(|&n| n as i64).collect()
    }
}

/// One number, one for each axis, or one for each side of each axis.
impl Sides for Vec<i64> {
    const WANTED: &'static str = "an int, one for each axis, those in front and then those behind, 'valid', 'same' or 'same_lower'";

    fn of(numbers: &[i64]) -> Option<Self> {
        Some(numbers.to_vec())
    }

    fn to_vec(&self) -> Vec<i64> {
        self.clone()
    }
}

impl<P: Sides> FromAttr for Padding<P> {
    fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str> {
        let numbers: &[i64] = match attr {
            Attr::Int(n) => std::slice::from_ref(n),
            Attr::Ints(v) => v,
            Attr::Str(name) => match name.as_str() {
                "valid" => &[0],
                "same" => return Ok(Padding::Same),
                "same_lower" => return Ok(Padding::SameLower),
                _ => return Err(P::WANTED),
            },
            _ => return Err(P::WANTED),
        };
        P::of(numbers).map(Padding::Explicit).ok_or(P::WANTED)
    }
}

impl<P: Sides> ToAttr for Padding<P> {
    fn to_attr(&self) -> Attr {
        match self {
            Padding::Explicit(pads) => Attr::Ints(pads.to_vec()),
            Padding::Same => Attr::Str("same".to_owned()),
            Padding::SameLower => Attr::Str("same_lower".to_owned()),
        }
    }
}

/// A window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
}

impl Axis {
    /// Looks at each element by itself.
    pub const POINT: Axis = Axis {
        kernel: 1,
        stride: 1,
        dilation: 1,
    };

    /// From its first tap to its last.
    fn reach(self, op: &str) -> Result<usize> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 {
            return Err(Error::argument(format!(
                "{op}: kernel {}, stride {} and dilation {} must all be at least 1",
                self.kernel, self.stride, self.dilation
            )));
        }
        (self.dilation.checked_mul(self.kernel - 1))
            .and_then(|r| r.checked_add(1))
            .ok_or_else(|| too_large(op))
    }

    /// What `count` windows reach together, unpadded.
    pub fn spread(self, op: &str, count: usize) -> Result<usize> {
        let reach = self.reach(op)?;
        (count.max(1) - 1)
            .checked_mul(self.stride)
            .and_then(|n| n.checked_add(reach))
            .filter(|&n| isize::try_from(n).is_ok())
            .ok_or_else(|| too_large(op))
    }

    /// Padding in front and behind for an output of ceil(`size` / stride).
    fn same(self, size: usize, lower: bool) -> (usize, usize) {
        let reach = (self.dilation)
            .saturating_mul(self.kernel.max(1) - 1)
            .saturating_add(1);
        let out = size.div_ceil(self.stride.max(1));
        let total = (out.saturating_sub(1).saturating_mul(self.stride))
            .saturating_add(reach)
            .saturating_sub(size);
        let (small, large) = (total / 2, total - total / 2);
        if lower {
            (large, small)
        } else {
            (small, large)
        }
    }

    /// The output's length on axis `number`, of `size` and padded.
    pub fn out(
        self,
        op: &str,
        number: usize,
        size: usize,
        (before, after): (usize, usize),
        ceil_mode: bool,
    ) -> Result<usize> {
        let reach = self.reach(op)?;
        let padded = (size.checked_add(before))
            .and_then(|n| n.checked_add(after))
            .ok_or_else(|| too_large(op))?;
        let room = padded.checked_sub(reach).ok_or_else(|| {
            Error::shape(format!(
                "{op}: a window of {reach} does not fit in {padded} (axis {number} of size {size} with padding {before} and {after}); pad more or use a larger input"
            ))
        })?;
        if !ceil_mode {
            return Ok(room / self.stride + 1);
        }
        let n = room.div_ceil(self.stride) + 1;
        // The last window must start inside the image or the padding in front.
        Ok(n - usize::from((n - 1) * self.stride >= size + before))
    }
}

fn too_large(op: &str) -> Error {
    Error::argument(format!("{op}: padding or dilation is too large"))
}

/// Elements of a plane with its border that need not be asked for.
const FREE: usize = 1 << 20;

/// Kernels copy planes of `size` with the border around them.
fn check_border(op: &str, size: &[usize], padded: &[usize]) -> Result<()> {
    let product = |sizes: &[usize]| sizes.iter().fold(1usize, |n, &m| n.saturating_mul(m));
    let plane = product(padded);
    if plane <= FREE.max(product(size).saturating_mul(4)) {
        return Ok(());
    }
    crate::memory::check_budget(plane.saturating_mul(16))
        .map_err(|e| e.within(&format!("{op}: padding")))
}

/// A window that slides over two axes.
#[derive(Clone, Debug)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: Padding,
    pub ceil_mode: bool,
}

impl Window {
    fn axis(&self, axis: usize) -> Axis {
        Axis {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            dilation: self.dilation[axis],
        }
    }

    /// Top, left, bottom, right for an image of `size`.
    pub fn pads(&self, size: [usize; 2]) -> [usize; 4] {
        let lower = match self.padding {
            Padding::Explicit(pads) => return pads,
            Padding::Same => false,
            Padding::SameLower => true,
        };
        let [(top, bottom), (left, right)] =
            [0, 1].map(|axis| self.axis(axis).same(size[axis], lower));
        [top, left, bottom, right]
    }

    /// The stride as kernels get it: one that leaves the padded image at its
    /// first step goes no further than its end.
    pub fn steps(&self, size: [usize; 2]) -> [usize; 2] {
        let pads = self.pads(size);
        [0, 1].map(|axis| {
            let padded = size[axis]
                .saturating_add(pads[axis])
                .saturating_add(pads[axis + 2]);
            self.stride[axis].min(padded.max(1))
        })
    }

    /// The output's height and width.
    pub fn out_size(&self, op: &str, size: [usize; 2]) -> Result<[usize; 2]> {
        let pads = self.pads(size);
        let out = |axis: usize| {
            let around = (pads[axis], pads[axis + 2]);
            (self.axis(axis)).out(op, axis + 2, size[axis], around, self.ceil_mode)
        };
        let sizes = [out(0)?, out(1)?];
        let padded = [0, 1].map(|i| size[i].saturating_add(pads[i]).saturating_add(pads[i + 2]));
        check_border(op, &size, &padded)?;
        Ok(sizes)
    }
}

/// A window that slides over all axes after the first two.
#[derive(Clone, Debug)]
pub struct Windows {
    pub axes: Vec<Axis>,
    /// In front of each axis, then behind each.
    pub padding: Padding<Vec<i64>>,
    pub ceil_mode: bool,
}

impl Windows {
    pub fn new(
        op: &str,
        [kernel, stride, dilation]: [&[usize]; 3],
        padding: &Padding<Vec<i64>>,
        ceil_mode: bool,
        rank: usize,
    ) -> Result<Windows> {
        let kernel = each(op, "kernel_size", kernel, rank)?;
        let stride = each(op, "stride", stride, rank)?;
        let dilation = each(op, "dilation", dilation, rank)?;
        let axis = |i: usize| Axis {
            kernel: kernel[i],
            stride: stride[i],
            dilation: dilation[i],
        };
        let padding = match padding {
            Padding::Explicit(sides) if sides.len() == 2 * rank => Padding::Explicit(sides.clone()),
            Padding::Explicit(sides) => {
                Padding::Explicit(each(op, "padding", sides, rank)?.repeat(2))
            }
            word => word.clone(),
        };
        Ok(Windows {
            axes: (0..rank).map(axis).collect(),
            padding,
            ceil_mode,
        })
    }

    /// In front of and behind each axis of `size`.
    pub fn pads(&self, op: &str, size: &[usize]) -> Result<Vec<(usize, usize)>> {
        let rank = self.axes.len();
        let lower = match &self.padding {
            Padding::Explicit(sides) => {
                if let Some(bad) = sides.iter().find(|n| **n < 0) {
                    return Err(Error::argument(format!(
                        "{op}: padding={sides:?} holds {bad}; wanted 0 or more"
                    )));
                }
                let pair = |i: usize| (sides[i] as usize, sides[rank + i] as usize);
                return Ok((0..rank).map(pair).collect());
            }
            Padding::Same => false,
            Padding::SameLower => true,
        };
        let axes = self.axes.iter().zip(size);
        Ok(axes.map(|(axis, &n)| axis.same(n, lower)).collect())
    }

    /// The output's sizes.
    pub fn out_size(&self, op: &str, size: &[usize]) -> Result<Vec<usize>> {
        let pads = self.pads(op, size)?;
        let one = |i: usize| self.axes[i].out(op, i + 2, size[i], pads[i], self.ceil_mode);
        let sizes = (0..size.len()).map(one).collect::<Result<_>>()?;
        let padded = pads.iter().zip(size);
        let padded: Vec<usize> = padded
            .map(|((before, after), n)| n.saturating_add(*before).saturating_add(*after))
            .collect();
        check_border(op, size, &padded)?;
        Ok(sizes)
    }

    /// The same but for axis `axis`.
    #[must_use]
    pub fn without(&self, axis: usize) -> Windows {
        let mut fewer = self.clone();
        if let Padding::Explicit(sides) = &mut fewer.padding {
            sides.remove(self.axes.len() + axis);
            sides.remove(axis);
        }
        fewer.axes.remove(axis);
        fewer
    }

    /// The window over axes `first` and `second`; None stands for an axis of 1
    /// that there is not.
    pub fn over(&self, op: &str, axes: [Option<usize>; 2]) -> Result<Window> {
        let axis = axes.map(|i| i.map_or(Axis::POINT, |i| self.axes[i]));
        let padding = match &self.padding {
            Padding::Explicit(_) => {
                let pads = self.pads(op, &vec![0; self.axes.len()])?;
                let [(top, bottom), (left, right)] = axes.map(|i| i.map_or((0, 0), |i| pads[i]));
                Padding::Explicit([top, left, bottom, right])
            }
            Padding::Same => Padding::Same,
            Padding::SameLower => Padding::SameLower,
        };
        Ok(Window {
            kernel: axis.map(|a| a.kernel),
            stride: axis.map(|a| a.stride),
            dilation: axis.map(|a| a.dilation),
            padding,
            ceil_mode: self.ceil_mode,
        })
    }
}

/// One value for each of `rank` axes, from as many or from one for all.
pub fn each<T: Copy + std::fmt::Debug>(
    op: &str,
    name: &str,
    values: &[T],
    rank: usize,
) -> Result<Vec<T>> {
    match values {
        [one] => Ok(vec![*one; rank]),
        many if many.len() == rank => Ok(many.to_vec()),
        many => Err(Error::argument(format!(
            "{op}: {name}={many:?} holds {} numbers, wanted one, or one for each of {rank} axes",
            many.len()
        ))),
    }
}
