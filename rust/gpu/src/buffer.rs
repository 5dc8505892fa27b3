//! Device memory: pooled buffers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    counters::{BUFFERS, count},
    error::{GpuError, Result},
    gpu::Gpu,
};

/// Device memory.  Clones share it; the last one to go returns it to the device's pool, where any
/// later submission may have it: one queue runs them in order.
#[derive(Clone)]
pub struct Buffer(Arc<Inner>);

struct Inner {
    gpu: Arc<Gpu>,
    raw: Raw,
    bytes: u64,
}

/// A buffer of the device and the number that names it for life.
#[derive(Clone)]
pub(crate) struct Raw {
    pub buffer: wgpu::Buffer,
    pub id: u64,
}

/// Buffers that nobody holds, by size.
#[derive(Default)]
pub(crate) struct Pool {
    free: BTreeMap<u64, Vec<Raw>>,
    free_bytes: u64,
    used_bytes: u64,
    /// Counts the times that free buffers were given back to the device.
    pub epoch: u64,
}

/// Bytes of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Held by live buffers.
    pub in_use: u64,
    /// Free, waiting in the pool.
    pub pooled: u64,
    pub limit: u64,
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer(#{}, {} bytes)", self.id(), self.bytes())
    }
}

impl Buffer {
    /// The bytes asked for.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// A number that names this device memory; it may return with a later buffer.
    pub fn id(&self) -> u64 {
        self.0.raw.id
    }

    /// How many clones of this buffer there are.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.0.gpu
    }

    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        &self.0.raw.buffer
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut pool = self.gpu.pool.lock();
        let size = self.raw.buffer.size();
        pool.used_bytes -= size;
        pool.free_bytes += size;
        // Oldest first when taken: a repeated step then gets the same buffers
        // for the same values, in whatever order the last step let go of them,
        // and its bind groups serve again.
        let free = pool.free.entry(size).or_default();
        let at = free.partition_point(|other| other.id > self.raw.id);
        free.insert(at, self.raw.clone());
    }
}

/// Whole words of 16 bytes, at least one: every binding may be read and written by the vec4.
pub fn padded(bytes: u64) -> u64 {
    bytes.max(1).div_ceil(16).saturating_mul(16)
}

/// The size really allocated: eight classes to each power of two, so at most an eighth is lost.
fn size_class(bytes: u64) -> u64 {
    let bytes = padded(bytes);
    let step = (bytes.next_power_of_two() / 16).max(16);
    bytes.div_ceil(step).saturating_mul(step)
}

impl Gpu {
    /// Device memory with unspecified contents.
    pub fn alloc(self: &Arc<Self>, bytes: u64) -> Result<Buffer> {
        self.check()?;
        let caps = self.caps();
        let limit = caps.max_binding_bytes.min(caps.max_buffer_bytes) / 16 * 16;
        if padded(bytes) > limit {
            return Err(GpuError::TooLarge { bytes, limit });
        }
        let size = size_class(bytes).min(limit);
        let raw = match self.take(size)? {
            Some(raw) => raw,
            None => match self.create(size) {
                Ok(raw) => raw,
                Err(GpuError::OutOfMemory { .. }) => {
                    self.trim();
                    self.create(size).inspect_err(|_| self.release(size))?
                }
                Err(error) => {
                    self.release(size);
                    return Err(error);
                }
            },
        };
        let gpu = self.clone();
        Ok(Buffer(Arc::new(Inner { gpu, raw, bytes })))
    }

    pub fn memory(&self) -> MemoryUse {
        let pool = self.pool.lock();
        MemoryUse {
            in_use: pool.used_bytes,
            pooled: pool.free_bytes,
            limit: self.memory_limit.load(Relaxed),
        }
    }

    /// Gives the pool's free buffers back to the device.
    pub fn trim(&self) {
        let mut pool = self.pool.lock();
        let free = std::mem::take(&mut pool.free);
        pool.free_bytes = 0;
        pool.epoch += 1;
        drop(pool);
        drop(free);
    }

    /// Books `size` bytes; a free buffer of that size if there is one.
    fn take(&self, size: u64) -> Result<Option<Raw>> {
        let limit = self.memory_limit.load(Relaxed);
        let mut pool = self.pool.lock();
        let in_use = pool.used_bytes;
        if in_use.saturating_add(size) > limit {
            return Err(GpuError::OutOfMemory {
                wanted: size,
                in_use,
                limit,
            });
        }
        pool.used_bytes += size;
        let reused = pool.free.get_mut(&size).and_then(Vec::pop);
        if reused.is_some() {
            pool.free_bytes -= size;
        } else if in_use + size + pool.free_bytes > limit {
            drop(pool);
            self.trim();
        }
        Ok(reused)
    }

    fn release(&self, size: u64) {
        self.pool.lock().used_bytes -= size;
    }

    fn create(&self, size: u64) -> Result<Raw> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let made = self.scoped("a buffer's allocation", || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::UNIFORM
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let buffer = made.map_err(|error| match error {
            GpuError::OutOfMemory { .. } => {
                let memory = self.memory();
                GpuError::OutOfMemory {
                    wanted: size,
                    in_use: memory.in_use.saturating_sub(size),
                    limit: memory.limit,
                }
            }
            other => other,
        })?;
        count(&BUFFERS);
        let id = IDS.fetch_add(1, Relaxed);
        Ok(Raw { buffer, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_padded_and_classes_waste_little() {
        assert_eq!(padded(0), 16);
        assert_eq!(padded(16), 16);
        assert_eq!(padded(17), 32);
        for bytes in [
            1,
            16,
            17,
            100,
            1000,
            4097,
            1 << 20,
            (1 << 20) + 1,
            999_999_937,
        ] {
            let size = size_class(bytes);
            assert!(size >= padded(bytes) && size.is_multiple_of(16));
            assert!(size <= padded(bytes) + padded(bytes) / 7, "{bytes}: {size}");
        }
    }
}
