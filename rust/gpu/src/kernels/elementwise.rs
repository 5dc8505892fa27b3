//! Fused elementwise chains: four elements to an invocation.

use minijinja::{Value, context};

use super::{Arg, ElementCode, Kernel, Kernels};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Field, Params},
    program::Access,
    storage::{Operand, Storage, collapse, row_major},
};

const KERNEL: &str = "elementwise";

/// How an input's four elements are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One element for all.
    Scalar,
    /// Four neighbours, read at once.
    Quad,
    /// Four in a row at one stride.
    Row,
    /// Each by its own coordinates.
    Each,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::Scalar => "scalar",
            Mode::Quad => "quad",
            Mode::Row => "row",
            Mode::Each => "each",
        }
    }
}

/// Applies `code` to every element.
///
/// Inputs are broadcast to the outputs' shape; outputs are whole row-major buffers of one shape.
/// `in_place[k] = Some(j)` writes output `k` over input `j`, which must be a whole row-major
/// buffer of the same shape and storage; the two take one binding, `Arg::Output(k)`.
pub fn elementwise(
    inputs: &[Operand],
    outputs: &[Operand],
    code: &ElementCode,
    in_place: &[Option<usize>],
    caps: &Caps,
) -> Result<Kernels> {
    let shape = check(inputs, outputs, in_place)?;
    let size: usize = shape.iter().product();
    if size == 0 {
        return Ok(Kernels::default());
    }
    let mut views = inputs
        .iter()
        .map(|input| input.broadcast(KERNEL, shape))
        .collect::<Result<Vec<_>>>()?;
    views.push(row_major(shape));
    let (dims, strides) = collapse(shape, &views);
    let in_row = dims.len() == 1 || dims[dims.len() - 1] % 4 == 0;
    let over = |j: usize| in_place.iter().position(|&over| over == Some(j));
    let shared = |j: usize| inputs.iter().any(|input| input.shares == Some(j));

    let workgroup = caps.max_invocations.min(256);
    let mut kernel = Kernel::new(KERNEL, [workgroup, 1, 1]);
    let mut described = Vec::new();
    for (j, input) in inputs.iter().enumerate() {
        let flat = strides[j] == strides[inputs.len()];
        let raw = input.shares.is_some() || shared(j);
        let mode = mode(input, &strides[j], flat || in_row, flat, raw);
        let name = match (over(j), input.shares) {
            (Some(k), _) => format!("output{k}"),
            (None, first) => format!("input{}", first.unwrap_or(j)),
        };
        if over(j).is_none() && input.shares.is_none() {
            let element = match mode {
                _ if raw => "u32",
                Mode::Quad => input.storage.quad(),
                _ => input.storage.word(),
            };
            kernel = kernel.bind(&name, element, Access::Read, Arg::Input(j));
        }
        let load = load(input.storage, &name, raw, over(j).is_some());
        let lane = |lane| input.storage.lane("quad", lane);
        described.push(context! {
            mode => mode.name(), flat, name, load,
            lanes => [0, 1, 2, 3].map(lane),
            value => input.storage.value(),
        });
    }
    for (k, output) in outputs.iter().enumerate() {
        let (name, element) = (format!("output{k}"), output.storage.quad());
        kernel = kernel.bind(name, element, Access::ReadWrite, Arg::Output(k));
    }
    let groups = (size as u64).div_ceil(4).div_ceil(u64::from(workgroup));
    kernel
        .params(params(size, &dims, inputs, &strides))
        .set("body", code.body.as_str())
        .set("rank", dims.len())
        .set("in_row", in_row)
        .set("inputs", described)
        .set(
            "outputs",
            outputs
                .iter()
                .enumerate()
                .map(describe_output)
                .collect::<Vec<_>>(),
        )
        .build(groups)
        .map(Kernels::from)
}

fn check<'a>(
    inputs: &[Operand],
    outputs: &'a [Operand],
    in_place: &[Option<usize>],
) -> Result<&'a [usize]> {
    let refuse = |reason: String| Err(GpuError::unsupported(KERNEL, reason));
    let Some(first) = outputs.first() else {
        return refuse("it has no output".to_owned());
    };
    for output in outputs {
        output.check(KERNEL)?;
        if output.shape != first.shape || !output.is_contiguous() || output.offset != 0 {
            return refuse(format!("{output:?} is not a whole row-major output"));
        }
    }
    for (j, input) in inputs.iter().enumerate() {
        input.check(KERNEL)?;
        if input
            .shares
            .is_some_and(|of| of >= j || inputs[of].shares.is_some())
        {
            return refuse(format!("input {j} shares the buffer of {:?}", input.shares));
        }
    }
    for (k, over) in in_place.iter().enumerate() {
        let Some(j) = *over else { continue };
        let alone = inputs.iter().all(|input| input.shares != Some(j));
        let fits = k < outputs.len()
            && alone
            && inputs.get(j).is_some_and(|input| {
                input.shape == first.shape
                    && input.storage == outputs[k].storage
                    && input.is_contiguous()
                    && input.offset == 0
                    && input.shares.is_none()
            });
        if !fits {
            return refuse(format!("output {k} cannot be written over input {j}"));
        }
    }
    Ok(&first.shape)
}

fn mode(input: &Operand, strides: &[isize], in_row: bool, flat: bool, raw: bool) -> Mode {
    let (inner, outer) = strides.split_last().map_or((0, strides), |(i, o)| (*i, o));
    // The last quad may reach past the end, into the buffer's padding: that is 16 bytes, which
    // holds it for words and what is narrower.
    let aligned = input.offset.is_multiple_of(4) && (flat || outer.iter().all(|s| s % 4 == 0));
    if in_row && (flat || inner == 1) && aligned && !raw && input.storage.has_quads() {
        return Mode::Quad;
    }
    if strides.iter().all(|&s| s == 0) {
        return Mode::Scalar;
    }
    if in_row { Mode::Row } else { Mode::Each }
}

/// WGSL: element `at` of an input.
fn load(storage: Storage, name: &str, raw: bool, in_place: bool) -> String {
    if in_place && !storage.has_quads() {
        // Its binding is the output's, in pairs of elements.
        return format!("select({name}[at / 2u].xy, {name}[at / 2u].zw, (at & 1u) == 1u)");
    }
    let word = storage.load(name, "at");
    match storage {
        Storage::F32 | Storage::I32 if raw => format!("bitcast<{}>({word})", storage.word()),
        _ => word,
    }
}

fn describe_output((k, output): (usize, &Operand)) -> Value {
    let storage = output.storage;
    let values = [0, 1, 2, 3].map(|lane| format!("lane{lane}.out{k}"));
    let values = [0, 1, 2, 3].map(|lane| values[lane].as_str());
    let store = storage.store_quad(&format!("output{k}"), "quad", values, "params.size");
    context! { value => storage.value(), store }
}

fn params(size: usize, dims: &[usize], inputs: &[Operand], strides: &[Vec<isize>]) -> Params {
    let size = size as u32;
    let dims: Vec<u32> = dims.iter().map(|&n| n as u32).collect();
    // Strides may be negative: 32-bit arithmetic wraps to the right place.
    let wrap = |s: &isize| *s as u32;
    let strides: Vec<Vec<u32>> = strides
        .iter()
        .map(|s| s.iter().map(wrap).collect())
        .collect();
    let offsets: Vec<u32> = inputs.iter().map(|input| input.offset as u32).collect();
    let names: Vec<String> = (0..inputs.len()).map(|j| format!("strides{j}")).collect();
    let mut fields: Vec<(&str, &dyn Field)> = vec![("size", &size), ("dims", &dims)];
    if !inputs.is_empty() {
        fields.push(("offsets", &offsets));
    }
    for (name, strides) in names.iter().zip(&strides) {
        fields.push((name, strides));
    }
    Params::of(&fields)
}
