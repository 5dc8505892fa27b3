//! Lamina's Python extension: converts, releases the GIL, maps errors.

// pyo3 hands methods their object by reference, used or not, and arguments by value.
#![allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    clippy::needless_pass_by_value
)]
// Whether a tensor may go to another thread is decided down to wgpu's types.
#![recursion_limit = "512"]

mod cell;
mod convert;
mod dlpack;
mod dtype;
mod error;
mod explain;
mod files;
mod fork;
mod index;
mod methods;
mod model;
mod numpy_arrays;
mod operators;
mod plugin;
mod profile;
mod program;
mod record;
mod signals;
mod tensor;
mod text;

use pyo3::prelude::*;

#[pymodule]
mod _lamina {
    #[pymodule_export]
    use crate::cell::{_cell, PyCell};
    #[pymodule_export]
    use crate::dlpack::from_dlpack;
    #[pymodule_export]
    use crate::dtype::{_dtype, PyDType, dtypes};
    #[pymodule_export]
    use crate::explain::{Explanation, PyStep, explain};
    #[pymodule_export]
    use crate::files::{destroy_device, write_file};
    #[pymodule_export]
    use crate::index::{At, AtIndex};
    #[pymodule_export]
    use crate::model::{PyModel, ValueInfo, onnx_check, onnx_load, onnx_save, placeholder};
    #[pymodule_export]
    use crate::plugin::register_op;
    #[pymodule_export]
    use crate::profile::{PyProfile, TimedStep, profile_targets};
    #[pymodule_export]
    use crate::program::{Program, program};
    #[pymodule_export]
    use crate::record::{
        counters, default_device, devices, eval, grad, manual_seed, num_threads, op_table, record,
        set_default_device, set_grad_enabled, set_num_threads, set_thread_limit, tensor,
    };
    #[pymodule_export]
    use crate::tensor::PyTensor;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("version", env!("CARGO_PKG_VERSION"))?;
        crate::error::add_classes(module)?;
        // A mistyped variable is an error here, not where it is first read.
        crate::record::check_environment()?;
        crate::signals::install();
        crate::fork::install(module.py())?;
        Ok(())
    }
}
