//! f32 over SIMD vectors: along the row where the axis is the last one, else
//! across the columns.

use super::Tile;
use crate::isa::Isa;
use crate::math;
use crate::pool::DisjointMut;
use crate::simd::steps::{keep, load, store, vectors};
use crate::simd::{Kernel, Simd, dispatch};

pub(super) fn forward(isa: Isa, log: bool, x: &[f32], to: &DisjointMut<f32>, tile: Tile) {
    assert!(tile.end() <= x.len() && tile.end() <= to.len());
    let x = x[tile.start..].as_ptr();
    let y = to.as_mut_ptr().wrapping_add(tile.start);
    if tile.stride == 1 {
        let n = tile.axis;
        dispatch(isa, Row { log, x, y, n });
    } else {
        dispatch(isa, Columns { log, x, y, tile });
    }
}

pub(super) fn backward(
    isa: Isa,
    log: bool,
    y: &[f32],
    dy: &[f32],
    to: &DisjointMut<f32>,
    tile: Tile,
) {
    assert!(tile.end() <= y.len() && tile.end() <= dy.len() && tile.end() <= to.len());
    let (y, dy) = (y[tile.start..].as_ptr(), dy[tile.start..].as_ptr());
    let dx = to.as_mut_ptr().wrapping_add(tile.start);
    if tile.stride == 1 {
        let n = tile.axis;
        dispatch(isa, RowBackward { log, y, dy, dx, n });
    } else {
        dispatch(
            isa,
            ColumnsBackward {
                log,
                y,
                dy,
                dx,
                tile,
            },
        );
    }
}

// SAFETY, for every block below: the tile lies in all slices (checked by the
// callers above), and no other task touches it.

struct Row {
    log: bool,
    x: *const f32,
    y: *mut f32,
    n: usize,
}

impl Kernel for Row {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Row { log, x, y, n } = self;
        let mut top = s.splat(f32::NEG_INFINITY);
        for (at, m) in vectors::<S>(n) {
            unsafe {
                top = s.max(keep(s, load(s, x.add(at), m), m, f32::NEG_INFINITY), top);
            }
        }
        let largest = s.max_lane(top);
        let shift = if largest == f32::NEG_INFINITY {
            0.0
        } else {
            largest
        };
        let shift = s.splat(shift);
        let mut sum = s.zero();
        for (at, m) in vectors::<S>(n) {
            unsafe {
                let e = math::exp_below(s, s.sub(load(s, x.add(at), m), shift));
                if !log {
                    store(s, y.add(at), m, e);
                }
                sum = s.add(sum, keep(s, e, m, 0.0));
            }
        }
        let sum = s.sum(sum);
        if log {
            let shift = s.add(shift, s.splat(if sum == 0.0 { 0.0 } else { sum.ln() }));
            for (at, m) in vectors::<S>(n) {
                unsafe {
                    store(s, y.add(at), m, s.sub(load(s, x.add(at), m), shift));
                }
            }
        } else {
            let scale = s.splat(if sum == 0.0 { 0.0 } else { 1.0 / sum });
            for (at, m) in vectors::<S>(n) {
                unsafe {
                    store(s, y.add(at), m, s.mul(load(s, y.add(at), m), scale));
                }
            }
        }
    }
}

struct Columns {
    log: bool,
    x: *const f32,
    y: *mut f32,
    tile: Tile,
}

impl Kernel for Columns {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Columns { log, x, y, tile } = self;
        let Tile {
            axis,
            stride,
            width,
            ..
        } = tile;
        for (left, m) in vectors::<S>(width) {
            unsafe {
                let (x, y) = (x.add(left), y.add(left));
                let lowest = s.splat(f32::NEG_INFINITY);
                let mut top = lowest;
                for i in 0..axis {
                    top = s.max(load(s, x.add(i * stride), m), top);
                }
                let shift = s.select(s.eq(top, lowest), s.zero(), top);
                let mut sum = s.zero();
                for i in 0..axis {
                    let e = math::exp_below(s, s.sub(load(s, x.add(i * stride), m), shift));
                    if !log {
                        store(s, y.add(i * stride), m, e);
                    }
                    sum = s.add(sum, e);
                }
                let empty = s.eq(sum, s.zero());
                if log {
                    let shift = s.add(shift, s.select(empty, s.zero(), math::log(s, sum)));
                    for i in 0..axis {
                        let v = s.sub(load(s, x.add(i * stride), m), shift);
                        store(s, y.add(i * stride), m, v);
                    }
                } else {
                    let scale = s.select(empty, s.zero(), s.div(s.splat(1.0), sum));
                    for i in 0..axis {
                        let v = s.mul(load(s, y.add(i * stride), m), scale);
                        store(s, y.add(i * stride), m, v);
                    }
                }
            }
        }
    }
}

struct RowBackward {
    log: bool,
    y: *const f32,
    dy: *const f32,
    dx: *mut f32,
    n: usize,
}

impl Kernel for RowBackward {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let RowBackward { log, y, dy, dx, n } = self;
        let mut sum = s.zero();
        for (at, m) in vectors::<S>(n) {
            unsafe {
                // Lanes past the end are 0 in both.
                let d = load(s, dy.add(at), m);
                sum = if log {
                    s.add(sum, d)
                } else {
                    s.fma(d, load(s, y.add(at), m), sum)
                };
            }
        }
        let sum = s.splat(s.sum(sum));
        for (at, m) in vectors::<S>(n) {
            unsafe {
                let (d, y) = (load(s, dy.add(at), m), load(s, y.add(at), m));
                store(s, dx.add(at), m, slope(s, log, y, d, sum));
            }
        }
    }
}

struct ColumnsBackward {
    log: bool,
    y: *const f32,
    dy: *const f32,
    dx: *mut f32,
    tile: Tile,
}

impl Kernel for ColumnsBackward {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ColumnsBackward {
            log,
            y,
            dy,
            dx,
            tile,
        } = self;
        let Tile {
            axis,
            stride,
            width,
            ..
        } = tile;
        for (left, m) in vectors::<S>(width) {
            unsafe {
                let (y, dy, dx) = (y.add(left), dy.add(left), dx.add(left));
                let mut sum = s.zero();
                for i in 0..axis {
                    let d = load(s, dy.add(i * stride), m);
                    sum = if log {
                        s.add(sum, d)
                    } else {
                        s.fma(d, load(s, y.add(i * stride), m), sum)
                    };
                }
                for i in 0..axis {
                    let (d, y) = (
                        load(s, dy.add(i * stride), m),
                        load(s, y.add(i * stride), m),
                    );
                    store(s, dx.add(i * stride), m, slope(s, log, y, d, sum));
                }
            }
        }
    }
}

#[inline(always)]
fn slope<S: Simd>(s: S, log: bool, y: S::F, dy: S::F, sum: S::F) -> S::F {
    if log {
        s.fnma(math::exp(s, y), sum, dy)
    } else {
        s.mul(y, s.sub(dy, sum))
    }
}
