//! CPU memory: aligned blocks, reused by size class, within a budget.

use crate::{Error, Result, counters};
use lamina_kernels::pages;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

const VARIABLE: &str = "LAMINA_MEMORY_LIMIT";

const ALIGN: usize = 64;
/// Freed blocks kept for reuse, in bytes in all.
const KEPT: usize = 1 << 28;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static FREE: Mutex<(usize, BTreeMap<usize, Vec<Raw>>)> = Mutex::new((0, BTreeMap::new()));

struct Raw(NonNull<u8>);
// SAFETY: a raw block is memory that its holder alone owns.
unsafe impl Send for Raw {}

/// Rounded up so that nearby sizes share blocks: four classes an octave.
fn size_class(bytes: usize) -> usize {
    let bytes = bytes.max(ALIGN);
    let octave = bytes
        .checked_next_power_of_two()
        .unwrap_or(1 << (usize::BITS - 1));
    let step = (octave / 8).max(ALIGN);
    bytes.div_ceil(step).saturating_mul(step)
}

/// `LAMINA_MEMORY_LIMIT` in bytes (suffixes K, M, G), else 0.8 of what the
/// machine or its control group has.
pub fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| asked().unwrap_or_else(|| machine_bytes() / 10 * 8))
}

/// What the environment asks for.  A library checks this once when it is
/// loaded, so that a mistyped value is an error there.
pub fn from_env() -> Result<Option<usize>> {
    match std::env::var_os(VARIABLE) {
        Some(value) => parse(&value.to_string_lossy()).map(Some),
        None => Ok(None),
    }
}

fn asked() -> Option<usize> {
    from_env().ok().flatten()
}

/// The limit for a GPU: what was asked for holds for each device; without it
/// the driver says when there is no more, unless `shared`.
pub(crate) fn asked_limit(shared: bool) -> Option<usize> {
    if shared { Some(limit()) } else { asked() }
}

fn parse(value: &str) -> Result<usize> {
    let text = value.trim();
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number = digits.trim().parse::<usize>().ok();
    number
        .and_then(|n| n.checked_mul(factor))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| {
            Error::argument(format!(
                "{VARIABLE}: got '{value}', wanted a whole number of bytes above 0, as 500000000, 512M or 4G (K, M, G are powers of 1024)"
            ))
        })
}

fn machine_bytes() -> usize {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace()
            .nth(1)?
            .parse::<usize>()
            .ok()
            .map(|kib| kib << 10)
    });
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    match (total, group) {
        (Some(a), Some(b)) => a.min(b),
        (Some(a), None) | (None, Some(a)) => a,
        // Where the system does not say, no more than half an address space
        // of a small machine.
        (None, None) => 16 << 30,
    }
}

/// Bytes of CPU memory taken from the system, those kept for reuse included.
pub fn held() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Checks a request against the budget before any memory is taken.
pub fn check_budget(bytes: usize) -> Result<()> {
    let live = LIVE.load(Ordering::Relaxed);
    if live.saturating_add(bytes) > limit() {
        return Err(Error::out_of_memory(format!(
            "{bytes} bytes wanted with {live} in use exceed the budget of {} bytes; use smaller tensors or raise {VARIABLE}",
            limit()
        )));
    }
    Ok(())
}

/// A block of CPU memory.  It is written only by the run that made it, or by
/// a run to which its only holder donated it.
pub struct CpuBuffer {
    ptr: NonNull<u8>,
    bytes: usize,
    owner: Owner,
    /// Packings by key; none yet where one was asked for once.
    packed: Mutex<Vec<(PackKey, Option<Packing>)>>,
}

/// Packings that are remembered of one buffer, made or asked for.
const REMEMBERED: usize = 16;

type Packing = Arc<dyn Any + Send + Sync>;

enum Owner {
    /// Ours, of this size class.
    Pool(usize),
    /// Somebody else's, kept alive by this.
    Foreign(#[allow(dead_code)] Box<dyn Any + Send + Sync>),
}

/// Which packing of a buffer: the kernel's format and where in the buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackKey {
    pub format: &'static str,
    pub offset: usize,
    pub sizes: Vec<isize>,
}

// SAFETY: plain memory; writes are ordered by who owns the buffer (above).
unsafe impl Send for CpuBuffer {}
// SAFETY: as above.
unsafe impl Sync for CpuBuffer {}

impl CpuBuffer {
    /// Uninitialised memory of `bytes` bytes.
    pub fn new(bytes: usize) -> Result<Arc<Self>> {
        let class = size_class(bytes);
        let reused = {
            let mut free = FREE.lock();
            let found = free.1.get_mut(&class).and_then(Vec::pop);
            if found.is_some() {
                free.0 -= class;
            }
            found
        };
        let ptr = if let Some(Raw(ptr)) = reused {
            ptr
        } else {
            check_budget(class)?;
            let ptr = pages::take(class).ok_or_else(|| too_large(bytes))?;
            counters::add(&counters::CPU_ALLOCATIONS);
            LIVE.fetch_add(class, Ordering::Relaxed);
            ptr
        };
        Ok(Arc::new(CpuBuffer {
            ptr,
            bytes,
            owner: Owner::Pool(class),
            packed: Mutex::new(Vec::new()),
        }))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Arc<Self>> {
        let buffer = CpuBuffer::new(bytes.len())?;
        // SAFETY: fresh memory of at least that many bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.ptr.as_ptr(), bytes.len()) };
        Ok(buffer)
    }

    /// Memory of somebody else, kept alive by `keep`.
    ///
    /// # Safety
    /// `ptr` is readable for `bytes` bytes and unchanged while `keep` lives.
    pub unsafe fn foreign(
        ptr: *const u8,
        bytes: usize,
        keep: Box<dyn Any + Send + Sync>,
    ) -> Arc<Self> {
        let ptr = NonNull::new(ptr.cast_mut()).unwrap_or(NonNull::<u64>::dangling().cast());
        Arc::new(CpuBuffer {
            ptr,
            bytes,
            owner: Owner::Foreign(keep),
            packed: Mutex::new(Vec::new()),
        })
    }

    pub fn ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `bytes` long, initialised by the run that made it.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.bytes) }
    }

    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.owner, Owner::Foreign(_))
    }

    /// The packing `key`, made once by `pack` and kept with the memory.
    pub fn packed<T: Any + Send + Sync>(&self, key: PackKey, pack: impl FnOnce() -> T) -> Arc<T> {
        let mut packed = self.packed.lock();
        let at = packed.iter().position(|(k, _)| *k == key);
        let known = at.and_then(|at| packed[at].1.clone());
        if let Some(found) = known.and_then(|p| p.downcast().ok()) {
            return found;
        }
        let made = Arc::new(pack());
        counters::add(&counters::PACKINGS);
        match at {
            Some(at) => packed[at].1 = Some(made.clone()),
            None => packed.push((key, Some(made.clone()))),
        }
        made
    }

    /// Whether the packing `key` was asked for before; from now on it was.
    /// Only a few are remembered: where each call asks for another part of
    /// the memory (a batch of data), packings would not be found again.
    pub fn asked_before(&self, key: &PackKey) -> bool {
        let mut packed = self.packed.lock();
        if packed.iter().any(|(k, _)| k == key) {
            return true;
        }
        if packed.len() >= REMEMBERED {
            let Some(oldest) = packed.iter().position(|(_, p)| p.is_none()) else {
                return false;
            };
            packed.remove(oldest);
        }
        packed.push((key.clone(), None));
        false
    }

    /// Forgets packings: the memory is about to be written.
    pub fn forget_packings(&self) {
        self.packed.lock().clear();
    }
}

impl Drop for CpuBuffer {
    fn drop(&mut self) {
        let Owner::Pool(class) = self.owner else {
            return;
        };
        let mut free = FREE.lock();
        if free.0 + class <= KEPT {
            free.0 += class;
            free.1.entry(class).or_default().push(Raw(self.ptr));
            return;
        }
        drop(free);
        LIVE.fetch_sub(class, Ordering::Relaxed);
        // SAFETY: taken with this size; nobody has it now.
        unsafe { pages::free(self.ptr, class) };
    }
}

fn too_large(bytes: usize) -> Error {
    Error::out_of_memory(format!(
        "the system has no {bytes} bytes left; use smaller tensors"
    ))
}
