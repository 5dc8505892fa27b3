//! Cache sizes, by which kernels cut their work.

use std::sync::OnceLock;

/// Bytes of a line; as wide as the widest vector.
pub(crate) const LINE_BYTES: usize = 64;
/// f32 values in a line.
pub(crate) const LINE: usize = LINE_BYTES / size_of::<f32>();

/// Bytes of a core's second-level cache; 512 KiB where the system does not
/// say.  Between 256 KiB and 2 MiB.
pub fn l2() -> usize {
    static L2: OnceLock<usize> = OnceLock::new();
    *L2.get_or_init(|| read(2).unwrap_or(512 << 10).clamp(256 << 10, 2 << 20))
}

/// Bytes of the last cache before memory; 32 MiB where the system does not
/// say.
pub(crate) fn last() -> usize {
    (3..=4).filter_map(read).max().unwrap_or(32 << 20)
}

fn read(index: usize) -> Option<usize> {
    let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    match text.strip_suffix('K') {
        Some(kib) => Some(kib.parse::<usize>().ok()? << 10),
        None => Some(text.strip_suffix('M')?.parse::<usize>().ok()? << 20),
    }
}
