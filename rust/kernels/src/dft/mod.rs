//! Discrete Fourier transforms along the middle of (outer, axis, inner), in
//! O(n log n) for every length.
//!
//! Complex numbers lie as a last axis of two.  Each line is transformed by
//! itself: what another one holds, NaN too, does not reach it.

mod arith;
mod plan;
mod stockham;
#[cfg(test)]
mod tests;

use crate::isa::Isa;
use crate::pool::{DisjointMut, parallel_blocks};
use crate::simd::{Kernel, Simd, dispatch};
use arith::Real;
use plan::{Keeps, Plan};
use stockham::Pair;

/// Lines that are transformed together take at most so many bytes, which a
/// core's cache holds.
const CACHED: usize = 512 << 10;

/// y[k] = scale * the sum over j of x[j] exp(-+ 2 pi i j k / length), for every
/// k below `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dft {
    pub outer: usize,
    pub inner: usize,
    /// Points of x; those from `length` on are left out, those missing are 0.
    pub input: usize,
    pub length: usize,
    /// Points of y, at most `length`.
    pub output: usize,
    /// Else x is real.
    pub complex_input: bool,
    /// Else y is the real part.
    pub complex_output: bool,
    /// + in the exponent.
    pub inverse: bool,
    pub scale: f64,
}

/// Floats that are transformed.
pub trait Numbers: Real + Keeps {}
impl<T: Real + Keeps> Numbers for T {}

/// How real lines go through complex ones of half their length.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Complex,
    RealInput,
    RealOutput,
}

impl Dft {
    fn form(&self) -> Form {
        match (self.complex_input, self.complex_output) {
            _ if !self.length.is_multiple_of(2) => Form::Complex,
            (false, true) => Form::RealInput,
            (true, false) => Form::RealOutput,
            _ => Form::Complex,
        }
    }

    fn components(&self) -> [usize; 2] {
        [self.complex_input, self.complex_output].map(|c| 1 + usize::from(c))
    }
}

/// `out`, whole.
pub fn dft<T: Numbers>(isa: Isa, form: &Dft, x: &[T], out: &mut [T]) {
    let lines = form.outer * form.inner;
    let [from, to] = form.components();
    assert!(form.length > 0 && form.output <= form.length);
    assert!(x.len() == lines * form.input * from && out.len() == lines * form.output * to);
    if out.is_empty() {
        return;
    }
    let kind = form.form();
    let points = match kind {
        Form::Complex => form.length,
        _ => form.length / 2,
    };
    let plan = T::plan(points, kind != Form::Complex);
    let line = 4 * plan.points();
    let fitting = (CACHED / size_of::<T>() / line).clamp(1, T::LINES);
    // A power of two: vectors are filled as transforms come side by side.
    let group = (1 << fitting.ilog2()).min(lines.next_power_of_two());
    let shared = DisjointMut::new(out);
    parallel_blocks(lines, group, |_, range| {
        T::with_memory(line * group, |memory| {
            let (half, rest) = memory.split_at_mut(line * group / 2);
            let (re, im) = half.split_at_mut(line * group / 4);
            let (spare_re, spare_im) = rest.split_at_mut(line * group / 4);
            let group = Group {
                form,
                plan: &plan,
                x,
                out: shared,
                first: range.start,
                count: range.len(),
                lines: group,
            };
            let mut data = [re, im];
            if group.count < group.lines {
                data[0].fill(T::ZERO);
                data[1].fill(T::ZERO);
            }
            match kind {
                Form::Complex => group.load_complex(&mut data),
                Form::RealInput => group.load_halves(&mut data),
                Form::RealOutput => group.load_hermitian(&mut data),
            }
            let work = Work {
                plan: &plan,
                lines: group.lines,
                data,
                spare: [spare_re, spare_im],
            };
            let result = dispatch(isa, work);
            match kind {
                Form::Complex => group.store_complex(&result),
                Form::RealInput => group.store_spectrum(&result),
                Form::RealOutput => group.store_halves(&result),
            }
        });
    });
}

/// The transform itself, compiled for each instruction set.
struct Work<'a, T> {
    plan: &'a Plan<T>,
    lines: usize,
    data: Pair<'a, T>,
    spare: Pair<'a, T>,
}

impl<'a, T: Numbers> Kernel for Work<'a, T> {
    type Out = Pair<'a, T>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Pair<'a, T> {
        let a = T::arith(s);
        self.plan.run(a, self.lines, self.data, self.spare)
    }
}

/// Some lines on their way into working memory, where they lie side by side,
/// and out of it.
struct Group<'a, T> {
    form: &'a Dft,
    plan: &'a Plan<T>,
    x: &'a [T],
    out: DisjointMut<'a, T>,
    first: usize,
    count: usize,
    /// `count` or more: the rest of the memory's lines are zeros.
    lines: usize,
}

/// Where the elements of a line lie, of which there are `len`.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    step: usize,
    len: usize,
}

impl Line {
    #[inline(always)]
    fn of(number: usize, inner: usize, len: usize, components: usize) -> Line {
        Line {
            start: (number / inner * len * inner + number % inner) * components,
            step: inner * components,
            len,
        }
    }
}

impl<T: Numbers> Group<'_, T> {
    #[inline(always)]
    fn input(&self, line: usize) -> Line {
        let [components, _] = self.form.components();
        Line::of(
            self.first + line,
            self.form.inner,
            self.form.input,
            components,
        )
    }

    /// Writes component `part` of point `k`.
    #[inline(always)]
    fn put(&self, line: usize, k: usize, part: usize, value: T) {
        let [_, components] = self.form.components();
        let to = Line::of(
            self.first + line,
            self.form.inner,
            self.form.output,
            components,
        );
        let at = to.start + k * to.step + part;
        // SAFETY: each line is written by one task.
        unsafe { self.out.slice(at..at + 1)[0] = value };
    }

    /// Point `j` of x: 0 where there is none.
    #[inline(always)]
    fn point(&self, line: &Line, j: usize) -> [T; 2] {
        if j >= line.len {
            return [T::ZERO; 2];
        }
        let at = line.start + j * line.step;
        if self.form.complex_input {
            [self.x[at], self.x[at + 1]]
        } else {
            [self.x[at], T::ZERO]
        }
    }

    /// Where real and imaginary parts go: the inverse is the transform with
    /// them exchanged.
    fn order(&self) -> [usize; 2] {
        if self.form.inverse { [1, 0] } else { [0, 1] }
    }

    fn load_complex(&self, data: &mut Pair<'_, T>) {
        let [real, imaginary] = self.order();
        for line in 0..self.count {
            let from = self.input(line);
            for j in 0..self.form.length {
                let [re, im] = self.point(&from, j);
                data[real][j * self.lines + line] = re;
                data[imaginary][j * self.lines + line] = im;
            }
        }
    }

    fn store_complex(&self, result: &Pair<'_, T>) {
        let [real, imaginary] = self.order();
        let scale = T::from_f64(self.form.scale);
        for line in 0..self.count {
            for k in 0..self.form.output {
                let at = k * self.lines + line;
                self.put(line, k, 0, result[real][at] * scale);
                if self.form.complex_output {
                    self.put(line, k, 1, result[imaginary][at] * scale);
                }
            }
        }
    }

    /// Even points as real parts, odd ones as imaginary parts.
    fn load_halves(&self, data: &mut Pair<'_, T>) {
        for line in 0..self.count {
            let from = self.input(line);
            for j in 0..self.form.length / 2 {
                data[0][j * self.lines + line] = self.point(&from, 2 * j)[0];
                data[1][j * self.lines + line] = self.point(&from, 2 * j + 1)[0];
            }
        }
    }

    /// With Z the transform of [`Group::load_halves`] and h half the length,
    /// y[k] = (Z[k] + conj Z[h - k]) / 2 - i exp(-pi i k / h) (Z[k] - conj Z[h - k]) / 2.
    fn store_spectrum(&self, [re, im]: &Pair<'_, T>) {
        let (half, lines) = (self.form.length / 2, self.lines);
        let Some(turns) = &self.plan.doubled else {
            return;
        };
        let scale = T::from_f64(self.form.scale / 2.0);
        let flipped = if self.form.inverse { -scale } else { scale };
        for k in 0..self.form.output {
            // Beyond the middle: the conjugate of the point as far before it.
            let (at, sign) = if k <= half {
                (k, flipped)
            } else {
                (2 * half - k, -flipped)
            };
            let [cos, sin] = turns.at(at);
            let (here, there) = (at % half * lines, (half - at) % half * lines);
            for line in 0..self.count {
                let [zr, zi] = [re[here + line], im[here + line]];
                let [wr, wi] = [re[there + line], -im[there + line]];
                let ([sr, si], [dr, di]) = ([zr + wr, zi + wi], [zr - wr, zi - wi]);
                self.put(line, k, 0, (sr + cos * di - sin * dr) * scale);
                self.put(line, k, 1, (si - cos * dr - sin * di) * sign);
            }
        }
    }

    /// The other way: only the part H of x whose point n - k is the conjugate of
    /// point k gives real points, and of it half the points say all:
    /// Z[k] = H[k] + conj H[h - k] + i exp(pi i k / h) (H[k] - conj H[h - k]),
    /// whose inverse holds even points as real parts, odd ones as imaginary parts.
    fn load_hermitian(&self, data: &mut Pair<'_, T>) {
        let half = self.form.length / 2;
        let Some(turns) = &self.plan.doubled else {
            return;
        };
        let two = T::ONE + T::ONE;
        // Without + in the exponent: of the conjugate.
        let sign = if self.form.inverse { T::ONE } else { -T::ONE };
        for line in 0..self.count {
            let from = self.input(line);
            for k in 0..half {
                // Twice H[k] and twice conj H[h - k].
                let [a, b] = [k, (2 * half - k) % (2 * half)].map(|j| self.point(&from, j));
                let [c, d] = [half - k, half + k].map(|j| self.point(&from, j));
                let [hr, hi] = [a[0] + b[0], (a[1] - b[1]) * sign];
                let [gr, gi] = [c[0] + d[0], (d[1] - c[1]) * sign];
                let ([sr, si], [dr, di]) = ([hr + gr, hi + gi], [hr - gr, hi - gi]);
                let [cos, sin] = turns.at(k);
                // Exchanged, since it is the inverse that follows.
                let at = k * self.lines + line;
                data[1][at] = (sr - cos * di - sin * dr) / two;
                data[0][at] = (si + cos * dr - sin * di) / two;
            }
        }
    }

    fn store_halves(&self, [odd, even]: &Pair<'_, T>) {
        let scale = T::from_f64(self.form.scale);
        for line in 0..self.count {
            for k in 0..self.form.output {
                let from = if k % 2 == 0 { even } else { odd };
                self.put(line, k, 0, from[k / 2 * self.lines + line] * scale);
            }
        }
    }
}
