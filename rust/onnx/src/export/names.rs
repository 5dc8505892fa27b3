//! Which ONNX operators each op is written as: found by writing it.

use super::{Export, Recording, export};
use lamina_core::ops::{Entry, entries};
use lamina_core::{DType, Device, Result, Tensor};

/// Every op by name with the ONNX operators that it is written as on its
/// sample inputs; none where it has no counterpart.
pub fn counterparts() -> Vec<(String, Vec<String>)> {
    entries()
        .iter()
        .map(|entry| (entry.name().to_owned(), written(entry).unwrap_or_default()))
        .collect()
}

fn written(entry: &Entry) -> Result<Vec<String>> {
    let inputs: Vec<(String, Tensor)> = entry
        .sample
        .inputs
        .iter()
        .enumerate()
        .map(|(i, (shape, dtype))| {
            let dtype = dtype.unwrap_or(if entry.name().starts_with("logical") {
                DType::Bool
            } else {
                DType::F32
            });
            (
                format!("x{i}"),
                Tensor::placeholder(dtype, shape, Device::Cpu),
            )
        })
        .collect();
    let tensors: Vec<Tensor> = inputs.iter().map(|(_, t)| t.clone()).collect();
    let outputs = entry.record(&tensors, &entry.sample.attrs)?;
    let outputs: Vec<(String, Tensor)> = outputs
        .into_iter()
        .enumerate()
        .map(|(i, t)| (format!("y{i}"), t))
        .collect();
    let first = Recording {
        inputs: &inputs,
        outputs: &outputs,
    };
    let model = export(&Export {
        first,
        second: None,
        state: &[],
        dynamic: &[],
    })?;
    let mut names: Vec<String> = Vec::new();
    for node in model.graph.nodes {
        if !names.contains(&node.op_type) {
            names.push(node.op_type);
        }
    }
    Ok(names)
}
