//! A plane with the zeros around it that the taps reach.
//!
//! Rows and columns are sorted by their remainder by the stride.  Then every
//! tap of a row of output elements is a plain contiguous read, whatever
//! stride, dilation and padding, and output rows follow one another at one
//! pitch: element (y, x) of the output finds tap t at `places[t] + y * line +
//! x`.

use crate::simd::{Kernel, MAX_LANES, Simd};

pub(super) struct Halo {
    h: usize,
    w: usize,
    pub grid: [usize; 2],
    step: [usize; 2],
    /// The first row and column that a tap reads.
    low: [isize; 2],
    /// Rows and row length of one pair of remainders.
    lines: usize,
    pub line: usize,
    /// Where each tap finds the output's element (0, 0).
    pub places: Vec<u32>,
    /// Where rows of the plane stay neighbours.
    pub dense: Option<Dense>,
}

/// Taps that fill a rectangle, each of whose rows is next to the other.
pub(super) struct Dense {
    pub rows: usize,
    /// Places of a row's taps.
    pub columns: Vec<u32>,
    /// Which tap is at (row, column), row by row.
    pub order: Vec<usize>,
}

impl Halo {
    /// For output rows `first_row..first_row + grid[0]`.
    pub fn new(
        [h, w]: [usize; 2],
        first_row: usize,
        grid: [usize; 2],
        step: [usize; 2],
        taps: &[[isize; 2]],
    ) -> Halo {
        let low = [0, 1].map(|axis| taps.iter().map(|t| t[axis]).min().unwrap_or(0));
        let high = [0, 1].map(|axis| taps.iter().map(|t| t[axis]).max().unwrap_or(0));
        let reach = [0, 1].map(|axis| (high[axis] - low[axis]) as usize);
        let lines = grid[0] + reach[0] / step[0];
        let line = grid[1] + reach[1] / step[1];
        let relative: Vec<[usize; 2]> = taps
            .iter()
            .map(|tap| [0, 1].map(|axis| (tap[axis] - low[axis]) as usize))
            .collect();
        let place = |[y, x]: [usize; 2]| {
            let part = y % step[0] * step[1] + x % step[1];
            ((part * lines + y / step[0]) * line + x / step[1]) as u32
        };
        let places = relative.iter().map(|tap| place(*tap)).collect();
        let column = |x: usize| place([0, x]);
        let dense = if step[0] == 1 {
            dense(&relative, reach[0] + 1, column)
        } else {
            None
        };
        let low = [low[0] + (first_row * step[0]) as isize, low[1]];
        Halo {
            h,
            w,
            grid,
            step,
            low,
            lines,
            line,
            places,
            dense,
        }
    }

    /// Elements of the copy.
    pub fn len(&self) -> usize {
        self.step[0] * self.step[1] * self.lines * self.line
    }
}

fn dense(taps: &[[usize; 2]], rows: usize, column: impl Fn(usize) -> u32) -> Option<Dense> {
    let mut order: Vec<usize> = (0..taps.len()).collect();
    order.sort_by_key(|i| taps[*i]);
    let width = taps.len() / rows;
    let full = order.iter().enumerate().all(|(i, tap)| {
        width * rows == taps.len() && taps[*tap] == [i / width, taps[order[i % width]][1]]
    });
    let columns = order
        .iter()
        .take(width)
        .map(|tap| column(taps[*tap][1]))
        .collect();
    full.then_some(Dense {
        rows,
        columns,
        order,
    })
}

/// Fills the copy of one plane.  What vectors write beyond it, up to
/// [`SLACK`] elements, is 0.
pub(super) struct Fill<'a> {
    pub halo: &'a Halo,
    pub plane: &'a [f32],
    pub copy: &'a mut [f32],
}

/// Elements that a copy must have beyond its own.
pub(super) const SLACK: usize = 2 * MAX_LANES;

impl Kernel for Fill<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Fill { halo, plane, copy } = self;
        let [step_y, step] = halo.step;
        let line = halo.line;
        assert!(copy.len() >= halo.len() + SLACK && plane.len() == halo.h * halo.w);
        let mut to = copy.as_mut_ptr();
        for part in 0..step_y * step {
            // A line's zeros, then its values from which column.
            let offset = (part % step) as isize + halo.low[1];
            let empty = ((-offset).max(0) as usize).div_ceil(step).min(line);
            let first = (empty * step) as isize + offset;
            let there = (halo.w as isize - first).max(0) as usize;
            let values = there.div_ceil(step).min(line - empty);
            for row in 0..halo.lines {
                let y = (row * step_y + part / step) as isize + halo.low[0];
                let inside = (0..halo.h as isize).contains(&y) && values > 0;
                // SAFETY: a line is written from its beginning to less than a
                // vector beyond its end, where the next line or the slack is;
                // the values are a row of the plane's.
                unsafe {
                    if inside {
                        let from = plane.as_ptr().add(y as usize * halo.w + first as usize);
                        zeros(s, to, empty);
                        match step {
                            1 => contiguous(s, from, to.add(empty), values),
                            2 => every_second(s, from, to.add(empty), values),
                            _ => {
                                for i in 0..values {
                                    *to.add(empty + i) = *from.add(i * step);
                                }
                            }
                        }
                        zeros(s, to.add(empty + values), line - empty - values);
                    } else {
                        zeros(s, to, line);
                    }
                    to = to.add(line);
                }
            }
        }
        // SAFETY: the slack.
        unsafe { zeros(s, to, SLACK) }
    }
}

/// Zeros in whole vectors: `n` and up to a vector less one more.
///
/// # Safety
/// These can be written.
#[inline(always)]
unsafe fn zeros<S: Simd>(s: S, to: *mut f32, n: usize) {
    for at in (0..n).step_by(S::LANES) {
        // SAFETY: the caller's.
        unsafe { s.store_ptr(to.add(at), s.zero()) }
    }
}

/// Copies `n`, writing whole vectors.
///
/// # Safety
/// As for [`zeros`]; `n` can be read.
#[inline(always)]
unsafe fn contiguous<S: Simd>(s: S, from: *const f32, to: *mut f32, n: usize) {
    let whole = n / S::LANES * S::LANES;
    // SAFETY: the caller's.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            s.store_ptr(to.add(at), s.load_ptr(from.add(at)));
        }
        if whole < n {
            s.store_ptr(to.add(whole), s.load_ptr_part(from.add(whole), n - whole));
        }
    }
}

/// Copies `n` elements from every second place; reads 2 n - 1, writes `n`.
///
/// # Safety
/// As said.
#[inline(always)]
pub(super) unsafe fn every_second<S: Simd>(s: S, from: *const f32, to: *mut f32, n: usize) {
    let mut at = 0;
    // SAFETY: the caller's.
    unsafe {
        while at + S::LANES < n {
            let from = from.add(2 * at);
            s.store_ptr(
                to.add(at),
                s.even(s.load_ptr(from), s.load_ptr(from.add(S::LANES))),
            );
            at += S::LANES;
        }
        if at < n {
            let (from, there) = (from.add(2 * at), 2 * (n - at) - 1);
            let low = s.load_ptr_part(from, there.min(S::LANES));
            let there = there.saturating_sub(S::LANES);
            let high = s.load_ptr_part(from.wrapping_add(S::LANES), there);
            s.store_ptr_part(to.add(at), n - at, s.even(low, high));
        }
    }
}
