//! Writing and reading files.

use std::fs;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` under a temporary name beside `path`, then renames it: a
/// reader never sees half a file, and a failed write leaves nothing behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, true)
}

/// As [`write`], for what can be made again: it does not wait for the disk, so
/// that a machine that stops may leave an empty file.
pub fn write_volatile(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], wait: bool) -> Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    // Through a link: what it points to is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        // A device or a pipe is written to; a rename would put a file in its place.
        return fs::OpenOptions::new()
            .write(true)
            .open(&target)?
            .write_all(bytes);
    }
    let name = target
        .file_name()
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it names no file"))?;
    let temporary = target.with_file_name(format!(
        ".{}.{}.{}.part",
        name.to_string_lossy(),
        std::process::id(),
        WRITES.fetch_add(1, Ordering::Relaxed)
    ));
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        if wait {
            file.sync_all()?;
        }
        fs::rename(&temporary, &target)
    };
    write().inspect_err(|_| {
        // The first failure is the one to report.
        let _ = fs::remove_file(&temporary);
    })
}

/// A file of somebody else's into memory, whole and once: a mapped file that
/// is cut short later would kill the process.  None but regular files, and
/// within the budget.
pub fn read(path: &Path) -> crate::Result<Vec<u8>> {
    let (file, len) = open(path)?;
    read_exactly(file, len)
}

/// `len` bytes from `offset`.
pub fn read_range(path: &Path, offset: u64, len: u64) -> crate::Result<Vec<u8>> {
    let (mut file, size) = open(path)?;
    if offset.checked_add(len).is_none_or(|end| end > size) {
        return Err(crate::Error::model(format!(
            "bytes {offset} to {offset}+{len} wanted, the file has {size}"
        )));
    }
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    read_exactly(file, len)
}

// As `map_err` calls it.
#[allow(clippy::needless_pass_by_value)]
fn unreadable(error: Error) -> crate::Error {
    crate::Error::model(format!("cannot be read: {error}"))
}

fn open(path: &Path) -> crate::Result<(fs::File, u64)> {
    // Asked before opening: opening a pipe waits for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(crate::Error::model("cannot be read: not a regular file"));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    Ok((file, len))
}

fn read_exactly(mut file: fs::File, len: u64) -> crate::Result<Vec<u8>> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    crate::memory::check_budget(len)?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{read, read_range, write};

    #[test]
    fn all_or_nothing() {
        let folder = std::env::temp_dir().join(format!("lamina-files-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("taken")).unwrap();
        let path = folder.join("some");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(write(&folder.join("taken"), b"x").is_err());
        assert!(write(&folder.join("none/some"), b"x").is_err());
        assert!(write(std::path::Path::new("/"), b"x").is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(read_range(&path, 1, 2).unwrap(), b"ew");
        assert!(read_range(&path, 1, 3).is_err());
        assert!(read_range(&path, u64::MAX, 3).is_err());
        assert!(read(&folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays_what_it_is() {
        let folder = std::env::temp_dir().join(format!("lamina-links-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (link, file) = (folder.join("link"), folder.join("file"));
        write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        write(std::path::Path::new("/dev/null"), b"gone").unwrap();
        assert!(!std::path::Path::new("/dev/null").is_file());
        assert!(read(std::path::Path::new("/dev/zero")).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
