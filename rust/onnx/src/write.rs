//! Writing a checked graph as an ONNX file.

use crate::ir::{Attribute, Constant, Dim, Graph, Model, Node, ValueInfo};
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use lamina_core::{DType, Error, Result, Stored};
use prost::Message;
use std::path::Path;

/// The operator set of a written file, and the file format that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    pub opset: i64,
    pub ir_version: i64,
}

impl Edition {
    /// Runtimes of several years back read it, and LayerNormalization is in it.
    pub const USUAL: Edition = Edition {
        opset: 17,
        ir_version: 8,
    };
    /// The first with bitwise operators, Mish, and scatters that compare.
    pub const BITS: Edition = Edition {
        opset: 18,
        ir_version: 8,
    };
    /// The first with Gelu, and GridSample over other than two axes.
    pub const GELU: Edition = Edition {
        opset: 20,
        ir_version: 9,
    };

    /// The first whose GroupNormalization has a scale for each channel.
    pub const GROUPS: Edition = Edition {
        opset: 21,
        ir_version: 10,
    };
    /// The first with RMSNormalization.
    pub const RMS: Edition = Edition {
        opset: 23,
        ir_version: 11,
    };

    /// The oldest in which all of these ops can be written.
    pub(crate) fn with<'a>(ops: impl Iterator<Item = &'a str>) -> Edition {
        ops.map(|op| match op {
            "gelu" | "grid_sample3d" => Edition::GELU,
            "group_norm" => Edition::GROUPS,
            "rms_norm" => Edition::RMS,
            "mish" | "bitwise_and" | "bitwise_or" | "bitwise_xor" | "bitwise_not"
            | "scatter_reduce" => Edition::BITS,
            _ => Edition::USUAL,
        })
        .max_by_key(|edition| edition.opset)
        .unwrap_or(Edition::USUAL)
    }

    /// Whether reductions other than the sum take their axes as an input.
    pub(crate) fn axes_are_inputs(self) -> bool {
        self.opset >= 18
    }
}

/// What protocol buffers allow a message.
const MAX_MESSAGE: usize = 1 << 31;

/// ONNX's number for a dtype.
pub(crate) fn elem_type(dtype: DType) -> DataType {
    match dtype {
        DType::Bool => DataType::Bool,
        DType::U8 => DataType::Uint8,
        DType::I8 => DataType::Int8,
        DType::U16 => DataType::Uint16,
        DType::I16 => DataType::Int16,
        DType::U32 => DataType::Uint32,
        DType::I32 => DataType::Int32,
        DType::U64 => DataType::Uint64,
        DType::I64 => DataType::Int64,
        DType::F16 => DataType::Float16,
        DType::BF16 => DataType::Bfloat16,
        DType::F32 => DataType::Float,
        DType::F64 => DataType::Double,
        DType::Stored(Stored::F8E4M3FN) => DataType::Float8e4m3fn,
        DType::Stored(Stored::F8E4M3FNUZ) => DataType::Float8e4m3fnuz,
        DType::Stored(Stored::F8E5M2) => DataType::Float8e5m2,
        DType::Stored(Stored::F8E5M2FNUZ) => DataType::Float8e5m2fnuz,
        DType::Stored(Stored::F8E8M0) => DataType::Float8e8m0,
        DType::Stored(Stored::F4E2M1) => DataType::Float4e2m1,
        DType::Stored(Stored::U4) => DataType::Uint4,
        DType::Stored(Stored::I4) => DataType::Int4,
        DType::Stored(Stored::U2) => DataType::Uint2,
        DType::Stored(Stored::I2) => DataType::Int2,
    }
}

/// The bytes as a file has them: numbers of fewer bits than a byte share one.
fn packed(constant: &Constant) -> bytes::Bytes {
    let DType::Stored(stored) = constant.dtype else {
        return constant.bytes.clone();
    };
    let bits = stored.bits() as usize;
    let join = |codes: &[u8]| {
        let places = codes.iter().enumerate();
        places.fold(0, |byte, (i, code)| byte | code << (i * bits))
    };
    constant
        .bytes
        .chunks(8 / bits)
        .map(join)
        .collect::<Vec<u8>>()
        .into()
}

fn tensor(name: &str, constant: &Constant) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: constant.shape.iter().map(|&n| n as i64).collect(),
        data_type: Some(elem_type(constant.dtype) as i32),
        raw_data: Some(packed(constant)),
        ..TensorProto::default()
    }
}

fn attribute(name: &str, value: &Attribute) -> Result<AttributeProto> {
    let mut proto = AttributeProto {
        name: Some(name.to_owned()),
        ..AttributeProto::default()
    };
    let kind = match value {
        Attribute::Int(v) => {
            proto.i = Some(*v);
            AttributeType::Int
        }
        Attribute::Float(v) => {
            proto.f = Some(*v);
            AttributeType::Float
        }
        Attribute::Str(v) => {
            proto.s = Some(v.clone().into_bytes());
            AttributeType::String
        }
        Attribute::Tensor(v) => {
            proto.t = Some(tensor("", v));
            AttributeType::Tensor
        }
        Attribute::Graph(v) => {
            proto.g = Some(graph(v)?);
            AttributeType::Graph
        }
        Attribute::Ints(v) => {
            proto.ints.clone_from(v);
            AttributeType::Ints
        }
        Attribute::Floats(v) => {
            proto.floats.clone_from(v);
            AttributeType::Floats
        }
        Attribute::Strs(v) => {
            proto.strings = v.iter().map(|s| s.clone().into_bytes()).collect();
            AttributeType::Strings
        }
        Attribute::Other(kind) => {
            return Err(Error::model(format!(
                "attribute '{name}' is {kind}, which is not written"
            )));
        }
    };
    proto.r#type = Some(kind as i32);
    Ok(proto)
}

fn node(node: &Node) -> Result<NodeProto> {
    Ok(NodeProto {
        name: Some(node.name.clone()).filter(|n| !n.is_empty()),
        domain: Some(node.domain.clone()).filter(|d| !d.is_empty()),
        op_type: Some(node.op_type.clone()),
        input: node.inputs.clone(),
        output: node.outputs.clone(),
        attribute: node
            .attributes
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect::<Result<_>>()?,
        ..NodeProto::default()
    })
}

fn value_info(info: &ValueInfo) -> ValueInfoProto {
    let shape = info.shape.as_ref().map(|dims| TensorShapeProto {
        dim: dims
            .iter()
            .map(|dim| Dimension {
                value: match dim {
                    Dim::Fixed(n) => Some(dimension::Value::DimValue(*n as i64)),
                    Dim::Named(name) => Some(dimension::Value::DimParam(name.clone())),
                    Dim::Unknown => None,
                },
                denotation: None,
            })
            .collect(),
    });
    let tensor = type_proto::Tensor {
        elem_type: info.dtype.map(|d| elem_type(d) as i32),
        shape,
    };
    let typed = |value| TypeProto {
        value: Some(value),
        denotation: None,
    };
    let mut kind = typed(type_proto::Value::TensorType(tensor));
    if info.kind.is_sequence() {
        let elem_type = Some(Box::new(kind));
        let sequence = type_proto::Sequence { elem_type };
        kind = typed(type_proto::Value::SequenceType(Box::new(sequence)));
    }
    if info.kind.is_optional() {
        let elem_type = Some(Box::new(kind));
        let optional = type_proto::Optional { elem_type };
        kind = typed(type_proto::Value::OptionalType(Box::new(optional)));
    }
    ValueInfoProto {
        name: Some(info.name.clone()),
        r#type: Some(kind),
        ..ValueInfoProto::default()
    }
}

fn graph(graph: &Graph) -> Result<GraphProto> {
    let mut names: Vec<&String> = graph.initializers.keys().collect();
    names.sort_unstable();
    let mut infos: Vec<&ValueInfo> = graph.infos.values().collect();
    infos.sort_unstable_by_key(|info| &info.name);
    Ok(GraphProto {
        value_info: infos.into_iter().map(value_info).collect(),
        name: Some(if graph.name.is_empty() {
            "lamina".to_owned()
        } else {
            graph.name.clone()
        }),
        node: graph.nodes.iter().map(node).collect::<Result<_>>()?,
        initializer: names
            .into_iter()
            .map(|name| tensor(name, &graph.initializers[name]))
            .collect(),
        input: graph.inputs.iter().map(value_info).collect(),
        output: graph.outputs.iter().map(value_info).collect(),
        ..GraphProto::default()
    })
}

/// The model as the bytes of an ONNX file.
pub fn to_bytes(model: &Model) -> Result<Vec<u8>> {
    let details = &model.details;
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let proto = ModelProto {
        ir_version: Some(details.ir_version),
        producer_name: text(&details.producer),
        producer_version: text(&details.producer_version),
        domain: text(&details.domain),
        model_version: Some(details.version).filter(|&version| version != 0),
        doc_string: text(&details.doc),
        opset_import: details
            .opsets
            .iter()
            .map(|(domain, version)| OperatorSetIdProto {
                domain: Some(domain.clone()),
                version: Some(*version),
            })
            .collect(),
        metadata_props: details
            .metadata
            .iter()
            .map(|(key, value)| StringStringEntryProto {
                key: Some(key.clone()),
                value: Some(value.clone()),
            })
            .collect(),
        graph: Some(graph(&model.graph)?),
        ..ModelProto::default()
    };
    let len = proto.encoded_len();
    if len >= MAX_MESSAGE {
        return Err(Error::model(format!(
            "the model takes {len} bytes, an ONNX file holds at most {MAX_MESSAGE}"
        )));
    }
    Ok(proto.encode_to_vec())
}

/// Writes the model under a temporary name beside `path`, then renames it: a
/// reader never sees half a file.
pub fn write_model(model: &Model, path: &Path) -> Result<()> {
    let bytes = to_bytes(model)?;
    lamina_core::files::write(path, &bytes)
        .map_err(|e| Error::model(format!("{}: cannot be written: {e}", path.display())))
}
