//! What each op claims, found by trying it: dtypes on the CPU, dtypes on a
//! GPU of WebGPU's default limits, and whether it is differentiable.

use super::table::{Entry, entries};
use crate::{DType, Device, Tensor};
use lamina_gpu::Caps;

/// One line of `lamina ops`.
#[derive(Clone, Debug)]
pub struct Claim {
    pub op: String,
    pub cpu: Vec<DType>,
    pub gpu: Vec<DType>,
    pub gradient: bool,
}

/// Every op of the table, by name.
pub fn claims() -> Vec<Claim> {
    entries()
        .iter()
        .filter(|e| !e.sample.inputs.is_empty())
        .map(|e| claim(e))
        .collect()
}

fn claim(entry: &Entry) -> Claim {
    let caps = Caps::portable();
    let mut found = Claim {
        op: entry.name().to_owned(),
        cpu: Vec::new(),
        gpu: Vec::new(),
        gradient: false,
    };
    for dtype in DType::ALL {
        let inputs: Vec<Tensor> = entry
            .sample
            .inputs
            .iter()
            .map(|(shape, fixed)| Tensor::placeholder(fixed.unwrap_or(dtype), shape, Device::Cpu))
            .collect();
        for input in inputs.iter().filter(|t| t.dtype().is_float()) {
            // A placeholder is a leaf of its own: this cannot fail for floats.
            let _ = input.set_requires_grad(true);
        }
        let Ok(outputs) = entry.record(&inputs, &entry.sample.attrs) else {
            continue;
        };
        found.cpu.push(dtype);
        found.gradient |= outputs.iter().any(Tensor::requires_grad);
        if matches!(
            crate::plan::missing_on_gpu(&inputs, &outputs, &caps),
            Ok(None)
        ) {
            found.gpu.push(dtype);
        }
    }
    found
}
