//! Symbolic sizes decided before a run.

use crate::ir::{Dim, Graph, Model, ValueInfo};
use lamina_core::{Error, Result};
use std::collections::HashMap;

/// What a caller says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The name is a symbolic dimension.
    Size(usize),
    /// The name is an input; None leaves a size as it is.
    Shape(Vec<Option<usize>>),
}

/// Gives symbolic dimensions (by their name, or by that of an input) their
/// sizes, wherever the model names them.
pub fn fix(model: &mut Model, shapes: &[(String, Wanted)]) -> Result<()> {
    let graph = &mut model.graph;
    let mut sizes: HashMap<String, (usize, String)> = HashMap::new();
    for (name, wanted) in shapes {
        match wanted {
            Wanted::Size(size) => {
                if !is_symbol(graph, name) {
                    return Err(unknown(graph, name, "symbolic dimension"));
                }
                learn(&mut sizes, name, *size, format!("{name}={size}"))?;
            }
            Wanted::Shape(wanted) => {
                let at = graph.inputs.iter().position(|info| info.name == *name);
                let Some(at) = at else {
                    return Err(unknown(graph, name, "input"));
                };
                shape_of(&mut graph.inputs[at], wanted, &mut sizes)?;
            }
        }
    }
    let inner = graph.infos.values_mut();
    for info in graph
        .inputs
        .iter_mut()
        .chain(&mut graph.outputs)
        .chain(inner)
    {
        for dim in info.shape.iter_mut().flatten() {
            if let Dim::Named(symbol) = dim
                && let Some((size, _)) = sizes.get(symbol)
            {
                *dim = Dim::Fixed(*size);
            }
        }
    }
    Ok(())
}

/// A whole input's shape; its symbols are learnt.
fn shape_of(
    info: &mut ValueInfo,
    wanted: &[Option<usize>],
    sizes: &mut HashMap<String, (usize, String)>,
) -> Result<()> {
    let name = &info.name;
    let open = || vec![Dim::Unknown; wanted.len()];
    let dims = info.shape.get_or_insert_with(open);
    let bad = |dims: &[Dim]| {
        let got: Vec<String> = wanted
            .iter()
            .map(|n| n.map_or_else(|| "None".to_owned(), |n| n.to_string()))
            .collect();
        let has: Vec<String> = dims.iter().map(Dim::to_string).collect();
        Error::shape(format!(
            "shapes: input '{name}' is given [{}], the model has [{}]",
            got.join(", "),
            has.join(", ")
        ))
    };
    if dims.len() != wanted.len() {
        return Err(bad(dims));
    }
    for at in 0..wanted.len() {
        let Some(size) = wanted[at] else { continue };
        match &dims[at] {
            Dim::Fixed(n) if *n != size => return Err(bad(dims)),
            Dim::Fixed(_) => {}
            Dim::Named(symbol) => {
                learn(
                    sizes,
                    symbol,
                    size,
                    format!("{size} on axis {at} of '{name}'"),
                )?;
            }
            Dim::Unknown => dims[at] = Dim::Fixed(size),
        }
    }
    Ok(())
}

fn learn(
    sizes: &mut HashMap<String, (usize, String)>,
    symbol: &str,
    size: usize,
    said: String,
) -> Result<()> {
    match sizes.get(symbol) {
        Some((before, by)) if *before != size => Err(Error::shape(format!(
            "shapes: dimension '{symbol}' is {before} by {by}, but {size} by {said}"
        ))),
        Some(_) => Ok(()),
        None => {
            sizes.insert(symbol.to_owned(), (size, said));
            Ok(())
        }
    }
}

fn symbols(graph: &Graph) -> Vec<&str> {
    let mut found: Vec<&str> = graph
        .inputs
        .iter()
        .flat_map(|info| info.shape.iter().flatten())
        .filter_map(|dim| match dim {
            Dim::Named(name) => Some(name.as_str()),
            Dim::Fixed(_) | Dim::Unknown => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn is_symbol(graph: &Graph, name: &str) -> bool {
    symbols(graph).contains(&name)
}

fn unknown(graph: &Graph, name: &str, what: &str) -> Error {
    let list = |names: &[&str]| match names {
        [] => "none".to_owned(),
        names => format!("'{}'", names.join("', '")),
    };
    let inputs: Vec<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
    Error::argument(format!(
        "shapes: the model has no {what} '{name}'; symbolic dimensions (name: size): {}; inputs (name: shape): {}",
        list(&symbols(graph)),
        list(&inputs)
    ))
}
