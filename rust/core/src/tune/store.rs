//! What was measured on this machine, in a file of the user's cache folder.
//!
//! The file is only ever a memory: one that is missing, unreadable, cut short,
//! of another machine or of another version is as good as none, and what
//! cannot be written is measured again by the next process.  Writers take a
//! name of their own and rename it, so that readers see one whole file or
//! another; of two that write at once the later one wins, and the other's
//! findings are measured again.

use crate::files;
use crate::hash::Fingerprint;
use lamina_kernels::{Isa, machine};
use std::collections::BTreeMap;
use std::iter::once;
use std::path::{Path, PathBuf};

/// Findings kept; no more are measured.
const MOST: usize = 1024;
/// Bytes beyond which a file is none of ours.
const LONGEST: u64 = 1 << 20;

/// The name of what was chosen, by a description of what it was chosen for.
#[derive(Default)]
pub struct Store {
    /// None: nowhere to write.
    path: Option<PathBuf>,
    found: BTreeMap<String, String>,
}

impl Store {
    /// That of this machine, instruction set and version.
    pub fn of_this_machine(isa: Isa) -> Store {
        folder().map_or_else(Store::default, |folder| {
            Store::open(&folder.join("lamina"), &heading(isa))
        })
    }

    fn open(folder: &Path, heading: &str) -> Store {
        let mut print = Fingerprint::new();
        heading.bytes().for_each(|byte| print.put(u64::from(byte)));
        let path = folder.join(format!("tuning-{:016x}.txt", print.finish() as u64));
        Store {
            found: read(&path, heading).unwrap_or_default(),
            path: Some(path),
        }
    }

    pub fn get(&self, what: &str) -> Option<&str> {
        self.found.get(what).map(String::as_str)
    }

    pub fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// Adds findings and writes them, beside what others wrote meanwhile.
    pub fn add(&mut self, isa: Isa, found: Vec<(String, String)>) {
        self.write(&heading(isa), found);
    }

    fn write(&mut self, heading: &str, found: Vec<(String, String)>) {
        let others = self.path.as_deref().and_then(|path| read(path, heading));
        for (what, choice) in others.unwrap_or_default() {
            self.found.entry(what).or_insert(choice);
        }
        self.found.extend(found);
        let Some(path) = &self.path else { return };
        let lines = self
            .found
            .iter()
            .map(|(what, choice)| format!("{what} = {choice}\n"));
        let text: String = once(format!("{heading}\n"))
            .chain(lines.take(MOST))
            .collect();
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        // Without it the next process measures again: nothing is lost.
        let _ = folder.and_then(|()| files::write_volatile(path, text.as_bytes()));
    }
}

/// What a file must begin with.
fn heading(isa: Isa) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("lamina {version}; {}; {isa}", machine::processor())
}

/// The findings of a file that is whole and begins as it should.
fn read(path: &Path, heading: &str) -> Option<BTreeMap<String, String>> {
    // A pipe would be waited for.
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > LONGEST {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text.strip_suffix('\n')?.strip_prefix(heading)?;
    let line = |line: &str| {
        let (what, choice) = line.split_once(" = ")?;
        Some((what.to_owned(), choice.to_owned()))
    };
    match lines.strip_prefix('\n') {
        Some(lines) => lines.lines().map(line).collect(),
        None => lines.is_empty().then(BTreeMap::new),
    }
}

/// The platform's folder for what can be made again.
fn folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    if cfg!(windows) {
        return variable("LOCALAPPDATA").filter(absolute);
    }
    let home = || variable("HOME").filter(absolute);
    let asked = variable("XDG_CACHE_HOME").filter(absolute);
    let usual = if cfg!(target_os = "macos") {
        "Library/Caches"
    } else {
        ".cache"
    };
    asked.or_else(|| Some(home()?.join(usual)))
}

#[cfg(test)]
mod tests {
    use super::Store;
    use std::path::{Path, PathBuf};

    const HEADING: &str = "lamina 1; some processor; avx2";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let id = std::process::id();
            let path = std::env::temp_dir().join(format!("lamina-store-{name}-{id}"));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn some(what: &str, choice: &str) -> Vec<(String, String)> {
        vec![(what.into(), choice.into())]
    }

    fn open(folder: &Path) -> Store {
        Store::open(folder, HEADING)
    }

    #[test]
    fn what_one_found_the_next_one_knows() {
        let folder = Folder::new("next");
        let inner = folder.0.join("not/yet/there");
        let (mut one, mut two) = (open(&inner), open(&inner));
        one.write(HEADING, some("a", "direct"));
        two.write(HEADING, some("b", "winograd f(2, 3)"));
        let next = open(&inner);
        assert_eq!(next.get("a"), Some("direct"));
        assert_eq!(next.get("b"), Some("winograd f(2, 3)"));
        assert_eq!(next.get("c"), None);
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
        let other = Store::open(&inner, "lamina 2; some processor; avx2");
        assert_eq!(other.get("a"), None);
    }

    #[test]
    fn a_file_that_is_not_whole_is_none_and_is_replaced() {
        let folder = Folder::new("whole");
        let path = open(&folder.0).path.unwrap();
        let cut = format!("{HEADING}\na = direct\nb = wino");
        let contents: [&[u8]; 7] = [
            b"",
            b"\n",
            b"\xff\xfe\x00",
            b"lamina 2; other; avx2\na = direct\n",
            cut.as_bytes(),
            b"lamina 1; some processor; avx2\na direct\n",
            &vec![b'a'; 2 << 20],
        ];
        for content in contents {
            std::fs::write(&path, content).unwrap();
            let mut store = open(&folder.0);
            assert_eq!(store.get("a"), None);
            store.write(HEADING, some("c", "direct"));
            assert_eq!(open(&folder.0).get("c"), Some("direct"));
        }
    }

    #[test]
    fn where_nothing_can_be_written_what_was_found_still_holds() {
        let folder = Folder::new("nowhere");
        let taken = folder.0.join("taken");
        std::fs::write(&taken, "a file where a folder should be").unwrap();
        let path = open(&folder.0).path.unwrap();
        std::fs::create_dir_all(&path).unwrap();
        for mut store in [open(&taken), open(&folder.0), Store::default()] {
            store.write(HEADING, some("a", "direct"));
            assert_eq!(store.get("a"), Some("direct"));
        }
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);
    }

    #[test]
    fn writers_at_once_leave_a_whole_file() {
        let folder = Folder::new("once");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let folder = &folder.0;
                scope.spawn(move || {
                    for i in 0..20 {
                        let mut store = open(folder);
                        store.write(HEADING, some(&format!("{thread} {i}"), "direct"));
                        let path = store.path.unwrap();
                        assert!(super::read(&path, HEADING).is_some());
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
    }
}
