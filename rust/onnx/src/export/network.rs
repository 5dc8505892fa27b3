//! Products, convolution, pooling, normalisation, reductions, order.

use super::elementwise::reducible;
use super::emit::Emit;
use super::spectrum;
use crate::ir::Attribute;
use crate::write::elem_type;
use lamina_core::{Attr, DType, Error, Result};

pub(super) fn emit(e: &mut Emit<'_>, name: &str) -> Result<bool> {
    match name {
        "dft" => spectrum::dft(e)?,
        "matmul" => e.direct("MatMul", &[]),
        // Of int16, which MatMulInteger does not take; MatMul takes int32.
        "matmul_integer" => {
            let to = [("to", Attribute::Int(elem_type(DType::I32) as i64))];
            let inputs = e.inputs.to_vec();
            let wide: Vec<String> = inputs.iter().map(|x| e.make("Cast", &[x], &to)).collect();
            e.finish("MatMul", &[&wide[0], &wide[1]], &[]);
        }
        "linear" => {
            let transposed = e.int("transposed")?;
            e.direct("Gemm", &[("transB", Attribute::Int(transposed))]);
        }
        "conv2d" => {
            let mut attributes = window(e, false)?;
            attributes.push(("group", Attribute::Int(e.int("groups")?)));
            e.direct("Conv", &attributes);
        }
        "conv2d_backward_input" => transposed(e)?,
        "max_pool2d" => {
            let mut attributes = window(e, true)?;
            attributes.push(("ceil_mode", Attribute::Int(e.int("ceil_mode")?)));
            e.direct("MaxPool", &attributes);
        }
        "avg_pool2d" => {
            let mut attributes = window(e, true)?;
            attributes.push(("ceil_mode", Attribute::Int(e.int("ceil_mode")?)));
            attributes.push((
                "count_include_pad",
                Attribute::Int(e.int("count_include_pad")?),
            ));
            if attributes
                .iter()
                .any(|(n, v)| *n == "dilations" && *v != Attribute::Ints(vec![1, 1]))
            {
                return Err(Error::unsupported(
                    "onnx.save: avg_pool2d with dilation has no counterpart in this operator set",
                ));
            }
            attributes.retain(|(n, _)| *n != "dilations");
            e.direct("AveragePool", &attributes);
        }
        "global_avg_pool2d" => e.direct("GlobalAveragePool", &[]),
        "global_max_pool2d" => e.direct("GlobalMaxPool", &[]),
        "batch_norm" => batch_norm(e)?,
        "layer_norm" => layer_norm(e)?,
        "rms_norm" => rms_norm(e)?,
        "instance_norm" => channel_norm(e, "InstanceNormalization", &[])?,
        "group_norm" => {
            let groups = Attribute::Int(e.int("num_groups")?);
            channel_norm(e, "GroupNormalization", &[("num_groups", groups)])?;
        }
        "local_response_norm" => {
            let float =
                |name: &str| -> Result<Attribute> { Ok(Attribute::Float(e.float(name)? as f32)) };
            let attributes = [
                ("size", Attribute::Int(e.int("size")?)),
                ("alpha", float("alpha")?),
                ("beta", float("beta")?),
                ("bias", float("k")?),
            ];
            e.direct("LRN", &attributes);
        }
        "softmax" => soft(e, "Softmax")?,
        "log_softmax" => soft(e, "LogSoftmax")?,
        "sum" => reduce(e, "ReduceSum")?,
        "mean" => reduce(e, "ReduceMean")?,
        "prod" => reduce(e, "ReduceProd")?,
        "max" => reduce(e, "ReduceMax")?,
        "min" => reduce(e, "ReduceMin")?,
        "argmax" => arg(e, "ArgMax")?,
        "argmin" => arg(e, "ArgMin")?,
        "topk" => {
            let k = e.int("k")?;
            let k = e.numbers(&[k]);
            order(e, &k, e.flag("largest")?)?;
        }
        "sort" => {
            let dim = e.int("dim")?;
            let x = e.inputs[0].clone();
            let sizes = e.make("Shape", &[&x], &[]);
            let at = e.numbers(&[dim]);
            let k = e.make("Gather", &[&sizes, &at], &[]);
            order(e, &k, e.flag("descending")?)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Stride, padding, dilation and, for pooling, the kernel.
fn window(e: &Emit<'_>, kernel: bool) -> Result<Vec<(&'static str, Attribute)>> {
    let pair = |name: &str| -> Result<Attribute> {
        Ok(Attribute::Ints(e.ints(name)?.unwrap_or_else(|| vec![1, 1])))
    };
    let mut attributes = vec![
        ("strides", pair("stride")?),
        ("dilations", pair("dilation")?),
    ];
    if kernel {
        attributes.push(("kernel_shape", pair("kernel_size")?));
    }
    attributes.push(match e.attr("padding")? {
        Attr::Ints(pads) => ("pads", Attribute::Ints(pads)),
        Attr::Str(name) if name == "same_lower" => {
            ("auto_pad", Attribute::Str("SAME_LOWER".into()))
        }
        Attr::Str(_) => ("auto_pad", Attribute::Str("SAME_UPPER".into())),
        other => return Err(e.odd("padding", &other)),
    });
    Ok(attributes)
}

/// A transposed convolution is a convolution's gradient for its input.  The
/// size it is asked for follows from its input's but for the output padding.
fn transposed(e: &mut Emit<'_>) -> Result<()> {
    let (first, second) = e.step.both("size");
    let Attr::Ints(pads) = e.attr("padding")? else {
        return Err(Error::unsupported(
            "onnx.save: a transposed convolution with padding 'same' has no counterpart; give the pads",
        ));
    };
    let (stride, dilation) = (
        e.ints("stride")?.unwrap_or_default(),
        e.ints("dilation")?.unwrap_or_default(),
    );
    let extra = |size: &Attr, inputs: &[lamina_core::Tensor]| -> Option<Vec<i64>> {
        let Attr::Ints(size) = size else { return None };
        let (g, w) = (inputs[0].shape(), inputs[1].shape());
        (0..2)
            .map(|i| {
                let reach = dilation.get(i)? * (w[i + 2] as i64 - 1) + 1;
                Some(
                    size.get(i)?
                        - (stride.get(i)? * (g[i + 2] as i64 - 1) + reach
                            - pads.get(i)?
                            - pads.get(i + 2)?),
                )
            })
            .collect()
    };
    let own = extra(&first, &e.step.inputs).ok_or_else(|| e.odd("size", &first))?;
    if let (Some(size), Some(twin)) = (&second, &e.step.twin)
        && extra(size, &twin.inputs).as_ref() != Some(&own)
    {
        return Err(e.step.baked("size", &first, size));
    }
    let attributes = [
        ("strides", Attribute::Ints(stride)),
        ("dilations", Attribute::Ints(dilation)),
        ("pads", Attribute::Ints(pads)),
        ("output_padding", Attribute::Ints(own)),
        ("group", Attribute::Int(e.int("groups")?)),
    ];
    e.direct("ConvTranspose", &attributes);
    Ok(())
}

fn batch_norm(e: &mut Emit<'_>) -> Result<()> {
    if e.inputs.len() != 5 {
        return Err(Error::unsupported(
            "onnx.save: batch_norm in training mode is not written; call eval() on the module, or pass running_mean and running_var",
        ));
    }
    let eps = e.float("eps")?;
    e.direct(
        "BatchNormalization",
        &[("epsilon", Attribute::Float(eps as f32))],
    );
    Ok(())
}

/// Statistics that nobody reads are not written.
fn layer_norm(e: &mut Emit<'_>) -> Result<()> {
    let last = (0..3).rev().find(|&i| e.wants(i)).unwrap_or(0);
    if last > 0 && e.dtype(0) != DType::F32 {
        return Err(Error::unsupported(format!(
            "onnx.save: layer_norm: mean and deviation of {} are written in float32 only; cast x to float32 first",
            e.dtype(0)
        )));
    }
    let axes = e.ints("normalized_shape")?.unwrap_or_default().len() as i64;
    let attributes = [
        ("axis", Attribute::Int(-axes)),
        ("epsilon", Attribute::Float(e.float("eps")? as f32)),
    ];
    let (inputs, outputs) = (e.inputs.to_vec(), e.outputs[..=last].to_vec());
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    (e.builder).node("LayerNormalization", &inputs, &outputs, &attributes);
    Ok(())
}

/// That nobody reads the statistics, which the operator does not give.
fn result_alone(e: &Emit<'_>) -> Result<()> {
    if (1..e.outputs.len()).any(|i| e.wants(i)) {
        return Err(Error::unsupported(format!(
            "onnx.save: {}: its mean and deviation have no counterpart{}; compute them by ops.mean and ops.var",
            e.step.name,
            e.step.place()
        )));
    }
    Ok(())
}

/// Of x, scale and bias.
fn channel_norm(e: &mut Emit<'_>, op: &str, more: &[(&str, Attribute)]) -> Result<()> {
    result_alone(e)?;
    let mut attributes = vec![("epsilon", Attribute::Float(e.float("eps")? as f32))];
    attributes.extend(more.iter().cloned());
    e.direct(op, &attributes);
    Ok(())
}

/// Its bias is 0, which nothing else can be recorded with.
fn rms_norm(e: &mut Emit<'_>) -> Result<()> {
    result_alone(e)?;
    let axes = e.ints("normalized_shape")?.unwrap_or_default().len() as i64;
    let attributes = [
        ("axis", Attribute::Int(-axes)),
        ("epsilon", Attribute::Float(e.float("eps")? as f32)),
    ];
    let inputs = e.inputs.to_vec();
    e.finish("RMSNormalization", &[&inputs[0], &inputs[1]], &attributes);
    Ok(())
}

fn soft(e: &mut Emit<'_>, op: &str) -> Result<()> {
    let dim = e.int("dim")?;
    e.direct(op, &[("axis", Attribute::Int(dim))]);
    Ok(())
}

fn reduce(e: &mut Emit<'_>, op: &str) -> Result<()> {
    let dtype = e.dtype(0);
    if !reducible(dtype) {
        return Err(Error::unsupported(format!(
            "onnx.save: {op} of {dtype}; cast it first"
        )));
    }
    let keep = ("keepdims", Attribute::Int(e.int("keepdim")?));
    let axes = e.ints("dim")?;
    let x = e.inputs[0].clone();
    match axes {
        Some(axes) if axes.is_empty() => e.finish("Identity", &[&x], &[]),
        None => e.finish(op, &[&x], &[keep]),
        // In older operator sets the sum alone takes its axes as an input.
        Some(axes) if op == "ReduceSum" || e.builder.edition.axes_are_inputs() => {
            let axes = e.numbers(&axes);
            e.finish(op, &[&x, &axes], &[keep]);
        }
        Some(axes) => e.finish(op, &[&x], &[keep, ("axes", Attribute::Ints(axes))]),
    }
    Ok(())
}

fn arg(e: &mut Emit<'_>, op: &str) -> Result<()> {
    let keep = ("keepdims", Attribute::Int(e.int("keepdim")?));
    let x = e.inputs[0].clone();
    if let Attr::Int(dim) = e.attr("dim")? {
        e.finish(op, &[&x], &[("axis", Attribute::Int(dim)), keep]);
        return Ok(());
    }
    let all = e.numbers(&[-1]);
    let flat = e.make("Reshape", &[&x, &all], &[]);
    e.finish(
        op,
        &[&flat],
        &[("axis", Attribute::Int(0)), ("keepdims", Attribute::Int(0))],
    );
    Ok(())
}

/// The first k in order, and their indices.
fn order(e: &mut Emit<'_>, k: &str, largest: bool) -> Result<()> {
    let attributes = [
        ("axis", Attribute::Int(e.int("dim")?)),
        ("largest", Attribute::Int(i64::from(largest))),
    ];
    let (x, outputs) = (e.inputs[0].clone(), e.outputs.to_vec());
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    e.builder.node("TopK", &[&x, k], &outputs, &attributes);
    Ok(())
}
