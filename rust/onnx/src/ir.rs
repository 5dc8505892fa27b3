//! A model after it was checked: every name resolves, nodes stand in an order
//! in which they can run, attributes and constants are typed.

use bytes::Bytes;
use lamina_core::DType;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// One size of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    Fixed(usize),
    /// A symbolic size: equal names mean equal sizes.
    Named(String),
    Unknown,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Named(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// What an input or output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Tensor,
    /// Any number of tensors in order.
    Sequence,
    /// A tensor or nothing.
    Optional,
    /// A sequence or nothing.
    OptionalSequence,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tensor => "tensor",
            Kind::Sequence => "sequence",
            Kind::Optional => "optional",
            Kind::OptionalSequence => "optional sequence",
        }
    }

    pub fn is_optional(self) -> bool {
        matches!(self, Kind::Optional | Kind::OptionalSequence)
    }

    pub fn is_sequence(self) -> bool {
        matches!(self, Kind::Sequence | Kind::OptionalSequence)
    }
}

/// Name, dtype and shape of an input or output; of a sequence, those of its tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueInfo {
    pub name: String,
    pub kind: Kind,
    /// None where the file leaves it open (outputs only).
    pub dtype: Option<DType>,
    /// None where even the number of axes is open.
    pub shape: Option<Vec<Dim>>,
}

/// A decoded tensor: little-endian elements, row-major; none where it was
/// left out, as the model is only looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub bytes: Bytes,
}

impl Constant {
    pub(crate) fn is_left_out(&self) -> bool {
        self.bytes.is_empty() && !self.shape.contains(&0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Str(String),
    Tensor(Constant),
    Graph(Arc<Graph>),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Strs(Vec<String>),
    /// A kind that no operator here takes; the words name it.
    Other(String),
}

impl Attribute {
    /// What it is, for messages.
    pub fn kind(&self) -> &str {
        match self {
            Attribute::Int(_) => "an int",
            Attribute::Float(_) => "a float",
            Attribute::Str(_) => "a string",
            Attribute::Tensor(_) => "a tensor",
            Attribute::Graph(_) => "a graph",
            Attribute::Ints(_) => "ints",
            Attribute::Floats(_) => "floats",
            Attribute::Strs(_) => "strings",
            Attribute::Other(kind) => kind,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Node {
    /// As in the file; may be empty.
    pub name: String,
    /// "" is ONNX's own.
    pub domain: String,
    pub op_type: String,
    /// The operator set that says what the node means.
    pub version: i64,
    /// "" stands for an optional input that is left out.
    pub inputs: Vec<String>,
    /// "" stands for an output that nobody reads.
    pub outputs: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

impl Node {
    /// The operator's name, with its domain unless that is ONNX's own.
    pub fn operator(&self) -> String {
        if self.domain.is_empty() {
            self.op_type.clone()
        } else {
            format!("{}.{}", self.domain, self.op_type)
        }
    }

    /// "Conv 'features.0'", for messages.
    pub fn label(&self) -> String {
        let op = self.operator();
        let name = if self.name.is_empty() {
            self.outputs.first().map_or("", String::as_str)
        } else {
            &self.name
        };
        if name.is_empty() {
            op
        } else {
            format!("{op} '{name}'")
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Graph {
    pub name: String,
    pub nodes: Vec<Node>,
    pub initializers: HashMap<String, Constant>,
    /// What a caller gives; inputs that have an initializer are not listed.
    pub inputs: Vec<ValueInfo>,
    pub outputs: Vec<ValueInfo>,
    /// Names that a subgraph reads from the graphs around it.
    pub captures: Vec<String>,
    /// What the file says of values between nodes: a help where a node's own
    /// result is not known.
    pub infos: HashMap<String, ValueInfo>,
}

/// Something in a file that is right but not available here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    pub what: String,
    pub why: String,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Details {
    pub ir_version: i64,
    pub producer: String,
    pub producer_version: String,
    /// The name space of the model's own name.
    pub domain: String,
    pub version: i64,
    pub doc: String,
    /// Domain to version, as imported.
    pub opsets: BTreeMap<String, i64>,
    /// Names and values that the author added.
    pub metadata: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Model {
    pub details: Details,
    pub graph: Graph,
    /// What reading met that the operators here cannot take.
    pub unsupported: Vec<Unsupported>,
}
