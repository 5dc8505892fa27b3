//! What a caller gives against what the file declares.

use super::{Item, Model};
use crate::ir::{Dim, ValueInfo};
use lamina_core::{Error, Result, Tensor};
use std::collections::HashMap;

impl Model {
    /// Inputs by name in the order of [`Model::inputs`].
    pub fn ordered<T: Clone>(&self, given: &[(String, T)]) -> Result<Vec<T>> {
        let names: Vec<&str> = self.graph.inputs.iter().map(|i| i.name.as_str()).collect();
        let wanted = || {
            if names.is_empty() {
                "none".to_owned()
            } else {
                format!("'{}'", names.join("', '"))
            }
        };
        for (name, _) in given {
            if !names.contains(&name.as_str()) {
                return Err(Error::argument(format!(
                    "run: the model has no input '{name}'; it takes {}",
                    wanted()
                )));
            }
        }
        names
            .iter()
            .map(|&name| match given.iter().find(|(n, _)| n == name) {
                Some((_, value)) => Ok(value.clone()),
                None => Err(Error::argument(format!(
                    "run: input '{name}' is missing; the model takes {}",
                    wanted()
                ))),
            })
            .collect()
    }

    /// Number, kinds, dtypes and shapes.
    pub(super) fn check(&self, given: &[Item]) -> Result<()> {
        let inputs = &self.graph.inputs;
        if given.len() != inputs.len() {
            return Err(Error::argument(format!(
                "run: {} inputs given, the model takes {}",
                given.len(),
                inputs.len()
            )));
        }
        let mut symbols = Symbols::new();
        for (item, info) in given.iter().zip(inputs) {
            if !item.fits(info) {
                return Err(Error::argument(format!(
                    "run: input '{}' is {}, wanted a {}",
                    info.name,
                    item.what(),
                    info.kind.name()
                )));
            }
            for tensor in item.tensors() {
                // Tensors of a sequence may differ in size.
                let mut own = Symbols::new();
                let symbols = if info.kind.is_sequence() {
                    &mut own
                } else {
                    &mut symbols
                };
                check_tensor(tensor, info, symbols)?;
            }
        }
        Ok(())
    }
}

/// What each symbolic size is, and of which input that was learnt.
type Symbols<'m> = HashMap<&'m str, (usize, &'m str)>;

fn check_tensor<'m>(tensor: &Tensor, info: &'m ValueInfo, symbols: &mut Symbols<'m>) -> Result<()> {
    let name = &info.name;
    if let Some(dtype) = info.dtype
        && dtype != tensor.dtype()
    {
        return Err(Error::dtype(format!(
            "run: input '{name}' has dtype {}, wanted {dtype}; cast it first",
            tensor.dtype()
        )));
    }
    let Some(dims) = &info.shape else {
        return Ok(());
    };
    let bad = |why: &str| {
        let wanted: Vec<String> = dims.iter().map(Dim::to_string).collect();
        Error::shape(format!(
            "run: input '{name}' has shape {:?}, wanted [{}]{why}",
            tensor.shape(),
            wanted.join(", ")
        ))
    };
    if dims.len() != tensor.rank() {
        return Err(bad(""));
    }
    for (dim, &size) in dims.iter().zip(tensor.shape()) {
        match dim {
            Dim::Fixed(n) if *n != size => return Err(bad("")),
            Dim::Named(symbol) => {
                let (first, whose) = *symbols.entry(symbol).or_insert((size, name));
                if first != size {
                    return Err(bad(&format!(", and {symbol} is {first} in '{whose}'")));
                }
            }
            Dim::Fixed(_) | Dim::Unknown => {}
        }
    }
    Ok(())
}
