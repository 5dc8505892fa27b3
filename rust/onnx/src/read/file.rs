//! Files into memory, whole and once: a mapped file that is cut short later
//! would kill the process.

use bytes::Bytes;
use lamina_core::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What protocol buffers themselves allow a message.
const MAX_MESSAGE: u64 = 1 << 31;

fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e: std::io::Error| Error::model(format!("cannot be read: {e}"));
    // Asked before opening: opening a pipe waits for a writer.
    let before = std::fs::metadata(path).map_err(failed)?;
    if !before.is_file() {
        return Err(Error::model("cannot be read: not a regular file"));
    }
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    Ok((file, len))
}

fn read_exactly(file: &mut File, len: usize) -> Result<Bytes> {
    lamina_core::memory::check_budget(len)?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes)
        .map_err(|e| Error::model(format!("cannot be read: {e}")))?;
    Ok(bytes.into())
}

pub(super) fn read_whole(path: &Path) -> Result<Bytes> {
    let (mut file, len) = open(path)?;
    if len >= MAX_MESSAGE {
        return Err(Error::model(format!(
            "{len} bytes, but an ONNX file is at most {MAX_MESSAGE}: larger weights belong into external data"
        )));
    }
    read_exactly(&mut file, len as usize)
}

/// `len` bytes (or all that follow) from `offset`.
pub(super) fn read_range(path: &Path, offset: u64, len: Option<u64>) -> Result<Bytes> {
    let (mut file, size) = open(path)?;
    let len = len.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(len).is_none_or(|end| end > size) {
        return Err(Error::model(format!(
            "bytes {offset} to {offset}+{len} wanted, the file has {size}"
        )));
    }
    file.seek(SeekFrom::Start(offset))
        .map_err(|e| Error::model(format!("cannot be read: {e}")))?;
    read_exactly(&mut file, len as usize)
}
