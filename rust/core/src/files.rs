//! Writing files.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write};
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
    let name = path
        .file_name()
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it names no file"))?;
    let temporary = path.with_file_name(format!(
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
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // The first failure is the one to report.
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::write;

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
        std::fs::remove_dir_all(folder).unwrap();
    }
}
