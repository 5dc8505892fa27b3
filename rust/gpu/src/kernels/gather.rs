//! Reading by index, and its gradients: sums where the indices say.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, indices, quads, sums, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

params! {
    struct GatherParams {
        size: u32,
        axis: u32,
        count: u32,
        inner: u32,
        offset: u32,
        index_offset: u32,
        units: u32,
        tiles: u32,
        base_offset: u32,
    }
}

/// (outer, n, inner) of a shape around an axis.
pub(super) fn around(name: &str, shape: &[usize], axis: usize) -> Result<[usize; 3]> {
    if axis >= shape.len() {
        let reason = format!("axis {axis} of shape {shape:?}");
        return Err(GpuError::unsupported(name, reason));
    }
    let outer = shape[..axis].iter().product();
    Ok([outer, shape[axis], shape[axis + 1..].iter().product()])
}

fn params(
    size: usize,
    [axis, count, inner]: [usize; 3],
    data: &Operand,
    index: &Operand,
) -> GatherParams {
    GatherParams {
        size: size as u32,
        axis: axis as u32,
        count: count as u32,
        inner: inner as u32,
        offset: data.offset as u32,
        index_offset: index.offset as u32,
        units: 0,
        tiles: 0,
        base_offset: 0,
    }
}

/// Slices of `x` along `axis`: its axis is replaced by the axes of `index`.  Both contiguous.
pub fn take(x: &Operand, index: &Operand, axis: usize, caps: &Caps) -> Result<Kernels> {
    let sizes = around("take", &x.shape, axis)?;
    read("take", x, index, sizes, index.size(), caps)
}

/// Elements of `x` along `axis`, one for each of `index`, which has the shape of `x` but for that
/// axis.  Both contiguous.
pub fn gather(x: &Operand, index: &Operand, axis: usize, caps: &Caps) -> Result<Kernels> {
    let sizes = around("gather", &x.shape, axis)?;
    let count = same_but("gather", &x.shape, &index.shape, axis)?;
    read("gather", x, index, sizes, count, caps)
}

fn read(
    name: &'static str,
    x: &Operand,
    index: &Operand,
    [outer, axis, inner]: [usize; 3],
    count: usize,
    caps: &Caps,
) -> Result<Kernels> {
    contiguous(name, x)?;
    let storage = x.storage.bits();
    let size = outer * count * inner;
    if size == 0 {
        return Ok(Kernels::default());
    }
    check_axis(name, axis)?;
    Operand::contiguous(storage, &[size]).check(name)?;
    let kernel = Kernel::new(name, workgroup(caps))
        .params(Params::of(
            &params(size, [axis, count, inner], x, index).fields(),
        ))
        .set("load", storage.load("input", "at"))
        .bind("input", storage.word(), Access::Read, Arg::Input(0));
    quads(indices(kernel, name, index, 1)?, storage, size, caps)
}

/// Indices are read as 31 bits.
fn check_axis(name: &str, axis: usize) -> Result<()> {
    if axis == 0 || axis > i32::MAX as usize {
        let reason = format!("an axis of {axis} elements cannot be indexed");
        return Err(GpuError::unsupported(name, reason));
    }
    Ok(())
}

fn same_but(name: &str, shape: &[usize], other: &[usize], axis: usize) -> Result<usize> {
    let same = shape.len() == other.len()
        && (0..shape.len()).all(|i| i == axis || shape[i] == other[i])
        && axis < shape.len();
    if same {
        return Ok(other[axis]);
    }
    let reason = format!("indices of shape {other:?} for {shape:?} along axis {axis}");
    Err(GpuError::unsupported(name, reason))
}

/// The gradient of [`take`] from the output's `g`: an axis of `length`, each slice the sum of those
/// taken there.  Elements of whole words.
pub fn take_backward(
    g: &Operand,
    index: &Operand,
    axis: usize,
    length: usize,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "take_backward";
    let rank = index.shape.len();
    let fits =
        axis + rank <= g.shape.len() && g.shape[axis..axis + rank] == *index.shape.as_slice();
    if !fits {
        let reason = format!("g {:?} for indices {:?}", g.shape, index.shape);
        return Err(GpuError::unsupported(NAME, reason));
    }
    let outer: usize = g.shape[..axis].iter().product();
    let inner: usize = g.shape[axis + rank..].iter().product();
    let size = outer * length * inner;
    if size == 0 {
        return Ok(Kernels::default());
    }
    check_axis(NAME, length)?;
    contiguous(NAME, g)?;
    Operand::contiguous(g.storage, &[size]).check(NAME)?;
    // Bits of hits fill whole words.
    let width = caps.max_invocations.min(128) / 32 * 32;
    let tiles = inner.div_ceil(width as usize);
    let mut params = params(size, [length, index.size(), inner], g, index);
    params.tiles = tiles as u32;
    params.units = (outer * length * tiles) as u32;
    let kernel = summing(NAME, [width, 1, 1], g, &params)?;
    let element = match g.storage {
        Storage::I64 | Storage::U64 => "vec2<u32>",
        storage => storage.word(),
    };
    indices(kernel, NAME, index, 1)?
        .set("value", g.storage.value())
        .bind("output", element, Access::ReadWrite, Arg::Output(0))
        .shared(width as usize / 8)
        .build((outer * length * tiles) as u64)
        .map(Kernels::from)
}

/// The gradient of [`gather`] from the output's `g`, of the shape of `index`.
pub fn gather_backward(
    g: &Operand,
    index: &Operand,
    axis: usize,
    length: usize,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "gather_backward";
    if g.shape != index.shape {
        let reason = format!("g {:?} for indices {:?}", g.shape, index.shape);
        return Err(GpuError::unsupported(NAME, reason));
    }
    let [outer, count, inner] = around(NAME, &g.shape, axis)?;
    let size = outer * length * inner;
    if size == 0 {
        return Ok(Kernels::default());
    }
    check_axis(NAME, length)?;
    contiguous(NAME, g)?;
    Operand::contiguous(g.storage, &[size]).check(NAME)?;
    let params = params(size, [length, count, inner], g, index);
    let kernel = summing(NAME, workgroup(caps), g, &params)?;
    quads(indices(kernel, NAME, index, 1)?, g.storage, size, caps)
}

/// What becomes of an element that another one comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Last,
    Product,
    /// NaN wins.
    Largest,
    /// NaN wins.
    Smallest,
}

impl Put {
    /// WGSL: `sum` once `load(at)` has come to it.
    fn join(self, name: &str, storage: Storage) -> Result<String> {
        const NEXT: &str = "load(at)";
        let compared = |kind: &str| match self {
            Put::Largest => format!("select({NEXT}, sum, lam_{kind}_lt({NEXT}, sum))"),
            _ => format!("select({NEXT}, sum, lam_{kind}_lt(sum, {NEXT}))"),
        };
        Ok(match (self, storage) {
            (Put::Last, _) => NEXT.to_owned(),
            (Put::Product, Storage::F32 | Storage::I32 | Storage::U32) => format!("sum * {NEXT}"),
            (Put::Product, Storage::I64 | Storage::U64) => format!("lam_i64_mul(sum, {NEXT})"),
            (Put::Largest, Storage::F32) => format!("lam_max(sum, {NEXT})"),
            (Put::Smallest, Storage::F32) => format!("lam_min(sum, {NEXT})"),
            (Put::Largest, Storage::I32 | Storage::U32) => format!("max(sum, {NEXT})"),
            (Put::Smallest, Storage::I32 | Storage::U32) => format!("min(sum, {NEXT})"),
            (_, Storage::I64) => compared("i64"),
            (_, Storage::U64) => compared("u64"),
            _ => {
                let reason = format!("it does not compute with {storage:?}; cast it first");
                return Err(GpuError::unsupported(name, reason));
            }
        })
    }
}

/// `x` with elements of `source` put at `index` along an axis, in order.  `source` and `index` have
/// the shape of `x` but for that axis.
pub fn scatter(
    x: &Operand,
    index: &Operand,
    source: &Operand,
    axis: usize,
    put: Put,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "scatter";
    if source.shape != index.shape || source.storage != x.storage {
        let reason = format!("{source:?} for indices {:?} into {x:?}", index.shape);
        return Err(GpuError::unsupported(NAME, reason));
    }
    let count = same_but(NAME, &x.shape, &index.shape, axis)?;
    let [_, length, inner] = around(NAME, &x.shape, axis)?;
    let size = x.size();
    if size == 0 {
        return Ok(Kernels::default());
    }
    check_axis(NAME, length)?;
    contiguous(NAME, x)?;
    contiguous(NAME, source)?;
    let storage = match put {
        Put::Last => x.storage.bits(),
        _ => x.storage,
    };
    let mut params = params(size, [length, count, inner], source, index);
    params.base_offset = x.offset as u32;
    let kernel = Kernel::new("gather_backward", workgroup(caps))
        .params(Params::of(&params.fields()))
        .set("base", storage.load("x", "(params.base_offset + index)"))
        .set("zero", "")
        .set("add", put.join(NAME, storage)?)
        .set("load", storage.load("g", "(params.offset + at)"))
        .bind("g", storage.word(), Access::Read, Arg::Input(2))
        .bind("x", storage.word(), Access::Read, Arg::Input(0));
    quads(indices(kernel, NAME, index, 1)?, storage, size, caps)
}

fn summing(
    name: &'static str,
    workgroup: [u32; 3],
    g: &Operand,
    params: &GatherParams,
) -> Result<Kernel> {
    let (zero, add) = sums(name, g.storage)?;
    Ok(Kernel::new(name, workgroup)
        .params(Params::of(&params.fields()))
        .set("base", false)
        .set("zero", zero)
        .set("add", add)
        .set("load", g.storage.load("g", "(params.offset + at)"))
        .bind("g", g.storage.word(), Access::Read, Arg::Input(0)))
}
