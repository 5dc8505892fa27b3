//! What goes into a model and comes out: tensors, and ONNX's sequences and
//! optionals of them.

use crate::ir::{Kind, ValueInfo};
use crate::trace::{Traced, Value, to_tensor};
use lamina_core::{Device, Error, Result, Tensor};

#[derive(Clone, Debug)]
pub enum Item {
    Tensor(Tensor),
    Sequence(Vec<Tensor>),
    /// An optional that holds nothing.
    Nothing,
}

/// An item without its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Tensor,
    Sequence(usize),
    Nothing,
}

impl From<Tensor> for Item {
    fn from(tensor: Tensor) -> Self {
        Item::Tensor(tensor)
    }
}

impl Item {
    pub fn tensors(&self) -> &[Tensor] {
        match self {
            Item::Tensor(tensor) => std::slice::from_ref(tensor),
            Item::Sequence(tensors) => tensors,
            Item::Nothing => &[],
        }
    }

    /// The one tensor.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Item::Tensor(tensor) => Ok(tensor),
            Item::Sequence(_) => Err(Error::argument("a sequence, wanted a tensor")),
            Item::Nothing => Err(Error::argument("nothing, wanted a tensor")),
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Item::Tensor(_) => Form::Tensor,
            Item::Sequence(tensors) => Form::Sequence(tensors.len()),
            Item::Nothing => Form::Nothing,
        }
    }

    /// The same, of other tensors.
    pub fn map(&self, f: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Item> {
        let form = self.form();
        let tensors = self.tensors().iter().map(f).collect::<Result<Vec<_>>>()?;
        Ok(form.filled(&mut tensors.into_iter()))
    }

    /// What a name stands for at the end of a trace, on the model's device
    /// (0-d constants too).
    pub(super) fn of(value: &Value, device: Device) -> Traced<Item> {
        let tensor = |value: &Value| -> Traced<Tensor> {
            Ok(to_tensor(value, device)?.belonging_to(device)?)
        };
        Ok(match value {
            Value::List(values) => {
                Item::Sequence(values.iter().map(tensor).collect::<Traced<_>>()?)
            }
            Value::Nothing => Item::Nothing,
            value => Item::Tensor(tensor(value)?),
        })
    }

    pub(super) fn value(&self) -> Value {
        match self {
            Item::Tensor(tensor) => tensor.clone().into(),
            Item::Sequence(tensors) => {
                let values: Vec<Value> = tensors.iter().cloned().map(Value::from).collect();
                values.into()
            }
            Item::Nothing => Value::Nothing,
        }
    }

    /// Whether it is what an input or output is declared as.
    pub(super) fn fits(&self, info: &ValueInfo) -> bool {
        match self {
            Item::Tensor(_) => matches!(info.kind, Kind::Tensor | Kind::Optional),
            Item::Sequence(_) => info.kind.is_sequence(),
            Item::Nothing => info.kind.is_optional(),
        }
    }

    pub(super) fn what(&self) -> &'static str {
        match self {
            Item::Tensor(_) => "a tensor",
            Item::Sequence(_) => "a sequence",
            Item::Nothing => "None",
        }
    }
}

impl Form {
    /// An item of this form that takes its tensors from `tensors`.
    pub(super) fn filled(self, tensors: &mut impl Iterator<Item = Tensor>) -> Item {
        match self {
            Form::Tensor => tensors.next().map_or(Item::Nothing, Item::Tensor),
            Form::Sequence(n) => Item::Sequence(tensors.take(n).collect()),
            Form::Nothing => Item::Nothing,
        }
    }
}

/// All tensors of all items, in order.
pub(super) fn tensors(items: &[Item]) -> Vec<Tensor> {
    items.iter().flat_map(Item::tensors).cloned().collect()
}
