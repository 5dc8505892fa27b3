//! What a file will take once it is decoded, before it is.  Two bytes of a
//! file can stand for a node of hundreds: a small file could take all memory.

use super::MAX_NODES;
use crate::proto;
use lamina_core::{Error, Result};

/// The kinds of messages that are looked into.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Function,
    Training,
    /// Of strings and numbers.
    Flat,
    /// Whatever lies in it: a type, an annotation, a device.
    Other,
}

use Kind::{Attribute, Flat, Function, Graph, Model, Node, Other, Sparse, Tensor, Training, Value};

impl Kind {
    /// What a field of a message of this kind holds; None: bytes or numbers.
    fn inside(self, field: u64) -> Option<Kind> {
        Some(match (self, field) {
            (Model, 7) | (Training, 1 | 2) | (Attribute, 6 | 11) => Graph,
            (Model, 20) => Training,
            (Model, 25) => Function,
            (Graph, 1) | (Function, 7) => Node,
            (Graph, 5) | (Attribute, 5 | 10) | (Sparse, 1 | 2) => Tensor,
            (Graph, 15) | (Attribute, 22 | 23) => Sparse,
            (Graph, 11..=13) | (Function, 12) => Value,
            (Node, 5) | (Function, 11) => Attribute,
            (Model, 8 | 14)
            | (Training, 3 | 4)
            | (Graph, 16)
            | (Node, 9)
            | (Tensor, 3 | 13 | 16)
            | (Value, 4)
            | (Function, 9 | 14) => Flat,
            (Model, 26) | (Graph, 14) | (Node, 10) | (Attribute, 14 | 15) | (Value, 2) => Other,
            _ => return None,
        })
    }

    /// In memory; lists grow by doubling.
    fn bytes(self) -> usize {
        2 * match self {
            Model => size_of::<proto::ModelProto>(),
            Graph => size_of::<proto::GraphProto>(),
            // Read, it takes about as much again.
            Node => 2 * size_of::<proto::NodeProto>(),
            Attribute => 2 * size_of::<proto::AttributeProto>(),
            Tensor => size_of::<proto::TensorProto>(),
            Sparse => size_of::<proto::SparseTensorProto>(),
            Value => size_of::<proto::ValueInfoProto>(),
            Function => size_of::<proto::FunctionProto>(),
            Training => size_of::<proto::TrainingInfoProto>(),
            Flat => size_of::<proto::StringStringEntryProto>(),
            Other => size_of::<proto::TypeProto>().max(size_of::<proto::TensorAnnotation>()),
        }
    }
}

/// A string in a list, or a number that is not packed.
const STRING: usize = 2 * size_of::<String>();
const NUMBER: usize = 2 * size_of::<i64>();

/// Messages in messages, as deep as the decoder goes.
const DEPTH: usize = 100;

#[derive(Default)]
struct Scale {
    bytes: usize,
    nodes: usize,
}

/// Bytes that the model in `data` takes when decoded, from above; an error
/// where it has more nodes than are read.  What is no message ends the sum:
/// decoding ends there too.
pub(super) fn model(data: &[u8]) -> Result<usize> {
    let mut scale = Scale::default();
    scale.message(Model, data, DEPTH);
    if scale.nodes > MAX_NODES {
        return Err(Error::model(format!(
            "the model has {} nodes, more than the {MAX_NODES} that are read",
            scale.nodes
        )));
    }
    Ok(scale.bytes)
}

impl Scale {
    fn message(&mut self, kind: Kind, mut data: &[u8], depth: usize) -> Option<()> {
        self.add(kind.bytes());
        self.nodes += usize::from(kind == Node);
        let depth = depth.checked_sub(1)?;
        while !data.is_empty() {
            let tag = varint(&mut data)?;
            let field = tag >> 3;
            match tag & 7 {
                0 => {
                    varint(&mut data)?;
                    self.add(NUMBER);
                }
                1 => {
                    data = data.get(8..)?;
                    self.add(NUMBER);
                }
                2 => {
                    let len = usize::try_from(varint(&mut data)?).ok()?;
                    let (inner, rest) = data.split_at_checked(len)?;
                    data = rest;
                    match kind.inside(field) {
                        Some(child) => self.message(child, inner, depth)?,
                        // A slice of the file.
                        None if kind == Tensor && field == 9 => {}
                        // A type nests in ways that are not looked into: each two bytes a message.
                        None if kind == Other => self.add((len / 2).saturating_mul(Other.bytes())),
                        // Packed numbers of one byte become eight.
                        None if matches!(
                            (kind, field),
                            (Tensor, 1 | 5 | 7 | 11) | (Attribute, 8)
                        ) =>
                        {
                            self.add(len.saturating_mul(8));
                        }
                        None => self.add(STRING.saturating_add(len)),
                    }
                }
                5 => {
                    data = data.get(4..)?;
                    self.add(NUMBER);
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{MAX_NODES, Node, model};

    /// A model of `count` empty nodes.
    fn nodes(count: usize) -> Vec<u8> {
        let graph = [0x0a, 0x00].repeat(count);
        let mut len = graph.len();
        let mut data = vec![0x3a];
        while len >= 0x80 {
            data.push(len as u8 | 0x80);
            len >>= 7;
        }
        data.push(len as u8);
        data.extend(graph);
        data
    }

    #[test]
    fn empty_nodes_are_weighed() {
        assert!(model(&nodes(1000)).unwrap() >= 1000 * Node.bytes());
        assert!(model(&nodes(MAX_NODES + 1)).is_err());
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for data in [&[][..], &[0xff; 20], &[0x3a, 0x80], &[0x3a, 0x7f, 0x0a]] {
            assert!(model(data).unwrap() < 1 << 12);
        }
    }
}
