//! `GraphProto` to a checked graph.

use super::{Context, attribute, function, order, plain_domain, tensor};
use crate::ir::{Attribute, Constant, Dim, Graph, Kind, Node, ValueInfo};
use crate::proto::tensor_shape_proto::dimension;
use crate::proto::type_proto::{self, Value as Type};
use crate::proto::{
    AttributeProto, GraphProto, NodeProto, TensorShapeProto, TypeProto, ValueInfoProto,
};
use lamina_core::{DType, Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The values that one graph defines.
pub(super) type Names = HashSet<String>;

/// Reads `proto`; `outer` are the names of the graphs around it.
pub(super) fn read(context: &mut Context, proto: GraphProto, outer: &[&Names]) -> Result<Graph> {
    let initializers = initializers(context, &proto)?;
    let mut names: Names = initializers.keys().cloned().collect();
    let mut inputs = Vec::new();
    let mut given = HashSet::new();
    for input in &proto.input {
        let name = input.name();
        if name.is_empty() {
            return Err(Error::model("a graph input has no name"));
        }
        if !given.insert(name) {
            return Err(Error::model(format!("two graph inputs are named '{name}'")));
        }
        // Before format version 4 every initializer was listed as an input
        // too; one with a value need not be given.
        if names.insert(name.to_owned()) {
            inputs.push(value_info(context, input, "input")?);
        }
    }
    let nodes = function::expand(context, proto.node)?;
    for expanded in &nodes {
        for name in expanded.proto.output.iter().filter(|o| !o.is_empty()) {
            if !names.insert(name.clone()) {
                return Err(Error::model(format!(
                    "the value '{name}' is defined twice (again by node '{}')",
                    expanded.proto.name()
                )));
            }
        }
    }
    let mut scope: Vec<&Names> = outer.to_vec();
    scope.push(&names);
    let mut read_nodes = Vec::with_capacity(nodes.len());
    for expanded in nodes {
        read_nodes.push(node(context, expanded, &scope)?);
    }
    let mut outputs = Vec::with_capacity(proto.output.len());
    for output in &proto.output {
        if !scope.iter().any(|n| n.contains(output.name())) {
            return Err(Error::model(format!(
                "the graph output '{}' is defined nowhere",
                output.name()
            )));
        }
        outputs.push(value_info(context, output, "output")?);
    }
    let captures = captures(&read_nodes, &outputs, &names);
    Ok(Graph {
        infos: infos(&proto.value_info),
        name: proto.name.unwrap_or_default(),
        nodes: order::sort(read_nodes)?,
        initializers,
        inputs,
        outputs,
        captures,
    })
}

fn captures(nodes: &[Node], outputs: &[ValueInfo], names: &Names) -> Vec<String> {
    let inner = nodes
        .iter()
        .flat_map(|n| n.attributes.values())
        .flat_map(|a| match a {
            Attribute::Graph(graph) => graph.captures.as_slice(),
            _ => &[],
        });
    let read = nodes
        .iter()
        .flat_map(|n| &n.inputs)
        .chain(inner)
        .chain(outputs.iter().map(|o| &o.name));
    let free: BTreeSet<&String> = read
        .filter(|name| !name.is_empty() && !names.contains(*name))
        .collect();
    free.into_iter().cloned().collect()
}

fn initializers(context: &mut Context, proto: &GraphProto) -> Result<HashMap<String, Constant>> {
    let mut initializers = HashMap::new();
    let mut add = |context: &mut Context,
                   name: &str,
                   read: Result<tensor::Available<Constant>>|
     -> Result<()> {
        let place = format!("initializer '{name}'");
        if name.is_empty() {
            return Err(Error::model("an initializer has no name"));
        }
        let constant = match read.map_err(|e| e.within(&place))? {
            Ok(constant) => constant,
            Err(why) => {
                context.unsupported(place, why);
                // Stands in for the value, so that its readers resolve.
                Constant {
                    dtype: DType::U8,
                    shape: vec![0],
                    bytes: bytes::Bytes::new(),
                }
            }
        };
        if initializers.insert(name.to_owned(), constant).is_some() {
            return Err(Error::model(format!("two initializers are named '{name}'")));
        }
        Ok(())
    };
    for item in &proto.initializer {
        let read = tensor::read(context, item);
        add(context, item.name(), read)?;
    }
    for item in &proto.sparse_initializer {
        let name = item.values.as_ref().map_or("", |v| v.name());
        let read = tensor::read_sparse(context, item);
        add(context, name, read)?;
    }
    Ok(initializers)
}

fn node(context: &mut Context, expanded: function::Expanded, scope: &[&Names]) -> Result<Node> {
    let function::Expanded { proto, within } = expanded;
    let NodeProto {
        input,
        output,
        name,
        op_type,
        domain,
        attribute,
        ..
    } = proto;
    context.count_node()?;
    let domain = plain_domain(domain.as_deref().unwrap_or("")).to_owned();
    let op_type = op_type.unwrap_or_default();
    let name = name.unwrap_or_default();
    let mut node = Node {
        name,
        domain,
        op_type,
        version: 0,
        inputs: input,
        outputs: output,
        attributes: BTreeMap::new(),
    };
    let label = node.label();
    if node.op_type.is_empty() {
        return Err(Error::model(format!(
            "node '{}' has no operator",
            node.name
        )));
    }
    let opsets = within.opsets.as_deref().unwrap_or(&context.opsets);
    node.version = match opsets.get(&node.domain) {
        Some(version) => *version,
        // A model without any import is of the first operator set.
        None if node.domain.is_empty() && opsets.is_empty() => 1,
        None => {
            return Err(Error::model(format!(
                "node {label}: the model imports no operator set '{}'",
                node.domain
            )));
        }
    };
    for input in node.inputs.iter().filter(|i| !i.is_empty()) {
        if !scope.iter().any(|names| names.contains(input)) {
            return Err(Error::model(format!(
                "node {label} reads '{input}', which is defined nowhere"
            )));
        }
    }
    // Its graphs stand where it stands.
    let outside = std::mem::replace(&mut context.within, within);
    for item in attribute {
        let key = item.name().to_owned();
        let value = attribute_of(context, item, scope)
            .map_err(|e| e.within(&format!("node {label}: attribute '{key}'")))?;
        if node.attributes.insert(key.clone(), value).is_some() {
            return Err(Error::model(format!(
                "node {label} has the attribute '{key}' twice"
            )));
        }
    }
    context.within = outside;
    Ok(node)
}

fn attribute_of(
    context: &mut Context,
    proto: AttributeProto,
    scope: &[&Names],
) -> Result<Attribute> {
    if proto.name().is_empty() {
        return Err(Error::model("an attribute has no name"));
    }
    if !proto.ref_attr_name().is_empty() {
        return Err(Error::model(
            "it refers to a function's attribute outside of a function",
        ));
    }
    attribute::read(context, proto, scope)
}

fn dims(shape: &TensorShapeProto) -> Result<Vec<Dim>> {
    shape
        .dim
        .iter()
        .map(|dim| match &dim.value {
            Some(dimension::Value::DimValue(-1)) | None => Ok(Dim::Unknown),
            Some(dimension::Value::DimValue(n)) => usize::try_from(*n)
                .map(Dim::Fixed)
                .map_err(|_| Error::model(format!("a size of {n}, wanted 0 or more"))),
            Some(dimension::Value::DimParam(name)) if name.is_empty() => Ok(Dim::Unknown),
            Some(dimension::Value::DimParam(name)) => Ok(Dim::Named(name.clone())),
        })
        .collect()
}

/// The tensor type within a type, and what is around it; else, what it is.
fn tensor_within(
    proto: &TypeProto,
) -> std::result::Result<(&type_proto::Tensor, Kind), &'static str> {
    match &proto.value {
        Some(Type::TensorType(tensor)) => Ok((tensor, Kind::Tensor)),
        Some(Type::SequenceType(sequence)) => match sequence.elem_type.as_deref() {
            Some(TypeProto {
                value: Some(Type::TensorType(tensor)),
                ..
            }) => Ok((tensor, Kind::Sequence)),
            _ => Err("a sequence of other things than tensors"),
        },
        Some(Type::OptionalType(optional)) => {
            match optional.elem_type.as_deref().map(tensor_within) {
                Some(Ok((tensor, Kind::Tensor))) => Ok((tensor, Kind::Optional)),
                Some(Ok((tensor, Kind::Sequence))) => Ok((tensor, Kind::OptionalSequence)),
                _ => Err("an optional of other things than tensors and sequences"),
            }
        }
        Some(Type::MapType(_)) => Err("a map"),
        Some(Type::SparseTensorType(_)) => Err("a sparse tensor"),
        Some(Type::OpaqueType(_)) => Err("an opaque type"),
        None => Err("nothing"),
    }
}

/// An input or output; what it is but should not be is noted.
fn value_info(context: &mut Context, proto: &ValueInfoProto, what: &str) -> Result<ValueInfo> {
    let place = format!("{what} '{}'", proto.name());
    let (info, why) = described(proto).map_err(|e| e.within(&place))?;
    if let Some(why) = why {
        context.unsupported(place, why);
    }
    Ok(info)
}

/// What the file says of values between nodes, as far as that is of use.
fn infos(protos: &[ValueInfoProto]) -> HashMap<String, ValueInfo> {
    let useful = protos.iter().filter_map(|proto| match described(proto) {
        Ok((info, None)) if info.dtype.is_some() && info.shape.is_some() => Some(info),
        _ => None,
    });
    useful.map(|info| (info.name.clone(), info)).collect()
}

/// As far as it is available here, and what is not.
fn described(proto: &ValueInfoProto) -> Result<(ValueInfo, Option<String>)> {
    let mut info = ValueInfo {
        name: proto.name().to_owned(),
        ..ValueInfo::default()
    };
    let Some(proto) = proto.r#type.as_ref().filter(|t| t.value.is_some()) else {
        return Ok((info, None));
    };
    let tensor = match tensor_within(proto) {
        Ok((tensor, kind)) => {
            info.kind = kind;
            tensor
        }
        Err(other) => return Ok((info, Some(format!("it is {other}")))),
    };
    info.shape = tensor.shape.as_ref().map(dims).transpose()?;
    match tensor::dtype(tensor.elem_type()) {
        Ok(dtype) => info.dtype = Some(dtype),
        Err(_) if tensor.elem_type() == 0 => {}
        Err(why) => return Ok((info, Some(why))),
    }
    Ok((info, None))
}
