//! Tensor data outside the model file: only from beside it, never from
//! wherever a file of somebody else points.

use super::Context;
use crate::proto::StringStringEntryProto;
use bytes::Bytes;
use lamina_core::{Error, Result, files};
use std::path::{Component, Path, PathBuf};

fn number(entries: &[StringStringEntryProto], key: &str) -> Result<Option<u64>> {
    let Some(entry) = entries.iter().find(|e| e.key() == key) else {
        return Ok(None);
    };
    entry.value().parse().map(Some).map_err(|_| {
        Error::model(format!(
            "external data: {key}='{}' is not a number of bytes",
            entry.value()
        ))
    })
}

/// `location` as a file that really lies in `folder`, links followed.
fn inside(folder: &Path, location: &str) -> Result<PathBuf> {
    let refused = |why: &str| {
        Error::model(format!(
            "external data: location '{location}' {why}; it must lie beside the model"
        ))
    };
    let relative = Path::new(location);
    if location.is_empty()
        || !relative
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
    {
        return Err(refused("is not a path below the model's folder"));
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let failed = |e: std::io::Error| {
        Error::model(format!("external data: '{location}' cannot be read: {e}"))
    };
    let root = folder.canonicalize().map_err(failed)?;
    let path = root.join(relative).canonicalize().map_err(failed)?;
    if path.starts_with(&root) {
        Ok(path)
    } else {
        Err(refused("is a link out of the model's folder"))
    }
}

/// The bytes that `entries` point to, `expected` of them.
pub(super) fn load(
    context: &mut Context,
    entries: &[StringStringEntryProto],
    expected: usize,
) -> Result<Bytes> {
    let Some(folder) = &context.folder else {
        return Err(Error::model(
            "external data: a model given as bytes has no folder to read it from",
        ));
    };
    let location = entries
        .iter()
        .find(|e| e.key() == "location")
        .map(StringStringEntryProto::value);
    let location = location.ok_or_else(|| Error::model("external data: no location is given"))?;
    let offset = number(entries, "offset")?.unwrap_or(0);
    let length = number(entries, "length")?;
    if let Some(length) = length
        && length != expected as u64
    {
        return Err(Error::model(format!(
            "external data: length is {length}, the shape needs {expected} bytes"
        )));
    }
    let path = inside(folder, location)?;
    context.take(expected)?;
    files::read_range(&path, offset, expected as u64)
        .map(Bytes::from)
        .map_err(|e| e.within(&format!("external data: '{location}'")))
}
