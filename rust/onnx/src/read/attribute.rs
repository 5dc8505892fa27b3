//! Attributes: the declared type decides which field counts.

use super::{Context, graph, tensor};
use crate::ir::Attribute;
use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;
use lamina_core::{Error, Result};
use std::sync::Arc;

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::model("the string is not UTF-8"))
}

/// Files of the first format version have no type: the filled field tells.
fn kind(proto: &AttributeProto) -> Result<AttributeType> {
    let declared = AttributeType::try_from(proto.r#type.unwrap_or(0))
        .map_err(|_| Error::model(format!("type {} is unknown", proto.r#type.unwrap_or(0))))?;
    if declared != AttributeType::Undefined {
        return Ok(declared);
    }
    let filled = [
        (proto.f.is_some(), AttributeType::Float),
        (proto.i.is_some(), AttributeType::Int),
        (proto.s.is_some(), AttributeType::String),
        (proto.t.is_some(), AttributeType::Tensor),
        (proto.g.is_some(), AttributeType::Graph),
        (!proto.floats.is_empty(), AttributeType::Floats),
        (!proto.ints.is_empty(), AttributeType::Ints),
        (!proto.strings.is_empty(), AttributeType::Strings),
    ];
    let mut found = filled.iter().filter(|(set, _)| *set);
    match (found.next(), found.next()) {
        (Some((_, kind)), None) => Ok(*kind),
        (None, _) => Err(Error::model("it has neither type nor value")),
        (Some(_), Some(_)) => Err(Error::model("it has no type and several values")),
    }
}

/// One attribute; `outer` are the names that a subgraph may read.
pub(super) fn read(
    context: &mut Context,
    proto: AttributeProto,
    outer: &[&graph::Names],
) -> Result<Attribute> {
    let kind = kind(&proto)?;
    let missing = || {
        Error::model(format!(
            "declared as {}, but that field is empty",
            kind.as_str_name()
        ))
    };
    Ok(match kind {
        AttributeType::Float => Attribute::Float(proto.f.unwrap_or_default()),
        AttributeType::Int => Attribute::Int(proto.i.unwrap_or_default()),
        AttributeType::String => Attribute::Str(text(proto.s.unwrap_or_default())?),
        AttributeType::Floats => Attribute::Floats(proto.floats),
        AttributeType::Ints => Attribute::Ints(proto.ints),
        AttributeType::Strings => {
            Attribute::Strs(proto.strings.into_iter().map(text).collect::<Result<_>>()?)
        }
        AttributeType::Tensor => match tensor::read(context, &proto.t.ok_or_else(missing)?)? {
            Ok(constant) => Attribute::Tensor(constant),
            Err(why) => Attribute::Other(format!("a tensor of {why}")),
        },
        AttributeType::SparseTensor => {
            match tensor::read_sparse(context, &proto.sparse_tensor.ok_or_else(missing)?)? {
                Ok(constant) => Attribute::Tensor(constant),
                Err(why) => Attribute::Other(format!("a sparse tensor of {why}")),
            }
        }
        AttributeType::Graph => {
            context.enter()?;
            let inner = graph::read(context, proto.g.ok_or_else(missing)?, outer)?;
            context.depth -= 1;
            Attribute::Graph(Arc::new(inner))
        }
        other => Attribute::Other(other.as_str_name().to_lowercase()),
    })
}
