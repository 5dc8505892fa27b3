//! What a product is made of.

use super::block::PackedRight;
use super::half::{self, PackedHalf};
use super::pack::Raw;
use super::pack_all::{Job, pack_all};
use super::tile::panel_width;
use crate::isa::Isa;
use crate::scratch::AlignedBuf;

/// A matrix in a slice: element (r, c) is `data[r * row_stride + c *
/// col_stride]`.  Strides may be any, 0 included (broadcast).
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl<'a, T> MatRef<'a, T> {
    /// A row-major contiguous matrix.
    pub fn contiguous(data: &'a [T], rows: usize, cols: usize) -> Self {
        MatRef {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    #[must_use]
    pub fn transposed(self) -> Self {
        MatRef {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// How many elements of `data` it spans.
    pub(crate) fn span(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }

    pub(super) fn check(&self) {
        assert!(
            self.span() <= self.data.len(),
            "matmul: a matrix exceeds its data"
        );
    }
}

impl MatRef<'_, f32> {
    pub(crate) fn raw(&self) -> Raw {
        Raw {
            start: self.data.as_ptr(),
            row_stride: self.row_stride,
            col_stride: self.col_stride,
        }
    }
}

/// The right operand.
#[derive(Clone, Copy)]
pub enum Rhs<'a> {
    Plain(MatRef<'a, f32>),
    Packed(&'a PackedRhs),
}

impl Rhs<'_> {
    pub fn rows(&self) -> usize {
        match self {
            Rhs::Plain(b) => b.rows,
            Rhs::Packed(b) => b.rows,
        }
    }

    pub fn cols(&self) -> usize {
        match self {
            Rhs::Plain(b) => b.cols,
            Rhs::Packed(b) => b.cols,
        }
    }

    pub(super) fn check(&self, isa: Isa) {
        match self {
            Rhs::Plain(b) => b.check(),
            Rhs::Packed(b) => assert_eq!(b.isa, isa, "matmul: packed for another instance"),
        }
    }
}

/// A right operand packed once for many products (a layer's weights).
pub struct PackedRhs {
    isa: Isa,
    rows: usize,
    cols: usize,
    data: AlignedBuf,
    /// `data` holds 16-bit floats.
    half: bool,
}

/// How a packed operand's panels are read.
pub(super) enum PackedPanels<'a> {
    Single(PackedRight<'a>),
    Half(PackedHalf<'a>),
}

impl PackedRhs {
    pub fn new(isa: Isa, b: MatRef<'_, f32>) -> PackedRhs {
        b.check();
        let mut data = AlignedBuf::zeroed(b.rows * panel_width(isa, b.cols));
        let right = Job {
            raw: b.raw(),
            range: 0..b.cols,
            dst: data.as_mut_slice(),
        };
        pack_all(isa, b.rows, None, Some(right));
        PackedRhs {
            isa,
            rows: b.rows,
            cols: b.cols,
            data,
            half: false,
        }
    }

    /// Of 16-bit floats (their bits), which each product widens as it reads
    /// them; the results are those of the operand widened beforehand.
    pub fn half(isa: Isa, b: MatRef<'_, u16>) -> PackedRhs {
        b.check();
        let words = b.rows * panel_width(isa, b.cols) / 2;
        let mut data = AlignedBuf::zeroed(words);
        half::pack(isa, b, data.as_mut_halves());
        PackedRhs {
            isa,
            rows: b.rows,
            cols: b.cols,
            data,
            half: true,
        }
    }

    pub fn isa(&self) -> Isa {
        self.isa
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.data.len() * size_of::<f32>()
    }

    /// One column as a plain matrix: every element is the first of a row of
    /// the only panel.
    pub(super) fn column(&self) -> Option<MatRef<'_, f32>> {
        let row_stride = panel_width(self.isa, 1);
        let data = self.data.as_slice();
        (self.cols == 1 && !self.half).then_some(MatRef {
            data,
            rows: self.rows,
            cols: 1,
            row_stride,
            col_stride: 1,
        })
    }

    pub(super) fn panels(&self) -> PackedPanels<'_> {
        if self.half {
            return PackedPanels::Half(PackedHalf {
                data: self.data.as_halves(),
                cols: self.cols,
            });
        }
        PackedPanels::Single(PackedRight {
            data: self.data.as_slice(),
            width: panel_width(self.isa, self.cols),
            first_col: 0,
        })
    }
}
