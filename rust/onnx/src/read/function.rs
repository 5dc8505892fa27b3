//! Functions that a model brings: their nodes in place of each call.

use super::{Context, opsets, plain_domain};
use crate::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use lamina_core::{Error, Result};
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Calls of functions inside functions go no deeper.
const MAX_DEPTH: usize = 64;

type Key = (String, String, String);

struct Function {
    proto: FunctionProto,
    opsets: Rc<BTreeMap<String, i64>>,
}

/// By domain, name and overload.
#[derive(Default)]
pub(super) struct Functions(HashMap<Key, Rc<Function>>);

impl Functions {
    pub(super) fn new(protos: Vec<FunctionProto>) -> Result<Self> {
        let mut all = HashMap::new();
        for proto in protos {
            let key = (
                plain_domain(proto.domain()).to_owned(),
                proto.name().to_owned(),
                proto.overload().to_owned(),
            );
            let opsets = Rc::new(opsets(
                &proto.opset_import,
                &format!("function '{}'", key.1),
            )?);
            let label = key.1.clone();
            if all
                .insert(key, Rc::new(Function { proto, opsets }))
                .is_some()
            {
                return Err(Error::model(format!("function '{label}' is defined twice")));
            }
        }
        Ok(Functions(all))
    }

    fn of(&self, node: &NodeProto) -> Option<Rc<Function>> {
        if self.0.is_empty() {
            return None;
        }
        let key = (
            plain_domain(node.domain()).to_owned(),
            node.op_type().to_owned(),
            node.overload().to_owned(),
        );
        self.0.get(&key).cloned()
    }
}

/// Where a node stands: the model itself, or a function that it calls.
#[derive(Clone, Default)]
pub(super) struct Within {
    /// The operator sets that a node there means; None: the model's.
    pub(super) opsets: Option<Rc<BTreeMap<String, i64>>>,
    /// How many calls deep.
    depth: usize,
}

/// A node that calls no function.
pub(super) struct Expanded {
    pub(super) proto: NodeProto,
    pub(super) within: Within,
}

/// `nodes` with every call replaced by the function's own nodes.
pub(super) fn expand(context: &mut Context, nodes: Vec<NodeProto>) -> Result<Vec<Expanded>> {
    let mut out = Vec::with_capacity(nodes.len());
    let within = context.within.clone();
    for node in nodes {
        expand_node(context, node, &within, &mut out)?;
    }
    Ok(out)
}

fn expand_node(
    context: &mut Context,
    node: NodeProto,
    within: &Within,
    out: &mut Vec<Expanded>,
) -> Result<()> {
    let Some(function) = context.functions.of(&node) else {
        out.push(Expanded {
            proto: node,
            within: within.clone(),
        });
        return Ok(());
    };
    if within.depth == MAX_DEPTH {
        return Err(Error::model(format!(
            "function '{}' calls itself, or functions nest deeper than {MAX_DEPTH}",
            node.op_type()
        )));
    }
    let call = Call::new(context.nodes, &node, &function.proto)?;
    let inside = Within {
        opsets: Some(function.opsets.clone()),
        depth: within.depth + 1,
    };
    for inner in &function.proto.node {
        context.count_node()?;
        // Each call has a copy of its own, under longer names.
        let names = inner.input.len() + inner.output.len() + 1;
        // Names are looked up, too: several tables hold them.
        context.take(4 * (inner.encoded_len() + names * call.prefix.len()))?;
        expand_node(context, call.rename(inner)?, &inside, out)?;
    }
    // An output that is an input passed through needs a node of its own.
    for (formal, actual) in function
        .proto
        .output
        .iter()
        .zip(&node.output)
        .filter(|(_, a)| !a.is_empty())
    {
        if call.passes(formal) {
            let proto = NodeProto {
                input: vec![call.name(formal)],
                output: vec![actual.clone()],
                op_type: Some("Identity".into()),
                ..NodeProto::default()
            };
            let identity = Rc::new(BTreeMap::from([(String::new(), 1)]));
            let within = Within {
                opsets: Some(identity),
                ..inside.clone()
            };
            out.push(Expanded { proto, within });
        }
    }
    Ok(())
}

/// One call: how the function's names and attributes read at this place.
struct Call<'a> {
    prefix: String,
    names: HashMap<&'a str, &'a str>,
    inputs: HashSet<&'a str>,
    attributes: HashMap<&'a str, &'a AttributeProto>,
}

impl<'a> Call<'a> {
    fn new(serial: usize, node: &'a NodeProto, function: &'a FunctionProto) -> Result<Self> {
        let what = node.op_type();
        let few = |what_of: &str, got: usize, takes: usize| {
            Error::model(format!(
                "a call of function '{what}' has {got} {what_of}, the function {takes}"
            ))
        };
        if node.input.len() > function.input.len() {
            return Err(few("inputs", node.input.len(), function.input.len()));
        }
        if node.output.len() > function.output.len() {
            return Err(few("outputs", node.output.len(), function.output.len()));
        }
        // Inputs that the call leaves out read as absent.
        let mut names: HashMap<&str, &str> = function
            .input
            .iter()
            .map(|formal| (formal.as_str(), ""))
            .collect();
        names.extend(
            function
                .input
                .iter()
                .map(String::as_str)
                .zip(node.input.iter().map(String::as_str)),
        );
        let inputs: HashSet<&str> = function.input.iter().map(String::as_str).collect();
        for (formal, actual) in function.output.iter().zip(&node.output) {
            if !actual.is_empty() && !inputs.contains(formal.as_str()) {
                names.insert(formal, actual);
            }
        }
        let mut attributes: HashMap<&str, &AttributeProto> = function
            .attribute_proto
            .iter()
            .map(|a| (a.name(), a))
            .collect();
        attributes.extend(node.attribute.iter().map(|a| (a.name(), a)));
        Ok(Call {
            prefix: format!("{what}.{serial}/"),
            names,
            inputs,
            attributes,
        })
    }

    fn passes(&self, formal: &str) -> bool {
        self.inputs.contains(formal)
    }

    fn name(&self, inner: &str) -> String {
        match self.names.get(inner) {
            Some(actual) => (*actual).to_owned(),
            None if inner.is_empty() => String::new(),
            None => format!("{}{inner}", self.prefix),
        }
    }

    fn rename(&self, node: &NodeProto) -> Result<NodeProto> {
        let mut node = node.clone();
        for name in node.input.iter_mut().chain(&mut node.output) {
            *name = self.name(name);
        }
        node.name = Some(format!("{}{}", self.prefix, node.name()));
        let mut attributes = Vec::with_capacity(node.attribute.len());
        for mut attribute in std::mem::take(&mut node.attribute) {
            if !attribute.ref_attr_name().is_empty() {
                // Without a value the inner operator's own default holds.
                let Some(given) = self.attributes.get(attribute.ref_attr_name()) else {
                    continue;
                };
                let name = attribute.name.take();
                attribute = (*given).clone();
                attribute.name = name;
            }
            if let Some(graph) = attribute.g.take() {
                attribute.g = Some(self.rename_graph(graph)?);
            }
            attributes.push(attribute);
        }
        node.attribute = attributes;
        Ok(node)
    }

    fn rename_graph(&self, mut graph: GraphProto) -> Result<GraphProto> {
        graph.node = graph
            .node
            .iter()
            .map(|n| self.rename(n))
            .collect::<Result<_>>()?;
        for info in graph.input.iter_mut().chain(&mut graph.output) {
            info.name = Some(self.name(info.name()));
        }
        let sparse = graph.sparse_initializer.iter_mut();
        let sparse = sparse.filter_map(|tensor| tensor.values.as_mut());
        for tensor in graph.initializer.iter_mut().chain(sparse) {
            tensor.name = Some(self.name(tensor.name()));
        }
        graph.value_info.clear();
        Ok(graph)
    }
}
