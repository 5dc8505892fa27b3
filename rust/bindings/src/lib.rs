//! Lamina's Python extension: converts, releases the GIL, maps errors.

// pyo3 hands methods their object by reference, used or not.
#![allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self)]

mod cell;
mod convert;
mod dlpack;
mod dtype;
mod error;
mod explain;
mod index;
mod methods;
mod numpy_arrays;
mod operators;
mod record;
mod signals;
mod tensor;

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
    use crate::index::{At, AtIndex};
    #[pymodule_export]
    use crate::record::{
        counters, default_device, devices, eval, grad, manual_seed, num_threads, record,
        set_default_device, set_grad_enabled, set_num_threads, tensor,
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
        Ok(())
    }
}
