//! Kernel builders: from sizes and an adapter's limits to dispatches.
//!
//! A kernel is one template in `shaders/`, one builder here and one line in each list.  A builder
//! picks tile sizes and grid, and describes the call with [`Kernel`]: the same list of bindings
//! gives the WGSL declarations, the access rules and the arguments.

mod batch_norm;
mod concat;
mod conv2d;
mod conv2d_backward_input;
mod conv2d_backward_weight;
mod copy;
mod cumulative;
mod det;
mod dft;
mod elementwise;
mod finish;
mod gather;
mod gemm;
mod grid_sample;
mod lanes;
mod layer_norm;
mod matmul;
mod overlap_add;
mod philox;
mod pool2d;
mod quads;
mod reduce;
mod resize;
mod roi;
mod scatter_slice;
mod softmax;
mod sort;

pub use batch_norm::{batch_norm, batch_norm_backward};
pub use concat::concat;
pub use conv2d::{Conv2d, conv2d};
pub use conv2d_backward_input::conv2d_backward_input;
pub use conv2d_backward_weight::conv2d_backward_weight;
pub use copy::copy;
pub use cumulative::{cumprod, cumsum};
pub use det::{det, det_backward};
pub use dft::{Dft, dft};
pub use elementwise::elementwise;
pub use gather::{Put, gather, gather_backward, scatter, take, take_backward};
pub use grid_sample::{
    GridSample, grid_sample, grid_sample_backward_grid, grid_sample_backward_input,
};
pub use layer_norm::{LayerNormForm, layer_norm, layer_norm_backward};
pub use matmul::matmul;
pub use overlap_add::{Frames, overlap_add};
pub use philox::philox;
pub use pool2d::{Pool2d, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward};
pub use reduce::{Reduction, reduce};
pub use resize::{AxisTable, resize};
pub use roi::{Roi, roi_align, roi_align_backward, roi_pool, roi_pool_backward};
pub use scatter_slice::scatter_slice;
pub use softmax::softmax;
pub use sort::{argmax, sort};

use std::{collections::BTreeMap, fmt::Write};

use minijinja::{Value, context};

use crate::{
    error::{GpuError, Result},
    params::Params,
    program::{Access, Dispatch, Module, Program, Role},
    render::render,
    storage::Operand,
};

/// What a dispatch's binding is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    /// The kernel's input of that number.
    Input(usize),
    Output(usize),
    /// An epilogue's input.
    Extra(usize),
    /// Scratch of [`Kernels`].
    Scratch(usize),
    /// The program's status word.
    Status,
}

/// One kernel call, its buffers still by argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelDispatch {
    pub module: Module,
    pub params: Vec<u8>,
    pub args: Vec<Arg>,
    pub workgroups: [u32; 3],
}

/// The calls that make one kernel, in order, and the bytes of each scratch buffer between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernels {
    pub dispatches: Vec<KernelDispatch>,
    pub scratch: Vec<u64>,
}

impl From<KernelDispatch> for Kernels {
    fn from(dispatch: KernelDispatch) -> Self {
        Kernels {
            dispatches: vec![dispatch],
            scratch: Vec::new(),
        }
    }
}

impl Kernels {
    /// The same calls for a caller whose input `order[i]` is this kernel's input `i`.
    pub(crate) fn with_inputs(mut self, order: &[usize]) -> Self {
        let args = self.dispatches.iter_mut().flat_map(|d| &mut d.args);
        for arg in args {
            if let Arg::Input(i) = arg {
                *i = order[*i];
            }
        }
        self
    }

    /// The same calls with their buffers elsewhere.
    pub(crate) fn rewired(mut self, to: impl Fn(Arg) -> Arg) -> Self {
        for arg in self.dispatches.iter_mut().flat_map(|d| &mut d.args) {
            *arg = to(*arg);
        }
        self
    }

    /// Appends these calls to a program: `inputs`, `outputs` and `extras` are program buffers by
    /// argument number.  Scratch gets buffers of its own; a status buffer is made if wanted.
    pub fn append_to(
        &self,
        program: &mut Program,
        label: &str,
        inputs: &[usize],
        outputs: &[usize],
        extras: &[usize],
    ) -> Result<()> {
        let scratch: Vec<usize> = (self.scratch.iter())
            .map(|&bytes| program.buffer(bytes, Role::Scratch))
            .collect();
        for call in &self.dispatches {
            let module = program.module(call.module.clone());
            let mut buffers = Vec::with_capacity(call.args.len());
            for &arg in &call.args {
                let (list, i) = match arg {
                    Arg::Input(i) => (inputs, i),
                    Arg::Output(i) => (outputs, i),
                    Arg::Extra(i) => (extras, i),
                    Arg::Scratch(i) => (&scratch[..], i),
                    Arg::Status => {
                        let made = program.status;
                        buffers.push(made.unwrap_or_else(|| program.buffer(4, Role::Status)));
                        continue;
                    }
                };
                buffers.push(*list.get(i).ok_or_else(|| {
                    GpuError::Program(format!("`{label}` wants {arg:?}, which was not given"))
                })?);
            }
            program.dispatches.push(Dispatch {
                label: label.to_owned(),
                module,
                params: call.params.clone(),
                buffers,
                workgroups: call.workgroups,
            });
        }
        Ok(())
    }
}

/// WGSL statements that compute one element.
///
/// They read `in0`, `in1`, ... (of type [`value`](crate::Storage::value) of each input's storage)
/// and `index: u32` (the element's row-major number in the output), and assign `out0`, `out1`, ....
/// Functions of the library (`lam_tanh`, ...) may be called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElementCode {
    pub body: String,
}

impl ElementCode {
    pub fn new(body: impl Into<String>) -> Self {
        ElementCode { body: body.into() }
    }
}

/// What is done to each element of a kernel's result before it is stored: `in0` is the result,
/// `in1`, ... are `inputs`, broadcast against the output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epilogue {
    pub code: ElementCode,
    pub inputs: Vec<Operand>,
}

/// A dispatch in the making.
pub(crate) struct Kernel {
    template: &'static str,
    constants: Vec<(&'static str, Value)>,
    params: Option<Params>,
    bindings: Vec<(String, String, Access)>,
    args: Vec<Arg>,
    workgroup: [u32; 3],
    workgroup_storage: u32,
}

impl Kernel {
    pub fn new(template: &'static str, workgroup: [u32; 3]) -> Self {
        Kernel {
            template,
            constants: Vec::new(),
            params: None,
            bindings: Vec::new(),
            args: Vec::new(),
            workgroup,
            workgroup_storage: 0,
        }
    }

    pub fn params(mut self, params: Params) -> Self {
        self.params = Some(params);
        self
    }

    /// A constant of the template.
    pub fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.constants.push((name, value.into()));
        self
    }

    /// A storage binding `name: array<element>`.
    pub fn bind(
        mut self,
        name: impl Into<String>,
        element: impl Into<String>,
        access: Access,
        arg: Arg,
    ) -> Self {
        self.bindings.push((name.into(), element.into(), access));
        self.args.push(arg);
        self
    }

    /// Binds an operand to be read, by single elements or by four at once.  The template gets a
    /// constant of that name: `load` (element `at`) or `lanes` (of a `quad`), and `value`.
    pub fn read(self, name: &'static str, operand: &Operand, quad: bool, arg: Arg) -> Self {
        let storage = operand.storage;
        let reads = context! {
            quad,
            value => storage.value(),
            load => storage.load(name, "at"),
            lanes => [0, 1, 2, 3].map(|lane| storage.lane("quad", lane)),
        };
        self.bind(name, storage.element(quad), Access::Read, arg)
            .set(name, reads)
    }

    /// Bytes of workgroup memory that the template declares.
    pub fn shared(mut self, bytes: usize) -> Self {
        self.workgroup_storage = bytes as u32;
        self
    }

    /// Renders; `workgroups` is their number, folded into two dimensions here and unfolded by
    /// `lam_workgroup` in WGSL.
    pub fn build(self, workgroups: u64) -> Result<KernelDispatch> {
        let [x, y, z] = self.workgroup;
        let context: BTreeMap<&str, Value> = self
            .constants
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .chain([
                ("header", Value::from(self.header())),
                (
                    "workgroup",
                    Value::from(format!("@workgroup_size({x}, {y}, {z})")),
                ),
                ("workgroup_invocations", Value::from(x * y * z)),
            ])
            .collect();
        let wgsl = render(self.template, &Value::from(context))?;
        let module = Module {
            name: self.template.to_owned(),
            wgsl,
            entry: "main".to_owned(),
            workgroup_size: self.workgroup,
            workgroup_storage: self.workgroup_storage,
            has_params: self.params.is_some(),
            bindings: self.bindings.iter().map(|b| b.2).collect(),
        };
        Ok(KernelDispatch {
            module,
            params: self.params.map(|p| p.bytes).unwrap_or_default(),
            args: self.args,
            workgroups: fold(self.template, workgroups)?,
        })
    }

    /// WGSL: the parameter struct and the bindings.
    fn header(&self) -> String {
        let mut text = String::new();
        if let Some(params) = &self.params {
            text.push_str(&params.wgsl);
            text.push_str("@group(0) @binding(0) var<uniform> params: Params;\n");
        }
        let first = usize::from(self.params.is_some());
        for (i, (name, element, access)) in self.bindings.iter().enumerate() {
            let binding = first + i;
            let access = match access {
                Access::Read => "read",
                Access::ReadWrite => "read_write",
            };
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;"
            );
        }
        text
    }
}

/// `count` workgroups as at most 65,535 in each of two dimensions, with at most a row too many.
pub(crate) fn fold(kernel: &str, count: u64) -> Result<[u32; 3]> {
    const MOST: u64 = 65_535;
    if count <= MOST {
        return Ok([count.max(1) as u32, 1, 1]);
    }
    let rows = count.div_ceil(MOST);
    if count > u64::from(u32::MAX) - MOST || rows > MOST {
        let reason = format!("{count} workgroups are too many for one dispatch");
        return Err(GpuError::unsupported(kernel, reason));
    }
    Ok([count.div_ceil(rows) as u32, rows as u32, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_covers_and_wastes_less_than_a_row() {
        for count in [0, 1, 65_535, 65_536, 65_537, 1_000_003, 4_000_000_007] {
            let [x, y, z] = fold("test", count).unwrap();
            let covered = u64::from(x) * u64::from(y);
            assert!(x <= 65_535 && y <= 65_535 && z == 1);
            assert!(covered >= count.max(1) && covered - count.max(1) < u64::from(y));
        }
        assert!(fold("test", 5_000_000_000).is_err());
    }
}
