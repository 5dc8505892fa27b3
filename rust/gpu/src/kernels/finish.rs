//! The end of a kernel: what happens to a result between its sum and its store.

use std::fmt::Write;

use super::{Arg, Epilogue, Kernel};
use crate::{
    error::{GpuError, Result},
    params::{Field, Params},
    program::Access,
    storage::{Operand, Storage},
};

/// A rendered epilogue: the WGSL function
/// `finish(in0: S, index: u32, c: array<u32, R>) -> T`, where `c` are the output's coordinates,
/// with the bindings and parameters that it reads.
pub(crate) struct Finish {
    wgsl: String,
    /// What `in0` is.
    sum: Storage,
    output: Storage,
    extras: Vec<(Storage, Option<usize>)>,
    /// For each extra input its offset, then its strides along the coordinates.
    places: Vec<(String, Vec<u32>)>,
}

impl Finish {
    /// `strides[j]` are extra input `j`'s along each of `rank` coordinates.
    pub fn new(
        kernel: &str,
        epilogue: Option<&Epilogue>,
        sum: Storage,
        output: Storage,
        rank: usize,
        strides: &[Vec<isize>],
    ) -> Result<Self> {
        if output.bytes() != 4 {
            let reason = format!("it does not store {output:?}; cast its result instead");
            return Err(GpuError::unsupported(kernel, reason));
        }
        let inputs: &[Operand] = epilogue.map_or(&[], |e| &e.inputs);
        let mut wgsl = format!(
            "fn finish(in0: {}, index: u32, c: array<u32, {rank}>) -> {} {{\n",
            sum.value(),
            output.value()
        );
        let mut places = Vec::new();
        for (j, (input, strides)) in inputs.iter().zip(strides).enumerate() {
            input.check(kernel)?;
            if let Some(of) = input.shares
                && (of >= j || inputs[of].shares.is_some() || inputs[of].storage != input.storage)
            {
                let reason = format!("extra input {j} cannot share the buffer of {of}");
                return Err(GpuError::unsupported(kernel, reason));
            }
            let param = |i: usize| format!("params.extra{j}[{}][{}]", i / 4, i % 4);
            let mut at = param(0);
            for (axis, &stride) in strides.iter().enumerate() {
                if stride != 0 {
                    let _ = write!(at, " + c[{axis}] * {}", param(axis + 1));
                }
            }
            let name = format!("extra{}", input.shares.unwrap_or(j));
            let (number, load) = (j + 1, input.storage.load(&name, &format!("at{}", j + 1)));
            let _ = writeln!(
                wgsl,
                "    let at{number} = {at};\n    let in{number} = {load};"
            );
            let place = std::iter::once(input.offset as u32);
            let place = place.chain(strides.iter().map(|&s| s as u32));
            places.push((format!("extra{j}"), place.collect()));
        }
        let body = epilogue.map_or("out0 = in0;", |e| &e.code.body);
        let body = match (epilogue, output.value()) {
            (None, value) if value != sum.value() => format!("out0 = {value}(in0);"),
            _ => body.to_owned(),
        };
        let value = output.value();
        let _ = write!(
            wgsl,
            "    var out0: {value};\n    {body}\n    return out0;\n}}\n"
        );
        Ok(Finish {
            wgsl,
            sum,
            output,
            extras: inputs.iter().map(|i| (i.storage, i.shares)).collect(),
            places,
        })
    }

    /// In what a kernel that ends so sums.
    pub const fn sum(&self) -> Storage {
        self.sum
    }

    /// Binds the extra inputs and `result`: by single elements or by four at once.  Of a split
    /// sum, `result` is scratch for its parts, and the finish comes later.
    pub fn result(&self, mut kernel: Kernel, quad: bool, split: bool) -> Kernel {
        kernel = (kernel.set("out_quad", quad).set("split", split))
            .set("finish", if split { "" } else { &self.wgsl })
            .set("number", self.sum.value())
            .set(
                "out_value",
                if split {
                    self.sum.value()
                } else {
                    self.output.value()
                },
            );
        if split {
            let element = self.sum.element(quad);
            return kernel.bind("result", element, Access::ReadWrite, Arg::Scratch(0));
        }
        for (j, &(storage, shares)) in self.extras.iter().enumerate() {
            if shares.is_none() {
                let name = format!("extra{j}");
                kernel = kernel.bind(name, storage.word(), Access::Read, Arg::Extra(j));
            }
        }
        let element = self.output.element(quad);
        kernel.bind("result", element, Access::ReadWrite, Arg::Output(0))
    }

    /// The parameters of a kernel that ends so, with its own `fields`.
    pub fn params<'a>(&'a self, mut fields: Vec<(&'a str, &'a dyn Field)>, split: bool) -> Params {
        let places = self.places.iter().filter(|_| !split);
        fields.extend(places.map(|(name, place)| (name.as_str(), place as &dyn Field)));
        Params::of(&fields)
    }
}
