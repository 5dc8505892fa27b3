//! A GPU plan as plain data: modules, buffers, dispatches.

mod check;
mod file;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The version of [`Program`] that this build writes.
pub const VERSION: u32 = 1;

/// How a dispatch uses a storage binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    Read,
    ReadWrite,
}

/// One WGSL module with one entry point.
///
/// Group 0 is all there is.  Where a dispatch has parameters, binding 0 is a uniform struct that
/// holds them and the storage buffers follow from binding 1; else they start at binding 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Module {
    pub name: String,
    pub wgsl: String,
    pub entry: String,
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub workgroup_storage: u32,
    /// Whether binding 0 is the parameters.
    pub has_params: bool,
    pub bindings: Vec<Access>,
}

/// What a program's buffer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The run's input of that number.
    Input(usize),
    /// The run's output of that number.
    Output(usize),
    /// Contents that come with the program.
    Constant(Arc<[u8]>),
    /// Belongs to a run; holds nothing before it or after it.
    Scratch,
    /// Zero at the start of a run; kernels set bits in it, the caller reads it.
    Status,
    /// The run's scalar operands.
    Scalars,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferDecl {
    pub bytes: u64,
    pub role: Role,
}

/// One kernel call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    pub label: String,
    pub module: usize,
    pub params: Vec<u8>,
    /// One program buffer for each of the module's bindings.
    pub buffers: Vec<usize>,
    pub workgroups: [u32; 3],
}

/// The limits and features that a program needs; WebGPU's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Requires {
    #[serde(rename = "max-storage-buffers-per-shader-stage")]
    pub storage_buffers: u32,
    #[serde(rename = "max-storage-buffer-binding-size")]
    pub binding_bytes: u64,
    #[serde(rename = "max-compute-workgroup-storage-size")]
    pub workgroup_storage: u32,
    #[serde(rename = "max-compute-invocations-per-workgroup")]
    pub invocations: u32,
    /// "shader-f16", "subgroups".
    pub features: Vec<String>,
}

/// What a caller knows an input or output by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoDecl {
    pub name: String,
    /// NumPy's name.
    pub dtype: String,
    pub shape: Vec<usize>,
    pub buffer: usize,
}

/// A plan for a GPU: what to run, in order, on which buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub version: u32,
    pub modules: Vec<Module>,
    pub buffers: Vec<BufferDecl>,
    pub dispatches: Vec<Dispatch>,
    pub requires: Requires,
    pub inputs: Vec<IoDecl>,
    pub outputs: Vec<IoDecl>,
    /// The buffer whose role is [`Role::Status`], if there is one.
    pub status: Option<usize>,
}

impl Default for Program {
    fn default() -> Self {
        Program {
            version: VERSION,
            modules: Vec::new(),
            buffers: Vec::new(),
            dispatches: Vec::new(),
            requires: Requires::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            status: None,
        }
    }
}

impl Program {
    /// Adds a buffer; its number.
    pub fn buffer(&mut self, bytes: u64, role: Role) -> usize {
        if role == Role::Status {
            self.status = Some(self.buffers.len());
        }
        self.buffers.push(BufferDecl { bytes, role });
        self.buffers.len() - 1
    }

    /// Adds a module unless an equal one is there; its number.
    pub fn module(&mut self, module: Module) -> usize {
        let same = |m: &Module| *m == module;
        self.modules.iter().position(same).unwrap_or_else(|| {
            self.modules.push(module);
            self.modules.len() - 1
        })
    }

    /// Works out `requires` from modules and buffers.
    pub fn require(&mut self, features: &[&str]) {
        let most = |of: &dyn Fn(&Module) -> u32| self.modules.iter().map(of).max().unwrap_or(0);
        self.requires = Requires {
            storage_buffers: most(&|m| m.bindings.len() as u32),
            binding_bytes: self.buffers.iter().map(|b| b.bytes).max().unwrap_or(0),
            workgroup_storage: most(&|m| m.workgroup_storage),
            invocations: most(&|m| m.workgroup_size.iter().product()),
            features: features.iter().map(|&f| f.to_owned()).collect(),
        };
    }
}
