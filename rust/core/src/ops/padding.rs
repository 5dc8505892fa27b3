//! Padding as it is asked for, and what it comes to.

use crate::attrs::{FromAttr, ToAttr};
use crate::{Attr, Error, Result};

/// Around the image.
#[derive(Clone, Debug, PartialEq)]
pub enum Padding {
    /// Top, left, bottom, right.
    Explicit([usize; 4]),
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

impl FromAttr for Padding {
    fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str> {
        const WANTED: &str = "an int >= 0, (height, width), (top, left, bottom, right), 'valid', 'same' or 'same_lower'";
        match attr {
            Attr::Int(n @ 0..) => Ok(Padding::Explicit([*n as usize; 4])),
            Attr::Ints(v) if v.iter().all(|n| *n >= 0) => match v[..] {
                [h, w] => Ok(Padding::Explicit([h, w, h, w].map(|n| n as usize))),
                [t, l, b, r] => Ok(Padding::Explicit([t, l, b, r].map(|n| n as usize))),
                _ => Err(WANTED),
            },
            Attr::Str(name) => match name.as_str() {
                "valid" => Ok(Padding::default()),
                "same" => Ok(Padding::Same),
                "same_lower" => Ok(Padding::SameLower),
                _ => Err(WANTED),
            },
            _ => Err(WANTED),
        }
    }
}

impl ToAttr for Padding {
    fn to_attr(&self) -> Attr {
        match self {
            Padding::Explicit(pads) => Attr::Ints(pads.iter().map(|&n| n as i64).collect()),
            Padding::Same => Attr::Str("same".to_owned()),
            Padding::SameLower => Attr::Str("same_lower".to_owned()),
        }
    }
}

/// Elements of a plane with its border that need not be asked for.
const FREE: usize = 1 << 20;

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
    /// Top, left, bottom, right for an image of `size`.
    pub fn pads(&self, size: [usize; 2]) -> [usize; 4] {
        let lower = match self.padding {
            Padding::Explicit(pads) => return pads,
            Padding::Same => false,
            Padding::SameLower => true,
        };
        let mut pads = [0; 4];
        for axis in 0..2 {
            let reach = self.dilation[axis]
                .saturating_mul(self.kernel[axis].max(1) - 1)
                .saturating_add(1);
            let out = size[axis].div_ceil(self.stride[axis].max(1));
            let total = (out.saturating_sub(1) * self.stride[axis])
                .saturating_add(reach)
                .saturating_sub(size[axis]);
            let (small, large) = (total / 2, total - total / 2);
            (pads[axis], pads[axis + 2]) = if lower {
                (large, small)
            } else {
                (small, large)
            };
        }
        pads
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
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.kernel.contains(&0) {
            return Err(Error::argument(format!(
                "{op}: kernel {:?}, stride {:?} and dilation {:?} must all be at least 1",
                self.kernel, self.stride, self.dilation
            )));
        }
        let pads = self.pads(size);
        let mut out = [0; 2];
        let mut plane = 1usize;
        for axis in 0..2 {
            let too_large = || Error::argument(format!("{op}: padding or dilation is too large"));
            let reach = self.dilation[axis]
                .checked_mul(self.kernel[axis] - 1)
                .and_then(|r| r.checked_add(1))
                .ok_or_else(too_large)?;
            let padded = size[axis]
                .checked_add(pads[axis])
                .and_then(|n| n.checked_add(pads[axis + 2]))
                .ok_or_else(too_large)?;
            let room = padded.checked_sub(reach).ok_or_else(|| {
                Error::shape(format!(
                    "{op}: a window of {reach} does not fit in {padded} (axis {} of size {} with padding {} and {}); pad more or use a larger input",
                    axis + 2,
                    size[axis],
                    pads[axis],
                    pads[axis + 2]
                ))
            })?;
            plane = plane.saturating_mul(padded);
            let stride = self.stride[axis];
            let mut n = room / stride + 1;
            if self.ceil_mode {
                n = room.div_ceil(stride) + 1;
                // The last window must start inside the image or its left padding.
                if (n - 1) * stride >= size[axis] + pads[axis] {
                    n -= 1;
                }
            }
            out[axis] = n;
        }
        if plane > FREE.max(size[0].saturating_mul(size[1]).saturating_mul(4)) {
            // Kernels copy planes with the border around them.
            let copy = plane.saturating_mul(16);
            crate::memory::check_budget(copy).map_err(|e| e.within(&format!("{op}: padding")))?;
        }
        Ok(out)
    }
}
