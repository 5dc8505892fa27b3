//! ONNX import: read, check, trace, plan; a small model also runs.

use lamina_core::{DType, Device, Tensor};
use lamina_onnx::ir::{Dim, Kind, ValueInfo};
use lamina_onnx::{Item, Model};

pub fn onnx(data: &[u8]) {
    let Ok(model) = Model::from_bytes(data.to_vec(), Device::Cpu, false) else {
        return;
    };
    let inputs: Option<Vec<Item>> = model.inputs().iter().map(item).collect();
    let Some(inputs) = inputs else { return };
    let Ok(plan) = model.plan(&inputs) else {
        // Where shapes depend on data there is no plan, but a run.
        let small = inputs
            .iter()
            .flat_map(Item::tensors)
            .all(|t| t.len() <= 1 << 10);
        if small && data.len() <= 1 << 12 {
            let _ = model.run(&inputs);
        }
        return;
    };
    if super::is_small(plan.plan()) {
        let outputs = model.run(&inputs);
        for tensor in outputs.iter().flatten().flat_map(Item::tensors) {
            let _ = tensor.host_value();
        }
    }
}

/// What the input is declared as: of a sequence two, of an optional nothing.
fn item(info: &ValueInfo) -> Option<Item> {
    if info.kind == Kind::Tensor {
        return input(info).map(Item::Tensor);
    }
    if info.kind.is_optional() {
        return Some(Item::Nothing);
    }
    let tensor = input(info)?;
    Some(Item::Sequence(vec![tensor.clone(), tensor]))
}

/// Small numbers of the input's dtype and of its declared shape, 2 where a size is open.
fn input(info: &ValueInfo) -> Option<Tensor> {
    let dtype = info.dtype?;
    let shape: Vec<usize> = info
        .shape
        .as_ref()?
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => *n,
            Dim::Named(_) | Dim::Unknown => 2,
        })
        .collect();
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
    if len > super::MAX_ELEMENTS {
        return None;
    }
    let size = dtype.size();
    let mut bytes = vec![0; len * size];
    for (i, element) in bytes.chunks_exact_mut(size).enumerate() {
        match dtype {
            DType::Bool | DType::Stored(_) => element[0] = (i % 2) as u8,
            _ => lamina_core::scalar::write(dtype, (i % 7) as f64, element),
        }
    }
    Tensor::from_bytes(dtype, &shape, &bytes, Device::Cpu).ok()
}
