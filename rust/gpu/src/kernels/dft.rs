//! Discrete Fourier transforms, in O(n log n) for every length: Stockham's passes for lengths made
//! of 2, 3 and 5, each a dispatch from one scratch buffer to the other, and a convolution of such a
//! length for every other (Bluestein 1970).

use super::{
    Arg, Kernel, KernelDispatch, Kernels,
    quads::{contiguous, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

const KERNEL: &str = "dft";

/// Integers of the shaders stay below 2^31 up to here.
const LONGEST: usize = 1 << 28;

/// y[k] = scale * the sum over j of x[j] exp(-+ 2 pi i j k / length), for every k below `output`,
/// of (outer, input, inner); complex numbers lie as a last axis of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Dft {
    pub outer: usize,
    pub inner: usize,
    pub input: usize,
    pub length: usize,
    pub output: usize,
    /// Else x is real.
    pub complex_input: bool,
    /// Else y is the real part.
    pub complex_output: bool,
    /// + in the exponent.
    pub inverse: bool,
    pub scale: f32,
}

params! {
    struct PointsParams {
        points: u32,
        lines: u32,
        length: u32,
        offset: u32,
        inner: u32,
        input: u32,
        taken: u32,
        output: u32,
        scale: f32,
    }
}

params! {
    struct StepParams {
        length: u32,
        apart: u32,
        side: u32,
        step: u32,
    }
}

/// Scratch buffers: the points, twice, and those of the convolution's other factor.
const POINTS: [usize; 2] = [0, 1];
const FACTORS: [usize; 2] = [2, 3];

/// The radices whose product is `length`; None where 2, 3 and 5 do not do.
fn radices(length: usize) -> Option<Vec<usize>> {
    let (mut rest, mut all) = (length, Vec::new());
    for radix in [4, 2, 3, 5] {
        while rest > 1 && rest.is_multiple_of(radix) {
            rest /= radix;
            all.push(radix);
        }
    }
    (rest == 1).then_some(all)
}

struct Builder<'a> {
    form: &'a Dft,
    params: PointsParams,
    radices: Vec<usize>,
    chirp: bool,
    caps: &'a Caps,
    dispatches: Vec<KernelDispatch>,
}

/// From `x` to the transform.
pub fn dft(x: &Operand, form: &Dft, caps: &Caps) -> Result<Kernels> {
    contiguous(KERNEL, x)?;
    let lines = form.outer * form.inner;
    let components = [form.complex_input, form.complex_output].map(|c| 1 + usize::from(c));
    let sound = x.size() == lines * form.input * components[0]
        && (1..=LONGEST).contains(&form.length)
        && form.output <= form.length;
    if x.storage != Storage::F32 || !sound {
        return Err(GpuError::unsupported(KERNEL, format!("{form:?} of {x:?}")));
    }
    let size = lines * form.output * components[1];
    if size == 0 {
        return Ok(Kernels::default());
    }
    let smooth = radices(form.length);
    let chirp = smooth.is_none();
    let radices = smooth
        .or_else(|| (2 * form.length - 1..).find_map(radices))
        .unwrap_or_default();
    let points: usize = radices.iter().product();
    for size in [size, points.saturating_mul(lines).saturating_mul(2)] {
        Operand::contiguous(Storage::F32, &[size]).check(KERNEL)?;
    }
    let params = PointsParams {
        points: points as u32,
        lines: lines as u32,
        length: form.length as u32,
        offset: x.offset as u32,
        inner: form.inner as u32,
        input: form.input as u32,
        taken: form.input.min(form.length) as u32,
        output: form.output as u32,
        scale: form.scale,
    };
    let mut builder = Builder {
        form,
        params,
        radices,
        chirp,
        caps,
        dispatches: Vec::new(),
    };
    builder.load()?;
    let mut at = builder.passes(POINTS, lines)?;
    if chirp {
        let factors = builder.kernel()?;
        builder.product(at, factors)?;
        let other = POINTS[1 - at];
        at = builder.passes([at, other], lines)?;
    }
    builder.store(at)?;
    let mut scratch = vec![8 * (points * lines) as u64; 2];
    if chirp {
        scratch.extend([8 * points as u64; 2]);
    }
    Ok(Kernels {
        dispatches: builder.dispatches,
        scratch,
    })
}

impl Builder<'_> {
    fn push(&mut self, kernel: Kernel, invocations: usize) -> Result<()> {
        let [width, ..] = workgroup(self.caps);
        let groups = (invocations as u64).div_ceil(u64::from(width));
        self.dispatches.push(kernel.build(groups)?);
        Ok(())
    }

    fn start(&self, template: &'static str) -> Kernel {
        Kernel::new(template, workgroup(self.caps)).params(Params::of(&self.params.fields()))
    }

    fn load(&mut self) -> Result<()> {
        let kernel = self
            .start("dft_load")
            .set("kernel", false)
            .set("chirp", self.chirp)
            .set("inverse", self.form.inverse)
            .set("components", 1 + usize::from(self.form.complex_input))
            .bind("input", "f32", Access::Read, Arg::Input(0))
            .bind(
                "points",
                "vec2<f32>",
                Access::ReadWrite,
                Arg::Scratch(POINTS[0]),
            );
        self.push(kernel, (self.params.points * self.params.lines) as usize)
    }

    /// Transforms what lies in the first of two scratch buffers; where the result is.
    fn passes(&mut self, buffers: [usize; 2], lines: usize) -> Result<usize> {
        let [mut from, mut to] = buffers;
        let length = self.params.points as usize;
        let (mut left, mut side) = (length, lines);
        for radix in self.radices.clone() {
            let params = StepParams {
                length: length as u32,
                apart: (left / radix) as u32,
                side: side as u32,
                step: (length / left) as u32,
            };
            let kernel = Kernel::new("dft_step", workgroup(self.caps))
                .params(Params::of(&params.fields()))
                .set("radix", radix)
                .bind("source", "vec2<f32>", Access::Read, Arg::Scratch(from))
                .bind("result", "vec2<f32>", Access::ReadWrite, Arg::Scratch(to));
            self.push(kernel, length / radix * lines)?;
            (from, to) = (to, from);
            (left, side) = (left / radix, side * radix);
        }
        Ok(from)
    }

    /// The transform of the convolution's other factor; where it is.
    fn kernel(&mut self) -> Result<usize> {
        let lines = std::mem::replace(&mut self.params.lines, 1);
        let kernel = self.start("dft_load").set("kernel", true);
        self.params.lines = lines;
        let kernel = kernel.bind(
            "points",
            "vec2<f32>",
            Access::ReadWrite,
            Arg::Scratch(FACTORS[0]),
        );
        self.push(kernel, self.params.points as usize)?;
        self.passes(FACTORS, 1)
    }

    fn product(&mut self, points: usize, factors: usize) -> Result<()> {
        let kernel = self
            .start("dft_product")
            .bind(
                "points",
                "vec2<f32>",
                Access::ReadWrite,
                Arg::Scratch(points),
            )
            .bind("factors", "vec2<f32>", Access::Read, Arg::Scratch(factors));
        self.push(kernel, (self.params.points * self.params.lines) as usize)
    }

    fn store(&mut self, points: usize) -> Result<()> {
        let kernel = self
            .start("dft_store")
            .set("chirp", self.chirp)
            .set("inverse", self.form.inverse)
            .set("components", 1 + usize::from(self.form.complex_output))
            .bind("points", "vec2<f32>", Access::Read, Arg::Scratch(points))
            .bind("output", "f32", Access::ReadWrite, Arg::Output(0));
        self.push(kernel, (self.params.output * self.params.lines) as usize)
    }
}
